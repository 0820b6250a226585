"""Tables of choices, adapters, paths to an answer: what stands in the stages' files, and where."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from regen.chain.results import TABLES
from regen.files import Absent, read_json, write_json
from regen.metrics import Metric
from regen.tables.read import Statistics, follow
from regen.tables.study import tables


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A study with one grid, one choice among variants, two seeds a recipe, one pair of paths."""
    summary = {
        "mean": 0.5, "sd": 0.1, "seeds_and_items": {"low": 0.4, "high": 0.6, "name": "Wilson"},
        "seeds": {"1": 0.5, "2": 0.5},
    }  # fmt: skip
    names = ("base", "lora", "mlp")
    statistics = tmp_path / "statistics"
    write_json(statistics / "variants.json", {name: {"accuracy": summary} for name in names})
    write_json(statistics / "comparisons.json", [])
    write_json(statistics / "common.json", {})
    write_json(statistics / "failures.json", {})
    points = [
        {"name": f"rank-r{r}", "r": r, "alpha": 16, "targets": "attention", "trainable": 100 * r,
         "value": 0.7 + r / 100}
        for r in (4, 8)
    ]  # fmt: skip
    rank = tmp_path / "selection" / "rank" / "selection.json"
    chosen = {"winner": points[1], "why": "the best on the dev split", "metric": "accuracy"}
    write_json(rank, {**chosen, "n_items": 50, "points": points})
    checkpoints = []
    for recipe, wide in (("lora", 1), ("mlp", 2)):
        for seed in (1, 2):
            folder = tmp_path / "checkpoints" / recipe / f"seed-{seed}"
            lora = {"r": 8, "alpha": 16, "targets": "attention"}
            counts = {"trainable": 800 * wide, "all": 80_000, "percent": 1.0 * wide}
            write_json(folder / "summary.json", {"lora": lora, **counts, "items": 40, "steps": 20})
            timing = {"seconds": 10.0 * seed, "seconds_per_step": 0.5, "peak_memory_mib": 600.0}
            write_json(folder / "timing.json", timing)
            checkpoints.append(folder / "summary.json")
    text = tmp_path / "agreement" / "base-text"
    share = {"mean": 0.99, "low": 0.97, "high": 1.0}
    write_json(text / "agreement.json", {
        "agreement": share, "accuracy_options": share, "accuracy_generated": share,
        "unparsed": 1, "answers": 100, "runs": 1,
    })  # fmt: skip
    per_item = {"seconds_per_item_options": 0.004, "seconds_per_item_generated": 0.02}
    write_json(text / "timing.json", {**per_item, "ratio": 5.0})
    calibration = tmp_path / "calibration" / "lora" / "calibration.json"
    score = {"mean": 0.25, "sd": 0.01}
    scores = {name: score for name in ("ece", "ece_null", "nll", "brier")}
    bins = [{"low": 0.5, "high": 0.6, "n": 0, "accuracy": {"absent": "no items"}},
            {"low": 0.6, "high": 1.0, "n": 40, "accuracy": 0.75}]  # fmt: skip
    write_json(calibration, {
        "mean": {"temperature": {"mean": 1.5, "sd": 0.25}, "before": scores, "after": scores},
        "bins": {"before": bins, "after": bins},
    })  # fmt: skip
    crossing = {"threshold": -2.5, "low": {"absent": "beyond the stimuli"}, "high": 1.0,
                "n_items": 90, "n_groups": 30, "level": 0.75}  # fmt: skip
    write_json(tmp_path / "thresholds" / "thresholds.json", {"lora": {"snr_db": crossing}})
    found = tmp_path / "prompts" / "opro" / "prompt.json"
    write_json(found, {
        "prompt": "Is it {speech} & 100% of it? A or B_1", "dev_score": 0.75, "metric": "accuracy",
        "baseline_dev_score": 0.5, "evaluated": 12, "proposed": 30, "dropped_in_all": 20,
        "dropped": {"too long": 15, "scored before": 5},
    })  # fmt: skip
    labels = {"model": "M", "method": "L", "prompt": "P", "trivial": False}
    (tmp_path / "tables").mkdir()
    tables(
        statistics=statistics, calibrations=[calibration],
        thresholds=[tmp_path / "thresholds" / "thresholds.json"], selections=[rank],
        agreements=[text], checkpoints=checkpoints, searches=[found],
        study="toy", variants={name: {**labels, "spoken": name.upper()} for name in names},
        metrics={"accuracy": asdict(Metric("accuracy"))}, comparisons=[], reference="base",
        agreement=[("base", "base-text")],
        called={
            "searches": {"opro": "BASE with OPRO"}, "axes": {"snr_db": "SNR (dB)"},
            "trainings": {"lora": "LORA", "mlp": "LORA + MLP"},
        },
        out=tmp_path / "tables",
    )  # fmt: skip
    return tmp_path


def cells(made: Path, name: str) -> dict[str, dict[str, Any]]:
    content = read_json(made / "tables" / f"{name}.json")
    columns = [column["name"] for column in content["columns"]]
    return {row["name"]: dict(zip(columns, row["cells"], strict=True)) for row in content["rows"]}


OF_ANSWERS = {
    "kinds",
    "wins",
    "ranking",
    "abstention",
    "measures",
    "behaviour",
}  # see test_answers.py
FEEDBACK = {"traits", "common", "validity", "explanations"}  # tested with its benchmark
OF_SETS = {"diversity", "quality", "passing", "changes", "objectives", "spending"}  # test_sets.py
OTHERS = {"comparison", "tests", "per-seed", "rubric", "sweeps"}  # test_tables, solutions, sweep
EVERY = sorted({*TABLES} - OTHERS - OF_ANSWERS - FEEDBACK - OF_SETS)


@pytest.mark.parametrize("name", EVERY)
def test_every_value_stands_at_its_source(made: Path, name: str) -> None:
    found = 0
    for row in cells(made, name).values():
        for cell in row.values():
            for value, source in zip(cell["values"], cell["sources"], strict=True):
                document = read_json(made / source["input"] / source["file"])
                assert follow(document, source["pointer"]) == value
                found += 1
    assert found > 2


def test_the_chosen_one_is_bold(made: Path) -> None:
    grid = cells(made, "grid")
    assert {n: row["value"]["bold"] for n, row in grid.items()} == {
        "rank/rank-r4": False, "rank/rank-r8": True,
    }  # fmt: skip
    assert grid["rank/rank-r8"]["value"]["text"] == "78.0"


def test_measured_numbers_are_marked_and_averaged_over_seeds(made: Path) -> None:
    cost = cells(made, "cost")["mlp"]
    assert cost["seconds"]["text"] == "15"
    assert cost["seconds"]["values"] == [10.0, 20.0]
    for name in ("cost", "speed"):
        assert read_json(made / "tables" / f"{name}.json")["measured"] is True
    for name in ("grid", "adapters", "agreement"):
        assert read_json(made / "tables" / f"{name}.json")["measured"] is False


def test_recipes_and_stimuli_are_called_what_the_configuration_calls_them(made: Path) -> None:
    assert cells(made, "adapters")["mlp"]["training"]["text"] == "LORA + MLP"
    assert cells(made, "cost")["mlp"]["training"]["text"] == "LORA + MLP"
    assert cells(made, "thresholds")["lora/snr_db"]["axis"]["text"] == "SNR (dB)"


def test_both_paths_are_named_after_the_model(made: Path) -> None:
    row = cells(made, "speed")["base-text"]
    assert (row["variant"]["text"], row["options"]["text"], row["ratio"]["text"]) == (
        "BASE", "4.0", "5.0",
    )  # fmt: skip
    assert cells(made, "agreement")["base-text"]["agreement"]["text"] == "99.0 [97.0, 100.0]"


def test_an_adapter_with_more_targets_has_more_parameters(made: Path) -> None:
    rows = cells(made, "adapters")
    assert rows["mlp"]["percent"]["text"] == "2.00"
    assert rows["lora"]["trainable"]["values"] == [800]


def test_probabilities_and_thresholds(made: Path) -> None:
    row = cells(made, "calibration")["lora"]
    assert row["temperature"]["text"] == "1.50 ± 0.25"
    assert row["nll/after"]["text"] == "0.250"
    confidence = cells(made, "confidence")["lora/before"]
    assert confidence["0.5-0.6"]["text"] == "–"
    assert confidence["0.6-1"]["text"] == "75.0 (40)"
    row = cells(made, "thresholds")["lora/snr_db"]
    assert row["threshold"]["text"] == "−2.50"
    assert row["low"]["text"] == "n/a (beyond the stimuli)"
    assert "75%" in read_json(made / "tables" / "thresholds.json")["caption"]


def test_a_search_says_what_it_dropped_and_what_it_found(made: Path) -> None:
    row = cells(made, "prompts")["opro"]
    said = {name: cell["text"] for name, cell in row.items()}
    assert said.pop("prompt") == "Is it {speech} & 100% of it? A or B_1"
    assert said == {
        "search": "BASE with OPRO", "proposed": "30", "dropped": "20", "evaluated": "12",
        "baseline_dev_score": "50.0", "dev_score": "75.0",
    }  # fmt: skip
    content = read_json(made / "tables" / "prompts.json")
    assert content["notes"] == ["Dropped, by reason: BASE with OPRO: scored before 5, too long 15."]
    typeset = (made / "tables" / "prompts.tex").read_text()
    assert r"Is it \{speech\} \& 100\% of it? A or B\_1" in typeset


def test_what_an_absent_value_would_hold_is_absent_for_its_reason(tmp_path: Path) -> None:
    absent = {"absent": "one reply is no set"}
    found = {"retrieval": {"distinct": {"mean": absent, "seeds_and_items": absent}}}
    write_json(tmp_path / "variants.json", found)
    write_json(tmp_path / "comparisons.json", [])
    read = Statistics(tmp_path)
    value, source = read.variant("retrieval", "distinct", "seeds_and_items", "low")
    assert value == Absent("one reply is no set")
    assert source.pointer == "/retrieval/distinct/seeds_and_items"
