"""The appendix's cases: questions with the expected answer and those of two models."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from regen.benchmarks.base import Item
from regen.tables.table import LATEX, Cell, Column, Row, Source, Table

LONGEST = 320
"""Characters of a text that are shown."""
LONG_WORD = re.compile(r"\S{12}(?=\S{4})")
SOFT_HYPHEN = "\N{SOFT HYPHEN}"
"""LaTeX may break a word there that does not fit into its column; else it shows nothing."""
LETTERS = frozenset("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩàáâãäåæçèéêëìíîïñòóôõöøùúûüýßÄÅÆÇÉÖØÜ")
"""Letters beyond ASCII that the tables' fonts have."""


def cases_table(
    shown: Sequence[tuple[Mapping[str, Any], Item, tuple[str, str]]],
    study: str,
    spoken: Mapping[str, str],
    metric: str,
) -> Table:
    """A row a case. shown: (what was picked, its item, the answers of both models)."""
    rows = []
    for number, (case, item, said) in enumerate(shown):
        scores = tuple(
            (case[key], Source("answers", "answers.json", f"/cases/{number}/{key}"))
            for key in ("score_a", "score_b")
        )
        texts = (item.inputs["question"], item.target, *said)
        rows.append(
            Row(
                f"{case['head']}/{case['item']}",
                (
                    Cell(case["head"]),
                    *(Cell(printable(text)) for text in texts),
                    *(Cell(f"{100 * value:.0f}", (value,), (source,)) for value, source in scores),
                ),
                block=("win", "tie", "loss").index(case["head"]),
            )
        )
    first = shown[0][0] if shown else None
    sides = [spoken[first["a"]], spoken[first["b"]]] if first else ["first", "second"]
    return Table(
        name="cases",
        study=study,
        caption=f"The clearest wins, ties and losses of {sides[0]} against {sides[1]} by {metric}, "
        "picked by rule.",
        columns=(
            Column("head", "", numeric=False),
            Column("question", "Question", numeric=False, width=0.17),
            Column("expected", "Expected", numeric=False, width=0.19),
            Column("said_a", sides[0], numeric=False, width=0.19),
            Column("said_b", sides[1], numeric=False, width=0.19),
            Column("score_a", "1st", head="score (%)"),
            Column("score_b", "2nd", head="score (%)"),
        ),
        rows=tuple(rows),
        notes=(
            "Scores are means over seeds; answers are those of the first seed. The largest "
            "differences, the smallest, and the most negative ones; of equal ties those with the "
            "higher score first, then by the item's name.",
        ),
    )


def printable(text: str) -> str:
    """On one line, in characters that LaTeX sets, and not too long; an empty text as a dash."""
    line = " ".join("".join(map(settable, text)).split())
    line = LONG_WORD.sub(rf"\g<0>{SOFT_HYPHEN}", line)
    return f"{line[:LONGEST].rstrip()} ..." if len(line) > LONGEST else line or "–"


def settable(character: str) -> str:
    """The character, what it is made of in Unicode where that is ASCII, or a question mark."""
    if character.isspace():
        return " "
    if character in LATEX or " " < character <= "~" or character in LETTERS:
        return character
    plain = unicodedata.normalize("NFKD", character)
    kept = "".join(c for c in plain if " " <= c <= "~" or c in LETTERS)
    return kept or ("" if unicodedata.combining(character) else "?")
