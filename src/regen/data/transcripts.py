"""Openings of rated conversations, as transcripts: what the trait scores are about.

From chitchat-dataset 0.9.0 (MIT): conversations of two people, typed, whose ratings are one
person's judgement, 1 to 10, of how witty, interesting and upbeat the conversation was. Where all
three are 5, the form's default, nobody rated, and the conversation is left out.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regen.data.sources import archive
from regen.errors import InputError

HUMAN = ("witty", "interesting", "upbeat")
DEFAULT = 5
FEWEST_LINES = 2

UNFIT = re.compile(
    r"\b(?:f+u+c+k\w*|sh[i1]t\w*|bitch\w*|ass(?:hole)?s?|cunt\w*|dick\w*|damn\w*|hell|crap\w*|"
    r"sex\w*|porn\w*|nude\w*|naked|rape\w*|slut\w*|whore\w*|fag\w*|nigg\w*|retard\w*|gay|lesbian|"
    r"kill\w*|suicid\w*|murder\w*|hitler|nazi\w*|terroris\w*|drunk|drugs?|weed|penis|boobs?|poop\w*)\b",
    re.IGNORECASE,
)
PERSONAL = re.compile(
    r"@|https?:|www\.|\.com\b|\d{5,}|\b(?:my name|your name|i'?m called|call me|phone|number is|"
    r"address|e-?mail|facebook|instagram|snapchat|insta|snap|my (?:ssn|birthday|password)|"
    r"i live (?:in|at|on))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Line:
    """What one speaker said at once; `speaker` is A or B, in the order of their first words."""

    speaker: str
    text: str


@dataclass(frozen=True)
class Conversation:
    """name: the first digits of its identifier's sha256, as are those of the speakers;
    ratings: {trait: 1 to 10} by a person; more: lines that come after the opening
    """

    name: str
    speakers: tuple[str, ...]
    ratings: dict[str, int]
    opening: tuple[Line, ...]
    more: int


def read_package(sources: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every conversation of the package, by its identifier, as it stands there.

    Raises InputError for a package that does not hold the conversations.
    """
    wheel = archive(sources, "chitchat-dataset")
    try:
        with zipfile.ZipFile(wheel) as content:
            read = json.loads(content.read("chitchat_dataset/dataset.json"))
        return list(read.items())
    except (KeyError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{wheel}: holds no conversations ({error}); fetch it again") from None


def conversations(sources: Path, words: int) -> tuple[list[Conversation], dict[str, int]]:
    """Rated conversations by name, opened with at most so many words; {why left out: how many}.

    An opening is whole lines. Raises InputError for a package that does not hold the conversations.
    """
    every = read_package(sources)
    kept, left_out = [], {"not rated": 0, "profane or personal": 0, "opening too long or short": 0}
    for identifier, one in every:
        ratings = _ratings(one.get("ratings", {}))
        said = [
            (str(message["sender"]), " ".join(str(message["text"]).split()))
            for turn in one["messages"]
            for message in turn
        ]
        said = [(sender, text) for sender, text in said if text]
        opening = _opening(said, words)
        if ratings is None:
            left_out["not rated"] += 1
        elif len(opening) < FEWEST_LINES or not all(plain(line.text) for line in opening):
            left_out["opening too long or short"] += 1
        elif any(UNFIT.search(line.text) or PERSONAL.search(line.text) for line in opening):
            left_out["profane or personal"] += 1
        else:
            speakers = tuple(sorted({short(sender) for sender, _ in said}))
            more = len(said) - len(opening)
            kept.append(Conversation(short(identifier), speakers, ratings, opening, more))
    return sorted(kept, key=lambda c: c.name), left_out


def transcript(opening: Iterable[Line], more: int) -> str:
    """A line each, with who says it, and how many lines the conversation has after them."""
    lines = [f"{line.speaker}: {line.text}" for line in opening]
    return "\n".join([*lines, f"({more} more)"])


def spoken(opening: Iterable[Line]) -> str:
    """What is said, a line each, without who says it."""
    return "\n".join(line.text for line in opening)


def read_transcript(text: str) -> tuple[Line, ...]:
    """The lines of a transcript again. Raises ValueError for a line that has no speaker."""
    lines = []
    for one in text.strip().splitlines():
        match = re.fullmatch(r"\s*([AB]):\s*(\S.*?)\s*", one)
        if match is None:
            raise ValueError(f"{one[:40]!r} does not begin with A: or B:")
        lines.append(Line(match[1], match[2]))
    if not lines:
        raise ValueError("there are no lines")
    return tuple(lines)


def components(kept: Sequence[Conversation]) -> dict[str, str]:
    """{speaker: the group}: speakers who are linked by talking with one another, directly or
    through others, are one group, named after its first.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for one in kept:
        for speaker in one.speakers:
            first, second = sorted((root(one.speakers[0]), root(speaker)))
            parent[second] = first
    return {speaker: root(speaker) for speaker in parent}


def _ratings(given: dict[str, Any]) -> dict[str, int] | None:
    """None where somebody did not rate all three, or left the form as it was."""
    try:
        found = {trait: int(given[trait]) for trait in HUMAN}
    except (KeyError, TypeError, ValueError):
        return None
    if set(found.values()) == {DEFAULT} or not all(1 <= value <= 10 for value in found.values()):
        return None
    return found


def _opening(said: Sequence[tuple[str, str]], words: int) -> tuple[Line, ...]:
    names: dict[str, str] = {}
    lines: list[Line] = []
    total = 0
    for sender, text in said:
        total += len(text.split())
        if total > words:
            break
        names.setdefault(sender, "A" if not names else "B")
        lines.append(Line(names[sender], text))
    return tuple(lines)


def plain(text: str) -> bool:
    """Printable ASCII and the usual quotation marks, in words of at most 20 letters."""
    allowed = all(" " <= character <= "~" or character in "‘’“”…" for character in text)
    return allowed and all(len(word) <= 20 for word in text.split())


def short(identifier: str) -> str:
    return hashlib.sha256(identifier.encode()).hexdigest()[:10]
