"""Leaderboards, comparisons, tests and sweeps say what is right."""

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from regen.errors import InputError
from regen.files import Absent
from regen.tracking import (
    ExperimentTracker,
    LocalBackend,
    compare_experiments,
    compute_significance,
    format_comparison,
    generate_leaderboard,
    sweep_impact,
)
from regen.tracking.compare import larger_is_better


def experiment(name: str, scores: dict[str, float], samples: Any = (), **config: Any) -> str:
    tracker = ExperimentTracker()
    with tracker.experiment(config, name) as made:
        tracker.log_evaluation("sums", {"metrics": scores, "samples": list(samples)})
    return made


def test_the_leaderboard_is_ordered_shares_ranks_and_knows_what_is_better(workdir: Path) -> None:
    found = {"a": 0.5, "b": 0.9, "c": 0.9, "d": 0.1}
    for name, value in found.items():
        experiment(name, {"accuracy": value, "loss": value})
    board = generate_leaderboard("sums")
    assert [(r["rank"], r["value"]) for r in board] == [(1, 0.9), (1, 0.9), (3, 0.5), (4, 0.1)]
    assert [r["name"] for r in generate_leaderboard("sums", "loss", 2)] == ["d", "a"]
    reverse = generate_leaderboard("sums", "loss", 1, smallest_first=False)
    assert reverse[0]["value"] == 0.9
    with pytest.raises(InputError, match="did you mean 'sums'"):
        generate_leaderboard("sum")
    with pytest.raises(InputError, match="did you mean 'accuracy'"):
        generate_leaderboard("sums", "acuracy")


def test_the_latest_evaluation_counts_and_older_ones_stay(workdir: Path) -> None:
    tracker = ExperimentTracker()
    with tracker.experiment({}) as name:
        for value in (0.9, 0.4):
            tracker.log_evaluation("sums", {"accuracy": value})
    assert [r["value"] for r in generate_leaderboard("sums")] == [0.4]
    with LocalBackend().query() as index:
        assert index.execute("select count(*) from evaluations").fetchone()[0] == 2
    assert LocalBackend().get_evaluation_results(name, "sums")["metrics"]["accuracy"] == 0.4


@pytest.mark.parametrize(
    ("metric", "larger"),
    [("accuracy", True), ("val_loss", False), ("perplexity", False), ("reward", True),
     ("avg_generation_time", False), ("lossless", True), ("self-bleu", False), ("mse", False)],
)  # fmt: skip
def test_which_way_is_better(metric: str, larger: bool) -> None:
    assert larger_is_better(metric) is larger


def test_a_comparison_has_what_differs_a_star_and_a_winner(sweep: dict[str, str]) -> None:
    ids = [sweep[name] for name in ("lr1e-05-r8", "lr1e-05-r32", "lr5e-05-r8")]
    found = compare_experiments(ids)
    assert set(found["parameters"]) == {"lora.r", "learning_rate"}
    assert found["parameters"]["lora.r"] == [8, 32, 8]
    assert found["same_parameters"] == 2
    assert found["metrics"]["sums/accuracy"]["best"] == [1]
    assert found["winner"]["id"] == ids[1]
    assert found["winner"]["by"] == pytest.approx(0.82 - 0.48)
    text = format_comparison(found)
    row = next(line for line in text.splitlines() if line.startswith("sums/accuracy"))
    assert row.split() == ["sums/accuracy", "0.48", "0.82*", "0.48"]
    assert "seed" not in text and "optimizer" not in text
    tie = compare_experiments([ids[0], ids[2]])["winner"]
    assert isinstance(tie, Absent) and "tie on sums/accuracy" in str(tie)
    last = compare_experiments(ids, "loss (last)")
    values = last["metrics"]["loss (last)"]["values"]
    assert last["winner"]["value"] == min(values)
    assert last["metrics"]["loss (last)"]["best"] == [values.index(min(values))]


def test_one_side_without_a_parameter_differs_from_none(workdir: Path) -> None:
    ids = [experiment("a", {"x": 1}, top_k=None), experiment("b", {"x": 1})]
    assert "top_k" in compare_experiments(ids)["parameters"]


def rows(right: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"item": f"q{i}", "metrics": {"accuracy": float(x)}} | more
            for i, x in enumerate(right)]  # fmt: skip


def test_significance_agrees_with_other_implementations(workdir: Path) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random(300) < 0.7, rng.random(300) < 0.6
    shuffled = rows(b)
    random.Random(0).shuffle(shuffled)
    one = experiment("a", {"accuracy": a.mean()}, rows(a))
    other = experiment("b", {"accuracy": b.mean()}, shuffled)

    paired = compute_significance(one, other, "sums", method="paired")
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    assert paired.p_value == pytest.approx(mcnemar(table, exact=False, correction=False).pvalue)

    found = compute_significance(one, other, "sums", n_bootstrap=10_000)
    d = a.astype(float) - b
    theirs = stats.bootstrap((d,), np.mean, n_resamples=20_000, method="percentile", rng=rng)
    assert found.difference == pytest.approx(d.mean())
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=0.005)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=0.005)
    centred = d[rng.integers(0, 300, (20_000, 300))].mean(1) - d.mean()
    drawn = (np.abs(centred) >= abs(d.mean()) - 1e-9).mean()
    assert found.p_value == pytest.approx(drawn, abs=0.01)
    assert found.is_significant is bool(found.p_value < 0.05)
    assert found.n == 300


def test_samples_that_share_a_group_are_not_independent(workdir: Path) -> None:
    """The same answers ten times over are no more evidence than once."""
    rng = np.random.default_rng(1)
    a, b = rng.random(30) < 0.8, rng.random(30) < 0.5
    wide = [np.repeat(x, 10) for x in (a, b)]
    groups = [{"group": f"g{i // 10}"} for i in range(300)]
    ids = [
        experiment(name, {}, [row | group for row, group in zip(rows(x), groups, strict=True)])
        for name, x in zip("ab", wide, strict=True)
    ]
    once = [experiment(name, {}, rows(x)) for name, x in (("c", a), ("d", b))]
    for method in ("bootstrap", "paired"):
        grouped = compute_significance(*ids, "sums", method=method)
        assert (grouped.n, grouped.groups) == (300, 30)
        single = compute_significance(*once, "sums", method="bootstrap")
        assert grouped.p_value == pytest.approx(single.p_value, abs=0.03)


def test_what_cannot_be_paired_is_said(workdir: Path) -> None:
    a = experiment("a", {}, rows([1, 0, 1]))
    b = experiment("b", {}, rows([1, 0]))
    c = experiment("c", {"accuracy": 0.5})
    with pytest.raises(InputError, match="lacks 1 item"):
        compute_significance(a, b, "sums")
    with pytest.raises(InputError, match="no samples of sums were kept"):
        compute_significance(a, c, "sums")
    with pytest.raises(InputError, match="none of bootstrap, paired"):
        compute_significance(a, a, "sums", method="guess")
    same = compute_significance(a, a, "sums")
    assert (same.p_value, same.is_significant) == (1.0, False)


def test_sweep_impact_is_spearmans_and_its_interval_covers(sweep: dict[str, str]) -> None:
    found = {row["parameter"]: row for row in sweep_impact("accuracy", "sums")}
    assert set(found) == {"lora.r", "learning_rate"}  # what does not vary is left out
    ranks = [8, 16, 32, 8, 16, 32, 8, 16]
    right = [r + 40 + 10 * (r == 32) for r in ranks]
    rates = [1e-5] * 3 + [5e-5] * 3 + [1e-4] * 2
    assert found["lora.r"]["rho"] == pytest.approx(1.0)
    assert found["lora.r"]["n"] == 8
    theirs = stats.spearmanr(rates, right)
    assert found["learning_rate"]["rho"] == pytest.approx(theirs.statistic)
    assert found["learning_rate"]["p"] == pytest.approx(theirs.pvalue)
    assert next(iter(found)) == "lora.r"  # the strongest first


def test_the_interval_of_spearmans_rho_holds() -> None:
    from regen.tracking.impact import spearman

    rng = np.random.default_rng(0)
    correlation, n, hits = 0.6, 40, 0
    rho = 6 / math.pi * math.asin(correlation / 2)  # of a bivariate normal (Pearson 1907)
    for _ in range(1000):
        x = rng.standard_normal(n)
        y = correlation * x + math.sqrt(1 - correlation**2) * rng.standard_normal(n)
        found = spearman(x, y)
        hits += found["low"] <= rho <= found["high"]
    assert 0.925 <= hits / 1000 <= 0.975


def test_a_parameter_that_is_no_number_has_means(workdir: Path) -> None:
    for value, optimizer in ((0.2, "sgd"), (0.4, "sgd"), (0.9, "adamw")):
        experiment("x", {"accuracy": value}, optimizer=optimizer)
    (row,) = sweep_impact("accuracy", "sums")
    assert isinstance(row["rho"], Absent)
    assert row["means"] == pytest.approx({"adamw": 0.9, "sgd": 0.3})
