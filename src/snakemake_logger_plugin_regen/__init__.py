"""What a run of the workflow says: `snakemake --logger regen`.

In a terminal one bar with an estimate of the time left; elsewhere a line a finished job. A job that
fails shows the end of its log, in which the one clear line stands.
"""

import json
import re
import time
from collections import Counter, defaultdict
from logging import ERROR, LogRecord
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

STAGE_OF_RULE = {
    "fetch_sources": "sources",
    "build_data": "data",
    "build_model": "models",
    "quantise_model": "models",
    "train": "training",
    "optimise_prompt": "prompts",
    "predict": "prediction",
    "score": "scoring",
    "fetch_model": "models",
    "agree": "agreement",
    "select": "selection",
    "sweep": "sweep",
    "calibrate": "calibration",
    "find_thresholds": "thresholds",
    "analyze": "statistics",
    "read_answers": "answers",
    "compare_sets": "sets",
    "tabulate": "tables",
    "plot": "figures",
    "simulate": "simulation",
    "tabulate_appendix": "appendix",
    "compile_paper": "paper",
}
UNKNOWN_SECONDS = 5.0
"""What a job is taken to last of which nothing is recorded."""
STARTUP_SECONDS = 2.0
"""What a job lasts beyond its stage's own time: the interpreter's start."""
LOG_LINES = 8


class LogHandler(LogHandlerBase):
    """One run. Snakemake calls `emit` for each event."""

    def __post_init__(self) -> None:
        self.console = Console(stderr=True)
        self.expected = expected_seconds()
        self.jobs: dict[int, Any] = {}
        self.begun: dict[int, float] = {}
        self.finished: Counter[str] = Counter()
        self.counts: dict[str, int] = {}
        self.started = time.monotonic()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self.progress = Progress(*columns, console=self.console, transient=True)
        self.task = self.progress.add_task("", total=None, left="")

    def emit(self, record: LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self._begin(getattr(record, "stats", {}))
        elif event == LogEvent.JOB_INFO:
            self.jobs[record.jobid] = record  # type: ignore[attr-defined]
            self.begun[record.jobid] = time.monotonic()  # type: ignore[attr-defined]
            self._show()
        elif event == LogEvent.JOB_FINISHED:
            self._finish(getattr(record, "job_id", None))
        elif event == LogEvent.JOB_ERROR:
            self._fail(record)
        elif record.getMessage().startswith("Nothing to be done"):
            self.console.print("nothing to do: all is up to date")
        elif event == LogEvent.ERROR or (event is None and record.levelno >= ERROR):
            self._say_error(record)

    def close(self) -> None:
        self.progress.stop()
        super().close()

    def _begin(self, stats: dict[str, int]) -> None:
        self.counts = {rule: n for rule, n in stats.items() if rule in STAGE_OF_RULE}
        total = sum(self.counts.values())
        self.console.print(f"{total} jobs to run" if total else "nothing to do: all is up to date")
        self.started = time.monotonic()
        if total and self.console.is_terminal:
            self.progress.update(self.task, total=total)
            self.progress.start()

    def _finish(self, job: int | None) -> None:
        record = self.jobs.get(job) if job is not None else None
        if record is None or record.rule_name not in STAGE_OF_RULE:
            return
        self.finished[record.rule_name] += 1
        done, total = sum(self.finished.values()), sum(self.counts.values())
        self.progress.update(self.task, completed=done)
        if not self.console.is_terminal:
            seconds = time.monotonic() - self.begun[record.jobid]
            left = f"; {self._left()}" if done < total else ""
            line = f"[{done}/{total}] {address(record)}, {seconds:.0f} s{left}"
            self.console.print(escape(line), highlight=False, soft_wrap=True)
        self._show()

    def _show(self) -> None:
        latest = self.jobs[max(self.jobs, key=lambda j: self.begun[j])] if self.jobs else None
        description = escape(address(latest)) if latest is not None else ""
        self.progress.update(self.task, description=description, left=self._left())

    def _left(self) -> str:
        """The time left, at the pace so far: recorded seconds of what is left over those done."""
        done = sum(self.finished[rule] * self._cost(rule) for rule in self.counts)
        all_of_it = sum(n * self._cost(rule) for rule, n in self.counts.items())
        if not done:
            return "about " + spoken(all_of_it) + " left"
        elapsed = time.monotonic() - self.started
        return "about " + spoken(elapsed * (all_of_it - done) / done) + " left"

    def _cost(self, rule: str) -> float:
        return self.expected.get(STAGE_OF_RULE[rule], UNKNOWN_SECONDS) + STARTUP_SECONDS

    def _fail(self, record: LogRecord) -> None:
        job = self.jobs.get(getattr(record, "jobid", -1))
        if job is None:
            return
        self.console.print(f"[red]failed:[/red] {escape(address(job))}", highlight=False)
        for log in getattr(job, "log", None) or []:
            lines = Path(log).read_text(errors="replace").splitlines() if Path(log).exists() else []
            for line in lines[-LOG_LINES:]:
                self.console.print("  " + escape(line), highlight=False, soft_wrap=True)
            self.console.print(f"  (all of it: {log})", highlight=False)

    def _say_error(self, record: LogRecord) -> None:
        """What went wrong outside a job, in one line (a failed job spoke already, with its log)."""
        message = record.getMessage()
        if getattr(record, "exception", None) == "RuleException" or "At least one job" in message:
            return
        inner = message.rpartition("WorkflowError:\n")[2].partition("\nWildcards:")[0]
        # Where in the Snakefile it was raised tells a user nothing.
        inner = re.sub(r'^ *WorkflowError in file ".*", line \d+:\n', "", inner)
        inner = inner.partition('\n  File "')[0]
        line = " ".join(inner.split())
        if line:
            self.console.print(f"[red]error:[/red] {escape(line)}", highlight=False, soft_wrap=True)

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False


def address(record: Any) -> str:
    """A job in a few words: its rule and where it is in the chain."""
    skipped = {"scale", "split"}
    parts = [str(v) for k, v in dict(record.wildcards or {}).items() if k not in skipped]
    return " ".join([record.rule_name.replace("_", " "), *parts])


def expected_seconds() -> dict[str, float]:
    """{stage: mean seconds a job}, from the run records that lie about (a clone brings some)."""
    found: dict[str, list[float]] = defaultdict(list)
    for folder in ("data", "models", "results"):
        for run in Path(folder).glob("**/run.json"):
            try:
                stage = json.loads(run.with_name("manifest.json").read_text())["stage"]
                found[stage].append(float(json.loads(run.read_text())["seconds"]))
            except (OSError, ValueError, KeyError):
                continue
    return {stage: mean(seconds) for stage, seconds in found.items()}


def spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min"
