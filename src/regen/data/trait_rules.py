"""Scores by rule, 1 to 10, of how something is said: words of each kind are counted.

They are no human judgement, and the data set's card says so. The evidence of a score are the words
themselves, so that an explanation can be checked against the text. So many different words give
these scores, in reverse for formality, whose evidence speaks against it:

    none 1    one 4    two 7    three or more 10
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

LOWEST, HIGHEST = 1, 10
MIDDLE = (LOWEST + HIGHEST) / 2
SCORES = (1, 4, 7, 10)
"""By the number of different words of evidence, the last one for more too."""

FILLERS = "um|uh|oh|well|so|just|really|yeah|haha|lol|you know"
CONNECTIVES = "because|but|then|also|however|if|when|since|while|or|first|for example"
INFORMAL = (
    r"hey|hi|im|ur|u|ya|yep|nope|lol|haha|omg|wanna|gonna|gotta|kinda|cool|dude|guys|ok|okay|"
    r"\w+['’](?:m|s|re|ve|ll|d|t)"
)
EXCLAIMED = re.compile(r"([\w'’]+)!")


@dataclass(frozen=True)
class Judged:
    """A score, and the words of the text that it rests on, each once, in the text's order."""

    score: int
    evidence: tuple[str, ...]


def enthusiasm(text: str) -> Judged:
    """Words before an exclamation mark."""
    return _counted(match[1] for match in EXCLAIMED.finditer(text))


def fillers(text: str) -> Judged:
    return _counted(_words(text, FILLERS))


def transitions(text: str) -> Judged:
    """Words that say how one thing follows from another."""
    return _counted(_words(text, CONNECTIVES))


def formality(text: str) -> Judged:
    """Informal words and contractions speak against it."""
    judged = _counted(_words(text, INFORMAL))
    return Judged(LOWEST + HIGHEST - judged.score, judged.evidence)


MEANT = {
    "enthusiasm": "words before !",
    "fillers": FILLERS.replace("|", " "),
    "formality": "no slang, no contractions",
    "transitions": CONNECTIVES.replace("|", " "),
}
"""What a model is told of the rule."""
RULES: dict[str, Callable[[str], Judged]] = {
    "enthusiasm": enthusiasm,
    "fillers": fillers,
    "formality": formality,
    "transitions": transitions,
}
"""By trait; each takes what is said, a line each, without who says it."""
RULELESS = ("persuasiveness", "empathy")
"""No rule has these: a language model labels them, and makes variations of them."""


def _words(text: str, pattern: str) -> Iterator[str]:
    whole_words = rf"(?<![\w'’])(?:{pattern})(?![\w'’])"
    return (match[0] for match in re.finditer(whole_words, text, re.IGNORECASE))


def _counted(words: Iterator[str]) -> Judged:
    different: dict[str, str] = {}
    for word in words:
        different.setdefault(word.lower(), word)
    evidence = tuple(different.values())[: len(SCORES) - 1]
    return Judged(SCORES[len(evidence)], evidence)


def direction(score: float) -> str:
    """The side of the middle of the scale: "high" or "low"."""
    return "high" if score > MIDDLE else "low"


def explain(score: float, evidence: Sequence[str]) -> str:
    """What an explanation says: the evidence, then the side it speaks for, "well, um: high".

    A model that writes it has named the words before it says what they amount to.
    """
    return f"{', '.join(evidence) or 'none'}: {direction(score)}"
