"""Metric rows through our tracker, MLflow and trackio: seconds to write and to read, as ratios.

    python speed/tracker.py [--rows 10000] [--peer-rows 2000] [--json FILE]

One process writes rows of two metrics a step; then one curve is read again, and, with ours, a
leaderboard of 10,000 experiments and a million metric rows. MLflow (SQLite store) and trackio are
left out where they are not installed. Peers get fewer rows; what is compared is seconds a row.
trackio hands rows to a thread of its own, so its time ends with `finish`, which waits for them.
"""

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

from regen.files import Absent, write_json
from regen.tracking import ExperimentTracker, LocalBackend, generate_leaderboard

Seconds = float | Absent


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def row(step: int) -> dict[str, float]:
    return {"loss": 1 / (1 + step), "reward": step / 7}


def ours(rows: int) -> tuple[float, float]:
    """Seconds a row to write, and to read a curve."""
    tracker = ExperimentTracker()
    name = tracker.start_experiment({"rows": rows})

    def write() -> None:
        for step in range(rows):
            tracker.log_metrics(row(step), step=step)
        tracker.finish_experiment()

    written = timed(write)
    assert len(LocalBackend().get_metrics(name)) == rows
    return written / rows, timed(lambda: LocalBackend().get_metrics(name)) / rows


def mlflow(rows: int) -> tuple[float, float]:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

    client = MlflowClient("sqlite:///mlflow.db")
    run = client.create_run(client.create_experiment("speed")).info.run_id

    def write() -> None:
        for step in range(rows):
            now = int(time.time() * 1000)
            metrics = [Metric(key, value, now, step) for key, value in row(step).items()]
            client.log_batch(run, metrics=metrics)
        client.set_terminated(run)

    written = timed(write)
    assert len(client.get_metric_history(run, "loss")) == rows
    return written / rows, timed(lambda: client.get_metric_history(run, "loss")) / rows


def trackio(rows: int) -> tuple[float, float]:
    os.environ["TRACKIO_DIR"] = str(Path("trackio").resolve())
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    trackio.init(project="speed", name="run")

    def write() -> None:
        for step in range(rows):
            trackio.log(row(step), step=step)
        trackio.finish()

    written = timed(write)
    assert len(SQLiteStorage.get_logs("speed", "run")) == rows
    return written / rows, timed(lambda: SQLiteStorage.get_logs("speed", "run")) / rows


def leaderboard(experiments: int = 10_000, rows: int = 100) -> tuple[float, float]:
    """Seconds for a leaderboard without an index, and with one."""
    folder = Path("many")
    folder.mkdir()
    draw = random.Random(0)
    for number in range(experiments):
        events: list[dict[str, object]] = [
            {"event": "start", "time": 1.8e9 + number, "config": {"r": 8}, "captured": {}}
        ]
        for step in range(rows):
            values = {"loss": draw.random()}
            events.append({"event": "metrics", "time": 1.8e9, "step": step, "values": values})
        scores = {"accuracy": draw.random()}
        events.append(
            {"event": "evaluation", "time": 1.8e9, "benchmark": "sums", "metrics": scores}
        )
        events.append({"event": "finish", "time": 1.8e9, "status": "completed"})
        name = f"exp_20260101_000000_{number:08x}.jsonl"
        (folder / name).write_text("".join(json.dumps(event) + "\n" for event in events))

    def ask() -> None:
        generate_leaderboard("sums", db_path="many.db")

    first = timed(ask)
    return first, min(timed(ask) for _ in range(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--peer-rows", type=int, default=2_000)
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    output = arguments.json.resolve() if arguments.json else None

    write: dict[str, Seconds] = {}
    read: dict[str, Seconds] = {}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        write["ours"], read["ours"] = ours(arguments.rows)
        for peer in (mlflow, trackio):
            name = peer.__name__
            try:
                write[name], read[name] = peer(arguments.peer_rows)
            except ImportError:
                write[name] = read[name] = Absent(f"{name} is not installed")
        first, again = leaderboard()

    for what, seconds in (("write", write), ("read", read)):
        for name, found in seconds.items():
            said = str(found) if isinstance(found, Absent) else f"{found * 1e6:10.1f} us a row"
            print(f"{what:6} {name:8} {said}")
    ratios = {
        f"{what}, {name} / ours": found if isinstance(found, Absent) else found / seconds["ours"]
        for what, seconds in (("write", write), ("read", read))
        for name, found in seconds.items()
        if name != "ours"
    }
    for name, ratio in ratios.items():
        print(f"{name:24} {ratio if isinstance(ratio, Absent) else f'{ratio:8.1f}'}")
    said = f"{again:.2f} s ({first:.1f} s without an index)"
    print(f"leaderboard of 10,000 experiments, 1,000,000 rows: {said}")
    if output:
        board = {"with_index": again, "without_index": first}
        figures = {"write": write, "read": read, "ratios": ratios, "leaderboard_seconds": board}
        write_json(output, figures)


if __name__ == "__main__":
    main()
