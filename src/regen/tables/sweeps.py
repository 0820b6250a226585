"""Table of a study's sweeps: what each run gave on the dev split, and which failed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from regen.metrics import Metric
from regen.tables.read import Document
from regen.tables.table import EMPTY, Cell, Column, Row, Table

SHOWN = 30
"""Runs of which a table has a row each; of more, the best are shown."""
NAMED = 5
"""Failed runs of which the reason is told."""


def sweeps_table(
    outcomes: Sequence[Path],
    study: str,
    tried: Mapping[str, Mapping[str, float]],
    metrics: Mapping[str, Metric],
) -> Table:
    """A row a run; of more than SHOWN the best of each sweep, the best first.

    outcomes: sweeps/<sweep>/<run>/outcome.json files; tried: {"<sweep>/<run>": {r, learning_rate}}
    """
    rows, failed, headings = [], [], set()
    merit: dict[str, float] = {}
    for file in outcomes:
        sweep, run = file.parts[-3:-1]
        read = Document(file, f"sweeps/{sweep}/{run}")
        metric = metrics[read.content["metric"]]
        headings.add(metric.heading)
        completed = read.content["status"] == "completed"
        if not completed:
            failed.append(f"{run}: {read.content['value']['absent']}")
        found, _ = read.found("value")
        if isinstance(found, int | float):
            merit[f"{sweep}/{run}"] = found if metric.larger_is_better else -found
        given = tried[f"{sweep}/{run}"]
        value = read.cell("value", pattern=metric.pattern(), scale=metric.factor)
        rows.append(
            Row(
                f"{sweep}/{run}",
                (
                    Cell(sweep),
                    Cell(f"{given['learning_rate']:g}"),
                    Cell(f"{given['r']:g}"),
                    read.cell("steps", pattern="{:d}"),
                    read.cell("status", pattern="{}"),
                    value if completed else EMPTY,
                ),
            )
        )
    notes = []
    if len(rows) > SHOWN:
        notes.append(f"The best of {len(rows)} runs; the others have an outcome.json each.")
        rows = _best(rows, merit)
    if failed:
        more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        notes.append(f"Failed: {'; '.join(failed[:NAMED])}{more}.")
    return Table(
        name="sweeps",
        study=study,
        caption="Learning rates and ranks, with one seed each, on the dev split; no choice was "
        "made by them.",
        columns=(
            Column("sweep", "Sweep", numeric=False),
            Column("learning_rate", "Learning rate"),
            Column("r", "r"),
            Column("steps", "Steps"),
            Column("status", "Run", numeric=False),
            Column("value", " / ".join(sorted(headings)) or "Value"),
        ),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _best(rows: Sequence[Row], merit: Mapping[str, float]) -> list[Row]:
    """As many rows of every sweep, SHOWN in all or one each, by what their runs gave."""
    sweeps = dict.fromkeys(row.name.partition("/")[0] for row in rows)
    each = max(SHOWN // len(sweeps), 1)
    completed = sorted((row for row in rows if row.name in merit), key=lambda r: -merit[r.name])
    return [
        row
        for sweep in sweeps
        for row in [r for r in completed if r.name.partition("/")[0] == sweep][:each]
    ]
