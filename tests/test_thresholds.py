"""Thresholds: where a known psychometric function crosses the level, and how sure that is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from regen.errors import InputError
from regen.files import Absent, read_json, write_jsonl
from regen.thresholds import LAPSE, crossing, thresholds

RATIOS = (-10.0, -5.0, 0.0, 5.0, 10.0, 20.0)


def answers(x: np.ndarray, place: float, slope: float, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(len(x)) < 0.5 + (0.5 - LAPSE) * expit((x - place) * slope)).astype(float)


def truth(place: float, slope: float) -> float:
    """Where 0.5 + (0.5 - lapse) expit((x - place) slope) is 0.75, found on a fine grid."""
    x = np.linspace(-30, 30, 200_001)
    return float(x[np.argmin(np.abs(0.5 + (0.5 - LAPSE) * expit((x - place) * slope) - 0.75))])


def test_a_known_threshold_is_found() -> None:
    rng = np.random.default_rng(0)
    x = rng.choice(RATIOS, 20_000)
    found = crossing(
        x, answers(x, -2, 0.4, rng), [str(i % 500) for i in range(20_000)], guess=0.5, level=0.75,
        seed=0,
    )  # fmt: skip
    assert found["threshold"] == pytest.approx(truth(-2, 0.4), abs=0.3)
    assert found["low"] < truth(-2, 0.4) < found["high"]
    assert found["high"] - found["low"] < 1.0


@pytest.mark.slow
def test_the_interval_covers_it() -> None:
    """60 data sets: the Monte Carlo standard error at .95 is .028."""
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(60):
        x = rng.choice(RATIOS, 400)
        right = answers(x, 0, 0.3, rng)
        found = crossing(x, right, [str(i) for i in range(400)], guess=0.5, level=0.75, seed=seed)
        low, high = found["low"], found["high"]
        assert isinstance(low, float) and isinstance(high, float)
        held += low <= truth(0, 0.3) <= high
    assert held >= 52


def test_what_is_never_reached_is_absent() -> None:
    rng = np.random.default_rng(2)
    x = rng.choice(RATIOS, 2000)
    groups = [str(i) for i in range(2000)]
    never = crossing(x, answers(x, 60, 0.4, rng), groups, guess=0.5, level=0.75, seed=0)
    assert isinstance(never["threshold"], Absent)
    always = crossing(x, answers(x, -60, 0.4, rng), groups, guess=0.5, level=0.75, seed=0)
    assert isinstance(always["threshold"], Absent)
    assert "lowest" in always["threshold"].reason


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    seconds = np.exp(rng.uniform(np.log(0.2), np.log(2), 600))
    ratio = rng.choice(RATIOS, 600)
    rows = [
        {"item": f"i{i}", "seconds": float(seconds[i]),
         "snr_db": "clean" if i % 6 == 0 else float(ratio[i])}
        for i in range(600)
    ]  # fmt: skip
    write_jsonl(tmp_path / "data" / "test.jsonl", rows)
    scores = []
    for seed in (1, 2):
        right = answers(np.log(seconds), np.log(0.6), 4, rng)
        scored = [
            {"item": f"i{i}", "group": f"g{i % 100}", "variant": "v", "seed": seed,
             "metrics": {"accuracy": float(right[i])}}
            for i in range(600)
        ]  # fmt: skip
        scores.append(tmp_path / f"{seed}.jsonl")
        write_jsonl(scores[-1], scored)
    axes = [{"name": "seconds", "log": True}, {"name": "snr_db", "log": False}]
    return {
        "scores": scores, "data": tmp_path / "data", "split": "test", "axes": axes,
        "metric": "accuracy", "guess": 0.5, "level": 0.75, "seed": 0, "out": tmp_path,
    }  # fmt: skip


def test_the_stage_reads_stimuli_from_the_data(files: dict[str, Any], tmp_path: Path) -> None:
    thresholds(**files)
    found = read_json(tmp_path / "thresholds.json")["v"]
    expected = float(np.exp(np.log(0.6) + np.log(0.25 / (0.5 - LAPSE - 0.25)) / 4))
    assert found["seconds"]["threshold"] == pytest.approx(expected, rel=0.15)
    assert found["seconds"]["low"] < found["seconds"]["threshold"] < found["seconds"]["high"]
    assert (found["seconds"]["n_items"], found["seconds"]["n_groups"]) == (600, 100)
    assert found["snr_db"]["n_items"] == 500  # the clean ones have no ratio


def test_an_axis_that_no_item_has_is_one_line(files: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="no item has a number for 'loudness'"):
        thresholds(**files | {"axes": [{"name": "loudness", "log": False}]})
