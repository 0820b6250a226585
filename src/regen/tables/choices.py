"""The table of what was chosen on the dev split, and from what."""

from functools import partial
from pathlib import Path

from regen.metrics import Metric
from regen.tables.read import Document
from regen.tables.table import Cell, Column, Row, Table


def grid_table(
    selections: list[Path], study: str, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Table:
    """A row a candidate of each selection, the chosen one in bold.

    selections: selection.json files, each in the folder of its name
    """
    rows, said = [], []
    for block, file in enumerate(selections):
        read = Document(file, f"selection/{file.parent.name}")
        winner, metric = read.content["winner"]["name"], metrics[read.content["metric"]]
        said.append(f"{file.parent.name}, {read.content['why']}")
        for index, candidate in enumerate(read.content["points"]):
            at = partial(read.cell, "points", index)
            value = at("value", pattern=metric.pattern(), scale=metric.factor)
            rows.append(
                Row(
                    f"{file.parent.name}/{candidate['name']}",
                    (
                        Cell(file.parent.name),
                        Cell(spoken.get(candidate["name"], "–")),
                        at("r", pattern="{:d}"),
                        at("alpha", pattern="{:d}"),
                        at("targets", pattern="{}"),
                        at("trainable", pattern="{:d}"),
                        value.in_bold() if candidate["name"] == winner else value,
                    ),
                    block=block,
                )
            )
    headings = {metrics[Document(file, "").content["metric"]].heading for file in selections}
    return Table(
        name="grid",
        study=study,
        caption="Choices made on the dev split, with one seed each; the chosen one in bold.",
        columns=(
            Column("selection", "Choice", numeric=False),
            Column("variant", "Variant", numeric=False),
            Column("r", "r"),
            Column("alpha", "α"),
            Column("targets", "Targets", numeric=False),
            Column("trainable", "Trainable"),
            Column("value", " / ".join(sorted(headings)) or "Value"),
        ),
        rows=tuple(rows),
        notes=(
            "Ties go to fewer trainable parameters, then to the smaller α. Chosen: "
            f"{'; '.join(said)}.",
        )
        if said
        else (),
    )
