"""What a study costs: hours from the records of its runs, times the price of an hour."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regen.files import read_json
from regen.tables.read import pointer
from regen.tables.table import Cell, Column, Row, Source, Table, label_column

PARTS = ("seconds", "seconds_loading", "seconds_reading")
"""Of a run that answers: they do not overlap."""


def spending_table(
    recipes: Mapping[str, Sequence[Path]],
    study: str,
    spoken: Mapping[str, str],
    spending: Mapping[str, Any] | None,
) -> Table:
    """A row a variant that has a model: spent, to be spent, total.

    recipes: {training: its checkpoint folders}, a folder a seed
    spending: {per_hour, currency, further_seeds, runs: {variant: {training, predictions}}}, the
        last the names of its runs; to be spent is what `further_seeds` more of the trained ones
        would cost at the mean of those that were run
    """
    rows = []
    totals: list[list[Cell]] = []
    currency = spending["currency"] if spending else ""
    for variant, one in spending["runs"].items() if spending else ():
        price = spending["per_hour"] / 3600 if spending else 0.0
        further = spending["further_seeds"] if spending and one["training"] else 0
        folders = list(recipes.get(one["training"], ()))
        files = [folder / "timing.json" for folder in folders]
        results = folders[0].parents[2] if folders else _results(recipes)
        files += [
            results / "predictions" / variant / run / "test" / "timing.json" for run in one["runs"]
        ]
        seconds, sources = _seconds([file for file in files if file.exists()], results)
        if not seconds:
            continue
        share = further / max(len(one["runs"]), 1)
        cells = [
            Cell(f"{factor * sum(seconds):{pattern}}", tuple(seconds), sources, measured=True)
            for factor, pattern in (
                (1 / 3600, ".3f"),
                (price, ".2f"),
                (price * share, ".2f"),
                (price * (1 + share), ".2f"),
            )
        ]
        totals.append(cells)
        rows.append(Row(variant, (Cell(spoken[variant]), *cells)))
    if rows:
        rows.append(Row("all", (Cell("all"), *_sums(totals)), block=1))
    further = spending["further_seeds"] if spending else 0
    return Table(
        name="spending",
        study=study,
        caption="What the runs cost, trainings and answers, at the configured price of an hour.",
        columns=(
            label_column("variant", "Variant", spoken.values()),
            Column("hours", "Hours"),
            Column("spent", "spent", head=currency),
            Column("to_be_spent", "to be spent", head=currency),
            Column("total", "total", head=currency),
        ),
        rows=tuple(rows),
        notes=(
            f"To be spent: on {further} further seeds of each training, at the mean of those that "
            "were run. A recipe without a row has no variant that answers.",
        ),
    )


def _results(recipes: Mapping[str, Sequence[Path]]) -> Path:
    """The study's folder."""
    return next(iter(recipes.values()))[0].parents[2]


def _seconds(files: Sequence[Path], results: Path) -> tuple[list[float], tuple[Source, ...]]:
    values, sources = [], []
    for file in files:
        content = read_json(file)
        for part in PARTS:
            if part in content:
                values.append(float(content[part]))
                folder = str(file.parent.relative_to(results))
                sources.append(Source(folder, file.name, pointer(part)))
    return values, tuple(sources)


def _sums(rows: Sequence[Sequence[Cell]]) -> list[Cell]:
    """Of each column, of the figures as they are printed, so that the table adds up."""
    sums = []
    for column in zip(*rows, strict=True):
        digits = len(column[0].text.partition(".")[2])
        total = sum(float(cell.text) for cell in column)
        values = tuple(value for cell in column for value in cell.values)
        sources = tuple(source for cell in column for source in cell.sources)
        sums.append(Cell(f"{total:.{digits}f}", values, sources, measured=True))
    return sums
