"""Scored runs of a variant as arrays: one row a seed, one column an item."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regen.errors import InputError
from regen.files import read_jsonl

Row = dict[str, Any]


@dataclass(frozen=True)
class Runs:
    """All runs of one variant on the same items.

    seeds: of the trainings, empty for a frozen model, which has one run
    items, groups, targets, facets: of each item, sorted by item
    scores: {metric: (max(1, seeds), items)}, NaN where the metric is absent
    absent: {metric: the most frequent reason for its absence}
    """

    name: str
    seeds: tuple[int, ...]
    items: tuple[str, ...]
    groups: tuple[str, ...]
    targets: tuple[Any, ...]
    facets: tuple[dict[str, Any], ...]
    scores: dict[str, np.ndarray]
    absent: dict[str, str]

    @property
    def frozen(self) -> bool:
        return not self.seeds

    def take(self, kept: np.ndarray) -> "Runs":
        """These items only; kept: (items,) of bool."""

        def some(values: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(v for v, keep in zip(values, kept, strict=True) if keep)

        return Runs(
            name=self.name,
            seeds=self.seeds,
            items=some(self.items),
            groups=some(self.groups),
            targets=some(self.targets),
            facets=some(self.facets),
            scores={metric: x[:, kept] for metric, x in self.scores.items()},
            absent=self.absent,
        )


def read_runs(paths: Sequence[Path]) -> dict[str, Runs]:
    """{variant: its runs} from items.jsonl files, one run each.

    Raises InputError for a file of several runs or none, a run or an item that is there twice, and
    runs of a variant that differ in items or groups.
    """
    found: dict[str, dict[int | None, tuple[Path, dict[str, Row]]]] = defaultdict(dict)
    for path in paths:
        rows = read_jsonl(path)
        variant, seed = _run_of(rows, path)
        if seed in found[variant]:
            other = found[variant][seed][0]
            raise InputError(
                f"{path}: variant {variant!r}, {_run(seed)} is in {other} too; drop one"
            )
        found[variant][seed] = (path, by_item(rows, path))
    return {variant: join_runs(variant, runs) for variant, runs in found.items()}


def _run_of(rows: Sequence[Row], path: Path) -> tuple[str, int | None]:
    runs = {(row.get("variant"), row.get("seed")) for row in rows}
    if len(runs) != 1:
        what = "has no rows" if not runs else f"has rows of {len(runs)} variants or seeds"
        raise InputError(f"{path}: {what}, and one run is needed; score the predictions again")
    variant, seed = runs.pop()
    if not isinstance(variant, str):
        raise InputError(f"{path}: rows name no variant; score the predictions again")
    return variant, seed


def by_item(rows: Sequence[Row], path: Path) -> dict[str, Row]:
    """{item: its row}. Raises InputError for a row without item, group, metrics, or one twice."""
    found: dict[str, Row] = {}
    for number, row in enumerate(rows, 1):
        for key in ("item", "group", "metrics"):
            if key not in row:
                raise InputError(f"{path}: line {number} has no {key!r}; score again")
        if row["item"] in found:
            raise InputError(f"{path}: item {row['item']!r} stands there twice; score again")
        found[row["item"]] = row
    return found


def join_runs(variant: str, runs: dict[int | None, tuple[Path, dict[str, Row]]]) -> Runs:
    """The runs of one variant, {seed: (file, {item: row})}, checked against each other."""
    if None in runs and len(runs) > 1:
        raise InputError(f"{runs[None][0]}: variant {variant!r} has runs with and without a seed")
    seeds = sorted(seed for seed in runs if seed is not None)
    ordered = [runs[seed] for seed in seeds] if seeds else [runs[None]]
    first_path, first = ordered[0]
    for path, rows in ordered[1:]:
        check_same_items(first, rows, str(first_path), str(path))
        for name, row in rows.items():
            if row["group"] != first[name]["group"]:
                raise InputError(f"{path}: item {name!r} has another group than in {first_path}")
    items = sorted(first)
    metrics = sorted(
        {name for _, rows in ordered for row in rows.values() for name in row["metrics"]}
    )
    reasons: dict[str, Counter[str]] = {metric: Counter() for metric in metrics}
    scores = {
        metric: np.array(
            [
                [_number(rows[name]["metrics"].get(metric), reasons[metric]) for name in items]
                for _, rows in ordered
            ]
        )
        for metric in metrics
    }
    return Runs(
        name=variant,
        seeds=tuple(seeds),
        items=tuple(items),
        groups=tuple(str(first[name]["group"]) for name in items),
        targets=tuple(first[name].get("target") for name in items),
        facets=tuple(first[name].get("facets", {}) for name in items),
        scores=scores,
        absent={
            metric: max(found, key=lambda r: (found[r], r))
            for metric, found in reasons.items()
            if found
        },
    )


def _number(value: Any, reasons: Counter[str]) -> float:
    if isinstance(value, bool | int | float):
        if math.isfinite(value):
            return float(value)
        reason = "not a finite number"
    else:
        reason = value.get("absent", "not scored") if isinstance(value, dict) else "not scored"
    reasons[reason] += 1
    return math.nan


def check_same_items(
    a: Sequence[str] | dict[str, Any], b: Sequence[str] | dict[str, Any], name_a: str, name_b: str
) -> None:
    """Raises InputError, naming the items, if one side has items that the other lacks."""
    for these, others, has, lacks in ((a, b, name_a, name_b), (b, a, name_b, name_a)):
        known = set(others)
        only = [item for item in these if item not in known]
        if only:
            shown = ", ".join(repr(item) for item in only[:5])
            more = f" and {len(only) - 5} more" if len(only) > 5 else ""
            raise InputError(
                f"{lacks} lacks {len(only)} item(s) that {has} has: {shown}{more}; "
                "compare runs on the same items, or take those that both have (--intersect)"
            )


def _run(seed: int | None) -> str:
    return "without a seed" if seed is None else f"seed {seed}"
