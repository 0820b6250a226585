"""Is one method better than another? Seeds and items both vary, so both count.

The problem is radiology's multi-reader multi-case analysis: seeds are readers nested in a method,
items are cases that both methods meet (Obuchowski and Rockette 1995; Hillis 2007, Statistics in
Medicine 26:596). Without the truncation at zero the variance below is the one-shot U-statistic
estimate (Gallas 2006, Academic Radiology 13:353). The factor c = 1 + 2/nu in the degrees of freedom
is this product's own correction for few seeds; `regen.statistics.simulation` measures what it does.

Arrays are (seeds, items); the core works on any leading axes, (..., seeds, items).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from regen.files import Absent
from regen.metrics import undescribed
from regen.statistics.words import verdict_on

Array = np.ndarray
Value = float | Absent

NO_SPREAD = 1e-24
"""A variance below this share of the squared scale is rounding error of equal numbers."""
SEED_TEST = "seed-by-item t test"
ITEM_TEST = "paired t test over items"


@dataclass(frozen=True)
class Sides:
    """What a comparison is about: two names, which has no seed (a frozen model), on what metric."""

    a: str = "A"
    b: str = "B"
    frozen_a: bool = False
    frozen_b: bool = False
    metric: str = "score"


@dataclass(frozen=True)
class Result:
    """The outcome of a comparison of A with B: estimate = mean(A) - mean(B).

    low, high: limits of the interval; p: two-sided; df, se: of the t distribution behind them
    n_items, n_groups: items, and groups of items that count as independent
    seeds_a, seeds_b: trained seeds on each side, 0 for a frozen model
    test, reason: which test and why this one; limits: what to know before believing it
    verdict: in words, at the 5% level on `p`
    """

    estimate: Value
    low: Value
    high: Value
    p: Value
    df: Value
    se: Value
    n_items: int
    n_groups: int
    seeds_a: int
    seeds_b: int
    test: str
    reason: str
    limits: tuple[str, ...]
    verdict: str


@dataclass(frozen=True)
class Variance:
    """The parts of the variance of mean(A) - mean(B), each of the leading shape.

    seeds: V_R; items: K = max(V_C - V_X, 0), or V_C where no seed varies; total: their sum; df.
    """

    seeds: Array
    items: Array
    total: Array
    df: Array


def difference_variance(
    a: Array, b: Array, *, paired_seeds: bool = False, bonett_price: float = 0.0
) -> Variance:
    """Variance and degrees of freedom of mean(a) - mean(b).

    a: (..., S_a, n), b: (..., S_b, n), the same items in the same order. paired_seeds: row s of `a`
    and of `b` share their randomness. bonett_price: if not 0, the item variance is that of n + 2
    items, one more won and one more lost by so much (Bonett and Price 2012, J. Educ. Behav. Stat.
    37:479), so that a side that is right on every item does not look certain: 1 for items; for
    means of groups of m items 1 / m, which is what one item is worth there.
    """
    contrasts = [a - b] if paired_seeds else [a, b]
    d = a.mean(-2) - b.mean(-2)
    scale = max(np.abs(a).max(), np.abs(b).max()) ** 2
    return _variance(contrasts, d, scale, bonett_price)


def mean_variance(x: Array) -> Variance:
    """Variance and degrees of freedom of mean(x), x: (..., S, n), over new seeds and new items."""
    return _variance([x], x.mean(-2), np.abs(x).max() ** 2, 0.0)


def _variance(contrasts: list[Array], d: Array, scale: float, bonett_price: float) -> Variance:
    """contrasts: independent (..., S, n) whose means are summed or subtracted; d: (..., n)."""
    n = d.shape[-1]
    if bonett_price:
        total, squares = d.sum(-1), (d**2).sum(-1)
        v_c = (squares + 2 * bonett_price**2 - total**2 / (n + 2)) / ((n + 2) * (n + 1))
    else:
        v_c = _snap(d.var(-1, ddof=1) / n, scale)

    v_r = np.zeros(d.shape[:-1])
    v_x = np.zeros(d.shape[:-1])
    spread = np.zeros(d.shape[:-1])  # sum of V_Rm^2 / (S_m - 1)
    for x in contrasts:
        seeds = x.shape[-2]
        if seeds == 1:
            continue
        seed_means = x.mean(-1)
        own = _snap(seed_means.var(-1, ddof=1) / seeds, scale)
        middle = seed_means.mean(-1)[..., None, None]
        residual = x - seed_means[..., None] - x.mean(-2)[..., None, :] + middle
        v_x += (residual**2).sum((-1, -2)) / ((seeds - 1) * (n - 1)) / (seeds * n)
        v_r += own
        spread += own**2 / (seeds - 1)

    items = np.maximum(v_c - v_x, 0.0)
    varies = v_r > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        nu = v_r**2 / spread
        df = np.minimum(n - 1, nu * (1 + items / ((1 + 2 / nu) * v_r)) ** 2)
    items = np.where(varies, items, v_c)
    return Variance(v_r, items, v_r + items, np.where(varies, df, n - 1))


def _snap(variance: Array, scale: float) -> Array:
    return np.where(variance <= NO_SPREAD * scale, 0.0, variance)


def method_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    paired_seeds: bool = False,
    binary: bool | None = None,
    sides: Sides = Sides(),
    confidence: float = 0.95,
) -> Result:
    """Test whether mean(A) - mean(B) is 0, over new seeds and new items.

    a: (S_a, n), b: (S_b, n): scores of the same n items in the same order, a row a seed; a frozen
    side has one row and says so in `sides`. groups: what each item shares with others; scores are
    averaged within groups first, so that groups are what n counts. paired_seeds: row s of each side
    share their randomness. binary: all scores are 0 or 1 (looked up if None).

    Edges: one seed on a trained side, and the words speak of that checkpoint; two, and there is no
    verdict; no spread between seeds, and items alone give the error; no spread at all, and binary
    scores fall back on Bonett-Price while for others interval and p are absent, except that p = 1
    if the sides are equal. Raises ValueError for shapes that do not fit.
    """
    a, b = np.atleast_2d(np.asarray(a, float)), np.atleast_2d(np.asarray(b, float))
    _check(a, b, groups, paired_seeds, sides)
    if binary is None:
        binary = is_binary(a) and is_binary(b)
    n_items = a.shape[1]
    sizes = np.ones(n_items, int)
    if groups is not None:
        by_items = float(a.mean() - b.mean())
        (a, sizes), (b, _) = group_means(a, groups), group_means(b, groups)
    n = a.shape[1]
    estimate = float(a.mean() - b.mean())
    trained = [len(x) for x, frozen in ((a, sides.frozen_a), (b, sides.frozen_b)) if not frozen]

    low: Value
    high: Value
    p: Value
    df: Value
    se: Value
    limits = []
    if n < 2:
        low = high = p = df = se = Absent("one group of items shows no spread between items")
    else:
        smooth = binary and (sides.frozen_a or sides.frozen_b)
        one_item = n / n_items
        added = one_item if smooth else 0.0
        v = difference_variance(a, b, paired_seeds=paired_seeds, bonett_price=added)
        if binary and not v.total > 0:
            smooth = True
            v = difference_variance(a, b, paired_seeds=paired_seeds, bonett_price=one_item)
        low, high, p, df, se = _t(estimate, v, confidence, binary)
        limits = _limits(v, trained, n, smooth)
    if len(sizes) < n_items:
        limits.append(f"the {n_items} items form {n} groups, over which scores were averaged first")
        if not np.isclose(by_items, estimate, atol=1e-9):
            limits.append(
                f"groups have {sizes.min()} to {sizes.max()} items and count the same each; "
                f"counting items instead, the difference is {by_items:.4g}"
            )
    seeds_a, seeds_b = (
        0 if sides.frozen_a else len(a),
        0 if sides.frozen_b else len(b),
    )
    test, reason = _choice(seeds_a, seeds_b, paired_seeds, n_items, n)
    return Result(
        estimate=estimate,
        low=low,
        high=high,
        p=p,
        df=df,
        se=se,
        n_items=n_items,
        n_groups=n,
        seeds_a=seeds_a,
        seeds_b=seeds_b,
        test=test,
        reason=reason,
        limits=tuple(limits),
        verdict=verdict_on(
            sides.a,
            sides.b,
            estimate,
            low,
            high,
            p,
            seeds_a,
            seeds_b,
            undescribed(sides.metric, binary),
        ),
    )


def is_binary(x: Array) -> bool:
    return bool(np.isin(x, (0.0, 1.0)).all())


def group_means(x: Array, groups: Sequence[str]) -> tuple[Array, Array]:
    """(S, n) as means within groups, (S, G), and the size of each group, (G,); groups sorted."""
    _, inverse, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(inverse, weights=row) for row in x])
    return sums / sizes, sizes


def _t(
    estimate: float, v: Variance, confidence: float, binary: bool
) -> tuple[Value, Value, Value, Value, Value]:
    """Interval, p, df and standard error from the t distribution."""
    se, df = float(np.sqrt(v.total)), float(v.df)
    if se == 0:
        none = Absent("no spread between seeds or items to estimate an error from")
        return none, none, 1.0 if estimate == 0 else none, df, se
    half = float(stdtrit(df, (1 + confidence) / 2)) * se
    low, high = estimate - half, estimate + half
    if binary:
        low, high = max(low, -1.0), min(high, 1.0)
    return low, high, float(2 * stdtr(df, -abs(estimate) / se)), df, se


def _choice(
    seeds_a: int, seeds_b: int, paired_seeds: bool, n_items: int, n_groups: int
) -> tuple[str, str]:
    """The name of the test, and why it is the right one."""
    units = f"{n_items} items" if n_groups == n_items else f"{n_items} items in {n_groups} groups"
    if max(seeds_a, seeds_b) <= 1:
        return ITEM_TEST, f"one run against one on the same {units}: only items vary"
    who = " against ".join(
        "a frozen model" if s == 0 else "one seed" if s == 1 else f"{s} seeds"
        for s in (seeds_a, seeds_b)
    )
    how = ", paired," if paired_seeds else ""
    return SEED_TEST, (
        f"{who}{how} on the same {units}: seeds and items both vary, so a table of pooled rows, "
        "or a test over items or seeds alone, would understate the error"
    )


def _limits(v: Variance, trained: Sequence[int], n: int, smooth: bool) -> list[str]:
    """The known limits that apply, as sentences."""
    limits = []
    several = [seeds for seeds in trained if seeds > 1]
    if 1 in trained:
        limits.append("one seed on a trained side: this is about that checkpoint, not the method")
    if 2 in trained:
        limits.append("two seeds on a side: exploratory")
    if len(several) == 2 and several[0] != several[1]:
        limits.append(
            f"unequal numbers of seeds ({several[0]} and {several[1]}): with 3 against 10 the "
            "type-I error simulates at .07 instead of .05"
        )
    if len(trained) == 1 and several and several[0] <= 5 and v.seeds > v.items:
        limits.append(
            f"{several[0]} seeds against a frozen model, and more spread between seeds than items: "
            "the type-I error simulates at up to .08 with 3 seeds and .07 with 5, instead of .05"
        )
    if n < 30:
        limits.append(f"only {n} independent items: the test was checked by simulation from 30 on")
    if smooth:
        limits.append(
            "the item variance is Bonett and Price's, with one more win and one more loss"
        )
    return limits


def _check(
    a: Array, b: Array, groups: Sequence[str] | None, paired_seeds: bool, sides: Sides
) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or a.shape[1] == 0:
        raise ValueError(f"scores are (seeds, items) of the same items, not {a.shape}, {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("scores must be finite; leave out items that have none")
    if groups is not None and len(groups) != a.shape[1]:
        raise ValueError(f"{len(groups)} groups for {a.shape[1]} items")
    if paired_seeds and (len(a) != len(b) or sides.frozen_a or sides.frozen_b):
        raise ValueError(f"paired seeds need as many on each side, not {len(a)} and {len(b)}")
    if (sides.frozen_a and len(a) > 1) or (sides.frozen_b and len(b) > 1):
        raise ValueError("a frozen side has one row")
