"""The two ways to an answer, logits and text: do they agree, and what does the second cost?"""

from pathlib import Path

from regen.tables.read import Document
from regen.tables.table import Cell, Column, Row, Table


def agreement_table(agreements: list[Path], study: str, spoken: dict[str, str]) -> Table:
    """A row a pair of variants. agreements: folders named after the variant asked for text.

    spoken: what the text calls the other one, by the name of the variant asked for text
    """
    rows = []
    for folder in agreements:
        read = Document(folder / "agreement.json", f"agreement/{folder.name}")
        shares = [
            read.cell(name, "mean", pattern="{:.1f}", scale=100)
            for name in ("accuracy_options", "accuracy_generated")
        ]
        rows.append(
            Row(
                folder.name,
                (
                    Cell(spoken[folder.name]),
                    read.cells(
                        "{:.1f} [{:.1f}, {:.1f}]",
                        ("agreement", "mean"),
                        ("agreement", "low"),
                        ("agreement", "high"),
                        scale=100,
                    ),
                    *shares,
                    read.cell("unparsed", pattern="{:d}"),
                    read.cell("answers", pattern="{:d}"),
                    read.cell("runs", pattern="{:d}"),
                ),
            )
        )
    return Table(
        name="agreement",
        study=study,
        caption="The same models asked for logits and for text, on the test split.",
        columns=(
            Column("variant", "Variant", numeric=False),
            Column("agreement", "Same answer (%) [95% CI]"),
            Column("accuracy_options", "logits", head="accuracy (%)"),
            Column("accuracy_generated", "text", head="accuracy (%)"),
            Column("unparsed", "Not parsed"),
            Column("answers", "Answers"),
            Column("runs", "Runs"),
        ),
        rows=tuple(rows),
        notes=("Wilson interval at the number of items. An answer that is not parsed is wrong.",),
    )


def speed_table(agreements: list[Path], study: str, spoken: dict[str, str]) -> Table:
    """A row a pair of variants: milliseconds an item on both paths, as measured."""
    rows = []
    for folder in agreements:
        file = folder / "timing.json"
        if not file.exists():
            continue
        read = Document(file, f"agreement/{folder.name}")
        milliseconds = [
            read.cell(f"seconds_per_item_{name}", pattern="{:.1f}", scale=1000, measured=True)
            for name in ("options", "generated")
        ]
        ratio = read.cell("ratio", pattern="{:.1f}", measured=True)
        rows.append(Row(folder.name, (Cell(spoken[folder.name]), *milliseconds, ratio)))
    return Table(
        name="speed",
        study=study,
        caption="Milliseconds an item from logits and as text, without loading the model and "
        "reading the clips, measured where it was run.",
        columns=(
            Column("variant", "Variant", numeric=False),
            Column("options", "Logits (ms)"),
            Column("generated", "Text (ms)"),
            Column("ratio", "Ratio"),
        ),
        rows=tuple(rows),
    )
