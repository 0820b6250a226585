"""The method test: limits in which it must equal known tests, symmetry, and its error rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from regen.files import Absent
from regen.statistics.methods import Sides, difference_variance, group_means, method_test

FROZEN_B = Sides(frozen_b=True)


def scores(seeds: int, items: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(float, (seeds, items), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def as_tuple(result) -> tuple:
    values = (result.estimate, result.low, result.high, result.p, result.df, result.se)
    return tuple(-9.0 if isinstance(value, Absent) else value for value in values)


@given(scores(3, 12), scores(4, 12))
def test_swapping_the_methods_changes_the_sign_only(a: np.ndarray, b: np.ndarray) -> None:
    one, other = as_tuple(method_test(a, b)), as_tuple(method_test(b, a))
    assert one[3:] == pytest.approx(other[3:], abs=1e-9)
    assert one[0] == pytest.approx(-other[0], abs=1e-9)
    if one[1] != -9.0:
        assert one[1:3] == pytest.approx((-other[2], -other[1]), abs=1e-9)


@given(scores(3, 10), scores(3, 10), st.permutations(range(10)), st.permutations(range(3)))
def test_order_of_items_and_seeds_is_not_seen(a, b, items, seeds) -> None:
    plain = as_tuple(method_test(a, b))
    assert as_tuple(method_test(a[:, items], b[:, items])) == pytest.approx(plain, abs=1e-9)
    assert as_tuple(method_test(a[seeds], b)) == pytest.approx(plain, abs=1e-9)
    paired = as_tuple(method_test(a, b, paired_seeds=True))
    again = as_tuple(method_test(a[seeds], b[seeds], paired_seeds=True))
    assert again == pytest.approx(paired, abs=1e-9)


@given(scores(1, 15), scores(1, 15))
def test_one_run_against_one_is_the_paired_t_test(a: np.ndarray, b: np.ndarray) -> None:
    found = method_test(a, b, binary=False)
    d = (a - b)[0]
    if d.std() < 1e-12:
        assert found.p == 1 if d[0] == 0 else isinstance(found.p, Absent)
        return
    oracle = stats.ttest_rel(a[0], b[0])
    assert found.p == pytest.approx(oracle.pvalue)
    interval = oracle.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_without_item_noise_it_is_the_t_test_over_seeds() -> None:
    """Each seed shifts all items alike: only seeds vary, with Satterthwaite's df, as Welch's."""
    a = np.add.outer([0.1, 0.3, 0.2, 0.5], np.linspace(0, 1, 8))
    b = np.add.outer([0.0, 0.1, 0.05, 0.1], np.linspace(0, 1, 8))
    found = method_test(a, b)
    oracle = stats.ttest_ind(a.mean(1), b.mean(1), equal_var=False)
    assert found.p == pytest.approx(oracle.pvalue)
    assert found.df == pytest.approx(oracle.df)
    paired = method_test(a, b, paired_seeds=True)
    assert paired.p == pytest.approx(stats.ttest_rel(a.mean(1), b.mean(1)).pvalue)


def test_variance_without_truncation_is_the_one_shot_estimate() -> None:
    """Gallas's estimate, from its definition: products of scores that share neither seed nor item
    estimate the squared mean, and what is left of the mean's own square is its variance."""
    rng = np.random.default_rng(2)
    a = rng.random((3, 7)) + 2 * rng.random(7)
    b = rng.random((4, 7))
    own = {}
    for name, x in (("a", a), ("b", b)):
        s, n = x.shape
        apart = [
            x[i, k] * x[j, m]
            for i in range(s)
            for j in range(s)
            for k in range(n)
            for m in range(n)
            if i != j and k != m
        ]
        own[name] = x.mean() ** 2 - np.mean(apart)
    shared = a.mean() * b.mean() - np.mean(
        [a[:, k].mean() * b[:, m].mean() for k in range(7) for m in range(7) if k != m]
    )
    v = difference_variance(a, b)
    assert v.items > 0
    assert v.total == pytest.approx(own["a"] + own["b"] - 2 * shared)


def test_degrees_of_freedom_by_loops() -> None:
    rng = np.random.default_rng(7)
    skill = rng.normal(0, 1, 40)
    a = rng.normal(0.0, 1, (3, 40)) + skill + rng.normal(0, 0.3, (3, 1))
    b = rng.normal(0.0, 1, (5, 40)) + rng.normal(0, 0.3, (5, 1))
    v_r, v_x, spread = 0.0, 0.0, 0.0
    for x in (a, b):
        s, n = x.shape
        own = np.var([row.mean() for row in x], ddof=1) / s
        rest = sum(
            (x[i, k] - x[i].mean() - x[:, k].mean() + x.mean()) ** 2
            for i in range(s)
            for k in range(n)
        )
        v_x += rest / ((s - 1) * (n - 1)) / (s * n)
        v_r += own
        spread += own**2 / (s - 1)
    items = np.var(a.mean(0) - b.mean(0), ddof=1) / 40 - v_x
    nu = v_r**2 / spread
    df = nu * (1 + items / ((1 + 2 / nu) * v_r)) ** 2
    found = method_test(a, b)
    assert items > 0 and df < 39
    assert found.df == pytest.approx(df)
    assert found.se**2 == pytest.approx(v_r + items)


def test_df_never_exceed_those_of_the_items() -> None:
    rng = np.random.default_rng(3)
    common = rng.normal(0, 5, 30)
    a = common + rng.normal(0, 0.1, (4, 30))
    found = method_test(a, -a + rng.normal(0, 0.1, (4, 30)))
    assert found.df == 29


def test_bonett_price_by_hand_for_a_frozen_side() -> None:
    a, b = np.ones((1, 10)), np.array([[0.0, 0, 0, 1, 1, 1, 1, 1, 1, 1]])
    d = np.concatenate([(a - b)[0], [1, -1]])
    se = d.std(ddof=1) / np.sqrt(12)
    found = method_test(a, b, sides=FROZEN_B)
    assert found.se == pytest.approx(se)
    assert found.p == pytest.approx(2 * stats.t.sf(0.3 / se, 9))


def test_in_groups_bonett_and_price_add_one_item_not_one_group() -> None:
    a = np.ones((1, 20))
    b = np.array([[0.0] * 3 + [1.0] * 17])
    d = np.append((a - b)[0].reshape(5, 4).mean(1), [1 / 4, -1 / 4])
    found = method_test(a, b, groups=[str(i // 4) for i in range(20)], sides=FROZEN_B)
    assert found.se == pytest.approx(d.std(ddof=1) / np.sqrt(7))


def test_equal_and_opposite_sides() -> None:
    same = method_test(np.ones((3, 20)), np.ones((3, 20)))
    assert same.p == 1 and same.low < 0 < same.high
    opposite = method_test(np.ones((3, 20)), np.zeros((3, 20)))
    assert opposite.p < 1e-6 and opposite.high == 1
    real = method_test(np.full((2, 5), 0.5), np.full((2, 5), 0.25))
    assert isinstance(real.p, Absent) and "No verdict" in real.verdict
    assert method_test(np.full((3, 5), 0.5), np.full((3, 5), 0.5)).p == 1


def test_groups_are_averaged_first_and_counted() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((3, 6)), rng.random((3, 6))
    groups = ["x", "x", "y", "y", "y", "z"]
    found = method_test(a, b, groups=groups)
    means_a = np.stack([a[:, :2].mean(1), a[:, 2:5].mean(1), a[:, 5]], axis=1)
    assert group_means(a, groups)[0] == pytest.approx(means_a)
    assert (found.n_items, found.n_groups) == (6, 3)
    assert any("1 to 3 items" in limit for limit in found.limits)
    assert isinstance(method_test(a, b, groups=["x"] * 6).p, Absent)


def test_words_fit_the_seeds() -> None:
    rng = np.random.default_rng(0)

    def run(seeds_a: int, seeds_b: int, frozen_b: bool = False):
        sides = Sides("new", "old", frozen_b=frozen_b)
        a = (rng.random((seeds_a, 400)) < 0.9).astype(float)
        b = (rng.random((seeds_b, 400)) < 0.5).astype(float)
        return method_test(a, b, sides=sides)

    assert run(3, 3).verdict.startswith("new scores higher than old in score (+")
    assert "for the one checkpoint of new" in run(1, 3).verdict
    assert run(2, 3).verdict.startswith("Exploratory, no verdict")
    assert any("unequal" in limit for limit in run(3, 10).limits)
    assert "checkpoint" not in run(3, 1, frozen_b=True).verdict
    assert run(3, 1, frozen_b=True).seeds_b == 0


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        method_test(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="as many on each side"):
        method_test(np.ones((2, 3)), np.ones((3, 3)), paired_seeds=True)
    with pytest.raises(ValueError, match="finite"):
        method_test([[1.0, np.nan]], [[1.0, 0.0]])
    with pytest.raises(ValueError, match="one row"):
        method_test(np.ones((2, 3)), np.ones((2, 3)), sides=FROZEN_B)


@pytest.mark.parametrize(
    ("seeds", "items", "seed_sd"), [(3, 30, 0.0), (5, 100, 0.05), (3, 300, 0.09)]
)
def test_type_i_error_is_near_the_level(seeds: int, items: int, seed_sd: float) -> None:
    """2,000 simulated comparisons of equal methods. At .05 the Monte Carlo standard error is .005;
    the design allows .03 to .06, so that [.02, .07] fails a correct test once in thousands."""
    rng = np.random.default_rng(11)
    easy = rng.normal(0, 1, (2000, 1, items))

    def side() -> np.ndarray:
        skill = rng.normal(0.85, seed_sd, (2000, seeds, 1)).clip(0.02, 0.98)
        shared = stats.norm.ppf(skill) * np.sqrt(2)
        return (easy + rng.normal(0, 1, (2000, seeds, items)) < shared).astype(float)

    a, b = side(), side()
    v = difference_variance(a, b)
    with np.errstate(invalid="ignore"):
        t = (a.mean((1, 2)) - b.mean((1, 2))) / np.sqrt(v.total)
    error = (2 * stats.t.sf(np.abs(t), v.df) < 0.05).mean()
    assert 0.02 < error < 0.07
