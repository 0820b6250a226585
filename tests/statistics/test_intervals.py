"""Intervals, Holm, sign test, pass@k, power and bootstrap against independent implementations."""

import json
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

from regen.files import Absent
from regen.statistics.bootstrap import (
    bootstrap_mean,
    bootstrap_p,
    exact_distribution,
    resampled_means,
)
from regen.statistics.families import holm
from regen.statistics.intervals import (
    Interval,
    clopper_pearson,
    one_run_interval,
    seed_item_interval,
    t_interval,
    wilson,
)
from regen.statistics.pass_at_k import mean_pass_at_k, pass_at_k
from regen.statistics.power import (
    detectable_by_mcnemar,
    detectable_by_t,
    mcnemar_power,
)
from regen.statistics.wins import count_wins, sign_test


@given(st.integers(1, 400), st.data())
def test_proportions_agree_with_statsmodels(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    for ours, method in ((wilson(k, n), "wilson"), (clopper_pearson(k, n), "beta")):
        low, high = proportion_confint(k, n, method=method)
        assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-9)


def test_no_items_give_no_interval() -> None:
    assert isinstance(wilson(0, 0).low, Absent)
    assert isinstance(clopper_pearson(0, 0).high, Absent)
    with pytest.raises(ValueError, match="no count"):
        wilson(4, 3)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_t_interval_agrees_with_scipy(means: list[float]) -> None:
    found = t_interval(means)
    if np.ptp(means) < 1e-9:
        return
    low, high = stats.t.interval(0.95, len(means) - 1, np.mean(means), stats.sem(means))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_t_interval_of_one_seed_is_absent() -> None:
    assert isinstance(t_interval([0.9]).low, Absent)
    assert isinstance(t_interval([0.7, 0.7, 0.7]).low, Absent)


def test_one_run_without_groups_is_wilson_and_groups_widen_it() -> None:
    x = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0], 5)
    assert vars(one_run_interval(x)) == vars(wilson(25, 40))
    grouped = one_run_interval(x, [str(i // 5) for i in range(40)])
    # Items of a group are copies: 8 groups are all there is, 7 in the sample variance, and fewer
    # still by the squared ratio of the normal to the t quantile on 7 degrees of freedom.
    effective = 7 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 7)) ** 2
    oracle = wilson(effective * 25 / 40, effective)
    assert (grouped.low, grouped.high) == pytest.approx((oracle.low, oracle.high))
    assert grouped.name == f"Wilson over items, effective n = {effective:.3g}"
    everything = one_run_interval(np.ones(40), [str(i // 5) for i in range(40)])
    assert (everything.low, everything.high) == (wilson(8, 8).low, 1.0)


def test_one_real_valued_run_is_students() -> None:
    x = np.array([0.2, 0.5, 0.1, 0.9, 0.4])
    low, high = stats.t.interval(0.95, 4, x.mean(), stats.sem(x))
    found = one_run_interval(x)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert isinstance(one_run_interval(np.full(4, 0.5)).low, Absent)


def test_seed_item_interval_counts_both() -> None:
    rng = np.random.default_rng(1)
    x = (rng.random((5, 60)) < np.linspace(0.5, 0.9, 5)[:, None]).astype(float)
    both = seed_item_interval(x)
    seeds = t_interval(x.mean(1))
    assert both.high - both.low > 2 * (0.5 / np.sqrt(300))
    assert both.high - both.low > 0.9 * (seeds.high - seeds.low)


@settings(max_examples=25)  # statsmodels takes 50 ms a call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())


def test_holm_counts_an_absent_test_as_declared() -> None:
    missing = Absent("no seeds")
    assert holm([0.01, missing, 0.04]) == [pytest.approx(0.03), missing, pytest.approx(0.08)]
    with pytest.raises(ValueError, match="lie in"):
        holm([1.2])


@given(st.integers(0, 40), st.integers(0, 10), st.integers(0, 40))
def test_sign_test_agrees_with_scipy(wins: int, ties: int, losses: int) -> None:
    found = sign_test(wins, ties, losses)
    n = wins + losses
    assert found.p == pytest.approx(stats.binomtest(wins, n).pvalue if n else 1.0)


def test_three_wins_five_losses_two_ties_show_nothing() -> None:
    assert sign_test(3, 2, 5).p == pytest.approx(0.7265625)
    found = count_wins([1, 0.5, 0.2], [0.5, 0.5, 0.9])
    assert (found.wins, found.ties, found.losses, found.share) == (1, 1, 1, 0.5)
    edge = count_wins([0.65, 0.6, 0.66], [0.6, 0.65, 0.6], tolerance=0.05)
    assert (edge.wins, edge.ties, edge.losses) == (1, 2, 0)  # 0.65 - 0.6 is 0.05, and a bit


@given(st.integers(1, 8), st.data())
def test_pass_at_k_counts_subsets(n: int, data: st.DataObject) -> None:
    correct, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    draws = list(combinations([True] * correct + [False] * (n - correct), k))
    assert pass_at_k(n, correct, k) == pytest.approx(np.mean([any(draw) for draw in draws]))


def test_pass_at_k_needs_k_samples() -> None:
    assert isinstance(pass_at_k(3, 1, 5), Absent)
    assert isinstance(mean_pass_at_k([5, 3], [1, 1], 5), Absent)
    assert mean_pass_at_k([2, 2], [1, 0], 1) == pytest.approx(0.25)


@pytest.mark.parametrize("n", [5, 30, 300])
def test_detectable_difference_agrees_with_statsmodels(n: int) -> None:
    effect = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert detectable_by_t(1 / np.sqrt(n), n - 1) == pytest.approx(effect, rel=1e-4)


def test_mcnemar_power_sums_the_rejecting_outcomes() -> None:
    rejecting = [k for k in range(21) if stats.binomtest(k, 20).pvalue <= 0.05]
    by_hand = sum(stats.binom.pmf(k, 20, 0.8) for k in rejecting)
    assert mcnemar_power(0.8, 20) == pytest.approx(by_hand)
    smallest = detectable_by_mcnemar(100, 20)
    assert mcnemar_power((smallest * 100 / 20 + 1) / 2, 20) == pytest.approx(0.8)
    assert isinstance(detectable_by_mcnemar(100, 5), Absent)


@pytest.mark.parametrize("method", ["BCa", "percentile"])
@pytest.mark.parametrize(
    ("distinct", "how"), [(2, "exact"), (6, "exact"), (1000, "40000 resamples")]
)
def test_bootstrap_agrees_with_scipy(method: str, distinct: int, how: str) -> None:
    x = np.random.default_rng(3).integers(0, distinct, 250) / (distinct - 1)
    x = x if how == "exact" else np.sin(x)
    ours = bootstrap_mean(x, method=method, resamples=40_000)
    assert ours.name == f"bootstrap over items ({method}, {how})"
    oracle = stats.bootstrap(
        (x,), np.mean, n_resamples=40_000, method=method, rng=np.random.default_rng(4)
    ).confidence_interval
    # A 2.5% quantile of 40,000 resamples has a Monte Carlo error of about 0.015 standard errors;
    # the mean of 250 zeros and ones moves in steps of 1/250.
    tolerance = 5 * 0.015 * 2**0.5 * stats.sem(x) + (1 / 250 if distinct == 2 else 0)
    assert (ours.low, ours.high) == pytest.approx((oracle.low, oracle.high), abs=tolerance)


def test_bca_leans_to_the_long_tail_as_scipys_does() -> None:
    x = np.array([0.0] * 20 + [0.2] * 6 + [0.6] * 2 + [1.0] * 2)
    ours = bootstrap_mean(x)
    oracle = stats.bootstrap(
        (x,), np.mean, n_resamples=100_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    plain = bootstrap_mean(x, method="percentile")
    assert ours.low > plain.low and ours.high > plain.high
    # Means move in steps of 0.2 / 30; the quantiles may fall on either side of one.
    assert (ours.low, ours.high) == pytest.approx((oracle.low, oracle.high), abs=0.0068)


@given(
    st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6000000001, 1.0]), min_size=2, max_size=5),
    st.floats(-3, 3),
)
def test_exact_bootstrap_enumerates_all_resamples(values: list[float], shift: float) -> None:
    x = np.array(values) + shift
    if np.ptp(x) == 0:
        return
    found = exact_distribution(x)
    assert found is not None
    means, cumulated = found
    brute = np.array([np.mean(resample) for resample in product(x, repeat=x.size)])
    for at in np.unique(brute.round(6)):
        share = (brute <= at + 1e-5).mean()
        assert cumulated[np.searchsorted(means, at + 1e-5) - 1] == pytest.approx(share, abs=1e-9)


def test_bootstrap_p_by_enumeration_and_by_drawing() -> None:
    d = np.array([1.0, 0.0, 1.0, 0.0, -1.0, 1.0])
    means = np.array([np.mean(resample) for resample in product(d, repeat=6)])
    share = (np.abs(means - d.mean()) >= d.mean() - 1e-9).mean()
    assert bootstrap_p(d) == pytest.approx(share)
    assert bootstrap_p(-d) == pytest.approx(share)
    rng = np.random.default_rng(8)
    real = rng.normal(0.3, 1, 25)
    drawn = real[rng.integers(0, 25, (100_000, 25))].mean(1)
    share = (np.abs(drawn - real.mean()) >= real.mean()).mean()
    assert bootstrap_p(real) == pytest.approx(share, abs=0.02)
    assert bootstrap_p(np.zeros(4)) == 1
    assert bootstrap_p(np.ones(4)) == stats.binomtest(4, 4).pvalue


@given(st.integers(1, 60), st.integers(0, 59))
def test_intervals_rise_with_the_count_and_exact_is_the_wider(n: int, k: int) -> None:
    k = min(k, n - 1)
    for interval in (wilson, clopper_pearson):
        one, more = interval(k, n), interval(k + 1, n)
        assert one.low <= k / n <= one.high
        assert one.low < more.low and one.high < more.high
    narrow, wide = clopper_pearson(k, n, 0.9), clopper_pearson(k, n, 0.99)
    assert wide.low <= narrow.low and narrow.high <= wide.high


def test_values_on_no_grid_are_drawn() -> None:
    assert exact_distribution(np.array([0.0, 1.0, np.pi])) is None
    rng = np.random.default_rng(5)
    few = resampled_means(np.array([0.0, 1.0, np.pi] * 20), np.ones(60), 20_000, rng)
    indices = rng.integers(0, 60, (20_000, 60))
    many = np.array([0.0, 1.0, np.pi] * 20)[indices].mean(1)
    assert few.mean() == pytest.approx(many.mean(), abs=0.01)
    assert few.std() == pytest.approx(many.std(), rel=0.03)


def test_bootstrap_resamples_whole_groups() -> None:
    x = np.repeat([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0], 25)
    groups = [str(i // 25) for i in range(200)]
    single, grouped = bootstrap_mean(x), bootstrap_mean(x, groups=groups)
    assert grouped.high - grouped.low > 4 * (single.high - single.low)
    assert grouped.name == "bootstrap over groups (BCa, exact)"
    assert isinstance(bootstrap_mean(np.ones(5)).low, Absent)


@settings(max_examples=20)
@given(st.permutations(list(range(30))))
def test_bootstrap_does_not_see_the_order_of_items(order: list[int]) -> None:
    x = np.arange(30) % 4 / 3
    one, other = bootstrap_mean(x, resamples=500), bootstrap_mean(x[order], resamples=500)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_a_limit_that_is_cut_is_written_as_the_others_are() -> None:
    """As 1.0: a reader that meets 1 among shares takes it for a count."""
    cut = Interval(-0.2, 1.3, "t").within(0, 1)
    assert json.dumps([cut.low, cut.high]) == "[0.0, 1.0]"
    assert Interval(0.2, 0.3, "t").within(0, 1) == Interval(0.2, 0.3, "t")
