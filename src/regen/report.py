"""What `make paper` ends with: where the paper is, how long each stage took, the tables."""

import json
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from regen.chain import STAGES, Chain
from regen.provenance import RUN


def report(chain: Chain) -> RenderableType:
    """The end of a run, for a terminal. Stages that were not run here say nothing."""
    parts: list[RenderableType] = []
    for job in chain.of_stage("tables"):
        file = Path(job.out, "comparison.md")
        if file.exists():
            parts.append(Text(file.read_text(encoding="utf-8"), no_wrap=True, overflow="ignore"))
    parts.append(stage_times(chain))
    pdf = Path(chain.results) / "paper" / "main.pdf"
    parts.append(f"the paper: {pdf}" if pdf.exists() else f"{pdf} was not made")
    return Group(*parts)


def stage_times(chain: Chain) -> Table:
    """Jobs and seconds by stage, from the run records."""
    table = Table("stage", "jobs", "seconds", title="compute, as recorded when it ran", box=None)
    table.columns[1].justify = table.columns[2].justify = "right"
    total = 0.0
    for stage in STAGES:
        seconds = [s for job in chain.of_stage(stage) if (s := seconds_of(job.out)) is not None]
        if seconds:
            table.add_row(stage, str(len(seconds)), f"{sum(seconds):.1f}")
            total += sum(seconds)
    table.add_row("all", "", f"{total:.1f}")
    return table


def seconds_of(folder: str) -> float | None:
    """How long a stage folder took to make, None if it was not made."""
    try:
        return float(json.loads(Path(folder, RUN).read_text())["seconds"])
    except (OSError, ValueError, KeyError):
        return None


def show(chain: Chain) -> None:
    Console().print(report(chain), crop=False)
