"""The chain's stage: what a study's scores say of each variant, each comparison, each facet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regen.errors import InputError
from regen.files import Absent, write_json
from regen.statistics.bootstrap import bootstrap_mean
from regen.statistics.common import common_subsets, failures
from regen.statistics.comparisons import Comparison, compare_runs, table_row, with_adjusted
from regen.statistics.families import holm
from regen.statistics.intervals import (
    Interval,
    one_run_interval,
    seed_item_interval,
    t_interval,
)
from regen.statistics.methods import is_binary
from regen.statistics.runs import Runs, read_runs

Range = Sequence[float | None]
"""(least, most), None where there is none."""
OPEN = (None, None)

MOST_CLASSES = 20
"""Targets are classes if there are no more of them than this, and fewer than half the items."""


def statistics(
    *,
    scores: list[Path],
    variants: dict[str, Any],
    ranges: dict[str, Range],
    comparisons: list[dict[str, Any]],
    facets: list[str],
    common: dict[str, list[str]],
    out: Path,
) -> None:
    """Write variants.json, comparisons.json, facets.json, common.json, failures.json, and
    metrics.json (means alone).

    scores: items.jsonl files, one run each; variants: by name, the names alone matter here;
    ranges: [least, most] that a metric can be, null for none, beyond which no interval reaches;
    comparisons: declared families, {"family", "metric", "paired_seeds", "pairs": [[a, b], ...]};
    facets: names of item facets; common: variants, by the name of the subset that they share.
    Raises InputError for scores that do not fit each other or the declaration. Comparisons of the
    same family stand together and share one Holm correction.
    """
    runs = read_runs(scores)
    for name in variants:
        if name not in runs:
            raise InputError(f"variant {name!r} has no scores; predict and score it")
    for name in runs:
        if name not in variants:
            raise InputError(f"there are scores of {name!r}, which is no variant of this study")
    summaries = {name: summarise(runs[name], ranges) for name in variants}
    write_json(out / "variants.json", summaries)
    write_json(out / "comparisons.json", compare_families(runs, comparisons))
    write_json(out / "common.json", common_subsets(runs, common))
    write_json(out / "failures.json", failures(scores))
    write_json(
        out / "facets.json",
        {
            name: {facet: by_level(runs[name], facet, ranges) for facet in facets}
            for name in variants
        },
    )
    write_json(
        out / "metrics.json",
        {
            name: {
                metric: found["mean"]
                for metric, found in metrics.items()
                if not isinstance(found["mean"], Absent)
            }
            for name, metrics in summaries.items()
        },
    )


def summarise(runs: Runs, ranges: Mapping[str, Range] = {}) -> dict[str, Any]:
    """{metric: its mean, spread over seeds, intervals, values by seed, and by class}."""
    return {metric: _summary(runs, metric, ranges.get(metric, OPEN)) for metric in runs.scores}


def _summary(runs: Runs, metric: str, reach: Range) -> dict[str, Any]:
    x = runs.scores[metric]
    present = np.isfinite(x)
    complete = present.all(0)
    if not present.any(1).all():
        none = Absent(runs.absent[metric])
        return {
            **dict.fromkeys(("mean", "sd", "low", "high", "per_class"), none),
            **dict.fromkeys(("seeds_and_items", "bootstrap"), none),
            "interval": "none",
            "binary": False,
            "seeds": dict.fromkeys(_seed_names(runs), none),
            "n_items": int(complete.sum()),
            "n_groups": 0,
            "coverage": float(present.mean()),
        }
    means = np.array([row[there].mean() for row, there in zip(x, present, strict=True)])
    groups = [group for group, keep in zip(runs.groups, complete, strict=True) if keep]
    common = x[:, complete]
    no_item = Absent("no item has it in every run")
    resampled = both = Interval(no_item, no_item, "none")
    if complete.any():
        resampled = bootstrap_mean(common.mean(0), groups=groups)
        both = _over_items(common, groups, reach)
    interval = both
    if len(means) > 1:
        interval = t_interval(means).within(*((0, 1) if is_binary(x[present]) else reach))
    return {
        "mean": float(means.mean()),
        "sd": _sd(means, runs.frozen),
        "low": interval.low,
        "high": interval.high,
        "interval": interval.name,
        "seeds_and_items": vars(both),
        "bootstrap": vars(resampled),
        "binary": is_binary(x[present]),
        "seeds": dict(zip(_seed_names(runs), means.tolist(), strict=True)),
        "n_items": int(complete.sum()),
        "n_groups": len(set(groups)),
        "coverage": float(present.mean()),
        "per_class": _per_class(runs, x, present),
    }


def _over_items(x: np.ndarray, groups: Sequence[str], reach: Range) -> Interval:
    """For new items, and new seeds if there are several, (seeds, items)."""
    found = one_run_interval(x[0], groups) if len(x) == 1 else seed_item_interval(x, groups)
    return found.within(*reach)


def _seed_names(runs: Runs) -> list[str]:
    return [str(seed) for seed in runs.seeds] or ["base"]


def _sd(means: np.ndarray, frozen: bool) -> float | Absent:
    if len(means) > 1:
        return float(means.std(ddof=1))
    return Absent("a frozen model has no seeds" if frozen else "one seed")


def _per_class(runs: Runs, x: np.ndarray, present: np.ndarray) -> dict[str, Any] | Absent:
    """{target: mean, sd over seeds, n items}, where targets are classes."""
    classes = sorted({str(target) for target in runs.targets})
    if len(classes) > min(MOST_CLASSES, len(runs.items) / 2):
        return Absent("targets are not classes")
    targets = np.array([str(target) for target in runs.targets])
    found = {}
    for name in classes:
        chosen = present & (targets == name)
        if not chosen.any(1).all():
            none = Absent("a seed has no item of this class")
            found[name] = {"mean": none, "sd": none, "n": int((targets == name).sum())}
            continue
        means = np.array([row[there].mean() for row, there in zip(x, chosen, strict=True)])
        found[name] = {
            "mean": float(means.mean()),
            "sd": _sd(means, runs.frozen),
            "n": int((targets == name).sum()),
        }
    return found


def compare_families(
    runs: dict[str, Runs], declared: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A row a declared pair, in the order declared; p-values Holm-adjusted by family."""
    found: list[tuple[str, Comparison]] = []
    for family in declared:
        for a, b in family["pairs"]:
            for name in (a, b):
                if name not in runs:
                    raise InputError(f"family {family['family']!r} compares {name!r}: no scores")
            paired = family.get("paired_seeds", False)
            comparison = compare_runs(runs[a], runs[b], family["metric"], paired_seeds=paired)
            found.append((family["family"], comparison))
    adjusted: dict[int, float | Absent] = {}
    for name in dict.fromkeys(family for family, _ in found):
        members = [i for i, (family, _) in enumerate(found) if family == name]
        p_holm = holm([found[i][1].result.p for i in members])
        adjusted |= dict(zip(members, p_holm, strict=True))
    sizes = {name: sum(family == name for family, _ in found) for name, _ in found}
    return [
        _row(family, sizes[family], with_adjusted(comparison, adjusted[i]), adjusted[i])
        for i, (family, comparison) in enumerate(found)
    ]


def _row(family: str, size: int, comparison: Comparison, p_holm: float | Absent) -> dict[str, Any]:
    result = comparison.result
    pairs = comparison.per_seed
    grouped = result.n_groups < result.n_items
    return {
        "family": family,
        "family_size": size,
        "metric": comparison.metric,
        "binary": comparison.binary,
        "a": comparison.a,
        "b": comparison.b,
        "mean_a": comparison.mean_a,
        "mean_b": comparison.mean_b,
        **{**vars(result), "limits": list(result.limits)},
        "p_holm": p_holm,
        "smallest_detectable": comparison.smallest_detectable,
        "per_seed": pairs
        if isinstance(pairs, Absent)
        else [table_row(pair, grouped) for pair in pairs],
    }


def by_level(runs: Runs, facet: str, ranges: Mapping[str, Range]) -> list[dict[str, Any]]:
    """A row a metric and level of the facet, numbers by size, then words: mean, interval, n."""
    values = [facets.get(facet) for facets in runs.facets]
    levels = {value for value in values if value is not None}
    if not levels:
        names = sorted({name for facets in runs.facets for name in facets})
        raise InputError(f"items of {runs.name} have no facet {facet!r}; there are {names}")
    ordered = sorted(levels, key=lambda level: (isinstance(level, str), level))  # words last
    return [
        _level(
            runs.take(np.array([value == level for value in values])),
            metric,
            level,
            ranges.get(metric, OPEN),
        )
        for metric in runs.scores
        for level in ordered
    ]


def _level(runs: Runs, metric: str, level: Any, reach: Range) -> dict[str, Any]:
    """Over new seeds and new items: a level has few items, so that they matter."""
    x = runs.scores[metric]
    complete = np.isfinite(x).all(0)
    row = {"metric": metric, "level": level, "n_items": int(complete.sum())}
    if not complete.any():
        none = Absent(runs.absent[metric])
        return {**row, "mean": none, "low": none, "high": none, "interval": "none", "n_groups": 0}
    groups = [group for group, keep in zip(runs.groups, complete, strict=True) if keep]
    interval = _over_items(x[:, complete], groups, reach)
    return {
        **row,
        "mean": float(x[:, complete].mean()),
        "low": interval.low,
        "high": interval.high,
        "interval": interval.name,
        "n_groups": len(set(groups)),
    }
