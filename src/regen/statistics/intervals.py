"""Intervals for a proportion and for a mean. All are two-sided, 95% unless told otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, ndtri, stdtrit

from regen.files import Absent
from regen.statistics.methods import is_binary, mean_variance

Value = float | Absent


@dataclass(frozen=True)
class Interval:
    """Limits, and the name of how they were found."""

    low: Value
    high: Value
    name: str

    def within(self, least: float | None, most: float | None) -> "Interval":
        """Cut to what the parameter can be, which takes nothing from its coverage."""
        low, high = self.low, self.high
        if least is not None and not isinstance(low, Absent):
            low = max(low, float(least))
        if most is not None and not isinstance(high, Absent):
            high = min(high, float(most))
        return Interval(low, high, self.name)


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Wilson's score interval (1927, JASA 22:209) for a proportion; absent for n = 0.

    An effective sample size need not be whole. At 0 and n successes it reaches 0 and 1 exactly.
    """
    _check_count(successes, n)
    if n == 0:
        return _absent("no items", "Wilson")
    z2 = float(ndtri((1 + confidence) / 2)) ** 2
    share = successes / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2) / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, float(centre - half))
    high = 1.0 if successes == n else min(1.0, float(centre + half))
    return Interval(low, high, "Wilson")


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """The exact interval of Clopper and Pearson (1934, Biometrika 26:404); absent for n = 0."""
    _check_count(successes, n)
    if n == 0:
        return _absent("no items", "Clopper-Pearson")
    return Interval(*exact_limits(successes, n, confidence), "Clopper-Pearson")


def exact_limits(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The limits of `clopper_pearson`, n > 0."""
    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def t_interval(means: ArrayLike, confidence: float = 0.95) -> Interval:
    """Student's interval for the mean over seeds, from the seeds' means, (S,).

    It is about new seeds on these items; `seed_item_interval` also counts new items. Absent for
    S < 2, and where all means are equal: that the next seed will be, too, is not known.
    """
    x = np.asarray(means, float)
    if x.size < 2:
        return _absent("one seed shows no spread between seeds", "t over seeds")
    if np.ptp(x) <= 1e-12 * np.abs(x).max():
        return _absent("all seeds have the same mean", "t over seeds")
    half = stdtrit(x.size - 1, (1 + confidence) / 2) * x.std(ddof=1) / np.sqrt(x.size)
    return Interval(float(x.mean() - half), float(x.mean() + half), "t over seeds")


def one_run_interval(
    x: ArrayLike, groups: Sequence[str] | None = None, confidence: float = 0.95
) -> Interval:
    """For the mean of one run over new items, x: (n,).

    0/1 scores have Wilson's interval; where items share groups, at the effective sample size.
    Other scores have Student's interval over groups, absent where there is no spread.
    """
    x = np.asarray(x, float)
    grouped = groups is not None and len(set(groups)) < x.size
    if is_binary(x) and not grouped:
        return wilson(float(x.sum()), x.size, confidence)
    return seed_item_interval(x[None], groups, confidence)


def seed_item_interval(
    x: ArrayLike, groups: Sequence[str] | None = None, confidence: float = 0.95
) -> Interval:
    """For the mean of a method over new seeds and new items, x: (S, n): `methods` for one side.

    0/1 scores have Wilson's interval at the effective sample size p (1 - p) / V, times the squared
    ratio of the normal to the t quantile (Korn and Graubard 1998, Survey Methodology 24:193, who
    do so for Clopper-Pearson); V is at least that of n independent items if there is one run. Other
    scores have mean ± t sqrt(V). Absent for fewer than two groups, or for those if nothing varies.
    """
    x = np.atleast_2d(np.asarray(x, float))
    name = "items" if len(x) == 1 else "seeds and items"
    scores = linearised(x, groups)
    if scores.shape[1] < 2:
        return _absent("one group of items shows no spread between items", f"t over {name}")
    v = mean_variance(scores)
    variance, t = float(v.total), float(stdtrit(float(v.df), (1 + confidence) / 2))
    centre = float(x.mean())
    if is_binary(x):
        simple = centre * (1 - centre)
        if len(x) == 1:
            variance = max(variance, simple / x.shape[1])
        effective = float(scores.shape[1])
        if variance > 0:
            effective = max(1.0, simple / variance * (float(ndtri((1 + confidence) / 2)) / t) ** 2)
        found = wilson(centre * effective, effective, confidence)
        return Interval(found.low, found.high, f"Wilson over {name}, effective n = {effective:.3g}")
    if not variance > 0:
        return _absent("no spread between seeds or items", f"t over {name}")
    half = t * float(np.sqrt(variance))
    return Interval(centre - half, centre + half, f"t over {name}")


def linearised(x: np.ndarray, groups: Sequence[str] | None) -> np.ndarray:
    """(S, n) scores as (S, G): a score a group, whose mean is the mean over items.

    The linearisation of a ratio of group totals: with groups of one size it is the group mean.
    """
    if groups is None:
        return x
    _, inverse, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    middle = x.mean(1, keepdims=True)
    excess = np.stack([np.bincount(inverse, weights=row) for row in x - middle])
    return middle + excess * sizes.size / x.shape[1]


def _absent(reason: str, name: str) -> Interval:
    return Interval(Absent(reason), Absent(reason), name)


def _check_count(successes: float, n: float) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no count of successes")
