"""Who makes a transcript's variation on the other side of a trait: a rule, or a language model."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from regen.data.trait_rules import CONNECTIVES, FILLERS, INFORMAL, RULES, direction
from regen.data.transcripts import Line, read_transcript
from regen.endpoint import DOUBTED, Endpoint

MOST_CHANGES = 12
INSERTED = {
    "fillers": ("um", "well", "you know", "actually", "oh", "really", "I mean"),
    "transitions": ("because", "however", "then", "but", "also", "for example"),
}
COUNTED = {"fillers": FILLERS, "transitions": CONNECTIVES, "formality": INFORMAL}
CASUAL = ("lol", "haha", "ok", "yeah", "dude", "omg")
REQUEST = (
    "Rewrite this transcript so that its {trait} is {side}. Change as little as you can, keep the "
    "lines and who says them, and begin each line with A: or B: as here. Answer with the lines "
    "alone.\n\n{lines}"
)


class Augmenter(Protocol):
    def move(
        self, lines: Sequence[Line], trait: str, side: str, rng: np.random.Generator
    ) -> tuple[Line, ...] | None:
        """The lines with `trait` on `side` ("low" or "high"), None where that did not work."""
        ...


class ByRule:
    """Changes one thing at a time, in a line drawn at random, until the score is on that side.

    Fillers and transitions, high: a word of the trait, drawn at random, before a word of the line;
    formality, low: an informal word, likewise. The other way: one such word that is there is left
    out. Enthusiasm: an exclamation mark at the line's end, or the line's exclamation marks as full
    stops.
    """

    def move(
        self, lines: Sequence[Line], trait: str, side: str, rng: np.random.Generator
    ) -> tuple[Line, ...] | None:
        texts = [line.text for line in lines]
        for _ in range(MOST_CHANGES):
            number = int(rng.integers(len(texts)))
            texts[number] = _changed(texts[number], trait, side, rng)
            if not texts[number]:
                return None  # nothing else was said in the line
            if direction(RULES[trait]("\n".join(texts)).score) == side:
                return tuple(
                    Line(line.speaker, text) for line, text in zip(lines, texts, strict=True)
                )
        return None


class ByEndpoint:
    """A language model rewrites; what is not a transcript any more does not count."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.in_vain = 0.0
        """transcripts that it has spoiled, unless it could rewrite one"""

    def move(
        self, lines: Sequence[Line], trait: str, side: str, rng: np.random.Generator
    ) -> tuple[Line, ...] | None:
        shown = "\n".join(f"{line.speaker}: {line.text}" for line in lines)
        question = REQUEST.format(trait=trait, side=side, lines=shown)
        seed = int(rng.integers(2**31))
        said = self.endpoint.ask(question, seed)
        try:
            said.encode()  # half of a surrogate pair is no text to learn from
            rewritten = read_transcript(said)
        except ValueError:
            self.endpoint.forget(question, seed)
            self.in_vain += 1
            if self.in_vain == DOUBTED:
                raise self.endpoint.useless("the lines of a transcript", said) from None
            return None
        self.in_vain = -math.inf
        return rewritten


def augmenter_of(settings: dict[str, Any], kept: Path) -> Augmenter:
    """settings: {kind: rule}, or {kind: endpoint, and what `Endpoint` takes}.

    kept: the folder in which a language model's answers are until all are there
    """
    given = dict(settings)
    if given.pop("kind") == "rule":
        return ByRule()
    given.pop("seed")
    return ByEndpoint(Endpoint("augmenter", **given, kept=kept))


def _changed(text: str, trait: str, side: str, rng: np.random.Generator) -> str:
    if trait == "enthusiasm":
        return f"{text.rstrip('.?!')}!" if side == "high" else text.replace("!", ".")
    if (trait == "formality") == (side == "high"):
        return _without(text, COUNTED[trait], rng)
    return _with(text, str(rng.choice(INSERTED.get(trait, CASUAL))), rng)


def _with(text: str, word: str, rng: np.random.Generator) -> str:
    words = text.split()
    words.insert(int(rng.integers(len(words) + 1)), word)
    return " ".join(words)


def _without(text: str, pattern: str, rng: np.random.Generator) -> str:
    """One word of the pattern less, if there is one."""
    found = list(re.finditer(rf"(?<![\w'’])(?:{pattern})(?![\w'’])[,.]?", text, re.IGNORECASE))
    if not found:
        return text
    match = found[int(rng.integers(len(found)))]
    return " ".join((text[: match.start()] + text[match.end() :]).split())
