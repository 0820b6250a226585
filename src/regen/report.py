"""What `make paper` ends with: where the paper is, how long each stage took, the tables."""

import json
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from regen.chain import STAGES, Chain
from regen.errors import InputError
from regen.files import write_text
from regen.provenance import RUN

START, END = "<!-- results -->", "<!-- /results -->"


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
    table = Table("stage", "jobs", "seconds", title="compute, as recorded", box=None)
    table.columns[1].justify = table.columns[2].justify = "right"
    for stage, jobs, seconds in times(chain):
        table.add_row(stage, str(jobs), f"{seconds:.1f}")
    table.add_row("all", "", f"{sum(seconds for _, _, seconds in times(chain)):.1f}")
    return table


def times(chain: Chain) -> list[tuple[str, int, float]]:
    """(stage, jobs, seconds in all) of the stages that were run."""
    found = []
    for stage in STAGES:
        seconds = [s for job in chain.of_stage(stage) if (s := seconds_of(job.out)) is not None]
        if seconds:
            found.append((stage, len(seconds), sum(seconds)))
    return found


def seconds_of(folder: str) -> float | None:
    """How long a stage folder took to make, None if it was not made."""
    try:
        return float(json.loads(Path(folder, RUN).read_text())["seconds"])
    except (OSError, ValueError, KeyError):
        return None


def readme_block(chain: Chain) -> str:
    """The measured part of the README: the studies' main tables and the times, in Markdown."""
    tables = [Path(job.out, "comparison.md") for job in chain.of_stage("tables")]
    parts = [file.read_text(encoding="utf-8") for file in tables if file.exists()]
    rows = [f"| {stage} | {jobs} | {seconds:.0f} |" for stage, jobs, seconds in times(chain)]
    total = sum(seconds for _, _, seconds in times(chain))
    parts.append(
        "**Compute by stage, as recorded when it ran.**\n\n| Stage | Jobs | Seconds |\n"
        "| :--- | ---: | ---: |\n" + "\n".join([*rows, f"| all | | {total:.0f} |"]) + "\n"
    )
    return "\n".join(parts)


def write_readme(chain: Chain, path: Path) -> None:
    """Put the measured part between its two marks."""
    before, start, rest = path.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise InputError(f"{path}: has no place for results; add {START} and {END}")
    write_text(path, f"{before}{START}\n{readme_block(chain)}{END}{after}")


def show(chain: Chain) -> None:
    Console().print(report(chain), crop=False)
