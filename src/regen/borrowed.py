"""What a text repeats of a long source: `quoting.quote` for sources of a million characters."""

import re
from collections import defaultdict

from regen.quoting import CLOSE, LONGEST, OPEN

WORD = re.compile(r"\S+")


class Borrowed:
    """An index of every run of LONGEST + 1 words of `source`; `quoting.restore` reads it back."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._places: dict[tuple[str, ...], list[int]] = defaultdict(list)
        found = list(WORD.finditer(source))
        for first, *_, last in zip(*(found[k:] for k in range(LONGEST + 1)), strict=False):
            run = source[first.start() : last.end()]
            if "\n" not in run:
                self._places[tuple(run.split())].append(first.start())

    def quote(self, text: str) -> str:
        """`text` with each run of more than LONGEST words of the source as ⟦start:end⟧.

        From left to right, each run as long as any place of the source has it. Runs are whole words
        of `text`; words that differ in what stands between them are no run.
        """
        found = list(WORD.finditer(text))
        parts, done, number = [], 0, 0
        while number + LONGEST < len(found):
            begin = found[number].start()
            last = found[number + LONGEST].end()
            places = self._places.get(tuple(text[begin:last].split()), ())
            ends = [self._end(text, begin, place) for place in places]
            end = max(ends, default=0)
            if end < last:
                number += 1
                continue
            place = places[ends.index(end)]
            parts += [_literal(text[done:begin]), f"{OPEN}{place}:{place + end - begin}{CLOSE}"]
            done = end
            while number < len(found) and found[number].start() < end:
                number += 1
        return "".join([*parts, _literal(text[done:])])

    def _end(self, text: str, begin: int, place: int) -> int:
        """Up to where `text` from `begin` on is the source from `place` on."""
        size = 0
        while (
            begin + size < len(text)
            and place + size < len(self.source)
            and text[begin + size] == self.source[place + size]
        ):
            size += 1
        return begin + size


def _literal(text: str) -> str:
    return text.replace(OPEN, OPEN + OPEN)
