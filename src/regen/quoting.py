"""A text in terms of another one: what it quotes at length is written as a place in there.

So an answer that repeats a source can be recorded without the source's words, and be restored where
the source is at hand.
"""

import re
from difflib import SequenceMatcher

LONGEST = 4
"""So many words in a row may stand in a record; what quotes more of them is a place."""
OPEN, CLOSE = "⟦", "⟧"
PLACE = re.compile(rf"{OPEN}(\d+):(\d+){CLOSE}|{OPEN}{OPEN}")


def quote(text: str, source: str) -> str:
    """`text` with each run of more than LONGEST words of `source` as ⟦start:end⟧, in characters."""
    parts, place = [], 0
    matcher = SequenceMatcher(None, source, text, autojunk=False)
    for start, begin, size in _runs(matcher, text, 0, len(text)):
        parts += [_literal(text[place:begin]), f"{OPEN}{start}:{start + size}{CLOSE}"]
        place = begin + size
    return "".join([*parts, _literal(text[place:])])


def _runs(
    matcher: "SequenceMatcher[str]", text: str, low: int, high: int
) -> list[tuple[int, int, int]]:
    """(start in source, start in text, length) of the runs between two places of the text.

    The longest first, then those before and after it, which may be from anywhere in the source.
    """
    start, begin, size = matcher.find_longest_match(blo=low, bhi=high)
    if len(text[begin : begin + size].split()) <= LONGEST:
        return []
    before, after = _runs(matcher, text, low, begin), _runs(matcher, text, begin + size, high)
    return [*before, (start, begin, size), *after]


def _literal(text: str) -> str:
    return text.replace(OPEN, OPEN + OPEN)


def restore(recorded: str, source: str) -> str:
    """The text that `quote` was given, from the same source."""

    def of(match: re.Match[str]) -> str:
        if match[1] is None:
            return OPEN
        return source[int(match[1]) : int(match[2])]

    return PLACE.sub(of, recorded)
