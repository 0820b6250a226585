"""Calibration against scipy's optimiser, scikit-learn, and models whose calibration is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss, log_loss

from regen.files import Absent
from regen.statistics.calibration import (
    brier,
    calibration_error,
    confidence_bins,
    fit_temperature,
    nll,
    probabilities,
    threshold_for,
    two_option_confidence,
)


def calibrated(n: int, options: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the true probability of each option."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, options))
    cumulated = probabilities(logits).cumsum(1)
    return logits, (rng.random((n, 1)) > cumulated).sum(1)


@given(st.integers(2, 5), st.floats(0.3, 4), st.integers(0, 50))
@settings(max_examples=25)
def test_temperature_is_where_scipy_finds_the_minimum(options: int, true: float, seed: int) -> None:
    logits, targets = calibrated(300, options, seed)
    found = fit_temperature(logits * true, targets)
    oracle = minimize_scalar(
        lambda log_t: nll(logits * true, targets, np.exp(log_t)), bounds=(-4, 4), method="bounded"
    )
    assert found == pytest.approx(np.exp(oracle.x), rel=1e-3)


def test_temperature_undoes_overconfidence_and_changes_no_answer() -> None:
    logits, targets = calibrated(20_000, 3)
    found = fit_temperature(logits * 2.5, targets)
    assert found == pytest.approx(2.5, rel=0.05)
    before, after = probabilities(logits * 2.5), probabilities(logits * 2.5, found)
    assert (before.argmax(1) == after.argmax(1)).all()
    assert nll(logits * 2.5, targets, found) < nll(logits * 2.5, targets)


def test_temperature_is_absent_where_none_is_best() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 3.0]])
    assert "right" in fit_temperature(logits, [0, 1]).reason
    assert "hotter" in fit_temperature(logits, [1, 0]).reason
    assert isinstance(fit_temperature(np.empty((0, 2)), []), Absent)


def test_proper_scores_agree_with_scikit_learn() -> None:
    logits, targets = calibrated(200, 2)
    p = probabilities(logits, 1.3)
    assert nll(logits, targets, 1.3) == pytest.approx(log_loss(targets, p))
    assert brier(logits, targets, 1.3) == pytest.approx(2 * brier_score_loss(targets, p[:, 1]))


def test_a_calibrated_model_has_the_error_of_its_null() -> None:
    logits, targets = calibrated(200, 2, seed=5)
    p = probabilities(logits)
    found = calibration_error(p.max(1), p.argmax(1) == targets)
    assert found.null_mean == pytest.approx(0.06, abs=0.02)
    assert found.error < found.null_high and found.p > 0.05
    sure = probabilities(logits * 4)
    found = calibration_error(sure.max(1), sure.argmax(1) == targets)
    assert found.error > found.null_high
    wrong = calibration_error(np.full(200, 0.99), np.zeros(200), draws=99)
    assert wrong.p == pytest.approx(1 / 100)  # the sample counts itself: never 0


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.6, 0.6, 0.9, 0.9])
    found = calibration_error(confidence, [1, 0, 1, 1], bins=2)
    assert found.error == pytest.approx((abs(1 - 1.2) + abs(2 - 1.8)) / 4)
    assert isinstance(calibration_error([0.6], [1], bins=2).error, Absent)


def test_bins_hold_every_item_once() -> None:
    confidence = np.array([0.5, 0.55, 0.6, 0.95, 1.0, 1.0])
    bins = confidence_bins(confidence, [1, 0, 1, 1, 1, 0])
    assert [b.n for b in bins] == [2, 1, 0, 0, 3]
    assert bins[-1].accuracy == pytest.approx(2 / 3)
    assert isinstance(bins[2].accuracy, Absent)
    with pytest.raises(ValueError, match=r"lie in 0.3"):
        confidence_bins([0.3], [1])


def test_threshold_by_search() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(200).round(2)
    right = rng.random(200) < confidence
    brute = [t for t in np.unique(confidence) if right[confidence >= t].mean() >= 0.8]
    assert threshold_for(confidence, right, 0.8) == min(brute)
    assert isinstance(threshold_for([0.5, 0.9], [0, 0], 0.8), Absent)


def test_two_options_are_a_softmax() -> None:
    logits = np.random.default_rng(0).normal(size=(10, 2))
    p = probabilities(logits, 1.5).max(1)
    assert two_option_confidence(logits[:, 0] - logits[:, 1], 1.5) == pytest.approx(p)
