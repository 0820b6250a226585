"""Coverage of the intervals of pass@k and Cohen's g, against what it must be."""

import numpy as np
import pytest
from scipy import integrate, stats

from regen.statistics.simulated_counts import (
    DISCORDANT,
    SAMPLES,
    SOLVED,
    Covered,
    K,
    coverages_of_counts,
)


def simulated(items: int, replications: int, seed: int = 0) -> dict[str, Covered]:
    rng = np.random.default_rng(seed)
    return {row.of: row for row in coverages_of_counts(items, replications, 300, rng)}


def test_the_truth_about_pass_at_k_is_the_integral_over_problems() -> None:
    """Its closed form in the code is a product of moments; here it is integrated."""
    solved = stats.beta(*SOLVED)
    truth, _ = integrate.quad(lambda p: (1 - (1 - p) ** K) * solved.pdf(p), 0, 1)
    a, b = SOLVED
    moments = np.prod([(b + i) / (a + b + i) for i in range(K)])
    assert 1 - moments == pytest.approx(truth, abs=1e-6)


def test_pass_at_k_is_covered() -> None:
    """400 replications: the Monte Carlo standard error at .95 is .011."""
    found = simulated(100, 400)[f"pass@{K} of {SAMPLES} samples, new problems"]
    assert 0.91 < found.coverage <= 0.99


def test_cohens_g_is_covered_as_clopper_and_pearsons_interval_must_be() -> None:
    """It is exact, so never below .95; how far above is known for a binomial of fixed size."""
    for of, row in simulated(200, 2000).items():
        if not of.startswith("Cohen"):
            continue
        share, m = float(of.rpartition(" ")[2]) + 0.5, round(200 * DISCORDANT)
        counts = np.arange(m + 1)
        held = [
            interval.low <= share <= interval.high
            for interval in (stats.binomtest(int(k), m).proportion_ci() for k in counts)
        ]
        exact = float((stats.binom.pmf(counts, m, share) * held).sum())
        assert row.coverage == pytest.approx(exact, abs=0.02)
        assert row.coverage > 0.94
