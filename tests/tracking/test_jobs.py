"""Jobs of the chain are experiments without being asked, and never fail of it."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from regen.digests import Digests
from regen.errors import InputError
from regen.files import read_json, write_text
from regen.provenance import Input, Job, listed_outputs, run
from regen.tracking import LocalBackend, generate_leaderboard, sweep_impact
from regen.tracking.jobs import Watch

STAGES = """
import json
from regen.files import write_json, write_jsonl

def train(*, lora, seed, out, data):
    if lora["r"] == 13:
        raise ValueError("no good\\nrank")
    if lora["r"] == 14:
        raise KeyboardInterrupt
    write_jsonl(out / "log.jsonl", [{"step": s, "loss": 1 / s, "lr": 0.1} for s in (1, 2, 3)])
    write_json(out / "summary.json", {"lora": lora})
    write_json(out / "timing.json", {"seconds": __import__("time").time()})

def predict(*, adapter, out, noise=False):
    r = json.loads((adapter / "summary.json").read_text())["lora"]["r"]
    answer = {"r": r, "noise": __import__("time").time_ns() if noise else 0}
    write_jsonl(out / "predictions.jsonl", [answer])

def score(*, predictions, out, benchmark, split):
    r = json.loads(predictions.read_text())["r"]
    rows = [{"item": f"i{i}", "group": "g", "metrics": {"accuracy": float(i < r)}, "facets": {}}
            for i in range(64)]
    write_jsonl(out / "items.jsonl", rows)
    metrics = {"accuracy": {"mean": r / 64, "n": 64, "absent": {}}, "f1": {"mean": {"absent": "x"}}}
    write_json(out / "summary.json", {"n": 64, "metrics": metrics, "failures": {}})
"""
ROOT = "results/smoke/toy"


@pytest.fixture
def project(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_text(workdir / "toy_chain.py", STAGES)
    monkeypatch.syspath_prepend(str(workdir))
    sys.modules.pop("toy_chain", None)
    write_text(workdir / "train.txt", "data")
    return workdir


def training(r: int) -> Job:
    return Job(
        stage="training",
        out=f"{ROOT}/checkpoints/r{r}/seed-1",
        function="toy_chain:train",
        wildcards={"study": "toy", "training": f"r{r}", "seed": "1"},
        inputs={"data": Input("train.txt")},
        params={"lora": {"r": r}, "seed": 1},
        outputs=("log.jsonl", "summary.json"),
        measured=("timing.json",),
    )


def prediction(r: int, **params: Any) -> Job:
    return Job(
        stage="prediction",
        out=f"{ROOT}/predictions/r{r}/seed-1/test",
        function="toy_chain:predict",
        wildcards={"study": "toy", "variant": f"r{r}", "run": "seed-1", "split": "test"},
        inputs={"adapter": Input(None, training(r).out)},
        params=params,
        outputs=("predictions.jsonl",),
    )


def scoring(r: int) -> Job:
    return Job(
        stage="scoring",
        out=f"{ROOT}/scores/r{r}/seed-1/test",
        function="toy_chain:score",
        inputs={"predictions": Input("predictions.jsonl", prediction(r).out)},
        params={"benchmark": "toy", "split": "test"},
        outputs=("items.jsonl", "summary.json"),
    )


def make(*jobs: Job, scratch: bool = False) -> None:
    for job in jobs:
        run(job, Digests(), watch=Watch("smoke", scratch))


def chain_of(r: int) -> list[Job]:
    return [training(r), prediction(r), scoring(r)]


def every() -> list[Mapping[str, Any]]:
    return LocalBackend().get_all_experiments()


def test_a_training_brings_its_curve_and_its_manifest(project: Path) -> None:
    make(training(8))
    (one,) = every()
    found = LocalBackend().get_experiment(one["id"])
    folder = Path(training(8).out)
    assert (found["status"], found["scale"], found["scratch"]) == ("completed", "smoke", False)
    assert found["address"] == str(folder) and found["config"]["lora"] == {"r": 8}
    assert found["metrics"]["loss"]["n"] == 3 and found["metrics"]["loss"]["last_step"] == 3
    assert found["outputs"]["files"] == listed_outputs(folder)
    assert found["job"]["manifest"]["inputs"] == read_json(folder / "manifest.json")["inputs"]
    assert found["checkpoints"] == [{"step": None, "path": str(folder)}]
    make(training(8))  # fresh: nothing runs, nothing is recorded
    assert len(every()) == 1


def test_scores_reach_the_prediction_with_the_trainings_parameters(project: Path) -> None:
    for r in (8, 16, 32):
        make(*chain_of(r))
    board = generate_leaderboard("toy/test")
    assert [row["value"] for row in board] == [0.5, 0.25, 0.125]
    best = LocalBackend().get_experiment(board[0]["id"])
    assert best["stage"] == "prediction" and best["config"]["training"]["lora"]["r"] == 32
    kept = LocalBackend().get_evaluation_results(best["id"], "toy/test")
    assert len(kept["samples"]) == 64 and kept["samples"][0]["group"] == "g"
    assert kept["metrics"]["f1"] == {"absent": "x"}
    impact = {row["parameter"]: row["rho"] for row in sweep_impact("accuracy", "toy/test")}
    assert impact["training.lora.r"] == pytest.approx(1.0)


def test_a_rerun_is_a_new_experiment_at_the_same_address(project: Path) -> None:
    make(*chain_of(8))
    run(prediction(8), Digests(), force=True, watch=Watch("smoke", False))
    run(scoring(8), Digests(), force=True, watch=Watch("smoke", False))
    found = [one for one in every() if one["stage"] == "prediction"]
    assert len(found) == 2 and found[0]["address"] == found[1]["address"]
    assert all(one["scores"] for one in found)


def test_predictions_that_were_pulled_are_an_experiment_once_scored(project: Path) -> None:
    make(*chain_of(8))
    for file in Path("experiments").iterdir():
        file.unlink()
    run(scoring(8), Digests(), force=True, watch=Watch("smoke", False))
    run(scoring(8), Digests(), force=True, watch=Watch("smoke", False))
    (one,) = every()
    assert one["config"]["training"]["lora"] == {"r": 8}
    assert one["notes"] == "recorded results, made elsewhere"
    assert one["scores"]["toy/test"]["accuracy"] == 0.125


def test_what_fails_is_recorded_as_failed_and_still_fails(project: Path) -> None:
    with pytest.raises(ValueError, match="no good"):
        make(training(13))
    with pytest.raises(KeyboardInterrupt):
        make(training(14))
    states = {one["status"]: one for one in every()}
    assert set(states) == {"failed", "interrupted"}
    assert states["failed"]["error"] == "ValueError: no good rank"


def test_tracking_that_is_broken_fails_no_job(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(project / "experiments", "a file where the folder should be")
    make(*chain_of(8))
    assert (project / scoring(8).out / "manifest.json").exists()
    said = capsys.readouterr().err.splitlines()
    assert said and all(line.startswith("experiments: not recorded (") for line in said)


def test_tracking_changes_no_output(project: Path) -> None:
    for job in chain_of(8):
        run(job, Digests())
    before = {p: p.read_bytes() for p in Path("results").rglob("manifest.json")}
    for job in chain_of(8):
        run(job, Digests(), force=True, watch=Watch("smoke", False))
    assert before == {p: p.read_bytes() for p in Path("results").rglob("manifest.json")}


def test_reproduce_says_whether_the_result_is_the_same(project: Path, cli: Any) -> None:
    make(training(8), prediction(8))
    for one in every():
        found = cli("reproduce", one["id"], "--json")
        assert found["same"] is True, found
        assert found["again"].startswith("results/scratch/")
    again = [one for one in every() if one["reproduces"]]
    assert len(again) == 2 and all(one["scratch"] for one in again)
    # The table's own folders were not touched, and the last experiment at them is the first.
    assert {one["address"] for one in every() if not one["scratch"]} == {
        training(8).out,
        prediction(8).out,
    }


def test_reproduce_finds_what_does_not_hold(project: Path, cli: Any) -> None:
    make(training(8))
    noisy = replace(prediction(8, noise=True))
    make(noisy)
    one = next(one for one in every() if one["stage"] == "prediction")
    assert "not the same: predictions.jsonl" in cli("reproduce", one["id"])
    write_text(Path("train.txt"), "other data")
    os.utime("train.txt")
    first = next(one for one in every() if one["stage"] == "training")
    with pytest.raises(InputError, match=r"its input train\.txt is not what it was"):
        cli("reproduce", first["id"])
    Path("train.txt").unlink()
    with pytest.raises(InputError, match=r"its input train\.txt is not there"):
        cli("reproduce", first["id"])


def test_reproduce_says_that_the_code_changed(project: Path, cli: Any) -> None:
    make(training(8))
    (one,) = every()
    path = project / "experiments" / f"{one['id']}.jsonl"
    start, *rest = path.read_text().splitlines(keepends=True)
    event = json.loads(start)
    event["job"]["manifest"]["code"] = {"toy_chain": "0123456789abcdef"}
    path.write_text("".join([json.dumps(event) + "\n", *rest]))
    Path("experiments.db").unlink()
    found = cli("reproduce", one["id"], "--json")
    assert "the code of the stage has changed" in found["notes"][0]


def test_no_stage_reads_experiments(project: Path) -> None:
    """Whatever stands there, statistics and tables are made of scores alone."""
    from regen.code import code_of

    for module in ("statistics.stage", "tables.study", "paper", "figures", "scoring", "training"):
        names = code_of((f"regen.{module}",))
        assert not any(name.startswith("regen.tracking") for name in names), module
