"""Is one experiment's score better than another's, on the same samples?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regen.errors import InputError
from regen.files import Absent
from regen.statistics.bootstrap import bootstrap_mean, bootstrap_p
from regen.statistics.comparisons import compare_runs
from regen.statistics.intervals import Value
from regen.statistics.runs import Runs, check_same_items, join_runs
from regen.tracking.local import DATABASE, LocalBackend

METHODS = ("bootstrap", "paired")
CORRECT = ("correct", "is_correct", "right", "accuracy", "score")
"""Names of a sample's own score where it has no "metrics", in this order."""


@dataclass(frozen=True)
class Significance:
    """A difference of means on one benchmark, a less b, and whether it may be chance.

    It is about these two checkpoints, not about the methods that made them. low, high: of a 95%
    interval. test: which one, and on how many samples (and groups of them).
    """

    a: str
    b: str
    benchmark: str
    metric: str
    mean_a: Value
    mean_b: Value
    difference: Value
    low: Value
    high: Value
    p_value: Value
    is_significant: bool
    test: str
    n: int
    groups: int
    verdict: str


def compute_significance(
    a: str,
    b: str,
    benchmark: str,
    metric: str | None = None,
    method: str = "bootstrap",
    n_bootstrap: int = 10_000,
    alpha: float = 0.05,
    *,
    seed: int = 0,
    db_path: str | Path = DATABASE,
) -> Significance:
    """Test two experiments (ids) on the samples of a benchmark, paired by their item.

    metric: of the samples; None is the only one, or accuracy. method: "bootstrap" resamples items
    (groups, where the samples name them); "paired" is the test that fits (McNemar's for right or
    wrong on independent items, else the paired test of `regen.statistics.methods`). Raises
    InputError for samples that were not kept, that differ, or lack the metric.
    """
    if method not in METHODS:
        raise InputError(f"--method {method}: is none of {', '.join(METHODS)}")
    backend = LocalBackend(db_path)
    ids = backend.resolve(a), backend.resolve(b)
    sides = [_runs(backend, name, benchmark) for name in ids]
    check_same_items(sides[0].items, sides[1].items, ids[0], ids[1])
    known = [name for name in sides[0].scores if name in sides[1].scores]
    metric = metric or ("accuracy" if "accuracy" in known or not known else known[0])
    if method == "paired":
        c = compare_runs(sides[0], sides[1], metric)
        r = c.result
        found: dict[str, Any] = {
            "mean_a": c.mean_a, "mean_b": c.mean_b, "difference": r.estimate, "low": r.low,
            "high": r.high, "p_value": r.p, "test": f"{r.test} ({r.reason})", "n": r.n_items,
            "groups": r.n_groups,
        }  # fmt: skip
    else:
        found = _bootstrap(sides[0], sides[1], metric, n_bootstrap, seed)
    p = found["p_value"]
    significant = not isinstance(p, Absent) and bool(p < alpha)
    verdict = _verdict(ids[0], ids[1], found["difference"], p, significant, alpha)
    return Significance(
        *ids, benchmark=benchmark, metric=metric, is_significant=significant, verdict=verdict,
        **found,
    )  # fmt: skip


def _bootstrap(a: Runs, b: Runs, metric: str, resamples: int, seed: int) -> dict[str, Any]:
    for side in (a, b):
        if metric not in side.scores:
            names = ", ".join(side.scores) or "none"
            raise InputError(f"{side.name}: samples have no {metric!r}; there are: {names}")
    x, y = a.scores[metric][0], b.scores[metric][0]
    kept = np.isfinite(x) & np.isfinite(y)
    if not kept.any():
        raise InputError(f"no sample has {metric!r} on both sides")
    x, y = x[kept], y[kept]
    groups = [group for group, keep in zip(a.groups, kept, strict=True) if keep]
    drawn: dict[str, Any] = {"groups": groups, "resamples": resamples, "seed": seed}
    interval = bootstrap_mean(x - y, method="percentile", **drawn)
    return {
        "mean_a": float(x.mean()),
        "mean_b": float(y.mean()),
        "difference": float((x - y).mean()),
        "low": interval.low,
        "high": interval.high,
        "p_value": bootstrap_p(x - y, **drawn),
        "test": interval.name,
        "n": int(kept.sum()),
        "groups": len(set(groups)),
    }


def _verdict(a: str, b: str, difference: Value, p: Value, significant: bool, alpha: float) -> str:
    if isinstance(difference, Absent) or isinstance(p, Absent):
        return f"no verdict: {p if isinstance(p, Absent) else difference}"
    if not significant:
        return f"no evidence that {a} and {b} differ (p = {p:.4g}, not below {alpha:g})"
    better, worse = (a, b) if difference > 0 else (b, a)
    return f"{better} has the higher score than {worse} (p = {p:.4g}): of these two checkpoints"


def _runs(backend: LocalBackend, name: str, benchmark: str) -> Runs:
    """One experiment's samples as a run of its own."""
    samples = backend.get_evaluation_results(name, benchmark)["samples"]
    if not samples:
        raise InputError(f"{name}: no samples of {benchmark} were kept, so nothing can be paired")
    rows: dict[str, dict[str, Any]] = {}
    for number, sample in enumerate(samples):
        if not isinstance(sample, Mapping):
            raise InputError(f"{name}: sample {number} of {benchmark} is no object")
        item = str(next((sample[k] for k in ("item", "id", "index") if k in sample), number))
        if item in rows:
            raise InputError(f"{name}: item {item!r} of {benchmark} stands there twice")
        metrics = sample.get("metrics")
        if metrics is None:
            own = next((key for key in CORRECT if key in sample), None)
            metrics = {"accuracy": sample[own]} if own else {}
        target = sample.get("target")
        group = str(sample.get("group", item))
        rows[item] = {"metrics": metrics, "group": group, "target": target}
    return join_runs(name, {None: (Path(name), rows)})
