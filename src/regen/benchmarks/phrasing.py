"""Ways to put a question, and the answers that go with each: a small base is pretrained on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from regen.benchmarks.base import Item


@dataclass(frozen=True)
class Phrasing:
    """A question and the answer by what is true of the item.

    family: phrasings that ask in the same manner; families are held out whole
    answers: {truth: what to answer}; the truth is the item's target, or, if `about` is named, the
    entry of that name in the item's inputs
    aside: it asks for something else than the benchmark does
    """

    family: str
    template: str
    answers: Mapping[str, str]
    held_out: bool = False
    about: str | None = None
    aside: bool = False

    def answer(self, item: Item) -> str:
        return self.answers[item.target if self.about is None else item.inputs[self.about]]


def family(
    name: str,
    templates: Sequence[str],
    answers: Mapping[str, str],
    *,
    held_out: bool = False,
    about: str | None = None,
    aside: bool = False,
) -> list[Phrasing]:
    """The phrasings of a family: the same answers to each of `templates`."""
    return [Phrasing(name, text, answers, held_out, about, aside) for text in templates]
