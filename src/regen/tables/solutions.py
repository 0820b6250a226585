"""Table of worked solutions: how right, in which form, and what a rubric finds in them."""

from regen.metrics import Metric
from regen.tables.read import Statistics
from regen.tables.table import Cell, Column, Row, Table

COLUMNS = {
    "accuracy": "Right",
    "partial_accuracy": "Within 10%",
    "format_accuracy": "Format",
    "rubric": "Rubric",
    "rubric_steps": "Steps",
    "rubric_quantities": "Given",
    "rubric_units": "Units",
    "rubric_consistent": "As reasoned",
}


def rubric_table(
    read: Statistics, study: str, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Table:
    """A row a variant, all columns shares in percent; none for a study without a rubric."""
    has_them = all(name in found for found in read.variants.values() for name in COLUMNS)
    shown = {name: metrics[name] for name in COLUMNS} if has_them else {}
    rows = [
        Row(variant, (Cell(spoken[variant]), *read.means(variant, shown)))
        for variant in (spoken if shown else ())
    ]
    return Table(
        name="rubric",
        study=study,
        caption="Worked solutions on the test split: shares in percent, means over seeds.",
        columns=(
            Column("variant", "Variant", numeric=False, width=0.22),
            *(Column(name, heading) for name, heading in COLUMNS.items()),
        ),
        rows=tuple(rows),
        notes=(
            "The rubric is the weighted mean of the last four: true equations as many as the "
            "solution has, given numbers that are used, the unit, and an answer that is the last "
            "number of the reasoning. They are read from the tags; without tags there is nothing.",
        ),
    )
