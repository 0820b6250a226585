"""`regen summarize`: several runs of one system, one file a seed, in a few lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import Absent
from regen.statistics.methods import is_binary
from regen.statistics.reading import read_side
from regen.statistics.stage import summarise

Value = float | Absent


@dataclass(frozen=True)
class Summary:
    """One metric over the runs of a system.

    sd over seeds; low, high: 95%, found as `interval` says; by_seed: {seed: mean}; per_class:
    {class: (mean, sd, n)}, absent where targets are not classes.
    """

    name: str
    metric: str
    binary: bool
    runs: int
    n_items: int
    mean: Value
    sd: Value
    low: Value
    high: Value
    interval: str
    by_seed: dict[str, Value]
    per_class: dict[str, tuple[Value, Value, int]] | Absent


def summarize_files(
    paths: Sequence[Path],
    *,
    name: str = "model",
    metric: str | None = None,
    benchmark: str | None = None,
) -> Summary:
    """Summarise runs from their prediction files (see `reading.read_rows` for the kinds).

    Raises InputError for files that do not fit each other, or a metric that they do not hold.
    """
    runs = read_side(paths, name, benchmark=benchmark)
    if metric is None and len(runs.scores) > 1:
        raise InputError(f"the files hold several metrics, choose one of {sorted(runs.scores)}")
    metric = metric or next(iter(runs.scores))
    if metric not in runs.scores:
        raise InputError(f"the files hold no {metric!r}; there are {sorted(runs.scores)}")
    found = summarise(runs)[metric]
    classes = found["per_class"]
    return Summary(
        name=name,
        metric=metric,
        binary=is_binary(runs.scores[metric]),
        runs=len(paths),
        n_items=found["n_items"],
        mean=found["mean"],
        sd=found["sd"],
        low=found["low"],
        high=found["high"],
        interval=found["interval"],
        by_seed=found["seeds"],
        per_class=classes
        if isinstance(classes, Absent)
        else {label: (row["mean"], row["sd"], row["n"]) for label, row in classes.items()},
    )


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as it is written by --json."""
    classes = summary.per_class
    if not isinstance(classes, Absent):
        named = ("mean", "sd", "n")
        rows = {label: dict(zip(named, row, strict=True)) for label, row in classes.items()}
        return {**vars(summary), "per_class": rows}
    return dict(vars(summary))


def render(summary: Summary) -> str:
    """The summary as text for a terminal; shares in percent."""
    s = summary

    def show(value: Value) -> str:
        if isinstance(value, Absent):
            return str(value)
        return f"{value:.1%}" if s.binary else f"{value:.4g}"

    known = [value for value in s.by_seed.values() if not isinstance(value, Absent)]
    lines = [
        f"{s.name}: {s.metric} of {s.n_items} items",
        f"Runs: {s.runs}",
        f"Overall: mean {show(s.mean)}, SD {show(s.sd)}",
        f"  95% interval {_range(show, s.low, s.high)} ({s.interval})",
    ]
    if known:
        lines.append(f"  range {show(min(known))} to {show(max(known))}")
    lines += [
        f"  seed {seed}: {show(value)}" for seed, value in s.by_seed.items() if seed != "base"
    ]
    if isinstance(s.per_class, Absent):
        return "\n".join([*lines, f"Per class: {s.per_class}"]) + "\n"
    lines.append("Per class:")
    lines += [
        f"  {label}: mean {show(mean)}, SD {show(sd)} (n = {n})"
        for label, (mean, sd, n) in s.per_class.items()
    ]
    return "\n".join(lines) + "\n"


def _range(show: Any, low: Value, high: Value) -> str:
    return show(low) if isinstance(low, Absent) else f"{show(low)} to {show(high)}"
