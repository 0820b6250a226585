"""A comparison of two variants: the right test for what there is, chosen and named with the reason.

One run against one, right or wrong, independent items: McNemar. Otherwise `methods.method_test`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from regen.errors import InputError
from regen.files import Absent
from regen.metrics import undescribed
from regen.statistics.mcnemar import McNemar, TestName, contingency, mcnemar
from regen.statistics.methods import Result, Sides, Value, is_binary, method_test
from regen.statistics.power import detectable_by_mcnemar, smallest_detectable
from regen.statistics.runs import Runs, check_same_items
from regen.statistics.words import verdict_on


@dataclass(frozen=True)
class SeedPair:
    """One checkpoint against one; a seed is None for a frozen model."""

    seed_a: int | None
    seed_b: int | None
    table: McNemar


@dataclass(frozen=True)
class Comparison:
    """Two variants on one metric; per_seed is absent where scores are not right or wrong."""

    a: str
    b: str
    metric: str
    binary: bool
    result: Result
    smallest_detectable: Value
    per_seed: list[SeedPair] | Absent
    mean_a: Value
    mean_b: Value


def compare_runs(
    a: Runs, b: Runs, metric: str, *, paired_seeds: bool = False, test: TestName = "auto"
) -> Comparison:
    """Compare two variants on the items that both were asked.

    Items without the metric on either side, in any run, are left out, and a limit says how many.
    Raises InputError for items that only one side has, for groups that differ, for a metric that
    neither has, and for paired seeds that are not the same, unless one side is frozen.
    """
    check_same_items(a.items, b.items, a.name, b.name)
    if a.groups != b.groups:
        raise InputError(f"{a.name} and {b.name} give items different groups; score both again")
    known = sorted(a.scores.keys() | b.scores.keys())
    if metric not in known:
        raise InputError(f"no run of {a.name} or {b.name} has {metric!r}; there are {known}")
    paired = paired_seeds and not (a.frozen or b.frozen)
    if paired and a.seeds != b.seeds:
        raise InputError(
            f"{a.name} and {b.name} are declared paired by seed and have seeds "
            f"{list(a.seeds)} and {list(b.seeds)}; train the same or set paired_seeds: false"
        )
    x, y = (side.scores.get(metric, np.full((1, len(a.items)), np.nan)) for side in (a, b))
    kept = np.isfinite(x).all(0) & np.isfinite(y).all(0)
    if not kept.any():
        return _absent(a, b, metric, _why_absent(a, b, metric))
    x, y = x[:, kept], y[:, kept]
    groups = [group for group, keep in zip(a.groups, kept, strict=True) if keep]
    binary = is_binary(x) and is_binary(y)
    sides = Sides(a.name, b.name, a.frozen, b.frozen, metric)
    result = method_test(x, y, groups=groups, paired_seeds=paired, binary=binary, sides=sides)
    detectable = smallest_detectable(result, binary)
    pairs: list[SeedPair] | Absent = Absent(f"{metric} is not right or wrong")
    if binary:
        pairs = _seed_pairs(a, b, x, y, test)
        if len(x) == len(y) == 1 and result.n_groups == result.n_items:
            table = pairs[0].table
            result = _as_mcnemar(result, table, sides)
            detectable = detectable_by_mcnemar(result.n_items, table.a_only + table.b_only)
    if not kept.all():
        share = f"{int(kept.sum())} of {kept.size} items, those that have {metric} in every run"
        result = replace(result, limits=(*result.limits, f"computed on {share}"))
    means = float(x.mean()), float(y.mean())
    return Comparison(a.name, b.name, metric, binary, result, detectable, pairs, *means)


def with_adjusted(comparison: Comparison, p_holm: Value) -> Comparison:
    """The same comparison with its verdict taken at the Holm-adjusted p."""
    r = comparison.result
    verdict = verdict_on(
        comparison.a,
        comparison.b,
        r.estimate,
        r.low,
        r.high,
        p_holm,
        r.seeds_a,
        r.seeds_b,
        undescribed(comparison.metric, comparison.binary),
        adjusted=True,
    )
    return replace(comparison, result=replace(r, verdict=verdict))


def _as_mcnemar(result: Result, table: McNemar, sides: Sides) -> Result:
    verdict = verdict_on(
        sides.a,
        sides.b,
        result.estimate,
        result.low,
        result.high,
        table.p,
        result.seeds_a,
        result.seeds_b,
        undescribed(sides.metric, binary=True),
    )
    reason = f"one run against one, right or wrong, on the same items; {table.reason}"
    limits = [limit for limit in result.limits if not limit.startswith("only ")]
    return replace(
        result, p=table.p, test=table.test, reason=reason, limits=tuple(limits), verdict=verdict
    )


def _seed_pairs(a: Runs, b: Runs, x: np.ndarray, y: np.ndarray, test: TestName) -> list[SeedPair]:
    """Pairs of single runs that make sense: the same seed, or any seed against a frozen model."""
    pairs = []
    for i, seed_a in enumerate(a.seeds or (None,)):
        for j, seed_b in enumerate(b.seeds or (None,)):
            only_two = len(x) == len(y) == 1
            if seed_a == seed_b or seed_a is None or seed_b is None or only_two:
                pairs.append(SeedPair(seed_a, seed_b, mcnemar(contingency(x[i], y[j]), test)))
    return pairs


def _why_absent(a: Runs, b: Runs, metric: str) -> str:
    for side in (a, b):
        if metric not in side.scores:
            return f"{side.name} has no {metric}"
        if not np.isfinite(side.scores[metric]).all(0).any():
            return f"no item has {metric} in every run of {side.name}: {side.absent[metric]}"
    return f"no item has {metric} on both sides"


def _absent(a: Runs, b: Runs, metric: str, reason: str) -> Comparison:
    none = Absent(reason)
    result = Result(
        estimate=none,
        low=none,
        high=none,
        p=none,
        df=none,
        se=none,
        n_items=0,
        n_groups=0,
        seeds_a=len(a.seeds),
        seeds_b=len(b.seeds),
        test="none",
        reason=reason,
        limits=(),
        verdict=f"No verdict on {a.name} against {b.name}: {reason}.",
    )
    return Comparison(a.name, b.name, metric, False, result, none, none, none, none)


def table_row(pair: SeedPair, shared_groups: bool) -> dict[str, Any]:
    """A seed pair as it is written: its seeds ("base" for a frozen model), counts, p and g."""
    t = pair.table
    limits: Sequence[str] = ()
    if shared_groups:
        limits = ("items share groups, and McNemar's test takes them for independent",)
    return {
        "seed_a": "base" if pair.seed_a is None else pair.seed_a,
        "seed_b": "base" if pair.seed_b is None else pair.seed_b,
        "both_right": t.both_right,
        "a_only": t.a_only,
        "b_only": t.b_only,
        "both_wrong": t.both_wrong,
        "test": t.test,
        "reason": t.reason,
        "statistic": t.statistic,
        "p": t.p,
        "exact_p": t.exact_p,
        "mid_p": t.mid_p,
        "smallest_p": t.smallest_p,
        "cohens_g": {"value": t.cohens_g, "low": t.g_low, "high": t.g_high, "size": t.g_size},
        "limits": list(limits),
    }
