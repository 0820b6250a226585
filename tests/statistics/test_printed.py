"""Figures printed elsewhere: R's own examples, Newcombe's table; and where an oracle is wrong."""

import warnings

import numpy as np
import pytest
from mlxtend.evaluate import mcnemar as mlxtend_mcnemar
from mlxtend.evaluate import mcnemar_table
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from regen.statistics.families import holm
from regen.statistics.intervals import clopper_pearson, wilson
from regen.statistics.mcnemar import contingency, mcnemar
from regen.statistics.methods import method_test

# Student's sleep data, `sleep` in R: extra hours of sleep of ten patients under two drugs.
DRUG_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
DRUG_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def test_r_paired_t_test_of_the_sleep_data() -> None:
    """R, ?t.test: t = -4.0621, df = 9, p-value = 0.002833, interval -2.4598858 -0.7001142."""
    found = method_test(DRUG_1, DRUG_2)
    assert found.estimate == pytest.approx(-1.58)
    assert found.estimate / found.se == pytest.approx(-4.0621, abs=5e-5)
    assert (found.df, found.p) == pytest.approx((9, 0.002833), abs=5e-7)
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)


def test_r_welch_test_of_the_sleep_data() -> None:
    """R, ?t.test: t = -1.8608, df = 17.776, p-value = 0.07939, -3.3654832 0.2054832.

    The patients as seeds, each shifting 30 items alike, so that only seeds vary.
    """
    items = np.linspace(-1, 1, 30)
    found = method_test(np.add.outer(DRUG_1, items), np.add.outer(DRUG_2, items))
    assert found.df == pytest.approx(17.776, abs=5e-4)
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


@pytest.mark.parametrize(
    ("table", "test", "statistic", "p"),
    [
        # R, ?mcnemar.test, approval ratings after Agresti (1990, p. 350), correct = FALSE
        ((794, 86, 150, 570), "asymptotic", 17.3559, 3.099e-05),
        # R 4, mcnemar.test(matrix(c(26, 7, 15, 37), 2)), with and without correct = FALSE
        ((26, 7, 15, 37), "asymptotic", 2.9091, 0.08808),
        ((26, 7, 15, 37), "asymptotic, corrected", 2.2273, 0.1356),
    ],
)
def test_r_mcnemar(table: tuple, test: str, statistic: float, p: float) -> None:
    found = mcnemar(table, test)
    assert found.statistic == pytest.approx(statistic, abs=5e-5)
    assert found.p == pytest.approx(p, rel=2e-4)


def test_r_binomial_test() -> None:
    """R, ?binom.test, Conover (1971, p. 97): 682 of 925, interval 0.7076683 0.7654066."""
    found = clopper_pearson(682, 682 + 243)
    assert (found.low, found.high) == pytest.approx((0.7076683, 0.7654066), abs=5e-8)


@pytest.mark.parametrize(
    ("successes", "n", "score", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_newcombes_table(successes: int, n: int, score: tuple, exact: tuple) -> None:
    """Newcombe (1998), Statistics in Medicine 17:857, table I, methods 3 and 5."""
    for found, printed in ((wilson(successes, n), score), (clopper_pearson(successes, n), exact)):
        assert (found.low, found.high) == pytest.approx(printed, abs=5.1e-5)


def test_r_holm() -> None:
    """R, p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm"): 0.05 0.08 0.09 0.09 0.09."""
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


def test_mlxtend_agrees_on_table_and_p() -> None:
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, 90)
    a, b = (np.where(rng.random(90) < level, truth, 1 - truth) for level in (0.9, 0.7))
    table = contingency(a == truth, b == truth)
    oracle = mcnemar_table(y_target=truth, y_model1=a, y_model2=b)
    assert table == (oracle[0, 0], oracle[0, 1], oracle[1, 0], oracle[1, 1])
    assert mcnemar(table, "exact").p == pytest.approx(mlxtend_mcnemar(oracle, exact=True)[1])
    for test, corrected in (("asymptotic", False), ("asymptotic, corrected", True)):
        chi2, p = mlxtend_mcnemar(oracle, corrected=corrected)
        assert (mcnemar(table, test).statistic, mcnemar(table, test).p) == pytest.approx((chi2, p))


def test_two_oracles_are_wrong_without_discordant_pairs() -> None:
    """Two systems that answer alike do not differ: p is 1. statsmodels and mlxtend divide by zero
    there and give p = 0 with the correction, NaN without. This test fails once they are mended."""
    alike = np.array([[3, 0], [0, 4]])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        assert statsmodels_mcnemar(alike, exact=False, correction=True).pvalue == 0
        assert np.isnan(statsmodels_mcnemar(alike, exact=False, correction=False).pvalue)
        assert mlxtend_mcnemar(alike, corrected=True)[1] == 0
        assert np.isnan(mlxtend_mcnemar(alike, corrected=False)[1])
    for test in ("exact", "mid-p", "asymptotic", "asymptotic, corrected"):
        assert mcnemar((3, 0, 0, 4), test).p == 1


def test_both_also_correct_past_zero() -> None:
    """At b = c the correction may not turn no difference into one; R leaves it out there."""
    even = np.array([[3, 4], [4, 4]])
    assert statsmodels_mcnemar(even, exact=False, correction=True).pvalue < 1
    assert mlxtend_mcnemar(even, corrected=True)[1] < 1
    assert mcnemar((3, 4, 4, 4), "asymptotic, corrected").p == 1
