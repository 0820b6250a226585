"""What the searches for a prompt did, and what they found."""

from pathlib import Path

from regen.metrics import Metric
from regen.tables.read import Document
from regen.tables.table import Cell, Column, Row, Table


def prompts_table(
    searches: list[Path], study: str, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Table:
    """A row a search. searches: prompt.json files, each in the folder of its name."""
    rows, dropped = [], []
    for file in searches:
        name = file.parent.name
        read = Document(file, f"prompts/{name}")
        metric = metrics[read.content["metric"]]
        rows.append(
            Row(
                name,
                (
                    Cell(spoken[name]),
                    read.cell("proposed", pattern="{:d}"),
                    read.cell("dropped_in_all", pattern="{:d}"),
                    read.cell("evaluated", pattern="{:d}"),
                    *(
                        read.cell(key, pattern=metric.pattern(), scale=metric.factor)
                        for key in ("baseline_dev_score", "dev_score")
                    ),
                    read.cell("prompt", pattern="{}"),
                ),
            )
        )
        reasons = ", ".join(f"{why} {n}" for why, n in sorted(read.content["dropped"].items()))
        dropped.append(f"{spoken[name]}: {reasons or 'none'}")
    headings = {metrics[Document(file, "").content["metric"]].heading for file in searches}
    head = f"{' / '.join(sorted(headings))} on dev"
    return Table(
        name="prompts",
        study=study,
        caption="Searches for a prompt on the dev split. The best of many scores on dev is no "
        "result: what a prompt is worth stands where the test split is reported on.",
        columns=(
            Column("search", "Search", numeric=False, width=0.16),
            Column("proposed", "Proposed"),
            Column("dropped", "Dropped"),
            Column("evaluated", "Scored"),
            Column("baseline_dev_score", "first", head=head),
            Column("dev_score", "best", head=head),
            Column("prompt", "Best prompt", numeric=False, width=0.32),
        ),
        rows=tuple(rows),
        notes=(f"Dropped, by reason: {'; '.join(dropped)}.",) if rows else (),
    )
