"""Tables of calibration, of confidence against accuracy, and of thresholds."""

from pathlib import Path

from regen.tables.read import Document
from regen.tables.table import EMPTY, Cell, Column, Row, Table

SCORES = {"ece": ("ECE", "{:.3f}"), "nll": ("NLL", "{:.3f}"), "brier": ("Brier", "{:.3f}")}


def calibration_table(calibrations: list[Path], study: str, spoken: dict[str, str]) -> Table:
    """A row a variant: the temperature, and the scores before and after.

    calibrations: calibration.json files, in the folders of their variants
    """
    rows = []
    for file in calibrations:
        variant = file.parent.name
        read = Document(file, f"calibration/{variant}")
        temperature = read.cells(
            "{:.2f} ± {:.2f}", ("mean", "temperature", "mean"), ("mean", "temperature", "sd")
        )
        cells = [
            read.cell("mean", when, name, "mean", pattern=pattern)
            for name, (_, pattern) in SCORES.items()
            for when in ("before", "after")
        ]
        nulls = [
            read.cell("mean", when, "ece_null", "mean", pattern="{:.3f}")
            for when in ("before", "after")
        ]
        order = [*cells[:2], *nulls, *cells[2:]]
        rows.append(Row(variant, (Cell(spoken[variant]), temperature, *order)))
    heads = [("ECE", "ece"), ("its null", "ece_null"), ("NLL", "nll"), ("Brier", "brier")]
    return Table(
        name="calibration",
        study=study,
        caption="Calibration on the test split before and after dividing the logits by a "
        "temperature that was fitted on dev. No answer changes.",
        columns=(
            Column("variant", "Variant", numeric=False),
            Column("temperature", "Temperature"),
            *(
                Column(f"{name}/{when}", when, head=head)
                for head, name in heads
                for when in ("before", "after")
            ),
        ),
        rows=tuple(rows),
        notes=(
            "Means over seeds. ECE with bins of equal mass; its null is the mean ECE that a "
            "perfectly calibrated model would have with these confidences and so many items.",
        ),
    )


def confidence_table(calibrations: list[Path], study: str, spoken: dict[str, str]) -> Table:
    """Rows a variant, before and after: accuracy and number of answers by confidence."""
    rows, edges = [], []
    for block, file in enumerate(calibrations):
        variant = file.parent.name
        read = Document(file, f"calibration/{variant}")
        for when in ("before", "after"):
            bins = read.content["bins"][when]
            edges = [(row["low"], row["high"]) for row in bins]
            cells = [
                read.cells(
                    "{:.1f} ({:d})",
                    ("bins", when, k, "accuracy"),
                    ("bins", when, k, "n"),
                    scale=100,
                )
                if row["n"]
                else EMPTY
                for k, row in enumerate(bins)
            ]
            name = Cell(spoken[variant])
            rows.append(Row(f"{variant}/{when}", (name, Cell(when), *cells), block=block))
    return Table(
        name="confidence",
        study=study,
        caption="Accuracy (%) of the answers by the model's confidence, before and after "
        "calibration; in brackets the number of answers, over all seeds.",
        columns=(
            Column("variant", "Variant", numeric=False),
            Column("when", "Calibration", numeric=False),
            *(
                Column(f"{low:g}-{high:g}", f"{low:.1f} to {high:.1f}", head="confidence")
                for low, high in edges
            ),
        ),
        rows=tuple(rows),
    )


def thresholds_table(
    thresholds: list[Path], study: str, spoken: dict[str, str], axes: dict[str, str]
) -> Table:
    """A row a variant and axis: where accuracy crosses the level.

    thresholds: one file or none; axes: what each axis is called
    """
    rows, levels = [], set()
    for file in thresholds:
        read = Document(file, "thresholds")
        for variant, fitted in read.content.items():
            for axis, found in fitted.items():
                levels.add(found["level"])
                at = (variant, axis)
                rows.append(
                    Row(
                        f"{variant}/{axis}",
                        (
                            Cell(spoken[variant]),
                            Cell(axes[axis]),
                            read.cell(*at, "threshold", pattern="{:.2f}"),
                            read.cell(*at, "low", pattern="{:.2f}"),
                            read.cell(*at, "high", pattern="{:.2f}"),
                            read.cell(*at, "n_items", pattern="{:d}"),
                            read.cell(*at, "n_groups", pattern="{:d}"),
                        ),
                    )
                )
    rows.sort(key=lambda row: row.name.partition("/")[2])
    said = ", ".join(f"{100 * level:g}%" for level in sorted(levels))
    return Table(
        name="thresholds",
        study=study,
        caption=f"The stimulus at which an answer is right with a chance of {said}: "
        "psychometric functions, fitted to the test split.",
        columns=(
            Column("variant", "Variant", numeric=False),
            Column("axis", "Stimulus", numeric=False),
            Column("threshold", "Threshold"),
            Column("low", "from"),
            Column("high", "to"),
            Column("items", "Items"),
            Column("groups", "Groups"),
        ),
        rows=tuple(rows),
        notes=("95% intervals: bootstrap percentiles over groups.",),
    )
