"""Table of a study's sweeps: what each run gave on the dev split, and which failed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from regen.metrics import Metric
from regen.tables.read import Document
from regen.tables.table import EMPTY, Cell, Column, Row, Table


def sweeps_table(
    outcomes: Sequence[Path],
    study: str,
    tried: Mapping[str, Mapping[str, float]],
    metrics: Mapping[str, Metric],
) -> Table:
    """A row a run.

    outcomes: sweeps/<sweep>/<run>/outcome.json files; tried: {"<sweep>/<run>": {r, learning_rate}}
    """
    rows, failed, headings = [], [], set()
    for file in outcomes:
        sweep, run = file.parts[-3:-1]
        read = Document(file, f"sweeps/{sweep}/{run}")
        metric = metrics[read.content["metric"]]
        headings.add(metric.heading)
        completed = read.content["status"] == "completed"
        if not completed:
            failed.append(f"{run}: {read.content['value']['absent']}")
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
        notes=(f"Failed: {'; '.join(failed)}.",) if failed else (),
    )
