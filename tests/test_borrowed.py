"""What repeats a long source is written as places in it, and comes back."""

import random

from regen.borrowed import Borrowed
from regen.quoting import LONGEST, restore

LINES = [
    "the old tea of the north was drunk by forty people",
    "it improved their sleep by ⟦three⟧ hours and a half",
    "the old tea of the north was not drunk at all",
]
SOURCE = "\n".join(LINES)


def test_the_longest_place_is_taken_and_a_run_does_not_cross_lines() -> None:
    borrowed = Borrowed(SOURCE)
    said = "so the old tea of the north was not drunk there"
    recorded = borrowed.quote(said)
    assert recorded.startswith("so ⟦") and recorded.endswith("there")
    assert restore(recorded, SOURCE) == said
    start = SOURCE.index("the old tea of the north was not")
    assert recorded == f"so ⟦{start}:{start + len('the old tea of the north was not drunk ')}⟧there"
    across = "by forty people it improved their"
    assert borrowed.quote(across) == across


def test_any_text_comes_back_and_no_long_run_stands_there() -> None:
    borrowed, draw = Borrowed(SOURCE), random.Random(1)
    pieces = [*SOURCE.split(), *LINES, LINES[0][4:33], "⟦", "⟧", "⟦1:3⟧", "⟦⟦", "7:9", "", "\n"]
    runs = {
        " ".join(words[k : k + LONGEST + 1])
        for words in map(str.split, LINES)
        for k in range(len(words) - LONGEST)
    }
    for _ in range(300):
        said = " ".join(draw.choice(pieces) for _ in range(draw.randint(0, 9)))
        recorded = borrowed.quote(said)
        assert restore(recorded, SOURCE) == said
        assert not any(run in f" {recorded} " for run in runs)
