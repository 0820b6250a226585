"""A sweep of 500 runs for real, in the smoke form, killed in the middle and gone on with.

It takes some eight minutes: REGEN_500_RUNS=1 pytest tests/test_large_sweep.py
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from copies import copy_project

from regen.files import read_json

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("REGEN_500_RUNS" not in os.environ, reason="REGEN_500_RUNS is not set"),
]

RATES, RANKS = 20, 25
SWEEP = {
    "variant": "sft",
    "learning_rate": [round(1e-4 * (n + 1), 6) for n in range(RATES)],
    "r": list(range(1, RANKS + 1)),
    "seed": 1,
    "metric": "format_accuracy",
}
TABLE = "results/sweep/math/tables/sweeps.md"
SAID = "said.log"
COMMAND = ("snakemake", "--configfile", "config/smoke.yaml", "sweep.yaml", "--cores", "2")


def start(home: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """What it says goes to a file: nobody empties a pipe in the meantime."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (home / SAID).open("w", encoding="utf-8") as said:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=home,
            env=os.environ | {"PATH": path, "PYTHONPATH": str(home / "src")},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def done(home: Path) -> dict[Path, int]:
    """When each run that has ended was finished."""
    runs = (home / "results/sweep/math/sweeps/warm-start").glob("*/manifest.json")
    return {manifest: manifest.stat().st_mtime_ns for manifest in runs}


def test_five_hundred_runs(project: Path, tmp_path: Path) -> None:
    home = copy_project(project, tmp_path / "project")
    sweeps = {"studies": {"math": {"sweeps": {"warm-start": SWEEP}}}, "scale": "sweep"}
    (home / "sweep.yaml").write_text(json.dumps(sweeps), encoding="utf-8")

    killed = start(home, TABLE)
    while len(done(home)) < RATES * RANKS // 5 and killed.poll() is None:
        time.sleep(1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    before = done(home)
    assert RATES * RANKS // 5 <= len(before) < RATES * RANKS

    assert start(home, TABLE).wait() == 0, (home / SAID).read_text()[-6000:]
    after = done(home)
    assert len(after) == RATES * RANKS
    assert {run: when for run, when in after.items() if run in before} == before

    outcomes = [read_json(run.parent / "outcome.json") for run in after]
    assert {outcome["status"] for outcome in outcomes} == {"completed"}
    table = read_json(home / "results/sweep/math/tables/sweeps.json")
    assert len(table["rows"]) > 1
    assert start(home, TABLE, "-n").wait() == 0
    assert "Nothing to be done" in (home / SAID).read_text()
