"""Stage `calibration`: the temperature that dev asks for, and what it does to the test split.

A model's confidence is the probability of the option that it chooses, over the options. Dividing
the logits by a temperature changes it, and no answer.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import Absent, write_json
from regen.records import read_predictions
from regen.statistics.calibration import (
    brier,
    calibration_error,
    confidence_bins,
    fit_temperature,
    nll,
    probabilities,
)

Value = float | Absent
QUANTILES = 10
"""Points of a reliability diagram: bins of equal mass."""
SCORES = ("nll", "brier", "ece", "ece_null", "ece_null_high", "accuracy")


def calibrate(
    *,
    dev: list[Path],
    test: list[Path],
    benchmark: str,
    temperatures: list[float],
    out: Path,
) -> None:
    """Write calibration.json: {runs, mean, bins, reliability}.

    dev, test: predictions.jsonl of the same runs, one a seed, from the options' logits
    temperatures: of a sweep on dev, for comparison with the fitted one

    runs: a record a run: seed, temperature (fitted on dev), sweep (on dev), before and after (on
    test: NLL, Brier score, ECE with the mean and the 95% quantile of its null, accuracy); mean:
    over the runs; bins and reliability: of all runs' answers on test, before and after, by
    confidence in fixed bins and in bins of equal mass. Raises InputError for predictions without
    logits.
    """
    runs: list[dict[str, Any]] = []
    answers = []
    for on_dev, on_test in zip(dev, test, strict=True):
        seed, z, y = read_logits(on_dev, benchmark)
        _, z_test, y_test = read_logits(on_test, benchmark)
        fitted = fit_temperature(z, y)
        used = 1.0 if isinstance(fitted, Absent) else fitted
        answers.append((z_test, y_test, used))
        runs.append(
            {
                "seed": seed,
                "temperature": fitted,
                "sweep": [{"temperature": t, **scores(z, y, t)} for t in temperatures],
                "dev": scores(z, y, used),
                "before": scores(z_test, y_test, 1.0),
                "after": scores(z_test, y_test, used),
            }
        )
    write_json(
        out / "calibration.json",
        {
            "runs": runs,
            "mean": {
                "temperature": mean([run["temperature"] for run in runs]),
                **{
                    when: {name: mean([run[when][name] for run in runs]) for name in SCORES}
                    for when in ("before", "after")
                },
            },
            "bins": {when: _bins(answers, when) for when in ("before", "after")},
            "reliability": {when: _reliability(answers, when) for when in ("before", "after")},
        },
    )


def read_logits(path: Path, benchmark: str) -> tuple[int | str, np.ndarray, np.ndarray]:
    """(seed or "base", logits (n, options), index of the right option (n,)) of a run."""
    task = get_benchmark(benchmark)
    means = [task.extract_answer(option) for option in task.options]
    records = read_predictions(path)
    logits, targets = [], []
    for record in records:
        if record.options is None or set(record.options) != set(task.options):
            raise InputError(
                f"{path}: item {record.item!r} has no logits of {', '.join(task.options)}; "
                "calibrate a variant whose decoding has mode options"
            )
        logits.append([record.options[option]["logit"] for option in task.options])
        targets.append(means.index(record.target))
    seed = records[0].seed if records and records[0].seed is not None else "base"
    return seed, np.array(logits), np.array(targets)


def scores(z: np.ndarray, y: np.ndarray, temperature: float) -> dict[str, Value]:
    """How good the probabilities of one run are at a temperature."""
    confidence, right = confidences(z, y, temperature)
    error = calibration_error(confidence, right)
    return {
        "nll": nll(z, y, temperature),
        "brier": brier(z, y, temperature),
        "ece": error.error,
        "ece_null": error.null_mean,
        "ece_null_high": error.null_high,
        "ece_p": error.p,
        "accuracy": float(right.mean()),
    }


def confidences(z: np.ndarray, y: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """(probability of the chosen option, whether it was right), both (n,)."""
    p = probabilities(z, temperature)
    # Chosen from the logits: a tie is broken alike at every temperature.
    chosen = z.argmax(1)
    return p[np.arange(len(p)), chosen], chosen == y


def mean(values: Sequence[Value]) -> dict[str, Value]:
    """{"mean", "sd"} over the runs that have it; why not, if none has."""
    known = [value for value in values if not isinstance(value, Absent)]
    if not known:
        none = next(value for value in values if isinstance(value, Absent))
        return {"mean": none, "sd": none}
    spread: Value = Absent("one run")
    if len(known) > 1:
        spread = float(np.std(known, ddof=1))
    return {"mean": float(np.mean(known)), "sd": spread}


def _pooled(answers: Sequence[tuple[np.ndarray, np.ndarray, float]], when: str) -> Any:
    """Confidence and correctness of all runs' answers, each at its run's temperature."""
    found = [confidences(z, y, 1.0 if when == "before" else t) for z, y, t in answers]
    return np.concatenate([c for c, _ in found]), np.concatenate([ok for _, ok in found])


def _bins(answers: Sequence[Any], when: str) -> list[dict[str, Any]]:
    """By confidence in [.5, .6), ..., [.9, 1]; n counts the answers of all runs."""
    rows = confidence_bins(*_pooled(answers, when))
    return [
        {"low": b.low, "high": b.high, "n": b.n, "confidence": b.confidence, "accuracy": b.accuracy}
        for b in rows
    ]


def _reliability(answers: Sequence[Any], when: str) -> list[dict[str, float]]:
    """Mean confidence and accuracy in bins of equal mass, the least confident first."""
    confidence, right = _pooled(answers, when)
    parts = np.array_split(np.argsort(confidence, kind="stable"), QUANTILES)
    return [
        {
            "confidence": float(confidence[part].mean()),
            "accuracy": float(right[part].mean()),
            "n": len(part),
        }
        for part in parts
        if len(part)
    ]
