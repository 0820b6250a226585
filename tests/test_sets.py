"""Changes against simulation, the rule against its regions, curves against enumeration."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regen.files import Absent, read_json, write_json, write_jsonl
from regen.metrics import Metric
from regen.numbers_of_sets import numbers_of_sets
from regen.sets import BETWEEN, change, curve, decide, objectives, sets
from regen.statistics.runs import Runs
from regen.tables.sets import changes_table, objectives_table, passing_table

MORE, LESS = Metric("variety"), Metric("repetition", larger_is_better=False)


def runs(name: str, scores: np.ndarray) -> Runs:
    items = tuple(f"i{n}" for n in range(scores.shape[1]))
    return Runs(
        name=name,
        seeds=tuple(range(len(scores))),
        items=items,
        groups=items,
        targets=("t",) * len(items),
        facets=({},) * len(items),
        scores={"m": scores},
        absent={},
    )


def draws(rng: np.random.Generator, level: float, own: np.ndarray, seeds: int) -> np.ndarray:
    """Scores around `level`: an item's own part, a seed's, and noise."""
    noise = rng.normal(0, 0.1, (seeds, len(own)))
    return level + own + rng.normal(0, 0.03, (seeds, 1)) + noise


def test_the_interval_of_a_relative_change_covers_the_true_one() -> None:
    """95% of simulated intervals, with new seeds and new items each time."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(400):
        own = rng.normal(0, 0.15, 80)
        a, b = draws(rng, 1.2, own, 3), draws(rng, 1.0, own, 3)
        found = change(runs("a", a), runs("b", b), "m", MORE)
        hits += found["low"] <= 0.2 <= found["high"]
    assert 0.925 <= hits / 400 <= 0.985


def test_a_change_by_hand_and_its_word() -> None:
    b = np.full((1, 4), 0.5)
    for factor, how, word in ((1.1, MORE, "better"), (1.1, LESS, "worse"), (0.9, LESS, "better")):
        a = b * factor
        found = change(runs("a", a), runs("b", b), "m", how)
        assert found["value"] == pytest.approx(factor - 1)
        assert found["word"] == word
    rng = np.random.default_rng(1)
    noisy = change(runs("a", rng.random((3, 20))), runs("b", rng.random((3, 20))), "m", MORE)
    assert noisy["low"] < 0 < noisy["high"] and noisy["word"] == "not shown"
    assert change(runs("a", b), runs("b", b), "m", MORE)["word"] == "the same"
    nothing = change(runs("a", b), runs("b", b * 0), "m", MORE)
    assert nothing["value"] == Absent("the reference is 0")


RULE = {
    "A": {"m": (0.25, None), "n": (None, -0.25)},
    "B": {"m": (0.12, 0.25)},
    "C": {"m": (None, 0.1), "n": (-0.1, None)},
}


def box(m: tuple[float, float, float], n: tuple[float, float, float]) -> dict[str, Any]:
    return {
        key: dict(zip(("low", "value", "high"), ends, strict=True))
        for key, ends in (("m", m), ("n", n))
    }


@pytest.mark.parametrize(
    ("m", "n", "verdict", "allowed"),
    [
        ((0.26, 0.3, 0.4), (-0.4, -0.3, -0.26), "A", {"A"}),
        ((0.20, 0.3, 0.4), (-0.4, -0.3, -0.26), "A", {"A", "B", BETWEEN}),
        ((0.13, 0.2, 0.24), (-1, 0, 1), "B", {"B"}),
        ((0.0, 0.11, 0.2), (-0.05, 0, 0.05), BETWEEN, {"B", "C", BETWEEN}),
        ((0.101, 0.11, 0.119), (0, 0, 0), BETWEEN, {BETWEEN}),
        ((-0.1, 0.0, 0.09), (0, 0, 0), "C", {"C"}),
    ],
)
def test_the_verdict_says_what_the_intervals_allow(m, n, verdict: str, allowed: set[str]) -> None:
    found = decide(box(m, n), RULE)
    assert found["verdict"] == verdict
    assert set(found["allowed"]) == allowed


def test_what_is_allowed_is_what_holds_somewhere_in_the_box() -> None:
    """Against points on a grid over the box."""
    rng = np.random.default_rng(2)
    for _ in range(60):
        ends = np.sort(rng.uniform(-0.5, 0.5, (2, 3)), axis=1)
        found = decide(box(*map(tuple, ends)), RULE)
        grid = [np.linspace(low, high, 60) for low, _, high in ends]
        seen = {
            decide(box((m, m, m), (n, n, n)), RULE)["verdict"] for m in grid[0] for n in grid[1]
        }
        assert seen <= set(found["allowed"])
        assert set(found["allowed"]) - seen <= {BETWEEN, *_slivers(ends)}


def _slivers(ends: np.ndarray) -> set[str]:
    """Outcomes whose part of the box is thinner than the grid's step."""
    thin = set()
    for name, bounds in RULE.items():
        for (at_least, at_most), (low, _, high) in zip(
            (bounds.get(key, (None, None)) for key in ("m", "n")), ends, strict=True
        ):
            left = max(low, -9 if at_least is None else at_least)
            right = min(high, 9 if at_most is None else at_most)
            if right - left < (high - low) / 59 + 1e-12:
                thin.add(name)
    return thin


def test_a_rule_without_its_numbers_has_no_verdict() -> None:
    changes = box((0, 0, 0), (0, 0, 0))
    changes["n"]["value"] = Absent("no encoder")
    assert decide(changes, RULE)["verdict"] == Absent("n: no encoder")


def test_a_curve_is_the_mean_over_items_of_what_subsets_pass() -> None:
    checks = {"a": [0.9, 0.1, 0.2], "b": [0.0, 0.6, 0.7], "c": [0.0, 0.0, 0.1]}
    run = {name: (name, found) for name, found in checks.items()}
    rows = curve([run, run], 0.5)
    assert [row["k"] for row in rows] == [1, 2, 3]
    for row in rows:
        each = [
            np.mean([max(some) >= 0.5 for some in combinations(found, row["k"])])
            for found in checks.values()
        ]
        assert row["mean"] == pytest.approx(np.mean(each))
        assert row["low"] <= row["mean"] <= row["high"]
    assert curve([run], Absent("none")) == []


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The stage's file, from two trainings with two seeds and a base."""
    rng = np.random.default_rng(3)
    scores = []
    for variant, seeds in {"base": [None], "sft": [1, 2], "ours": [1, 2]}.items():
        for seed in seeds:
            path = tmp_path / f"{variant}-{seed}.jsonl"
            rows = [
                {
                    "item": f"i{n:02d}", "group": f"g{n:02d}", "variant": variant, "target": "t",
                    "metrics": {"m": 0.5 + 0.1 * rng.random() + 0.2 * (variant == "ours")},
                    "checks": rng.random(4).tolist(), "facets": {},
                    **({} if seed is None else {"seed": seed}),
                }
                for n in range(12)
            ]  # fmt: skip
            write_jsonl(path, rows)
            scores.append(path)
    checkpoints = []
    for training, objective in {
        "sft": None,
        "written": {"kind": "as_written", "weight": 1.0},
        "ours": {"kind": "set_diversity", "weight": 1.0},
    }.items():
        for seed in (1, 2):
            path = tmp_path / "checkpoints" / training / f"seed-{seed}" / "summary.json"
            mean = {"loss": 3.0, "diversity": 0.5, "combined": 2.5, "share": 0.25}
            asked = {"mean": mean, "asked": 4, "diversity_positive": True}
            asked |= {"combined_differs": True, "acts": training == "ours"}
            adapter = f"{training if training == 'ours' else 'sft'}-{seed}"
            summary = {"adapter": adapter, "gap": {"train": 1.0, "dev": 2.0, "gap": 1.0}}
            write_json(path, summary | ({"objective": objective | asked} if objective else {}))
            checkpoints.append(path)
    sets(
        scores=scores,
        dev=scores[0],
        checkpoints=checkpoints,
        variants=["ours"],
        most=0.6,
        against="sft",
        metrics={"m": vars(MORE)},
        outcomes={"A": {"words": "strong", "bounds": {"m": (0.2, None)}}},
        plain="sft",
        out=tmp_path,
    )
    return tmp_path / "sets.json"


def test_the_stage_says_which_adapters_are_those_of_sft(made: Path) -> None:
    found = read_json(made)["objectives"]
    assert {name: row["same"] for name, row in found.items()} == {"sft": 2, "written": 2, "ours": 0}
    assert found["ours"]["acts"] == 2 and found["written"]["acts"] == 0
    assert found["sft"]["mean"]["share"] == {"absent": "has no objective"}


def test_numbers_and_sentences_of_the_text(made: Path) -> None:
    spoken = {"base": "the base", "sft": "SFT", "ours": "sets"}
    rule = {"A": {"words": "strong", "bounds": {"m": (0.2, None)}}}
    numbers = {n.key: n for n in numbers_of_sets("s", made, spoken, {"m": MORE}, rule)}
    said = numbers["s/rule/ours/verdict"].text
    assert said.startswith("Against SFT, sets changes variety by +")
    assert "The rule says “A (strong)”; so do all intervals." in said
    assert numbers["s/rule/verdict"].text == said
    assert "2 of 2 are those of the training without it" in numbers["s/as-written/verdict"].text
    assert numbers["s/objectives/ours/mean/share"].text == "25.0"
    assert numbers["s/changes/ours/m/word"].text == "better"
    assert float(numbers["s/passing/ours/1/mean"].text) > 0


def test_the_tables_say_where_their_values_stand(made: Path) -> None:
    spoken = {"base": "the base", "sft": "SFT", "ours": "sets"}
    called = {"sft": "SFT", "written": "as written", "ours": "sets"}
    tables = [
        changes_table([made], "s", spoken, {"m": MORE}),
        passing_table([made], "s", spoken),
        objectives_table([made], "s", called),
    ]
    content = read_json(made)
    found = 0
    for table in tables:
        for row in table.rows:
            for cell in row.cells:
                for value, source in zip(cell.values, cell.sources, strict=True):
                    document = content
                    for step in source.pointer.split("/")[1:]:
                        document = document[int(step) if isinstance(document, list) else step]
                    assert document == value or document == {"absent": value.reason}
                    found += 1
    assert found > 30
    assert [row.name for row in tables[2].rows] == ["sft", "written", "ours"]


def test_a_training_without_a_plain_one_is_one_line(made: Path) -> None:
    from regen.errors import InputError

    path = made.parent / "checkpoints" / "ours" / "seed-1" / "summary.json"
    with pytest.raises(InputError, match="no training 'sft'"):
        objectives([path], "sft")
