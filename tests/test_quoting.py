"""Records without the words of others: nothing long is left of a source, and nothing is lost."""

import random

from regen.quoting import LONGEST, quote, restore

SOURCE = (
    "The old tea of the north was drunk by 40 patients. It improved sleep ⟦by⟧ 3.5 h, p < 0.05."
)


def test_what_is_quoted_comes_back_and_does_not_stand_there() -> None:
    answer = "In short: the old tea of the north was drunk by 40 patients, and slept well."
    recorded = quote(answer, SOURCE)
    assert restore(recorded, SOURCE) == answer
    assert "drunk by 40" not in recorded
    assert recorded.startswith("In short: ") and recorded.endswith(", and slept well.")


def test_any_text_comes_back() -> None:
    draw = random.Random(1)
    pieces = [
        *SOURCE.split(),
        SOURCE[:40],
        SOURCE[30:],
        "⟦",
        "⟧",
        "⟦1:3⟧",
        "⟦⟦",
        "12:14",
        "\n",
        "汉",
    ]
    for _ in range(300):
        text = "".join(draw.choice(pieces) + draw.choice(["", " "]) for _ in range(12))
        assert restore(quote(text, SOURCE), SOURCE) == text


def test_no_long_run_of_the_source_is_left() -> None:
    draw = random.Random(2)
    source_words = SOURCE.split()
    for _ in range(100):
        start = draw.randrange(len(source_words) - 6)
        text = " ".join(["so then", *source_words[start : start + 6], "at last"])
        recorded = quote(text, SOURCE)
        for first in range(len(source_words) - LONGEST):
            assert " ".join(source_words[first : first + LONGEST + 1]) not in recorded


def test_an_own_text_is_recorded_as_it_is() -> None:
    assert quote("Nothing of the kind.", SOURCE) == "Nothing of the kind."
    assert quote("", SOURCE) == ""
