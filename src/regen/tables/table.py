"""The table object: cells that know what they were computed from, and how they are printed."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from regen.files import Absent, write_json, write_text

Value = float | int | str | None | Absent


@dataclass(frozen=True)
class Source:
    """Where a number stands: a file and a JSON pointer (RFC 6901) in it.

    `input` is the folder, below the results of the study: "statistics", or "selection/rank".
    """

    input: str
    file: str
    pointer: str


@dataclass(frozen=True)
class Cell:
    """One cell. `values` are the numbers behind `text`, each with the source it was read from.

    measured: from `timing.json`, so that it varies from run to run.
    """

    text: str
    values: tuple[Value, ...] = ()
    sources: tuple[Source, ...] = ()
    measured: bool = False
    bold: bool = False

    def in_bold(self) -> "Cell":
        return replace(self, bold=True)

    @property
    def absent(self) -> str | None:
        """Why the cell's value was not computed, None if it was."""
        first = self.values[0] if self.values else None
        return first.reason if isinstance(first, Absent) else None


@dataclass(frozen=True)
class Column:
    """A heading; numbers stand right, words left.

    width: share of the line that words, or a long heading, may take before they are broken; None
        for all they need
    head: stands above this column and its neighbours of the same head
    above: of the first column: the paper prints it as a line above each block of rows
    """

    name: str
    title: str
    numeric: bool = True
    width: float | None = None
    head: str = ""
    above: bool = False


def label_column(
    name: str, title: str, labels: Iterable[str], *, longest: int = 20, width: float = 0.14
) -> Column:
    """Of words that are broken at `width` if one label has more than `longest` characters."""
    long = any(len(label) > longest for label in labels)
    return Column(name, title, numeric=False, width=width if long else None)


@dataclass(frozen=True)
class Row:
    """Cells in the columns' order. `name` is the address that `regen trace` takes."""

    name: str
    cells: tuple[Cell, ...]
    block: int = 0
    """rows of different blocks are set apart by a rule"""


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    Raises ValueError for a ragged row, a row named twice, and for measured cells beside others:
    comparisons that ask for identity leave out whole tables.
    """

    name: str
    study: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"table {self.name}: row {row.name} has {len(row.cells)} cells")
            if names.count(row.name) > 1:
                raise ValueError(f"table {self.name}: there are two rows {row.name}")
        with_numbers = [cell for row in self.rows for cell in row.cells if cell.values]
        if len({cell.measured for cell in with_numbers}) > 1:
            raise ValueError(f"table {self.name}: measured numbers stand in a table of their own")

    @property
    def absences(self) -> dict[str, str]:
        """{reason: mark} of what was not computed: a cell prints "n/a" and the mark."""
        every = (cell for row in self.rows for cell in row.cells)
        reasons = dict.fromkeys(cell.absent for cell in every if cell.absent)
        return {reason: chr(ord("a") + k) for k, reason in enumerate(reasons)}

    @property
    def footnotes(self) -> tuple[str, ...]:
        """The notes, and the reasons for what was not computed."""
        return (*self.notes, *(f"n/a ({mark}): {why}." for why, mark in self.absences.items()))

    @property
    def measured(self) -> bool:
        return any(cell.measured for row in self.rows for cell in row.cells)

    def to_json(self) -> dict[str, Any]:
        """Every cell with its text, its values and where each of them was read."""
        return {
            "name": self.name,
            "study": self.study,
            "caption": self.caption,
            "measured": self.measured,
            "notes": list(self.notes),
            "columns": [{"name": c.name, "title": c.title} for c in self.columns],
            "rows": [
                {"name": row.name, "cells": [_cell_json(cell) for cell in row.cells]}
                for row in self.rows
            ],
        }

    def to_csv(self) -> str:
        """One column a value: a cell with several values has several columns, in full precision."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        widths = [
            max((len(row.cells[i].values) for row in self.rows), default=0)
            for i in range(len(self.columns))
        ]
        header = ["row"]
        for column, width in zip(self.columns, widths, strict=True):
            header += [column.name] if width < 2 else [f"{column.name}.{k}" for k in range(width)]
        writer.writerow(header)
        for row in self.rows:
            fields: list[Any] = [row.name]
            for cell, width in zip(row.cells, widths, strict=True):
                values = [_csv_value(v) for v in cell.values] or [cell.text]
                fields += values + [""] * (max(width, 1) - len(values))
            writer.writerow(fields)
        return out.getvalue()

    def to_markdown(self) -> str:
        def line(cells: Iterator[str]) -> str:
            safe = (cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells)
            return "| " + " | ".join(safe) + " |\n"

        text = f"**{self.caption}**\n\n"
        text += line(f"{c.head}: {c.title}" if c.head else c.title for c in self.columns)
        text += line("---:" if c.numeric else ":---" for c in self.columns)
        for row in self.rows:
            shown = ((c, self._shown(c)) for c in row.cells)
            text += line(f"**{words}**" if c.bold else words for c, words in shown)
        return text + "".join(f"\n{note}\n" for note in self.footnotes)

    def to_latex(self) -> str:
        """A complete table environment (booktabs), labelled tab:<study>-<name>."""
        first = int(self.columns[0].above)
        columns = self.columns[first:]
        shape = "".join(_shape(column) for column in columns)
        lines = [
            r"\begin{table}[tbp]",
            r"  \centering",
            rf"  \caption{{{escape(self.caption)}}}",
            rf"  \label{{tab:{self.study}-{self.name}}}",
            r"  \footnotesize",
            r"  \setlength{\tabcolsep}{4pt}",
            r"  \sbox0{%",
            rf"  \begin{{tabular}}{{@{{}}{shape}@{{}}}}",
            r"    \toprule",
            *_heads(columns),
            "    " + " & ".join(_title(column) for column in columns) + r" \\",
            r"    \midrule",
        ]
        for number, row in enumerate(self.rows):
            if number and row.block != self.rows[number - 1].block:
                lines.append(r"    \midrule")
            if first and (not number or row.block != self.rows[number - 1].block):
                words = rf"\textit{{{escape(row.cells[0].text)}}}"
                lines.append(rf"    \multicolumn{{{len(columns)}}}{{@{{}}l}}{{{words}}} \\*")
            cells = (
                _latex_cell(cell, self._shown(cell), column)
                for cell, column in zip(row.cells[first:], columns, strict=True)
            )
            lines.append("    " + " & ".join(cells) + r" \\")
        lines += [r"    \bottomrule", r"  \end{tabular}}", *SHRUNK]
        if self.footnotes:
            notes = r"\\ ".join(escape(note) for note in self.footnotes)
            lines.append(rf"  \par\smallskip\parbox{{\linewidth}}{{\footnotesize {notes}}}")
        return "\n".join([*lines, r"\end{table}"]) + "\n"

    def _shown(self, cell: Cell) -> str:
        return f"n/a ({self.absences[cell.absent]})" if cell.absent else cell.text


SHRUNK = (
    r"  \ifdim\wd0>\linewidth \ifdim0.9\wd0<\linewidth \resizebox{\linewidth}{!}{\usebox0}%",
    r"  \else \usebox0\fi \else \usebox0\fi",
)
"""What is a little too wide is made smaller; what is more is set as it is, and LaTeX says so."""

EMPTY = Cell("–")
"""Of a question that is not asked."""


def write_table(table: Table, out: Path) -> None:
    """As .tex, .md, .csv, and .json with every cell's sources."""
    write_text(out / f"{table.name}.tex", table.to_latex())
    write_text(out / f"{table.name}.md", table.to_markdown())
    write_text(out / f"{table.name}.csv", table.to_csv())
    write_json(out / f"{table.name}.json", table.to_json())


LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "×": r"$\times$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
}


LETTERS = frozenset(map(chr, (*range(0x20, 0x7F), *range(0xA0, 0x17F)))) - set("ĦħĸĿŀŉŦŧ")
SETTABLE = LETTERS | set("\n\t‐‑‒–—―‖‘’‚“”„†‡•…‰‹›€™")
"""What the paper's fonts have, in the encodings T1 and TS1."""

GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
GREEK = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", GREEK_NAMES.split(), strict=True))
"""Letters and LaTeX's commands for them; it has none for those that look like Latin letters."""


def escape(text: str) -> str:
    """Any string, safe to set in LaTeX text; a character that the paper's fonts lack by its code.

    A model may say anything, and a prompt that it proposed is printed.
    """
    return "".join(LATEX.get(character) or _other(character) for character in text)


def _other(character: str) -> str:
    """A Greek letter as mathematics; a character that can be set as it is; else its code."""
    if character in SETTABLE:
        return character
    if character in GREEK:
        return rf"$\{GREEK[character]}$"
    return f"{{[U+{ord(character):04X}]}}"


def _heads(columns: Sequence[Column]) -> list[str]:
    """The line above the titles, and the rules under it, where columns share a head."""
    cells, rules, place = [], [], 1
    for head, under in groupby(columns, key=lambda column: column.head):
        width = len(list(under))
        cells.append(
            rf"\multicolumn{{{width}}}{{c}}{{{escape(head)}}}" if head else "& " * (width - 1)
        )
        if head:
            rules.append(rf"\cmidrule(lr){{{place}-{place + width - 1}}}")
        place += width
    return ["    " + " & ".join(cells) + r" \\", "    " + "".join(rules)] if rules else []


def _title(column: Column) -> str:
    """A number's, in a column of a width, may be broken within a word: TeX never breaks the first
    word of a paragraph, and space of no width comes before it.
    """
    broken = r"\hspace{0pt}" if column.numeric and column.width is not None else ""
    return broken + escape(column.title)


def _shape(column: Column) -> str:
    if column.width is not None:
        ragged = r"\raggedleft" if column.numeric else r"\raggedright"
        return rf">{{{ragged}\arraybackslash}}p{{{column.width}\linewidth}}"
    return "r" if column.numeric else "l"


def _latex_cell(cell: Cell, words: str, column: Column) -> str:
    broken = r"\newline " if column.width is not None else " "
    text = broken.join(escape(line) for line in words.splitlines())
    # A star is set as a superscript that takes no room, so that the numbers stay aligned.
    body = text.rstrip("*")
    stars = len(text) - len(body)
    text = body + (rf"\rlap{{$^{{{'*' * stars}}}$}}" if stars else "")
    return rf"\textbf{{{text}}}" if cell.bold else text


def _cell_json(cell: Cell) -> dict[str, Any]:
    return {
        "text": cell.text,
        "measured": cell.measured,
        "bold": cell.bold,
        "values": list(cell.values),
        "sources": [vars(source) for source in cell.sources],
    }


def _csv_value(value: Value) -> str:
    if isinstance(value, float):
        return repr(value)
    return "" if value is None else str(value)
