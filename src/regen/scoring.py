"""What each answer is worth: the benchmark's metrics, item by item, and their means."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regen.benchmarks.base import Item, Metrics
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import Absent, write_json, write_jsonl
from regen.records import Prediction, read_predictions


def score(
    *, predictions: Path, data: Path, benchmark: str, split: str, limit: int, out: Path
) -> None:
    """Score a predictions.jsonl against the first `limit` items of its split.

    Writes items.jsonl (a row an item: item, group, variant, seed, metrics, facets, target,
    prediction, error; the last two where there is one sample) and summary.json (means of the
    metrics with their n, failures by reason). Raises InputError unless the predictions are
    for exactly these items, with as many samples for each.
    """
    task = get_benchmark(benchmark)
    items = {item.item: item for item in task.load_dataset(data, split, limit)}
    samples: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in read_predictions(predictions):
        samples[prediction.item].append(prediction)
    _check(predictions, items, samples)

    rows = [
        _row(item, samples[name], task.score(item, samples[name])) for name, item in items.items()
    ]
    reasons = Counter(p.error for found in samples.values() for p in found if p.error)
    write_jsonl(out / "items.jsonl", rows)
    write_json(
        out / "summary.json",
        {
            "n": len(rows),
            "groups": len({item.group for item in items.values()}),
            "samples": len(next(iter(samples.values()))),
            "metrics": {
                name: mean([row["metrics"][name] for row in rows]) for name in task.metrics
            },
            "failures": dict(reasons),
        },
    )


def mean(values: Sequence[float | Absent]) -> dict[str, Any]:
    """{"mean", "n", "absent"}: of the items that have the metric; why the others have not."""
    present = [value for value in values if not isinstance(value, Absent)]
    reasons = Counter(value.reason for value in values if isinstance(value, Absent))
    average: float | Absent = Absent("no item has this metric")
    if present:
        average = sum(present) / len(present)
    return {"mean": average, "n": len(present), "absent": dict(reasons)}


def _row(item: Item, found: Sequence[Prediction], metrics: Metrics) -> dict[str, Any]:
    row: dict[str, Any] = {
        "item": item.item,
        "group": item.group,
        "variant": found[0].variant,
        "metrics": metrics,
        "facets": item.facets,
        "target": item.target,
    }
    optional: dict[str, Any] = {"seed": found[0].seed}
    if len(found) == 1:
        optional |= {"prediction": found[0].prediction, "error": found[0].error}
    return row | {key: value for key, value in optional.items() if value is not None}


def _check(path: Path, items: dict[str, Item], samples: dict[str, list[Prediction]]) -> None:
    """The predictions are one variant's, for these items and targets, complete and only once."""
    missing = [name for name in items if name not in samples]
    unknown = [name for name in samples if name not in items]
    if missing or unknown:
        what = f"item {missing[0]!r} is missing" if missing else f"item {unknown[0]!r} is unknown"
        raise InputError(f"{path}: {what}: made from other data or truncated; predict again")
    first = next(iter(samples.values()))
    expected = list(range(len(first)))
    for name, found in samples.items():
        if [prediction.sample for prediction in found] != expected:
            raise InputError(f"{path}: item {name!r} has other samples than others; predict again")
        for prediction in found:
            if (prediction.variant, prediction.seed) != (first[0].variant, first[0].seed):
                raise InputError(
                    f"{path}: item {name!r} is of another variant or seed; predict again"
                )
            if prediction.target != items[name].target:
                raise InputError(f"{path}: item {name!r} had another target; predict again")
