"""The simulation stage: good tests come out good, bad ones bad, and the bytes come out the same."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from regen.files import read_json
from regen.statistics.methods import Sides, method_test
from regen.statistics.simulation import Cell, _p_values, coverages, draw, error_rates, simulation

GRID = {
    "items": [60],
    "seeds": [1, 3],
    "seed_sd": [0.05],
    "groups": [False, True],
    "accuracy": 0.85,
    "replications": 60,
    "interval_replications": 10,
    "resamples": 100,
    "seed": 3,
}


def test_the_stage_covers_the_grid_and_repeats_itself(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for out in (first, second):
        out.mkdir()
        simulation(grid=GRID, out=out)
    assert (first / "simulation.json").read_bytes() == (second / "simulation.json").read_bytes()
    found = read_json(first / "simulation.json")
    designs = {(row["design"], row["seeds_a"], row["seeds_b"]) for row in found["errors"]}
    assert designs == {
        ("both", 1, 1),
        ("both", 3, 3),
        ("B frozen", 3, 1),
        ("paired seeds", 3, 3),
        ("unequal seeds", 3, 10),
    }
    assert all(0 <= row["error"] <= 1 for row in found["errors"])
    assert {row["interval"] for row in found["coverage"]} >= {"Wilson", "t over seeds"}


def test_simulated_answers_have_the_accuracy_and_spread_asked_for() -> None:
    cell = Cell(200, 4, 4, 0.04, True, 0.8, "both")
    d = draw(cell, 800, np.random.default_rng(0))
    assert d.a.mean() == pytest.approx(0.8, abs=0.01)
    assert d.accuracy_of_seeds.std() == pytest.approx(0.04, abs=0.004)
    assert d.accuracy_on_items.mean() == pytest.approx(0.8, abs=0.01)
    noisy = draw(Cell(200, 4, 4, 0.12, False, 0.8, "both"), 800, np.random.default_rng(0))
    assert (noisy.a.mean(), noisy.b.mean()) == pytest.approx((0.8, 0.8), abs=0.01)
    grouped = np.add.reduceat(d.a[:, 0], d.starts, axis=1)
    sizes = np.diff(np.append(d.starts, 200))
    # Items of a group agree more often than by chance: group means vary more than binomially.
    means = (grouped / sizes)[:, sizes == 9]
    assert means.var() > 1.5 * 0.8 * 0.2 / 9


def test_p_values_are_those_of_the_method_test() -> None:
    rng = np.random.default_rng(1)
    for design, frozen in (("both", False), ("B frozen", True), ("paired seeds", False)):
        cell = Cell(40, 3, 1 if frozen else 3, 0.05, True, 0.9, design)
        d = draw(cell, 20, rng)
        (p,) = [v for (name, _), v in _p_values(cell, d).items() if name == "seed-by-item t test"]
        sizes = np.diff(np.append(d.starts, 40))
        groups = [f"{g:02}" for g in np.repeat(np.arange(sizes.size), sizes)]
        for r in range(20):
            oracle = method_test(
                d.a[r],
                d.b[r],
                groups=groups,
                paired_seeds=design == "paired seeds",
                sides=Sides(frozen_b=frozen),
            )
            assert p[r] == pytest.approx(oracle.p)


def test_the_test_over_seeds_alone_is_welchs() -> None:
    cell = Cell(80, 4, 4, 0.05, False, 0.8, "both")
    d = draw(cell, 50, np.random.default_rng(6))
    oracle = stats.ttest_ind(d.a.mean(2), d.b.mean(2), axis=1, equal_var=False)
    assert _p_values(cell, d)["t test over seeds alone", "no"] == pytest.approx(oracle.pvalue)


def test_the_right_test_holds_its_level_and_the_others_do_not() -> None:
    """1,500 replications: the Monte Carlo standard error at .05 is .0056."""
    cell = Cell(100, 3, 3, 0.05, False, 0.85, "both")
    found = error_rates(cell, 1500, np.random.default_rng(2))
    assert 0.025 < found["seed-by-item t test", "yes"] < 0.07
    assert found["McNemar on pooled rows", "no"] > 0.2
    assert found["t test over items alone", "no"] > 0.12
    without_seeds = Cell(100, 5, 5, 0.0, False, 0.85, "both")
    found = error_rates(without_seeds, 1500, np.random.default_rng(2))
    assert 0.025 < found["seed-by-item t test", "yes"] < 0.07
    assert found["t test over seeds alone", "no"] > 0.12


def test_intervals_cover_what_they_are_for() -> None:
    """400 replications: the Monte Carlo standard error at .95 is .011."""
    cell = Cell(100, 3, 3, 0.05, False, 0.85, "both")
    found = coverages(cell, 400, 400, np.random.default_rng(3))
    assert found["t over seeds", "a new seed, these items"] > 0.91
    assert found["Wilson at the effective n", "a new seed, new items"] > 0.91
    one = coverages(Cell(100, 1, 1, 0.0, True, 0.85, "both"), 400, 100, np.random.default_rng(4))
    assert one["Wilson", "this checkpoint, new items"] < 0.88
    assert one["Wilson at the effective n", "this checkpoint, new items"] > 0.89
