"""Scores: means by hand, and predictions that are not for these items."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from toy import Toy, write_data

from regen.benchmarks.base import Item
from regen.benchmarks.registry import register
from regen.errors import InputError
from regen.files import Absent, read_json, read_jsonl
from regen.records import Prediction, write_predictions
from regen.scoring import mean, score


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("toy") / "data", items=8)


def record(number: int, said: str | None, **fields) -> Prediction:
    target = ("TONE", "NOISE")[number % 2]
    given = {"group": f"g{number // 4}", "variant": "v", "prompt": "p", "target": target}
    return Prediction(item=f"test-{number}", prediction=said, **(given | fields))


def run(data: Path, out: Path, records: list[Prediction], benchmark: str = "toy") -> None:
    write_predictions(out / "predictions.jsonl", records)
    score(
        predictions=out / "predictions.jsonl",
        data=data,
        benchmark=benchmark,
        split="test",
        limit=4,
        out=out,
    )


def four(*said: str | None, **fields) -> list[Prediction]:
    return [record(number, answer, **fields) for number, answer in enumerate(said)]


def test_each_item_is_scored_and_failures_are_wrong_and_counted(data: Path, tmp_path: Path) -> None:
    records = four("TONE", "TONE", "TONE")
    records.append(record(3, None, error="empty"))
    run(data, tmp_path, records)
    rows = read_jsonl(tmp_path / "items.jsonl")
    assert [row["metrics"]["accuracy"] for row in rows] == [1, 0, 1, 0]
    assert rows[3]["error"] == "empty"
    assert "prediction" not in rows[3] and "seed" not in rows[3]
    assert set(rows[0]) == {
        "item", "group", "variant", "metrics", "facets", "target", "prediction",
    }  # fmt: skip
    assert rows[0]["facets"].keys() == {"seconds"}
    summary = read_json(tmp_path / "summary.json")
    assert summary["metrics"]["accuracy"] == {"mean": 0.5, "n": 4, "absent": {}}
    assert (summary["n"], summary["groups"], summary["failures"]) == (4, 1, {"empty": 1})


def test_the_seed_is_carried(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path, four("TONE", "TONE", "TONE", "NOISE", seed=42))
    assert {row["seed"] for row in read_jsonl(tmp_path / "items.jsonl")} == {42}


def test_samples_of_an_item_are_one_row(data: Path, tmp_path: Path) -> None:
    records = [record(n, s, sample=i) for n in range(4) for i, s in enumerate(["TONE", "NOISE"])]
    run(data, tmp_path, records)
    rows = read_jsonl(tmp_path / "items.jsonl")
    assert [row["metrics"]["accuracy"] for row in rows] == [0.5] * 4
    assert "prediction" not in rows[0]
    assert read_json(tmp_path / "summary.json")["samples"] == 2


GOOD = ("TONE", "NOISE", "TONE", "NOISE")


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        (four(*GOOD)[:3], "'test-3' is missing"),
        ([*four(*GOOD), record(6, "TONE")], "'test-6' is unknown"),
        ([*four(*GOOD), record(1, "TONE")], "other samples"),
        ([*four(*GOOD)[:3], record(3, "TONE", sample=1)], "other samples"),
        ([*four(*GOOD)[:3], record(3, "TONE", variant="w")], "another variant"),
        ([*four(*GOOD)[:3], record(3, "TONE", seed=1)], "another variant"),
        ([*four(*GOOD)[:3], record(3, "TONE", target="TONE")], "another target"),
        ([], "'test-0' is missing"),
    ],
)
def test_predictions_for_other_items_are_refused(
    data: Path, tmp_path: Path, records: list[Prediction], reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as error:
        run(data, tmp_path, records)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "items.jsonl").exists()


def test_a_truncated_file_is_refused(data: Path, tmp_path: Path) -> None:
    write_predictions(tmp_path / "predictions.jsonl", four(*GOOD))
    text = (tmp_path / "predictions.jsonl").read_text()
    (tmp_path / "predictions.jsonl").write_text(text[:-20])
    with pytest.raises(InputError, match="line 4"):
        score(
            predictions=tmp_path / "predictions.jsonl",
            data=data,
            benchmark="toy",
            split="test",
            limit=4,
            out=tmp_path,
        )


def test_a_metric_that_an_item_has_not_is_left_out_of_the_mean(data: Path, tmp_path: Path) -> None:
    class Partly(Toy):
        name = "partly"
        metrics = ("ratio", "never")

        def score(self, item: Item, predictions):
            ratio = Absent("no voice") if item.target == "NOISE" else 0.25
            return {"ratio": ratio, "never": Absent("not computed")}

    register("partly", Partly)
    run(data, tmp_path, four(*GOOD), benchmark="partly")
    metrics = json.loads((tmp_path / "summary.json").read_text())["metrics"]
    assert metrics["ratio"] == {"mean": 0.25, "n": 2, "absent": {"no voice": 2}}
    assert metrics["never"]["mean"] == {"absent": "no item has this metric"}
    assert metrics["never"]["n"] == 0


def test_the_mean_of_nothing_is_absent() -> None:
    assert isinstance(mean([])["mean"], Absent)


def test_scoring_and_prediction_do_not_import_torch() -> None:
    code = (
        "import sys, regen.scoring, regen.prediction; "
        "print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
