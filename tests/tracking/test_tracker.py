"""What is logged comes back, whatever happens to the process, the files and the index."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from regen.errors import InputError
from regen.tracking import (
    ExperimentConfig,
    ExperimentTracker,
    LocalBackend,
    generate_leaderboard,
)
from regen.tracking.events import ID, read_rows

WRITER = """
import sys
from regen.tracking import ExperimentTracker
tracker = ExperimentTracker()
print(tracker.start_experiment({"writer": sys.argv[1]}), flush=True)
for step in range(int(sys.argv[2])):
    tracker.log_metrics({"loss": step / 7, "reward": -step}, step=step)
tracker.finish_experiment()
"""


def event_file(name: str) -> Path:
    return Path("experiments", f"{name}.jsonl")


def test_the_configuration_has_the_documented_defaults_and_takes_more() -> None:
    config = ExperimentConfig(lora_rank=16, snr_db=-5)
    values = config.to_dict()
    assert values["base_model"] == "google/gemma-3-1b-it"
    assert (values["num_steps"], values["learning_rate"], values["beta"]) == (500, 5e-5, 0.1)
    assert (values["lora_rank"], values["snr_db"]) == (16, -5)
    assert ExperimentConfig.from_dict(values) == config
    with pytest.raises(InputError, match="num_steps"):
        ExperimentConfig.from_dict({"num_steps": "many"})


def test_everything_that_is_logged_comes_back(workdir: Path) -> None:
    tracker = ExperimentTracker(backends=["local"], db_path="experiments.db")
    name = tracker.start_experiment(ExperimentConfig(), experiment_name="first", notes="a note")
    assert ID.fullmatch(name)
    for step, loss in enumerate([3.0, 1.0, 2.0]):
        tracker.log_metrics({"loss": loss}, step=step)
    tracker.log_checkpoint("checkpoints/2", step=2)
    samples = [{"item": "a", "correct": True}, {"item": "b", "correct": False}]
    result = {"accuracy": 0.5, "num_samples": 2, "samples": samples, "model": "m"}
    tracker.log_evaluation("gsm8k", result)
    tracker.finish_experiment(status="completed")

    backend = LocalBackend("experiments.db")
    found = backend.get_experiment(name)
    assert (found["name"], found["notes"], found["status"]) == ("first", "a note", "completed")
    assert ExperimentConfig.from_dict(found["config"]) == ExperimentConfig()
    assert found["metrics"]["loss"] == {
        "n": 3, "last": 2.0, "last_step": 2, "low": 1.0, "low_step": 1, "high": 3.0, "high_step": 0,
    }  # fmt: skip
    assert [row["values"]["loss"] for row in backend.get_metrics(name)] == [3.0, 1.0, 2.0]
    assert found["checkpoints"] == [{"step": 2, "path": "checkpoints/2"}]
    assert [one["id"] for one in backend.get_all_experiments()] == [name]
    kept = backend.get_evaluation_results(name, "gsm8k")
    assert kept["samples"] == samples
    assert kept["metrics"] == {"accuracy": 0.5, "num_samples": 2}
    assert kept["model"] == "m"
    with pytest.raises(InputError, match="there are: gsm8k"):
        backend.get_evaluation_results(name, "humaneval")


def test_git_and_machine_are_captured_without_being_asked(workdir: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    (workdir / "file").write_text("one")
    for command in (["init", "-q", "-b", "trunk"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    (workdir / "file").write_text("two")
    name = ExperimentTracker().start_experiment({})
    found = LocalBackend().get_experiment(name)["captured"]
    assert found["git"] == {"commit": head.stdout.strip(), "branch": "trunk", "dirty": True}
    assert found["python"] == sys.version.split()[0]
    assert found["device"] in ("cpu", "cuda", "mps")
    assert found["user"] and found["host"] and found["process"] == os.getpid()


def test_a_loss_that_is_no_number_is_recorded_as_absent(workdir: Path) -> None:
    tracker = ExperimentTracker()
    name = tracker.start_experiment({})
    for value in (1.0, math.nan, math.inf, 3.0):
        tracker.log_metrics({"loss": value})
    assert LocalBackend().get_experiment(name)["metrics"]["loss"]["n"] == 2
    rows = LocalBackend().get_metrics(name)
    assert rows[1]["values"]["loss"] == {"absent": "not a finite number: nan"}


def test_what_raises_is_recorded_as_failed_and_the_rest_goes_on(sweep: dict[str, str]) -> None:
    states = {one["name"]: one for one in LocalBackend().get_all_experiments()}
    assert len(states) == 9
    assert states["lr0.0001-r32"]["status"] == "failed"
    assert "it diverged" in states["lr0.0001-r32"]["error"]
    assert sum(one["status"] == "completed" for one in states.values()) == 8


def test_two_at_once_and_none_are_refused(workdir: Path) -> None:
    tracker = ExperimentTracker()
    with pytest.raises(InputError, match="no experiment is running"):
        tracker.log_metrics({"loss": 1})
    tracker.start_experiment({})
    with pytest.raises(InputError, match="still running"):
        tracker.start_experiment({})
    with pytest.raises(InputError, match="did you mean 'wandb'"):
        ExperimentTracker(backends=["wand"])


def test_eight_processes_at_once_lose_nothing(workdir: Path) -> None:
    rows = 10_000
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(i), str(rows)], stdout=subprocess.PIPE, text=True
        )
        for i in range(8)
    ]
    backend = LocalBackend()
    while any(writer.poll() is None for writer in writers):
        backend.get_all_experiments()  # a reader meanwhile, who brings the index up to date
        time.sleep(0.1)
    assert [writer.returncode for writer in writers] == [0] * 8
    found = backend.get_all_experiments(status="completed")
    assert sorted(one["config"]["writer"] for one in found) == [str(i) for i in range(8)]
    for one in found:
        metrics = backend.get_experiment(one["id"])["metrics"]
        assert metrics["loss"]["n"] == metrics["reward"]["n"] == rows
        assert metrics["loss"]["last"] == pytest.approx((rows - 1) / 7)
        steps = [row["step"] for row in backend.get_metrics(one["id"])]
        assert steps == list(range(rows))


def test_kill_loses_at_most_the_row_being_written(workdir: Path) -> None:
    """Every row is logged before it is announced, so all that were announced must be there."""
    code = WRITER.replace("step=step)\n", "step=step)\n    print(step, flush=True)\n")
    writer = subprocess.Popen(
        [sys.executable, "-c", code, "0", "1000000"], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    name = writer.stdout.readline().strip()
    for _ in range(500):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    announced = 500 + len(writer.stdout.read().splitlines())
    writer.wait()
    found = LocalBackend().get_experiment(name)
    assert found["metrics"]["loss"]["n"] >= announced
    assert found["status"] == "died"
    assert found["torn_rows"] == 0


def test_a_torn_last_line_is_survived_and_written_after(workdir: Path) -> None:
    tracker = ExperimentTracker()
    name = tracker.start_experiment({})
    tracker.log_metrics({"loss": 1.0}, step=0)
    with open(event_file(name), "a") as file:
        file.write('{"event": "metrics", "values": {"lo')
    backend = LocalBackend()
    assert backend.get_experiment(name)["metrics"]["loss"]["n"] == 1
    backend.append_to(name, "metrics", values={"loss": 5.0}, step=1)
    found = backend.get_experiment(name)
    assert (found["metrics"]["loss"]["n"], found["torn_rows"]) == (2, 1)
    with open(event_file(name), "a") as file:
        file.write('{"event": "metrics"}\n{"event": "finish", "time": []}\n[1]\n')
    assert backend.get_experiment(name)["torn_rows"] == 4


def test_the_index_comes_back_and_is_only_continued(sweep: dict[str, str]) -> None:
    backend = LocalBackend()
    before = backend.get_all_experiments()
    name = sweep["lr1e-05-r8"]
    full = backend.get_experiment(name)
    Path("experiments.db").unlink()
    assert backend.get_all_experiments() == before
    assert backend.get_experiment(name) == full
    Path("experiments.db").write_bytes(b"no database at all" * 1000)
    assert backend.get_all_experiments() == before
    # What the index has read it does not read again: a change in the past goes unseen.
    lines = event_file(name).read_bytes()
    with open(event_file(name), "r+b") as file:
        file.write(lines.replace(b'"lr1e-05-r8"', b'"LR1e-05-r8"'))
    backend.append_to(name, "metrics", values={"loss": -1.0}, step=99)
    again = backend.get_experiment(name)
    assert again["name"] == "lr1e-05-r8"
    assert again["metrics"]["loss"]["low"] == -1.0
    assert again["metrics"]["loss"]["n"] == full["metrics"]["loss"]["n"] + 1


def test_where_no_index_can_be_written_reading_works(sweep: dict[str, str]) -> None:
    code = (
        "import sqlite3, regen.tracking.index as index\n"
        "real = index._connect\n"
        "def refuse(path):\n"
        "    if path != ':memory:': raise sqlite3.OperationalError('database is locked')\n"
        "    return real(path)\n"
        "index._connect = refuse\n"
        "from regen.tracking import LocalBackend\n"
        "print(len(LocalBackend().get_all_experiments()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "9", done.stderr


def test_a_full_disk_leaves_a_file_that_can_be_read(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = ExperimentTracker()
    name = tracker.start_experiment({})
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[: len(data) // 2]))
    with pytest.raises(OSError, match="No space"):
        tracker.log_metrics({"loss": 1.0}, step=0)
    monkeypatch.setattr(os, "write", write)
    tracker.log_metrics({"loss": 2.0}, step=1)
    tracker.finish_experiment()
    found = LocalBackend().get_experiment(name)
    assert (found["metrics"]["loss"]["n"], found["status"]) == (1, "completed")


def test_rows_are_json_lines(sweep: dict[str, str]) -> None:
    path = event_file(sweep["lr1e-05-r8"])
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert events == ["start", *["metrics"] * 20, "evaluation", "finish"]
    assert all(row for _, _, row in read_rows(path))


def test_looking_where_nothing_was_tracked_leaves_no_trace(workdir: Path) -> None:
    assert LocalBackend().get_all_experiments() == []
    assert list(workdir.iterdir()) == []


@pytest.mark.slow
def test_ten_thousand_experiments_answer_within_a_second(workdir: Path) -> None:
    """A million metric rows: read once, which takes seconds, and then never again."""
    Path("experiments").mkdir()
    start = '{"event": "start", "time": 1, "config": {}, "captured": {}}\n'
    curve = "".join(
        f'{{"event": "metrics", "time": 2, "step": {step}, "values": {{"loss": {step / 7}}}}}\n'
        for step in range(100)
    )
    for number in range(10_000):
        metrics = {"accuracy": number / 1e4}
        score = {"event": "evaluation", "time": 3, "benchmark": "sums", "metrics": metrics}
        event_file(f"exp_20260101_000000_{number:08x}").write_text(
            start + curve + json.dumps(score) + "\n"
        )
    backend = LocalBackend()
    assert backend.statistics()["metric_values"] == 1_000_000
    begun = time.perf_counter()
    board = generate_leaderboard("sums", top=5)
    assert time.perf_counter() - begun < 1
    assert [row["value"] for row in board] == [0.9999, 0.9998, 0.9997, 0.9996, 0.9995]
