"""W&B without a login, and MLflow in a SQLite store: really run, where they are installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from regen.tracking import ExperimentTracker, LocalBackend

LOG = """
from regen.tracking import ExperimentConfig, ExperimentTracker
tracker = ExperimentTracker(backends=["local", {backend!r}], wandb_project="study")
print(tracker.start_experiment(ExperimentConfig(lora_rank=16), "first", "a note"))
for step in (0, 1, 2, 1):
    tracker.log_metrics({{"loss": 1.0 + step}}, step=step)
tracker.log_checkpoint("checkpoints/2", step=2)
samples = [{{"item": "a", "correct": True}}, {{"item": "b", "correct": False}}]
tracker.log_evaluation("gsm8k", {{"metrics": {{"accuracy": 0.5}}, "samples": samples}})
tracker.finish_experiment({status!r})
"""


def log(backend: str, status: str = "completed") -> subprocess.CompletedProcess[str]:
    home = {"HOME": os.getcwd(), "NETRC": "none"}  # whoever runs the test may have a login
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "MLFLOW"))}
    return subprocess.run(
        [sys.executable, "-c", LOG.format(backend=backend, status=status)],
        env=environment | home,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_wandb_without_a_login_is_kept_offline_and_says_so(workdir: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed (extra: wandb)")
    done = log("wandb")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "no login, so kept offline; later: wandb sync " in done.stderr
    name = done.stdout.split()[0]
    (record,) = Path("wandb").glob(f"offline-run-*/run-{name}.wandb")
    assert str(record.parent) in done.stderr
    content = record.read_bytes()
    for expected in (b"lora_rank", b"loss", b"gsm8k/accuracy", b"a note", b"first"):
        assert expected in content, expected
    assert LocalBackend().get_experiment(name)["status"] == "completed"


@pytest.mark.slow
def test_mlflow_holds_the_same_run(workdir: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed (extra: mlflow)")
    from mlflow.tracking import MlflowClient

    done = log("mlflow", "failed")
    assert done.returncode == 0, done.stderr
    assert "not recorded" not in done.stderr
    client = MlflowClient("sqlite:///mlflow.db")
    known = client.get_experiment_by_name("study")
    (run,) = client.search_runs([known.experiment_id])
    assert run.info.run_name == "first" and run.info.status == "FAILED"
    assert run.data.params["lora_rank"] == "16"
    assert run.data.tags["experiment_id"] == done.stdout.split()[0]
    history = client.get_metric_history(run.info.run_id, "loss")
    assert sorted((m.step, m.value) for m in history) == [(0, 1), (1, 2), (1, 2), (2, 3)]
    assert run.data.metrics["gsm8k/accuracy"] == 0.5
    path = client.download_artifacts(run.info.run_id, "evaluations/gsm8k.json")
    assert len(json.loads(Path(path).read_text())["samples"]) == 2


def test_what_a_remote_cannot_take_is_said_once_and_does_not_stop(
    workdir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from regen.tracking import remote

    class Broken:
        def __init__(self, *arguments: object) -> None: ...
        def start(self, *arguments: object) -> None: ...
        def log_metrics(self, *arguments: object) -> None:
            raise ConnectionError("the server\nis gone")

    monkeypatch.setattr(remote, "WandbBackend", Broken)
    tracker = ExperimentTracker(backends=["wandb", "local"])
    name = tracker.start_experiment({})
    for step in range(3):
        tracker.log_metrics({"loss": 1.0}, step)
    tracker.finish_experiment()
    assert LocalBackend().get_experiment(name)["metrics"]["loss"]["n"] == 3
    said = capsys.readouterr().err
    assert said == "wandb: not recorded there any more (the server is gone)\n"
