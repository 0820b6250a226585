"""Replies to a message: free text, of which several are drawn, since no single one is right."""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from regen.benchmarks.base import BaseBenchmark, Item, Metrics, Prompt, Trivial
from regen.borrowed import Borrowed
from regen.diversity import distinct, ngrams, self_bleu, words
from regen.draws import METRICS
from regen.errors import InputError
from regen.files import Absent, read_jsonl
from regen.metrics import Metric
from regen.quoting import restore
from regen.records import Prediction

MESSAGE = "{message}"
SPLITS = ("train", "dev", "test")
OFTEN_ENOUGH = 2
"""Times that the training split has a word that counts as one."""


class Retrieval(Trivial):
    """The reply of the nearest training message, so that a person said it, if to something else.

    Nearest by the words that both messages have, over those that either has, each counting the log
    of its rarity; ties go to the first.
    """

    def fit(self, items: Sequence[Item]) -> None:
        self.known = [(set(words(item.inputs["message"])), item.target) for item in items]
        counts = Counter(word for found, _ in self.known for word in found)
        self.weights = {word: math.log(1 + len(items) / n) for word, n in counts.items()}
        self.unknown = math.log(1 + len(items))

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [self._nearest(set(words(item.inputs["message"]))) for item in items]

    def _nearest(self, asked: set[str]) -> str:
        return max(self.known, key=lambda one: self._shared(asked, one[0]))[1]

    def _shared(self, asked: set[str], found: set[str]) -> float:
        either = self._weight(asked | found)
        return self._weight(asked & found) / either if either else 0.0

    def _weight(self, found: set[str]) -> float:
        return sum(self.weights.get(word, self.unknown) for word in sorted(found))


class Replies(BaseBenchmark):
    """The target is what a person answered; it is one reply among others that would do.

    Metrics of an item are about the set of its samples, or means over them:
    distinct_<n>, self_bleu: see regen.diversity, within the set
    quality: see `quality`; the others: see regen.draws
    """

    name = "replies"
    builders = ("replies",)
    prompts: ClassVar[Mapping[str, str]] = {"baseline": MESSAGE, "asked": f"Reply to: {MESSAGE}"}
    metrics: ClassVar[Mapping[str, Metric]] = {
        "distinct_2": Metric("distinct-2"),
        "distinct_1": Metric("distinct-1"),
        "distinct_3": Metric("distinct-3"),
        "self_bleu": Metric("self-BLEU-4", larger_is_better=False),
        "quality": Metric("well-formedness"),
        **METRICS,
    }
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {"retrieval": Retrieval}

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        where = f"{folder}: item {row.get('item', '(unnamed)')!r}"
        for key in ("item", "group", "message", "reply"):
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise InputError(f"{where} has no {key!r}; rebuild the data set")
        return Item(
            item=row["item"],
            group=row["group"],
            target=row["reply"],
            inputs={"message": row["message"], "folder": folder},
        )

    def prompt(self, item: Item, template: str) -> Prompt:
        """The template's {message}; a template without it is put before the message."""
        if MESSAGE not in template:
            template = f"{template}\n{MESSAGE}"
        return Prompt(item.inputs["message"].join(template.split(MESSAGE)))

    def score(self, item: Item, predictions: Sequence[Prediction]) -> Metrics:
        said = [p.prediction or "" for p in predictions]
        one = Absent("one reply is no set")
        return {
            **{f"distinct_{n}": distinct(said, n) if len(said) > 1 else one for n in (1, 2, 3)},
            "self_bleu": self_bleu(said),
            "quality": sum(self.quality(item, text) for text in said) / len(said),
        }

    def quality(self, item: Item, text: str) -> float:
        """How well-formed a reply is, 0 to 1: the share of its words that are words, times the
        share of its pairs of words that are not one that it had already.

        A word is what the training split has at least twice. What is said is not looked at.
        """
        tokens = words(text)
        if not tokens:
            return 0.0
        vocabulary = _vocabulary(item.inputs["folder"])
        known = sum(token in vocabulary for token in tokens) / len(tokens)
        pairs = ngrams(tokens, 2)
        return known * (len(set(pairs)) / len(pairs) if pairs else 1.0)

    def draws(self, item: Item, predictions: Sequence[Prediction]) -> tuple[str, str, list[str]]:
        return item.inputs["message"], item.target, [p.prediction or "" for p in predictions]

    def to_record(self, item: Item, prediction: Prediction) -> Prediction:
        """Without the data's words: a hash for the reply, places for what repeats the data."""
        borrowed = _borrowed(item.inputs["folder"])

        def quoted(text: str | None) -> str | None:
            return None if text is None else borrowed.quote(text)

        output, answer = quoted(prediction.output), quoted(prediction.prediction)
        return replace(prediction, target=_hash(item.target), output=output, prediction=answer)

    def from_record(self, item: Item, prediction: Prediction) -> Prediction:
        source = _borrowed(item.inputs["folder"]).source

        def restored(text: str | None) -> str | None:
            return None if text is None else restore(text, source)

        output, answer = restored(prediction.output), restored(prediction.prediction)
        same = prediction.target == _hash(item.target)
        target = item.target if same else prediction.target
        return replace(prediction, target=target, output=output, prediction=answer)


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@lru_cache(maxsize=4)
def _vocabulary(folder: Path) -> frozenset[str]:
    rows = read_jsonl(folder / "train.jsonl")
    counts = Counter(word for row in rows for word in words(f"{row['message']} {row['reply']}"))
    return frozenset(word for word, count in counts.items() if count >= OFTEN_ENOUGH)


@lru_cache(maxsize=4)
def _borrowed(folder: Path) -> Borrowed:
    rows = [row for split in SPLITS for row in read_jsonl(folder / f"{split}.jsonl")]
    return Borrowed("\n".join(row[key] for row in rows for key in ("message", "reply")))
