"""Baselines without a language model that more than one task has."""

from collections import Counter
from collections.abc import Sequence

from regen.benchmarks.base import Item, Trivial


class MostFrequent(Trivial):
    """The most frequent answer of the training items, for every item."""

    def fit(self, items: Sequence[Item]) -> None:
        count = Counter(item.target for item in items)
        self.answer = min(count, key=lambda answer: (-count[answer], answer))

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [self.answer] * len(items)
