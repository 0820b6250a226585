"""Are probabilities what they say? Temperature, proper scores, calibration error and its null.

Arrays: logits (n, options), targets (n,) with the index of the right option; confidence (n,) is the
probability of the predicted option and right (n,) whether it was the right one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_softmax

from regen.files import Absent
from regen.statistics.intervals import Interval, wilson

Value = float | Absent
COLDEST, HOTTEST = 0.01, 100.0
"""Temperatures that are tried; the best at an end of this range is no solution."""
EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the confidence bins [.5, .6), ..., [.9, 1]: two options never give less than a half."""


@dataclass(frozen=True)
class Bin:
    """Items whose confidence is in [low, high): how many, and how often they are right."""

    low: float
    high: float
    n: int
    confidence: Value
    accuracy: Value
    interval: Interval


@dataclass(frozen=True)
class CalibrationError:
    """Expected calibration error with bins of equal mass.

    null_mean, null_high: mean and 95% quantile of the same figure were the model calibrated; p: the
    share of such draws that reach it, counting itself (never 0).
    """

    error: Value
    null_mean: Value
    null_high: Value
    p: Value
    n: int
    bins: int


def probabilities(logits: ArrayLike, temperature: float = 1.0) -> np.ndarray:
    """softmax(logits / temperature), (n, options)."""
    return np.exp(log_softmax(np.asarray(logits, float) / temperature, axis=1))


def nll(logits: ArrayLike, targets: ArrayLike, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the right options, in nats."""
    scores = log_softmax(np.asarray(logits, float) / temperature, axis=1)
    return float(-np.take_along_axis(scores, np.asarray(targets, int)[:, None], 1).mean())


def brier(logits: ArrayLike, targets: ArrayLike, temperature: float = 1.0) -> float:
    """Brier's score (1950, Monthly Weather Review 78:1), over all options: 0 is best, 2 worst."""
    p = probabilities(logits, temperature)
    truth = np.eye(p.shape[1])[np.asarray(targets, int)]
    return float(((p - truth) ** 2).sum(1).mean())


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> Value:
    """The temperature that minimises `nll` (Guo et al. 2017, arXiv 1706.04599).

    The derivative of the mean NLL in 1/T is the expected logit less that of the right option; it
    rises with 1/T, so bisection in log T finds its one zero. Dividing by T changes no prediction.
    Absent if no temperature between 0.01 and 100 is best: all right, or no better than chance.
    """
    z, y = np.asarray(logits, float), np.asarray(targets, int)
    if len(z) == 0:
        return Absent("no items")
    z = z - z.mean(1, keepdims=True)
    right = np.take_along_axis(z, y[:, None], 1)[:, 0]

    def slope(log_t: float) -> float:
        p = probabilities(z, float(np.exp(log_t)))
        return float(((p * z).sum(1) - right).mean())

    low, high = np.log(COLDEST), np.log(HOTTEST)
    if slope(low) <= 0:
        return Absent("every item is right: colder is always better")
    if slope(high) >= 0:
        return Absent("the right options do not score above average: hotter is always better")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return float(np.exp((low + high) / 2))


def confidence_bins(
    confidence: ArrayLike, right: ArrayLike, edges: Sequence[float] = EDGES
) -> list[Bin]:
    """Accuracy and n by confidence, with Wilson intervals; the last bin holds its upper edge.

    Raises ValueError for a confidence outside the edges.
    """
    c, ok = np.asarray(confidence, float), np.asarray(right, bool)
    if c.size and not (edges[0] <= c.min() and c.max() <= edges[-1]):
        raise ValueError(f"confidences lie in {c.min():g} to {c.max():g}, bins in {list(edges)}")
    bins = []
    for low, high in pairwise(edges):
        inside = (c >= low) & ((c < high) | (high == edges[-1]))
        n, empty = int(inside.sum()), Absent("no items")
        bins.append(
            Bin(
                low=low,
                high=high,
                n=n,
                confidence=float(c[inside].mean()) if n else empty,
                accuracy=float(ok[inside].mean()) if n else empty,
                interval=wilson(int(ok[inside].sum()), n),
            )
        )
    return bins


def calibration_error(
    confidence: ArrayLike, right: ArrayLike, *, bins: int = 15, draws: int = 2000, seed: int = 0
) -> CalibrationError:
    """ECE with equal-mass bins: |accuracy - confidence| a bin, averaged by items.

    It is never 0 for a finite sample, so its null is drawn beside it: answers right with exactly
    the probabilities given. Absent for fewer items than bins.
    """
    c, ok = np.asarray(confidence, float), np.asarray(right, float)
    if c.size < bins:
        none = Absent(f"{c.size} items do not fill {bins} bins")
        return CalibrationError(none, none, none, none, c.size, bins)
    order = np.argsort(c, kind="stable")
    starts = np.linspace(0, c.size, bins, endpoint=False).astype(int)

    def ece(gaps: np.ndarray) -> np.ndarray:
        return np.abs(np.add.reduceat(gaps, starts, axis=-1)).sum(-1) / c.size

    found = float(ece((ok - c)[order]))
    calibrated = np.random.default_rng(seed).random((draws, c.size)) < c[order]
    null = ece(calibrated - c[order])
    return CalibrationError(
        error=found,
        null_mean=float(null.mean()),
        null_high=float(np.quantile(null, 0.95)),
        p=float((1 + (null >= found - 1e-12).sum()) / (1 + draws)),
        n=c.size,
        bins=bins,
    )


def threshold_for(confidence: ArrayLike, right: ArrayLike, wanted: float) -> Value:
    """The lowest confidence from which on the accuracy of all more confident items is `wanted`.

    Absent if no threshold reaches it. It is fitted on these items: report it on others.
    """
    c, ok = np.asarray(confidence, float), np.asarray(right, float)
    order = np.argsort(-c, kind="stable")
    accuracy = np.cumsum(ok[order]) / np.arange(1, c.size + 1)
    ends = np.append(np.diff(c[order]) < 0, True) if c.size else np.array([], bool)
    reached = np.flatnonzero((accuracy >= wanted) & ends)
    if reached.size == 0:
        return Absent(f"no threshold gives an accuracy of {wanted:g}")
    return float(c[order][reached[-1]])


def two_option_confidence(difference: ArrayLike, temperature: float = 1.0) -> np.ndarray:
    """Probability of the predicted one of two options, from the difference of their logits."""
    return expit(np.abs(np.asarray(difference, float)) / temperature)
