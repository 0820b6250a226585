"""Stage `thresholds`: from which signal-to-noise ratio, or length, on is an answer mostly right?

A psychometric function is fitted: the chance of a right answer rises with the stimulus, from
guessing to nearly always, as a logistic function (Wichmann and Hill 2001, Perception &
Psychophysics 63:1293). The threshold is where it crosses a level.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from regen.errors import InputError
from regen.files import Absent, read_jsonl, write_json

Value = float | Absent
RESAMPLES = 400
LAPSE = 0.02
"""Share of the easiest items that are answered wrong nonetheless."""


def thresholds(
    *,
    scores: list[Path],
    data: Path,
    split: str,
    axes: list[dict[str, Any]],
    metric: str,
    guess: float,
    level: float,
    seed: int,
    out: Path,
) -> None:
    """Write thresholds.json: {variant: {axis: {threshold, low, high, n_items, n_groups, ...}}}.

    scores: items.jsonl files, one run each; data: folder with <split>.jsonl, whose rows have the
    stimulus; axes: {name, log: is it on a logarithmic scale}; metric: 0 or 1 an item; guess: the
    chance of being right without hearing anything; level: the accuracy that is asked for.
    Intervals are bootstrap percentiles over groups. Items whose stimulus is a word (clean) are left
    out. A threshold outside the stimuli that there were is absent.
    """
    rows = {row["item"]: row for row in read_jsonl(data / f"{split}.jsonl")}
    runs: dict[str, list[list[dict[str, Any]]]] = {}
    for file in scores:
        scored = read_jsonl(file)
        if not scored:
            raise InputError(f"{file}: holds no items; score again")
        runs.setdefault(scored[0]["variant"], []).append(scored)
    found: dict[str, Any] = {}
    for variant, of_seeds in runs.items():
        found[variant] = {}
        for axis in axes:
            x, right, groups = _stimuli(of_seeds, rows, axis["name"], metric)
            if axis["log"]:
                x = np.log(x)
            result = crossing(x, right, groups, guess=guess, level=level, seed=seed)
            back = np.exp if axis["log"] else float
            found[variant][axis["name"]] = {
                **{
                    key: value if isinstance(value, Absent) else float(back(value))
                    for key, value in result.items()
                },
                "n_items": len(x),
                "n_groups": len(set(groups)),
                "level": level,
            }
    write_json(out / "thresholds.json", found)


def _stimuli(
    of_seeds: Sequence[Sequence[dict[str, Any]]],
    rows: dict[str, dict[str, Any]],
    axis: str,
    metric: str,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(stimulus, mean of the metric over seeds, group) of each item that has a number there."""
    means: dict[str, list[float]] = {}
    groups: dict[str, str] = {}
    for scored in of_seeds:
        for row in scored:
            means.setdefault(row["item"], []).append(float(row["metrics"][metric]))
            groups[row["item"]] = row["group"]
    kept = [i for i in means if i in rows and isinstance(rows[i].get(axis), int | float)]
    if not kept:
        raise InputError(f"thresholds: no item has a number for {axis!r}; choose another axis")
    x = np.array([float(rows[item][axis]) for item in kept])
    return x, np.array([np.mean(means[item]) for item in kept]), [groups[item] for item in kept]


def crossing(
    x: np.ndarray,
    right: np.ndarray,
    groups: Sequence[str],
    *,
    guess: float,
    level: float,
    seed: int,
) -> dict[str, Value]:
    """{"threshold", "low", "high"} of the stimulus at which accuracy crosses `level`.

    x, right: (n,), right being shares in [0, 1]
    """
    # Few stimuli differ, so that counts at each of them are all that the likelihood needs.
    levels, place = np.unique(x, return_inverse=True)

    def fitted(weights: np.ndarray) -> float:
        n = np.bincount(place, weights, len(levels))
        return _fit(levels, np.bincount(place, weights * right, len(levels)), n, guess, level)

    threshold = _inside(fitted(np.ones(len(x))), x)
    if isinstance(threshold, Absent):
        return {"threshold": threshold, "low": threshold, "high": threshold}
    names, number = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        draws.append(fitted(times[number].astype(float)))
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"threshold": threshold, "low": _end(low, x), "high": _end(high, x)}


def _fit(levels: np.ndarray, right: np.ndarray, n: np.ndarray, guess: float, level: float) -> float:
    """The stimulus at the level, by maximum likelihood of `right` of `n` answers at each."""
    centre, spread = float(np.average(levels, weights=n)), float(levels.std()) or 1.0

    def loss(parameters: np.ndarray) -> float:
        p = guess + (1 - guess - LAPSE) * expit((levels - parameters[0]) * np.exp(parameters[1]))
        p = np.clip(p, 1e-9, 1 - 1e-9)
        return -float((right * np.log(p) + (n - right) * np.log(1 - p)).sum())

    best = minimize(loss, [centre, -np.log(spread)], method="Nelder-Mead")
    middle, log_slope = best.x
    return float(middle + logit((level - guess) / (1 - guess - LAPSE)) / np.exp(log_slope))


def _inside(value: float, x: np.ndarray) -> Value:
    if value < x.min():
        return Absent("the level is exceeded at the lowest stimulus")
    if value > x.max():
        return Absent("the level is not reached at the highest stimulus")
    return value


def _end(value: float, x: np.ndarray) -> Value:
    """An end of the interval; it is open where the stimuli end."""
    inside = _inside(float(value), x)
    return Absent("beyond the stimuli") if isinstance(inside, Absent) else inside
