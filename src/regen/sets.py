"""Stage `sets`: what a study of sets of answers asks beyond means and tests.

pass@k for every k, changes relative to a reference, the verdict of a declared rule on these
changes with what their uncertainty allows, and what the objectives did in the trainings.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from regen.draws import bar_of, passed
from regen.errors import InputError
from regen.files import Absent, read_json, read_jsonl, write_json
from regen.metrics import Metric
from regen.statistics.bootstrap import bootstrap_mean
from regen.statistics.methods import difference_variance, group_means
from regen.statistics.runs import Runs, read_runs

BETWEEN = "between"
"""The verdict where no outcome of the rule holds."""
CONFIDENCE = 0.95

Change = dict[str, Any]
Bounds = Mapping[str, tuple[float | None, float | None]]


def sets(
    *,
    scores: list[Path],
    dev: Path,
    checkpoints: list[Path],
    variants: list[str],
    most: float,
    against: str,
    metrics: dict[str, dict[str, Any]],
    outcomes: dict[str, dict[str, Any]],
    plain: str,
    out: Path,
) -> None:
    """Write sets.json.

    scores: items.jsonl files, one run each; dev: the one on which the bar was chosen, by `most`
    checkpoints: <training>/<seed>/summary.json files
    variants: whose changes against `against` are given; metrics: fields of `Metric` by name
    outcomes: the rule, {name: {words, bounds: {metric: [low, high]}}}, changes as shares
    plain: the training without an objective, with which the others' adapters are compared
    """
    runs = read_runs(scores)
    described = {name: Metric(**fields) for name, fields in metrics.items()}
    changes = {
        name: {
            metric: change(runs[name], runs[against], metric, described[metric])
            for metric in described
        }
        for name in variants
    }
    bar = bar_of(dev, most)
    bounds = {name: outcome["bounds"] for name, outcome in outcomes.items()}
    write_json(
        out / "sets.json",
        {
            "bar": bar,
            "passing": {name: curve(found, bar) for name, found in _by_variant(scores).items()},
            "against": against,
            "changes": changes,
            "decisions": {name: decide(found, bounds) for name, found in changes.items()},
            "objectives": objectives(checkpoints, plain),
        },
    )


def change(a: Runs, b: Runs, metric: str, how: Metric) -> Change:
    """mean(A) / mean(B) - 1 with its interval, over new seeds and new items.

    The variance of the ratio R is that of mean(A) - R mean(B) over mean(B)^2 (the delta method),
    and of that difference the one of `regen.statistics.methods`.
    """
    if a.items != b.items:
        raise InputError(f"sets: {a.name!r} and {b.name!r} were asked different items")
    x, y = a.scores[metric], b.scores[metric]
    there = np.isfinite(x).all(0) & np.isfinite(y).all(0)
    names = ("value", "low", "high", "word")
    if there.sum() < 2:
        reason = a.absent.get(metric) or b.absent.get(metric) or "too few items"
        return {**dict.fromkeys(names, Absent(reason)), "n_items": int(there.sum())}
    groups = [group for group, keep in zip(a.groups, there, strict=True) if keep]
    x, y = group_means(x[:, there], groups)[0], group_means(y[:, there], groups)[0]
    level = float(y.mean())
    if level == 0:
        none = Absent("the reference is 0")
        return {**dict.fromkeys(names, none), "n_items": int(there.sum())}
    ratio = float(x.mean()) / level
    variance = difference_variance(x, ratio * y)
    half = 0.0
    if variance.total > 0:
        factor = float(stdtrit(float(variance.df), (1 + CONFIDENCE) / 2))
        half = factor * float(np.sqrt(variance.total)) / abs(level)
    found = {"value": ratio - 1, "low": ratio - 1 - half, "high": ratio - 1 + half}
    return {**found, "word": word(found, how), "n_items": int(there.sum())}


def word(found: Mapping[str, float], how: Metric) -> str:
    """ "better" or "worse" where the interval has no 0, in the metric's own direction."""
    if found["low"] <= 0 <= found["high"]:
        return "the same" if found["low"] == found["high"] else "not shown"
    return "better" if (found["value"] > 0) == how.larger_is_better else "worse"


def decide(changes: Mapping[str, Change], outcomes: Mapping[str, Bounds]) -> dict[str, Any]:
    """The rule's outcome at the estimates, and those that the intervals allow.

    An outcome holds where every change that it names lies within its bounds; the first that holds
    is the verdict, BETWEEN if none does. Allowed is what holds somewhere in the box of the
    intervals; BETWEEN too, unless one outcome holds everywhere in it.
    """
    named = {metric for bounds in outcomes.values() for metric in bounds}
    for metric in sorted(named):
        if isinstance(changes[metric]["value"], Absent):
            none = Absent(f"{metric}: {changes[metric]['value'].reason}")
            return {"verdict": none, "allowed": []}

    def within(bounds: Bounds, low: str, high: str) -> bool:
        """Whether [low, high] of every change is in its bounds."""
        return all(
            (at_least is None or changes[metric][low] >= at_least)
            and (at_most is None or changes[metric][high] <= at_most)
            for metric, (at_least, at_most) in bounds.items()
        )

    holding = [name for name, bounds in outcomes.items() if within(bounds, "value", "value")]
    certain = [name for name, bounds in outcomes.items() if within(bounds, "low", "high")]
    if certain:
        return {"verdict": certain[0], "allowed": certain[:1]}
    # A box meets a region if its upper ends reach the lower bounds, and its lower ends the upper.
    allowed = [name for name, bounds in outcomes.items() if within(bounds, "high", "low")]
    return {"verdict": holding[0] if holding else BETWEEN, "allowed": [*allowed, BETWEEN]}


def curve(of_runs: Sequence[Mapping[str, Any]], bar: float | Absent) -> list[dict[str, Any]]:
    """A row a k up to the number of samples: mean pass@k over seeds and items.

    The interval is the bootstrap's over groups of items, for these seeds.
    of_runs: a run each, {item: (its group, the checks of its samples)}
    """
    items = list(of_runs[0])
    draws = len(of_runs[0][items[0]][1]) if items else 0
    groups = [of_runs[0][name][0] for name in items]
    rows = []
    for k in range(1, draws + 1):
        values = [[passed(run[name][1], bar, k) for name in items] for run in of_runs]
        if isinstance(values[0][0], Absent):
            return []
        means = np.array(values, float).mean(0)
        interval = bootstrap_mean(means, groups=groups)
        rows.append(
            {"k": k, "mean": float(means.mean()), "low": interval.low, "high": interval.high}
        )
    return rows


def _by_variant(scores: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in scores:
        rows = read_jsonl(path)
        run = {row["item"]: (row["group"], row.get("checks", [])) for row in rows}
        found.setdefault(rows[0]["variant"], []).append(run)
    return found


def objectives(checkpoints: Sequence[Path], plain: str) -> dict[str, dict[str, Any]]:
    """{training: what its objective did, as means over the seeds}.

    same: how many of its adapters are, to the byte, those of `plain` with the same seed
    """
    read: dict[str, dict[str, Any]] = {}
    for path in checkpoints:
        read.setdefault(path.parents[1].name, {})[path.parent.name] = read_json(path)
    if plain not in read:
        raise InputError(f"sets: there is no training {plain!r} to compare the others with")
    found: dict[str, dict[str, Any]] = {}
    for training, of_seeds in read.items():
        every = [one.get("objective") for one in of_seeds.values()]
        row: dict[str, Any] = {
            "seeds": len(of_seeds),
            "same": sum(one["adapter"] == read[plain][s]["adapter"] for s, one in of_seeds.items()),
            "gap": _means([one.get("gap") for one in of_seeds.values()], "no dev items"),
        }
        none = Absent("has no objective")
        row["kind"] = every[0]["kind"] if every[0] else none
        row["weight"] = every[0]["weight"] if every[0] else none
        row["mean"] = _means([one and one["mean"] for one in every], none.reason)
        for name in ("diversity_positive", "combined_differs", "acts"):
            row[name] = sum(one[name] for one in every) if every[0] else none
        found[training] = row
    return found


KEYS = ("loss", "diversity", "combined", "share", "train", "dev", "gap")


def _means(rows: Sequence[Mapping[str, float] | None], otherwise: str) -> dict[str, float | Absent]:
    """Means over seeds of what the rows have; absent where they have nothing."""
    present = [row for row in rows if row]
    if not present:
        return dict.fromkeys(KEYS, Absent(otherwise))
    return {key: sum(row[key] for row in present) / len(present) for key in present[0]}
