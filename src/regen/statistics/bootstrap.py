"""Bootstrap intervals for a mean over items, without a loop over resamples.

A mean depends only on how often each distinct value is drawn. Scores of S seeds have S + 1 distinct
means, evenly spaced, whatever the number of items; the mean of a resample then moves on a grid, and
its distribution is a convolution, which one Fourier transform gives exactly: the limit of ever more
resamples. Where values lie on no grid but are few, a resample is one multinomial draw.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from regen.files import Absent
from regen.statistics.intervals import Interval

LONGEST_GRID = 1 << 18
"""Points of the grid of means up to which the exact distribution is computed (some 10 ms)."""
MANY_VALUES = 200
"""With more distinct values than this, drawing indices is faster than drawing counts."""
CHUNK = 4_000_000
"""Indices drawn at once, which bounds memory (32 MB)."""
ROUNDING = 1e-9
"""Values closer than this share of their range are one value."""

Array = np.ndarray


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
    BCa after Efron (1987, JASA 82:171). `resamples` and `seed` matter where it is not exact. Absent
    for fewer than two groups, or if all are equal.
    """
    sums, sizes = _groups(x, groups)
    unit = "items" if groups is None or sums.size == len(groups) else "groups"
    if sums.size < 2 or np.ptp(sums / sizes) == 0:
        none = Absent("the bootstrap has nothing to vary")
        return Interval(none, none, f"bootstrap over {unit} ({method})")
    means, cumulated, how = _distribution(sums, sizes, resamples, seed)
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "BCa":
        tails = _bca_tails(means, cumulated, sums, sizes, tails)
    # A quantile is the smallest mean that so much of the distribution does not exceed.
    places = np.searchsorted(cumulated, tails - 1e-12).clip(0, means.size - 1)
    low, high = means[places]
    return Interval(float(low), float(high), f"bootstrap over {unit} ({method}, {how})")


def bootstrap_p(
    d: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> float:
    """Two-sided p for a mean difference of 0, d: (n,), of one run against one.

    The share of resamples that lie as far from the mean as the mean from 0 (Efron and Tibshirani
    1993, An Introduction to the Bootstrap, chapter 16); 1 if all differences are 0. Drawn resamples
    count the sample itself, so that p is never 0.
    """
    sums, sizes = _groups(d, groups)
    estimate = sums.sum() / sizes.sum()
    if estimate == 0:
        return 1.0
    if sums.size < 2 or np.ptp(sums / sizes) == 0:
        return 0.5 ** (sums.size - 1)  # all alike: as the sign test says
    means, cumulated, how = _distribution(sums, sizes, resamples, seed)
    shares = np.diff(cumulated, prepend=0.0)
    reach = abs(estimate) - ROUNDING * (means[-1] - means[0])
    p = float(shares[np.abs(means - estimate) >= reach].sum())
    return p if how == "exact" else (1 + p * resamples) / (1 + resamples)


def _groups(x: ArrayLike, groups: Sequence[str] | None) -> tuple[Array, Array]:
    """Sum and size of each group, (G,); items are groups of one."""
    x = np.asarray(x, float)
    if groups is None:
        return x, np.ones(x.size)
    _, inverse = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(inverse, weights=x), np.bincount(inverse).astype(float)


def _distribution(sums: Array, sizes: Array, resamples: int, seed: int) -> tuple[Array, Array, str]:
    """Means of resamples, ascending, their cumulated shares, and how they were found."""
    found = exact_distribution(sums / sizes) if np.ptp(sizes) == 0 else None
    if found is not None:
        return *found, "exact"
    means = np.sort(resampled_means(sums, sizes, resamples, np.random.default_rng(seed)))
    return means, np.arange(1, resamples + 1) / resamples, f"{resamples} resamples"


def exact_distribution(values: Array) -> tuple[Array, Array] | None:
    """All means of resamples of values, (n,), ascending, and their cumulated probabilities.

    None unless the values lie on a grid of which n steps fit in `LONGEST_GRID`.
    """
    n, low, width = values.size, values.min(), np.ptp(values)
    step = _grid_step(np.unique(np.round((values - low) / width, 9)))
    if step is None or n / step + 1 > LONGEST_GRID:
        return None
    places = np.rint((values - low) / width / step).astype(int)
    length = n * round(1 / step) + 1
    size = 1 << (length - 1).bit_length()
    transform = _power(np.fft.rfft(np.bincount(places) / n, size), n)
    cumulated = np.cumsum(np.fft.irfft(transform, size)[:length].clip(0))
    return low + np.arange(length) * (width * step / n), cumulated / cumulated[-1]


def _power(x: Array, exponent: int) -> Array:
    """x ** exponent by squaring, some ten times faster than NumPy's for complex numbers."""
    result = np.ones_like(x)
    while exponent:
        if exponent & 1:
            result = result * x
        x, exponent = x * x, exponent >> 1
    return result


def _grid_step(shares: Array) -> float | None:
    """The largest step of which all shares in 0..1 are multiples, at least 1 / LONGEST_GRID."""
    step = 1.0
    for gap in np.diff(shares):
        rest = float(gap)
        while rest > 1e-7:  # Euclid's algorithm; shares are rounded to 9 digits
            step, rest = rest, step % rest
            if step - rest < 1e-7:
                rest = 0.0
        if step < 1 / LONGEST_GRID:
            return None
    step = 1 / round(1 / step)
    return step if np.allclose(shares / step, np.rint(shares / step), atol=1e-5) else None


def resampled_means(sums: Array, sizes: Array, resamples: int, rng: np.random.Generator) -> Array:
    """Means of `resamples` resamples of groups with these sums and sizes, (G,) each."""
    count = sums.size
    rounded = np.round(sums / np.ptp(sums), 9) if np.ptp(sums) > 0 else sums
    _, first, multiplicity = np.unique(
        np.stack([rounded, sizes]), axis=1, return_index=True, return_counts=True
    )
    if multiplicity.size <= MANY_VALUES:
        counts = rng.multinomial(count, multiplicity / count, size=resamples)
        return (counts @ sums[first]) / (counts @ sizes[first])
    means = np.empty(resamples)
    rows = max(1, CHUNK // count)
    for start in range(0, resamples, rows):
        chosen = rng.integers(0, count, size=(min(rows, resamples - start), count))
        means[start : start + rows] = sums[chosen].sum(1) / sizes[chosen].sum(1)
    return means


def _bca_tails(means: Array, cumulated: Array, sums: Array, sizes: Array, tails: Array) -> Array:
    """The quantiles to take instead of `tails`; these, if the resamples lie on one side.

    means: ascending, with the cumulated share of the distribution at each.
    """
    estimate = sums.sum() / sizes.sum()
    # Resamples often hit the estimate exactly; rounding must not decide on which side they fall.
    edges = estimate + ROUNDING * (means[-1] - means[0]) * np.array([-1, 1])
    shares = np.concatenate([[0.0], cumulated])[np.searchsorted(means, edges)]
    below = shares.mean()
    if not 0 < below < 1:
        return tails
    without_one = (sums.sum() - sums) / (sizes.sum() - sizes)
    gap = without_one.mean() - without_one
    acceleration = (gap**3).sum() / (6 * (gap**2).sum() ** 1.5)
    shift = ndtri(below) + ndtri(tails)
    return ndtr(ndtri(below) + shift / (1 - acceleration * shift))
