"""One system against one on the same items, right or wrong: McNemar's test and Cohen's g.

Nothing here is about a method: a table that pools seeds is not McNemar's (see `methods`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, chdtrc

from regen.files import Absent
from regen.statistics.intervals import exact_limits

FEW_DISCORDANT = 25
"""Below so many discordant pairs the chi-squared approximation is not used."""
SIZES = ((0.05, "negligible"), (0.15, "small"), (0.25, "medium"))
"""Upper ends of Cohen's words for g (Cohen 1988, chapter 5); above them it is large."""

TestName = Literal["auto", "exact", "mid-p", "asymptotic", "asymptotic, corrected"]


@dataclass(frozen=True)
class McNemar:
    """A paired comparison of two systems on n items.

    both_right, a_only, b_only, both_wrong: the contingency table, a_only being "A right, B wrong"
    test, reason, p: the test, why this one, and its two-sided p
    exact_p, mid_p: those two whatever was chosen; statistic: chi-squared, of an asymptotic test
    smallest_p: the smallest exact p that so many discordant pairs could have given
    cohens_g: max(a_only, b_only) / (a_only + b_only) - 1/2, with its Clopper-Pearson interval,
    which falls below 0 where the other direction is not excluded, and Cohen's word for its size
    """

    both_right: int
    a_only: int
    b_only: int
    both_wrong: int
    test: str
    reason: str
    p: float
    exact_p: float
    mid_p: float
    statistic: float | Absent
    smallest_p: float
    cohens_g: float | Absent
    g_low: float | Absent
    g_high: float | Absent
    g_size: str | Absent


def contingency(a: ArrayLike, b: ArrayLike) -> tuple[int, int, int, int]:
    """(both right, only A right, only B right, both wrong) of 0/1 scores, both of shape (n,)."""
    right_a, right_b = np.asarray(a, bool), np.asarray(b, bool)
    if right_a.shape != right_b.shape:
        raise ValueError(f"as many items on each side, not {right_a.shape} and {right_b.shape}")
    both, neither = int((right_a & right_b).sum()), int((~right_a & ~right_b).sum())
    return both, int((right_a & ~right_b).sum()), int((~right_a & right_b).sum()), neither


def mcnemar(table: tuple[int, int, int, int], test: TestName = "auto") -> McNemar:
    """McNemar's test of a table from `contingency`.

    "auto" is exact below 25 discordant pairs, else asymptotic without correction: the corrected
    one and the exact one are needlessly conservative there (Fagerland, Lydersen and Laake 2013,
    BMC Medical Research Methodology 13:91). Without discordant pairs p is 1 by every test.
    Raises ValueError for an unknown name or a negative count.
    """
    both_right, b, c, both_wrong = table
    if min(table) < 0:
        raise ValueError(f"counts cannot be negative: {table}")
    m, larger = b + c, max(b, c)
    chosen, reason = _choose(test, m)
    exact, middle = exact_p(b, c), mid_p(b, c)
    statistic: float | Absent = Absent("an exact test has none")
    if chosen in ("asymptotic", "asymptotic, corrected"):
        statistic = chi_squared(b, c, corrected=chosen.endswith("corrected"))
        p = float(chdtrc(1, statistic))
    elif chosen in ("exact", "mid-p"):
        p = exact if chosen == "exact" else middle
    else:
        raise ValueError(f"no test {test!r}; there are exact, mid-p, asymptotic and auto")
    g: float | Absent
    low: float | Absent
    high: float | Absent
    size: str | Absent
    if m == 0:
        g = low = high = size = Absent("no discordant pair")
    else:
        g = larger / m - 0.5
        low, high = (limit - 0.5 for limit in exact_limits(larger, m))
        size = size_of_g(g)
    return McNemar(
        both_right=both_right,
        a_only=b,
        b_only=c,
        both_wrong=both_wrong,
        test=f"McNemar ({chosen})",
        reason=reason,
        p=p,
        exact_p=exact,
        mid_p=middle,
        statistic=statistic,
        smallest_p=min(1.0, 2.0 * 0.5**m),
        cohens_g=g,
        g_low=low,
        g_high=high,
        g_size=size,
    )


def _choose(test: TestName, discordant: int) -> tuple[str, str]:
    if test != "auto":
        return test, "asked for by name"
    if discordant < FEW_DISCORDANT:
        return "exact", f"{discordant} discordant pairs, fewer than {FEW_DISCORDANT}"
    return "asymptotic", f"{discordant} discordant pairs, {FEW_DISCORDANT} or more"


def exact_p(b: int, c: int) -> float:
    """Two-sided binomial test of b out of b + c against 1/2; 1 if there are none."""
    return min(1.0, 2.0 * float(bdtr(min(b, c), b + c, 0.5))) if b + c else 1.0


def mid_p(b: int, c: int) -> float:
    """The exact p less half the probability of what was seen, doubled as p is (Lancaster 1961)."""
    if b + c == 0:
        return 1.0
    few, m = min(b, c), b + c
    below = float(bdtr(few - 1, m, 0.5)) if few else 0.0
    return min(1.0, below + float(bdtr(few, m, 0.5)))


def chi_squared(b: int, c: int, corrected: bool) -> float:
    """(|b - c| - correction)^2 / (b + c), never corrected past 0; 0 without discordant pairs."""
    gap = max(abs(b - c) - corrected, 0)
    return gap**2 / (b + c) if b + c else 0.0


def size_of_g(g: float) -> str:
    """Cohen's word for g."""
    return next((word for upper, word in SIZES if g < upper), "large")
