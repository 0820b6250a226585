"""The calibration stage: the temperature comes from dev, and no answer changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

from regen.calibration import calibrate
from regen.errors import InputError
from regen.files import read_json
from regen.records import Prediction, write_predictions

SWEEP = [0.8, 1.0, 1.2, 1.5, 2.0]


def write(path: Path, seed: int | None, n: int, heat: float, rng: np.random.Generator) -> Any:
    """Answers whose logits are `heat` times those that would be calibrated."""
    true = rng.normal(0, 2, n)
    speech = rng.random(n) < expit(true)
    rows = []
    for i in range(n):
        logit = float(heat * true[i])
        rows.append(
            Prediction(
                item=f"i{i}", group=f"g{i}", variant="v", prompt="p", seed=seed,
                target="SPEECH" if speech[i] else "NONSPEECH",
                options={"A": {"logit": logit, "probability": 0.5}, "B": {"logit": 0.0}},
            )
        )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_predictions(path, rows)
    return true, speech


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("calibration")
    rng = np.random.default_rng(0)
    dev, test, kept = [], [], []
    for seed, heat in ((1, 2.0), (2, 3.0)):
        dev.append(home / f"dev{seed}.jsonl")
        test.append(home / f"test{seed}.jsonl")
        kept.append((*write(dev[-1], seed, 2000, heat, rng), heat))
        write(test[-1], seed, 3000, heat, rng)
    out = home / "out"
    out.mkdir()
    calibrate(dev=dev, test=test, benchmark="speech", temperatures=SWEEP, out=out)
    return {"found": read_json(out / "calibration.json"), "dev": kept, "home": home}


def test_the_temperature_is_that_of_dev(made: dict[str, Any]) -> None:
    for run, (true, speech, heat) in zip(made["found"]["runs"], made["dev"], strict=True):

        def loss(t: float, x: np.ndarray = heat * true, y: np.ndarray = speech) -> float:
            return float(np.logaddexp(0, -np.where(y, x, -x) / t).mean())

        oracle = minimize_scalar(loss, bounds=(0.2, 10), method="bounded")
        assert run["temperature"] == pytest.approx(oracle.x, rel=1e-3)
        assert run["temperature"] == pytest.approx(heat, rel=0.15)
        for row in run["sweep"]:
            assert row["nll"] == pytest.approx(loss(row["temperature"]), rel=1e-6)


def test_probabilities_get_better_and_answers_stay(made: dict[str, Any]) -> None:
    for run in made["found"]["runs"]:
        before, after = run["before"], run["after"]
        assert after["accuracy"] == before["accuracy"]
        assert after["nll"] < before["nll"] and after["brier"] < before["brier"]
        assert before["ece"] > before["ece_null_high"]
        assert after["ece"] < before["ece"] / 2
    mean = made["found"]["mean"]
    assert mean["temperature"]["mean"] == pytest.approx(2.5, rel=0.1)
    assert mean["after"]["ece"]["mean"] < 0.03 < mean["before"]["ece"]["mean"]


def test_bins_hold_all_answers_of_all_runs(made: dict[str, Any]) -> None:
    for when in ("before", "after"):
        rows = made["found"]["bins"][when]
        assert [row["low"] for row in rows] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])
        assert sum(row["n"] for row in rows) == 6000
        assert sum(row["n"] for row in made["found"]["reliability"][when]) == 6000
    # Calibrated: in each bin as many are right as the confidence says.
    for row in made["found"]["reliability"]["after"]:
        assert row["accuracy"] == pytest.approx(row["confidence"], abs=0.06)


def test_answers_without_logits_are_refused(made: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "text.jsonl"
    write_predictions(path, [Prediction("i", "g", "v", "p", "SPEECH", output="A")])
    with pytest.raises(InputError, match="item 'i' has no logits of A, B"):
        calibrate(dev=[path], test=[path], benchmark="speech", temperatures=SWEEP, out=tmp_path)
