"""Bootstrap intervals for a mean over items, without a loop over resamples.

A mean depends only on how often each distinct value is drawn, and these counts are one multinomial
draw a resample: scores of S seeds have S + 1 distinct means, whatever the number of items.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from regen.files import Absent
from regen.statistics.intervals import Interval

MANY_VALUES = 200
"""With more distinct values than this, drawing indices is faster than drawing counts."""
CHUNK = 4_000_000
"""Indices drawn at once, which bounds memory (32 MB)."""


def bootstrap_mean(
    x: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    method: Literal["BCa", "percentile"] = "BCa",
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Interval for the mean of x, (n,), resampling items, or whole groups of them.

    For several seeds x is the mean over seeds of each item, and the interval is for these seeds.
    BCa after Efron (1987, JASA 82:171). Absent for fewer than two groups, or if all are equal.
    """
    x = np.asarray(x, float)
    sums, sizes = x, np.ones(x.size)
    if groups is not None:
        _, inverse = np.unique(np.asarray(groups), return_inverse=True)
        sums, sizes = np.bincount(inverse, weights=x), np.bincount(inverse).astype(float)
    unit = "items" if sums.size == x.size else "groups"
    name = f"bootstrap over {unit} ({method})"
    if sums.size < 2 or np.ptp(sums / sizes) == 0:
        reason = "the bootstrap has nothing to vary"
        return Interval(Absent(reason), Absent(reason), name)
    means = resampled_means(sums, sizes, resamples, np.random.default_rng(seed))
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "BCa":
        tails = _bca_tails(means, sums, sizes, tails)
    low, high = np.quantile(means, tails)
    return Interval(float(low), float(high), name)


def resampled_means(
    sums: np.ndarray, sizes: np.ndarray, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Means of `resamples` resamples of groups with these sums and sizes, (G,) each."""
    count = sums.size
    values, multiplicity = np.unique(np.stack([sums, sizes]), axis=1, return_counts=True)
    if multiplicity.size <= MANY_VALUES:
        counts = rng.multinomial(count, multiplicity / count, size=resamples)
        return (counts @ values[0]) / (counts @ values[1])
    means = np.empty(resamples)
    rows = max(1, CHUNK // count)
    for start in range(0, resamples, rows):
        chosen = rng.integers(0, count, size=(min(rows, resamples - start), count))
        means[start : start + rows] = sums[chosen].sum(1) / sizes[chosen].sum(1)
    return means


def _bca_tails(
    means: np.ndarray, sums: np.ndarray, sizes: np.ndarray, tails: np.ndarray
) -> np.ndarray:
    """The quantiles to take instead of `tails`; these, if the resamples lie on one side."""
    estimate = sums.sum() / sizes.sum()
    # Resamples often hit the estimate exactly; rounding must not decide on which side they fall.
    rounding = 1e-9 * np.ptp(means)
    below = ((means < estimate - rounding).mean() + (means <= estimate + rounding).mean()) / 2
    if not 0 < below < 1:
        return tails
    without_one = (sums.sum() - sums) / (sizes.sum() - sizes)
    gap = without_one.mean() - without_one
    acceleration = (gap**3).sum() / (6 * (gap**2).sum() ** 1.5)
    shift = ndtri(below) + ndtri(tails)
    return ndtr(ndtri(below) + shift / (1 - acceleration * shift))
