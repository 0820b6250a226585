"""What an adapter adds to a model, and what training it took."""

from collections.abc import Sequence
from pathlib import Path

from regen.tables.read import Document
from regen.tables.table import EMPTY, Cell, Column, Row, Table


def adapters_table(checkpoints: dict[str, list[Path]], study: str, called: dict[str, str]) -> Table:
    """A row a recipe: rank, scale, targets, trainable parameters.

    checkpoints: by recipe, a folder a seed; called: what each recipe is called
    """
    rows = []
    for name, folders in checkpoints.items():
        read = Document(folders[0] / "summary.json", f"checkpoints/{name}/{folders[0].name}")
        rows.append(
            Row(
                name,
                (
                    Cell(called[name]),
                    read.cell("lora", "r", pattern="{:d}"),
                    read.cell("lora", "alpha", pattern="{:d}"),
                    read.cell("lora", "targets", pattern="{}"),
                    read.cell("trainable", pattern="{:d}"),
                    read.cell("all", pattern="{:d}"),
                    read.cell("percent", pattern="{:.2f}"),
                    read.cell("items", pattern="{:d}"),
                    read.cell("steps", pattern="{:d}"),
                ),
            )
        )
    return Table(
        name="adapters",
        study=study,
        caption="The adapters: parameters that are trained, of all, and what they were trained on.",
        columns=(
            Column("training", "Recipe", numeric=False),
            Column("r", "r"),
            Column("alpha", "α"),
            Column("targets", "Targets", numeric=False),
            Column("trainable", "Trainable"),
            Column("all", "All"),
            Column("percent", "%"),
            Column("items", "Items"),
            Column("steps", "Steps"),
        ),
        rows=tuple(rows),
    )


def cost_table(checkpoints: dict[str, list[Path]], study: str, called: dict[str, str]) -> Table:
    """A row a recipe: time and memory of its trainings, as measured where they ran."""
    rows = []
    for name, folders in checkpoints.items():
        cells = [
            _over_seeds(name, folders, key, pattern)
            for key, pattern in (
                ("seconds", "{:.0f}"),
                ("seconds_per_step", "{:.3f}"),
                ("peak_memory_mib", "{:.0f}"),
            )
        ]
        rows.append(Row(name, (Cell(called[name]), Cell(str(len(folders))), *cells)))
    return Table(
        name="cost",
        study=study,
        caption="What the trainings took: means over the seeds, measured where they were run.",
        columns=(
            Column("training", "Recipe", numeric=False),
            Column("seeds", "Seeds"),
            Column("seconds", "Seconds"),
            Column("seconds_per_step", "Seconds a step"),
            Column("peak_memory_mib", "Peak memory (MiB)"),
        ),
        rows=tuple(rows),
    )


def _over_seeds(name: str, folders: Sequence[Path], key: str, pattern: str) -> Cell:
    """The mean over seeds; the cell keeps each seed's value and where it stands."""
    cells = [
        Document(folder / "timing.json", f"checkpoints/{name}/{folder.name}").cell(
            key, pattern="{}", measured=True
        )
        for folder in folders
        if (folder / "timing.json").exists()
    ]
    values = [float(str(value)) for one in cells for value in one.values]
    if not values:
        return EMPTY
    return Cell(
        pattern.format(sum(values) / len(values)),
        tuple(values),
        tuple(source for one in cells for source in one.sources),
        measured=True,
    )
