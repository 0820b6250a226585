"""The same model asked twice: is its text what its logits say, and how much longer does it take?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import Absent, read_json, write_json, write_jsonl
from regen.records import Prediction, read_predictions
from regen.statistics.intervals import wilson


def agreement(*, options: list[Path], generated: list[Path], out: Path) -> None:
    """Compare predictions from logits with those from generated text, run by run.

    options, generated: prediction folders of the same items, one a seed, in the same order; of
    each, predictions.jsonl and timing.json are read

    Writes agreement.json (shares over all runs, their Wilson intervals at n items, and by run),
    items.jsonl (a row an item and run: both answers, the text, why it was not parsed) and
    timing.json (seconds an item on both paths, without loading and reading, and their ratio).
    An answer that was not parsed agrees with nothing. Raises InputError for runs that do not match.
    """
    if len(options) != len(generated):
        raise InputError(f"agreement: {len(options)} runs from logits, {len(generated)} from text")
    runs = [_rows(a, b) for a, b in zip(options, generated, strict=True)]
    by_run = [_shares(rows) for rows in runs]
    n = len(runs[0])
    shares: dict[str, Any] = {}
    for name in ("agreement", "accuracy_options", "accuracy_generated"):
        mean = sum(run[name] for run in by_run) / len(by_run)
        interval = wilson(mean * n, n)
        shares[name] = {"mean": mean, "low": interval.low, "high": interval.high}
    write_json(
        out / "agreement.json",
        {
            **shares,
            "interval": "Wilson, of the mean over runs at n items",
            "n": n,
            "runs": len(runs),
            "unparsed": sum(run["unparsed"] for run in by_run),
            "answers": n * len(runs),
            "by_run": by_run,
        },
    )
    write_jsonl(out / "items.jsonl", [row for rows in runs for row in rows])
    write_json(out / "timing.json", _timing(options, generated))


def _rows(options: Path, generated: Path) -> list[dict[str, Any]]:
    """A row an item of one run, in the order of the items."""
    first = _by_item(options / "predictions.jsonl")
    second = _by_item(generated / "predictions.jsonl")
    if first.keys() != second.keys():
        raise InputError(f"{generated}: has other items than {options}; predict both again")
    rows = []
    for item, a in first.items():
        b = second[item]
        if a.options is None or b.options is not None:
            raise InputError(
                f"agreement: {options} must come from logits (mode options), "
                f"{generated} from text (mode generate)"
            )
        if (a.target, a.seed, a.prompt) != (b.target, b.seed, b.prompt):
            raise InputError(
                f"{generated}: item {item!r} differs from {options} in target, seed or prompt"
            )
        row = {
            "item": item,
            "seed": a.seed,
            "target": a.target,
            "options": a.prediction,
            "generated": b.prediction,
            "text": b.output,
            "error": b.error,
            "agree": b.prediction is not None and a.prediction == b.prediction,
        }
        rows.append({key: value for key, value in row.items() if value is not None})
    return rows


def _by_item(path: Path) -> dict[str, Prediction]:
    return {record.item: record for record in read_predictions(path)}


def _shares(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    n = len(rows)
    return {
        "seed": rows[0].get("seed", "base"),
        "agreement": sum(row["agree"] for row in rows) / n,
        "accuracy_options": sum(row["options"] == row["target"] for row in rows) / n,
        "accuracy_generated": sum(row.get("generated") == row["target"] for row in rows) / n,
        "unparsed": sum("generated" not in row for row in rows),
    }


def _timing(options: Sequence[Path], generated: Sequence[Path]) -> dict[str, Any]:
    """Seconds an item, averaged over the runs, and how many times faster the logits are."""
    measured = [_measured(folder) for folder in (*options, *generated)]
    if any(one is None for one in measured):
        missing = Absent("the predictions' timing.json is not here")
        return {"seconds_per_item_options": missing, "seconds_per_item_generated": missing,
                "ratio": missing}  # fmt: skip
    sizes = {one["batch_size"] for one in measured if one}
    if len(sizes) > 1:
        raise InputError(f"agreement: batches of {sorted(sizes)} items; use one size on both paths")
    seconds = [float(one["seconds_per_item"]) for one in measured if one]
    fast = sum(seconds[: len(options)]) / len(options)
    slow = sum(seconds[len(options) :]) / len(generated)
    return {
        "seconds_per_item_options": fast,
        "seconds_per_item_generated": slow,
        "ratio": slow / fast,
        "batch_size": sizes.pop(),
    }


def _measured(folder: Path) -> dict[str, Any] | None:
    path = folder / "timing.json"
    return dict(read_json(path)) if path.exists() else None
