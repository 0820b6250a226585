"""McNemar's test and Cohen's g against statsmodels, scipy, and figures worked by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from regen.files import Absent
from regen.statistics.mcnemar import contingency, mcnemar, size_of_g

counts = st.integers(0, 60)


@given(counts, counts)
def test_agrees_with_statsmodels(b: int, c: int) -> None:
    table = [[20, b], [c, 3]]
    exact = mcnemar((20, b, c, 3), "exact")
    if b + c == 0:  # see test_printed: statsmodels is wrong there
        assert exact.p == 1
        return
    assert exact.p == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue, abs=1e-12)
    plain = mcnemar((20, b, c, 3), "asymptotic")
    oracle = statsmodels_mcnemar(table, exact=False, correction=False)
    assert plain.statistic == pytest.approx(oracle.statistic)
    assert plain.p == pytest.approx(oracle.pvalue)
    if b != c:  # at b = c statsmodels corrects past zero
        corrected = mcnemar((20, b, c, 3), "asymptotic, corrected")
        oracle = statsmodels_mcnemar(table, exact=False, correction=True)
        assert corrected.p == pytest.approx(oracle.pvalue)


@given(counts, counts)
def test_exact_mid_p_and_g_agree_with_scipy(b: int, c: int) -> None:
    found = mcnemar((0, b, c, 0))
    if b + c == 0:
        assert isinstance(found.cohens_g, Absent)
        assert found.p == found.mid_p == found.smallest_p == 1
        return
    larger, m = max(b, c), b + c
    oracle = binomtest(larger, m)
    interval = oracle.proportion_ci(method="exact")
    point = 0.5**m * math.comb(m, larger)
    assert found.exact_p == pytest.approx(oracle.pvalue, abs=1e-12)
    assert found.mid_p == pytest.approx(1.0 if b == c else oracle.pvalue - point, abs=1e-12)
    assert found.smallest_p == pytest.approx(binomtest(0, m).pvalue)
    assert found.cohens_g == pytest.approx(larger / m - 0.5)
    assert (found.g_low, found.g_high) == pytest.approx((interval.low - 0.5, interval.high - 0.5))


@given(counts, counts, st.sampled_from(["auto", "exact", "mid-p", "asymptotic"]))
def test_swapping_the_systems_changes_no_p(b: int, c: int, test: str) -> None:
    one, other = mcnemar((4, b, c, 5), test), mcnemar((4, c, b, 5), test)
    assert (one.p, one.mid_p, one.cohens_g) == (other.p, other.mid_p, other.cohens_g)


def test_the_figures_of_one_against_five() -> None:
    found = mcnemar((20, 1, 5, 6))
    assert found.test == "McNemar (exact)"
    assert (found.p, found.mid_p, found.smallest_p) == pytest.approx((0.21875, 0.125, 0.03125))
    assert found.cohens_g == pytest.approx(1 / 3)
    asymptotic = mcnemar((20, 1, 5, 6), "asymptotic")
    assert asymptotic.statistic == pytest.approx(8 / 3)
    assert asymptotic.p == pytest.approx(0.1025, abs=5e-5)


def test_which_test_is_chosen_and_why() -> None:
    assert "fewer than 25" in mcnemar((0, 12, 12, 0)).reason
    assert mcnemar((0, 12, 13, 0)).test == "McNemar (asymptotic)"
    assert mcnemar((0, 12, 13, 0), "mid-p").reason == "asked for by name"
    with pytest.raises(ValueError, match="there are exact"):
        mcnemar((0, 1, 2, 0), "t")  # type: ignore[arg-type]


def test_contingency_counts_each_cell() -> None:
    assert contingency([1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0]) == (1, 2, 1, 2)
    with pytest.raises(ValueError, match="as many items"):
        contingency([1, 0], [1])


def test_words_for_g_are_cohens() -> None:
    words = [size_of_g(g) for g in (0.04, 0.05, 0.149, 0.15, 0.25, 0.5)]
    assert words == ["negligible", "small", "small", "medium", "large", "large"]


@given(st.integers(0, 30), st.integers(0, 30))
def test_p_falls_as_the_split_becomes_uneven(b: int, more: int) -> None:
    c = b + more
    for test in ("exact", "mid-p", "asymptotic", "asymptotic, corrected"):
        assert mcnemar((0, b, c + 1, 0), test).p <= mcnemar((0, b + 1, c, 0), test).p + 1e-12
    found = mcnemar((0, b, c, 0))
    assert found.smallest_p <= found.exact_p and found.mid_p <= found.exact_p


def test_the_tests_agree_where_there_are_many_pairs() -> None:
    p = [mcnemar((0, 5200, 5000, 0), t).p for t in ("exact", "mid-p", "asymptotic")]
    assert p == pytest.approx([p[1]] * 3, rel=0.03)
