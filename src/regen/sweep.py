"""Stage `sweep`: one run of a sweep: trained, asked on the dev split, and scored; or failed.

A run that diverges, or finds no room, is a result of a sweep: it is written down as failed, and the
other points go on. What is not the run's own doing (a full disk, an interruption) ends the job.
"""

import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import Absent, read_jsonl, write_json, write_text
from regen.prediction import predict
from regen.scoring import score

RUN = ".run"
"""The run's adapter and answers, hidden from the folder's outputs. Removed at the end, but not when
interrupted, so that the training goes on from there."""
KEPT = {"log.jsonl": "adapter", "items.jsonl": "scores"}
FAILURES = (InputError, RuntimeError, FloatingPointError, MemoryError)
"""RuntimeError is what torch says where a GPU has no room."""


def attempt(
    *,
    base: Path,
    data: Path,
    function: str,
    training: dict[str, Any],
    prediction: dict[str, Any],
    scoring: dict[str, Any],
    metric: str,
    out: Path,
    encoder: Path | None = None,
) -> None:
    """Write outcome.json, log.jsonl (a row a step) and items.jsonl (a row an item of dev).

    function: "module:name" that trains; training, prediction, scoring: its parameters, and those of
    `predict` and `score`; metric: of the benchmark

    outcome.json: {status: "completed" | "failed", value: mean of the metric, or absent with the
    reason, n_items, steps, metric}. Of a run that failed the other files are empty.
    """
    run = out / RUN
    value: float | Absent
    try:
        value = _measured(base, data, function, training, prediction, scoring, metric, run, encoder)
    except FAILURES as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        print(f"{out}: failed, {said}", file=sys.stderr)
        value = Absent(said)
    failed = isinstance(value, Absent)
    for name, folder in KEPT.items():
        write_text(out / name, "" if failed else (run / folder / name).read_text(encoding="utf-8"))
    write_json(
        out / "outcome.json",
        {
            "status": "failed" if failed else "completed",
            "metric": metric,
            "value": value,
            "n_items": len(read_jsonl(out / "items.jsonl")),
            "steps": len(read_jsonl(out / "log.jsonl")),
        },
    )
    shutil.rmtree(run, ignore_errors=True)


def _measured(
    base: Path,
    data: Path,
    function: str,
    training: dict[str, Any],
    prediction: dict[str, Any],
    scoring: dict[str, Any],
    metric: str,
    run: Path,
    encoder: Path | None,
) -> float:
    adapter, answers, scores = run / "adapter", run / "answers", run / "scores"
    for folder in (adapter, answers, scores):
        folder.mkdir(parents=True, exist_ok=True)
    module, _, name = function.partition(":")
    getattr(import_module(module), name)(base=base, data=data, **training, out=adapter)
    predict(base=base, adapter=adapter, data=data, **prediction, out=answers)
    said = answers / "predictions.jsonl"
    score(predictions=said, data=data, encoder=encoder, **scoring, out=scores)
    found = [row["metrics"][metric] for row in read_jsonl(scores / "items.jsonl")]
    numbers = [one for one in found if isinstance(one, int | float)]
    if len(numbers) < len(found):
        raise InputError(f"{len(found) - len(numbers)} of {len(found)} items have no {metric}")
    return sum(numbers) / len(numbers)
