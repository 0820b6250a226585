"""What each answer is worth: the benchmark's metrics, item by item, and their means."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regen.benchmarks.base import Item, Metrics, Pairs
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import Absent, write_json, write_jsonl
from regen.records import Prediction, read_predictions


def score(
    *,
    predictions: Path,
    data: Path,
    benchmark: str,
    split: str,
    limit: int,
    out: Path,
    encoder: Path | None = None,
    base: Path | None = None,
    dev: Path | None = None,
    draws: dict[str, Any] | None = None,
) -> None:
    """Score a predictions.jsonl against the first `limit` items of its split.

    encoder: folder of a sentence encoder, for metrics that are a similarity of texts
    draws: {most, ...} if the samples of an item count as a set, see `regen.draws`; base: folder of
    the model whose perplexity is asked, dev: the items.jsonl on which the bar is chosen

    Writes items.jsonl (a row an item: item, group, variant, seed, metrics, facets, target,
    prediction, error; the last two where there is one sample; texts as they were recorded; the
    check of each sample if there are draws) and summary.json (means of the metrics with their n,
    failures by reason; the bar). Raises InputError unless
    the predictions are for exactly these items, with as many samples for each.
    """
    task = get_benchmark(benchmark)
    items = {item.item: item for item in task.load_dataset(data, split, limit)}
    samples: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in read_predictions(predictions):
        samples[prediction.item].append(prediction)
    _same_items(predictions, items, samples)
    said = {name: [task.from_record(items[name], p) for p in samples[name]] for name in items}
    _check(predictions, items, said)

    pairs = {name: task.compared(item, said[name]) for name, item in items.items()}
    similar = similarities(pairs, encoder)
    bar: float | Absent = Absent("no bar was chosen")
    of_draws: dict[str, tuple[Metrics, list[float]]] = {}
    if draws is not None:
        from regen.draws import bar_of, measure

        bar = bar_of(dev, draws["most"]) if dev else bar
        of_draws = measure(task, items, said, encoder=encoder, base=base, bar=bar)
    rows = []
    for name, item in items.items():
        metrics, checks = of_draws.get(name, ({}, []))
        row = _row(item, samples[name], task.score(item, said[name]) | similar[name] | metrics)
        rows.append(row | {"checks": checks} if checks else row)
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
            **({} if draws is None else {"bar": bar}),
        },
    )


def similarities(pairs: dict[str, dict[str, Pairs]], encoder: Path | None) -> dict[str, Metrics]:
    """{item: {metric: mean similarity of its pairs}}; an empty text is like no other one."""
    if encoder is None:
        none = Absent("the study has no encoder")
        return {name: dict.fromkeys(of_item, none) for name, of_item in pairs.items()}
    every = [pair for of_item in pairs.values() for found in of_item.values() for pair in found]
    known: dict[tuple[str, str], float] = dict.fromkeys(every, 0.0)
    asked = [pair for pair in known if all(text.strip() for text in pair)]
    if asked:
        from regen.models.encoder import cosines

        known |= dict(zip(asked, cosines(encoder, asked), strict=True))
    return {
        name: {
            metric: sum(known[pair] for pair in found) / len(found)
            for metric, found in of_item.items()
        }
        for name, of_item in pairs.items()
    }


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
        "target": found[0].target,
    }
    optional: dict[str, Any] = {"seed": found[0].seed}
    if len(found) == 1:
        optional |= {"prediction": found[0].prediction, "error": found[0].error}
    return row | {key: value for key, value in optional.items() if value is not None}


def _same_items(path: Path, items: dict[str, Item], samples: dict[str, list[Prediction]]) -> None:
    """Raise InputError unless the predictions are for exactly these items."""
    missing = [name for name in items if name not in samples]
    unknown = [name for name in samples if name not in items]
    if missing or unknown:
        what = f"item {missing[0]!r} is missing" if missing else f"item {unknown[0]!r} is unknown"
        raise InputError(f"{path}: {what}: made from other data or truncated; predict again")


def _check(path: Path, items: dict[str, Item], samples: dict[str, list[Prediction]]) -> None:
    """The predictions are one variant's, of these targets, with as many samples for each item."""
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
