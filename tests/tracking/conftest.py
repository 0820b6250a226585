"""Experiments in the current folder, and the command line on them."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from regen.cli import app
from regen.tracking import ExperimentTracker

Cli = Callable[..., Any]


@pytest.fixture
def cli(workdir: Path) -> Cli:
    """`regen experiments ...` in the current folder: what it printed, read if it was JSON."""

    def call(*arguments: str) -> Any:
        done = CliRunner().invoke(app, ["experiments", *arguments], catch_exceptions=True)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return call


@pytest.fixture
def sweep(workdir: Path) -> dict[str, str]:
    """{name: id} of a sweep of learning rates x ranks: accuracy rises with the rank alone, and the
    last run raises."""
    tracker = ExperimentTracker()
    ids: dict[str, str] = {}
    draw = random.Random(0)
    for rate in (1e-5, 5e-5, 1e-4):
        for rank in (8, 16, 32):
            name = f"lr{rate:g}-r{rank}"
            config = {"lora": {"r": rank}, "learning_rate": rate, "seed": 42, "optimizer": "adamw"}
            try:
                with tracker.experiment(config, name) as ids[name]:
                    if name == "lr0.0001-r32":
                        raise RuntimeError("it diverged")
                    for step in range(20):
                        tracker.log_metrics({"loss": 1 / (1 + step) + draw.random()}, step)
                    right = [number < rank + 40 + 10 * (rank == 32) for number in range(100)]
                    samples = [{"item": f"q{i}", "correct": ok} for i, ok in enumerate(right)]
                    metrics = {"accuracy": sum(right) / 100}
                    tracker.log_evaluation("sums", {"metrics": metrics, "samples": samples})
            except RuntimeError:
                pass
    return ids
