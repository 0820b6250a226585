"""How often the tests are wrong and the intervals right, on simulated answers whose truth is known.

The stage writes simulation.json: type-I errors of tests of equal methods at the 5% level, the tests
that are not to be used among them, and coverages of 95% intervals.

An answer is right if a normal score is positive: score = level + seed + (group) + item
+ (method x group) + method x item + noise, where brackets stand for grouped items. Item and group
are shared by both methods. Without the seed the variance is 1, so that levels and accuracies
translate exactly: level = probit(accuracy) * sqrt(1 + seed variance).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr

from regen.files import write_json
from regen.statistics.bootstrap import bootstrap_mean
from regen.statistics.intervals import (
    clopper_pearson,
    one_run_interval,
    seed_item_interval,
    t_interval,
    wilson,
)
from regen.statistics.mcnemar import TestName, mcnemar
from regen.statistics.methods import Variance, difference_variance
from regen.statistics.simulated_counts import coverages_of_counts

ITEM, METHOD_ITEM = 0.6, 0.2
"""Shares of the score's variance; the noise of one seed on one item is the rest."""
GROUP = 0.5
"""Share of the two item variances that is the group's, where items have groups."""
SIZES = (1, 3, 5, 7, 9)
"""Group sizes, in turn."""
VALUES_AT_ONCE = 4_000_000
LEVEL = 0.05
T_TEST = "seed-by-item t test"
MCNEMAR: tuple[TestName, ...] = ("auto", "exact", "mid-p", "asymptotic", "asymptotic, corrected")

Array = np.ndarray


@dataclass(frozen=True)
class Cell:
    """One point of the grid. seeds: on each side; seed_sd: of the accuracy, over seeds."""

    items: int
    seeds_a: int
    seeds_b: int
    seed_sd: float
    grouped: bool
    accuracy: float
    design: str


@dataclass(frozen=True)
class Draw:
    """Answers of both methods, (replications, seeds, items), 0 or 1, and what is true of A.

    accuracy_of_seeds: (replications, seeds), of each checkpoint over new items; accuracy_on_items:
    (replications,), of the method over new seeds on these items; starts: first item of each group.
    """

    a: Array
    b: Array
    accuracy_of_seeds: Array
    accuracy_on_items: Array
    starts: Array


def simulation(*, grid: dict[str, Any], out: Path) -> None:
    """Write simulation.json for every combination of the grid's lists: {grid, errors, coverage,
    counts, ranges}; ranges: the least and the largest of each, what a text says of them.

    grid: items, seeds, seed_sd (lists; seed_sd in accuracy, 0.03 is three points), groups (list of
    bool), accuracy, replications, interval_replications, resamples, seed (numbers).
    """
    rng = np.random.default_rng(grid["seed"])
    errors: list[dict[str, Any]] = []
    coverage: list[dict[str, Any]] = []
    for cell in cells(grid):
        reps = grid["replications"]
        for (name, right), share in error_rates(cell, reps, rng).items():
            row = {**vars(cell), "replications": reps}
            errors.append({**row, "test": name, "right": right, "error": share})
            if (name, right) == (T_TEST, "yes"):  # its interval holds 0 where it does not reject
                of = "the difference, new seeds and items"
                coverage.append({**row, "interval": name, "of": of, "coverage": 1 - share})
        if cell.design == "both":
            reps = grid["interval_replications"]
            coverage += [
                {**vars(cell), "interval": name, "of": of, "coverage": share, "replications": reps}
                for (name, of), share in coverages(cell, reps, grid["resamples"], rng).items()
            ]
    counts = [
        vars(row)
        for items in grid["items"]
        for row in coverages_of_counts(items, grid["interval_replications"], grid["resamples"], rng)
    ]
    write_json(
        out / "simulation.json",
        {
            "grid": grid,
            "errors": errors,
            "coverage": coverage,
            "counts": counts,
            "ranges": {
                "errors": ranges(errors, ("test", "design", "right"), "error"),
                "coverage": ranges([*coverage, *counts], ("interval", "of"), "coverage"),
            },
        },
    )


def ranges(rows: list[dict[str, Any]], names: Sequence[str], value: str) -> dict[str, Any]:
    """{names joined: {"low", "high", "cells"}} of a value over the cells of the grid."""
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(" / ".join(row[name] for name in names), []).append(row[value])
    return {k: {"low": min(v), "high": max(v), "cells": len(v)} for k, v in found.items()}


def cells(grid: dict[str, Any]) -> Iterator[Cell]:
    """Designs: both methods trained; B frozen; seeds paired; and 3 seeds against 10."""
    for items, grouped, sd in product(grid["items"], grid["groups"], grid["seed_sd"]):
        for seeds in grid["seeds"]:
            common = (sd, grouped, grid["accuracy"])
            yield Cell(items, seeds, seeds, *common, "both")
            if seeds > 1:
                yield Cell(items, seeds, 1, *common, "B frozen")
                yield Cell(items, seeds, seeds, *common, "paired seeds")
        if sd > 0:
            yield Cell(items, 3, 10, sd, grouped, grid["accuracy"], "unequal seeds")


def draw(cell: Cell, replications: int, rng: np.random.Generator) -> Draw:
    """Answers of two equally good methods."""
    n, reps = cell.items, replications
    sizes: list[int] = []
    while sum(sizes) < n:
        sizes.append(SIZES[len(sizes) % len(SIZES)] if cell.grouped else 1)
    sizes[-1] -= sum(sizes) - n
    group_of = np.repeat(np.arange(len(sizes)), sizes)

    def effect(variance: float) -> Array:
        own = rng.standard_normal((reps, 1, n), dtype=np.float32)
        if not cell.grouped:
            return own * np.float32(np.sqrt(variance))
        shared = rng.standard_normal((reps, 1, len(sizes)), dtype=np.float32)[..., group_of]
        return own * np.sqrt(variance * (1 - GROUP), dtype=np.float32) + shared * np.sqrt(
            variance * GROUP, dtype=np.float32
        )

    # The slope of accuracy in the score at this accuracy turns points of accuracy into score.
    probit = float(ndtri(cell.accuracy))
    seed_sd = cell.seed_sd / (np.exp(-(probit**2) / 2) / np.sqrt(2 * np.pi))
    noise_sd = np.sqrt(1 - ITEM - METHOD_ITEM)
    common = effect(ITEM)
    luck = rng.standard_normal((reps, max(cell.seeds_a, cell.seeds_b), 1), dtype=np.float32)

    def method(seeds: int, sd: float) -> tuple[Array, Array, Array]:
        own = rng.standard_normal((reps, seeds, 1), dtype=np.float32)
        if cell.design == "paired seeds":
            own = (own + luck[:, :seeds]) / np.float32(np.sqrt(2))
        shift = own * np.float32(sd) + np.float32(probit * np.sqrt(1 + sd**2))
        fixed = common + effect(METHOD_ITEM)
        noise = rng.standard_normal((reps, seeds, n), dtype=np.float32) * np.float32(noise_sd)
        right = (fixed + shift + noise > 0).astype(float)
        return right, ndtr(shift[..., 0]), fixed[:, 0]

    a, of_seeds, fixed = method(cell.seeds_a, seed_sd)
    level, spread = probit * np.sqrt(1 + seed_sd**2), np.sqrt(noise_sd**2 + seed_sd**2)
    on_items = ndtr((fixed + level) / spread).mean(1)
    b, _, _ = method(cell.seeds_b, 0.0 if cell.design == "B frozen" else seed_sd)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return Draw(a, b, of_seeds, on_items, starts)


Named = dict[tuple[str, str], float]


def error_rates(cell: Cell, replications: int, rng: np.random.Generator) -> Named:
    """{(test, "right" or why not): share of replications in which it rejects}."""
    rejected: dict[tuple[str, str], float] = {}
    for reps in _portions(cell, replications):
        found = _p_values(cell, draw(cell, reps, rng))
        for name, p in found.items():
            rejected[name] = rejected.get(name, 0.0) + float((p <= LEVEL).sum())
    return {name: count / replications for name, count in rejected.items()}


def _p_values(cell: Cell, d: Draw) -> dict[tuple[str, str], Array]:
    """p-values, (replications,), by test; the second name says whether it is the right one."""
    grouped_a, grouped_b = (_group_means(x, d.starts, cell.items) for x in (d.a, d.b))
    paired, frozen = cell.design == "paired seeds", cell.design == "B frozen"
    found: dict[tuple[str, str], Array] = {}
    verdict = "yes" if cell.seeds_a > 1 or cell.seed_sd == 0 else "only of the checkpoint"
    found[T_TEST, verdict] = _t_test(grouped_a, grouped_b, paired, frozen, cell.items)
    if cell.grouped:
        found["the same, groups ignored", "no"] = _t_test(d.a, d.b, paired, frozen, cell.items)
    if cell.seeds_a == 1 and not cell.grouped:
        b = ((d.a == 1) & (d.b == 0)).sum((1, 2))
        c = ((d.a == 0) & (d.b == 1)).sum((1, 2))
        for name in MCNEMAR:
            found[f"McNemar ({name})", verdict] = _mcnemar(b, c, name)
    if cell.design == "both" and cell.seeds_a > 1:
        b = ((d.a == 1) & (d.b == 0)).sum((1, 2))
        c = ((d.a == 0) & (d.b == 1)).sum((1, 2))
        found["McNemar on pooled rows", "no"] = _mcnemar(b, c, "asymptotic")
        over_items = (grouped_a.mean(1) - grouped_b.mean(1))[:, None]
        found["t test over items alone", "no"] = _t_test(
            over_items, 0 * over_items, False, False, cell.items
        )
        found["t test over seeds alone", "no"] = _welch(d.a.mean(2), d.b.mean(2))
    return found


def _t_test(a: Array, b: Array, paired: bool, frozen: bool, items: int) -> Array:
    """p of `methods.method_test`, for all replications at once."""
    one_item = a.shape[2] / items
    v = difference_variance(a, b, paired_seeds=paired, bonett_price=one_item if frozen else 0.0)
    flat = v.total <= 0
    if flat.any():
        smooth = difference_variance(a, b, paired_seeds=paired, bonett_price=one_item)
        parts = ("seeds", "items", "total", "df")
        v = Variance(*(np.where(flat, getattr(smooth, k), getattr(v, k)) for k in parts))
    t = np.abs(a.mean((1, 2)) - b.mean((1, 2))) / np.sqrt(v.total)
    return 2 * stdtr(v.df, -t)


def _welch(a: Array, b: Array) -> Array:
    """p of Welch's t test over seed means, (replications, seeds)."""
    parts = [x.var(1, ddof=1) / x.shape[1] for x in (a, b)]
    total = np.maximum(parts[0] + parts[1], 1e-12)
    nu = np.maximum(sum(v**2 / (x.shape[1] - 1) for v, x in zip(parts, (a, b), strict=True)), 1e-24)
    return 2 * stdtr(np.maximum(total**2 / nu, 1), -np.abs(a.mean(1) - b.mean(1)) / np.sqrt(total))


def coverages(
    cell: Cell, replications: int, resamples: int, rng: np.random.Generator
) -> dict[tuple[str, str], float]:
    """{(interval, what it is for): share of replications in which it holds the truth}."""
    covered: dict[tuple[str, str], int] = {}
    for reps in _portions(cell, replications):
        d = draw(cell, reps, rng)
        groups = None
        if cell.grouped:
            sizes = np.diff(np.append(d.starts, cell.items))
            groups = [str(g) for g in np.repeat(np.arange(sizes.size), sizes)]
        for r in range(reps):
            for key, interval, truth in _intervals(cell, d, r, groups, resamples):
                holds = isinstance(interval.low, float) and interval.low <= truth <= interval.high
                covered[key] = covered.get(key, 0) + bool(holds)
    return {key: count / replications for key, count in covered.items()}


def _intervals(
    cell: Cell, d: Draw, r: int, groups: list[str] | None, resamples: int
) -> Iterator[tuple[tuple[str, str], Any, float]]:
    """The intervals for the mean of A in one replication, each with the truth it is about."""
    x, n = d.a[r], cell.items
    method, these_items = "a new seed, new items", "a new seed, these items"
    if cell.seeds_a == 1:
        right, truth = int(x.sum()), float(d.accuracy_of_seeds[r, 0])
        yield ("Wilson", "this checkpoint, new items"), wilson(right, n), truth
        yield ("Clopper-Pearson", "this checkpoint, new items"), clopper_pearson(right, n), truth
        if groups:
            found = one_run_interval(x[0], groups)
            yield ("Wilson at the effective n", "this checkpoint, new items"), found, truth
    else:
        on_items = float(d.accuracy_on_items[r])
        over_seeds = t_interval(x.mean(1)).within(0, 1)
        yield ("t over seeds", these_items), over_seeds, on_items
        yield ("t over seeds", method), over_seeds, cell.accuracy
        yield ("Wilson at the effective n", method), seed_item_interval(x, groups), cell.accuracy
    of_seeds = float(d.accuracy_of_seeds[r].mean())
    for name in ("percentile", "BCa"):
        found = bootstrap_mean(x.mean(0), groups=groups, method=name, resamples=resamples, seed=r)
        yield (f"bootstrap ({name})", "these checkpoints, new items"), found, of_seeds


def _group_means(x: Array, starts: Array, n: int) -> Array:
    if starts.size == n:
        return x
    return np.add.reduceat(x, starts, axis=2) / np.diff(np.append(starts, n))


def _mcnemar(b: Array, c: Array, test: TestName) -> Array:
    """p of each pair of discordant counts, (replications,), computed once a pair."""
    pairs, inverse = np.unique(np.stack([b, c], 1), axis=0, return_inverse=True)
    return np.array([mcnemar((0, int(x), int(y), 0), test).p for x, y in pairs])[inverse.ravel()]


def _portions(cell: Cell, replications: int) -> Iterator[int]:
    """Replications at a time, so that a portion's answers fit in the cache and in memory."""
    most = max(1, VALUES_AT_ONCE // (cell.items * max(cell.seeds_a, cell.seeds_b)))
    for start in range(0, replications, most):
        yield min(most, replications - start)
