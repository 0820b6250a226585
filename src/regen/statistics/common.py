"""Means over the items that several variants all have a metric of, and why the others lack it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regen.errors import InputError
from regen.files import Absent, read_jsonl
from regen.statistics.runs import Runs


def common_subsets(
    runs: Mapping[str, Runs], subsets: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """{subset: {"variants", "metrics": {metric: {"n_items", "coverage", "variants"}}}}.

    subsets: {name: variants}. An item counts for a metric if every run of every one of them has
    the metric there; coverage is the share of such items. The means of a variant are over these
    items and its runs: {"mean", "sd"} (over seeds). Where no item counts, both are absent. What is
    compared on such a subset was chosen by all of its variants: an answer that one of them did not
    give takes the item from the others too.
    """
    found = {}
    for name, variants in subsets.items():
        for variant in variants:
            if variant not in runs:
                raise InputError(f"common subset {name!r} names {variant!r}: no scores")
        metrics = sorted(set.intersection(*(set(runs[v].scores) for v in variants)))
        found[name] = {
            "variants": list(variants),
            "metrics": {m: _of_metric([runs[v] for v in variants], m) for m in metrics},
        }
    return found


def _of_metric(sides: Sequence[Runs], metric: str) -> dict[str, Any]:
    kept = np.all([np.isfinite(side.scores[metric]).all(0) for side in sides], axis=0)
    return {
        "n_items": int(kept.sum()),
        "coverage": float(kept.mean()),
        "variants": {side.name: _mean(side, metric, kept) for side in sides},
    }


def _mean(side: Runs, metric: str, kept: np.ndarray) -> dict[str, float | Absent]:
    if not kept.any():
        none = Absent("no item is valid for all of them")
        return {"mean": none, "sd": none}
    means = side.scores[metric][:, kept].mean(1)
    few = Absent("a frozen model has no seeds" if side.frozen else "one seed")
    return {
        "mean": float(means.mean()),
        "sd": float(means.std(ddof=1)) if len(means) > 1 else few,
    }


def failures(scores: Sequence[Path]) -> dict[str, Any]:
    """{variant: {"answers", "failed", "valid", "reasons": {reason: count}, "most"}}, of all runs.

    scores: items.jsonl files; those of several samples an item name no reasons and are left out.
    most: the most frequent reason, absent where nothing failed.
    """
    answers: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    for path in scores:
        for row in read_jsonl(path):
            if "prediction" not in row and "error" not in row:
                continue
            answers[row["variant"]] += 1
            counted = reasons.setdefault(row["variant"], Counter())
            if "error" in row:
                counted[row["error"]] += 1
    return {
        variant: {
            "answers": count,
            "failed": reasons[variant].total(),
            "valid": count - reasons[variant].total(),
            "reasons": dict(reasons[variant]),
            "most": _most(reasons[variant]),
        }
        for variant, count in answers.items()
    }


def _most(counted: Counter[str]) -> str | Absent:
    if not counted:
        return Absent("nothing failed")
    return max(counted, key=lambda reason: (counted[reason], reason))
