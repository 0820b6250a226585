"""Stage `selection`: the best of several trainings on the dev split, and why."""

from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import read_json, read_jsonl, write_json


def select(
    *,
    scores: list[Path],
    summaries: list[Path],
    metric: str,
    larger_is_better: bool,
    out: Path,
) -> None:
    """Write selection.json: {winner, why, metric, n_items, points}.

    scores: items.jsonl of each training's answers on the dev split;
    summaries: summary.json of the same trainings. A point is {name, r, alpha, targets,
    trainable, value}; they stand in the order given. The best mean wins; ties go to the training
    with fewer trainable parameters, then to the smaller alpha. Raises InputError if the trainings
    did not answer the same items.
    """
    points, items = [], []
    for scored, summary in zip(scores, summaries, strict=True):
        rows = read_jsonl(scored)
        items.append([row["item"] for row in rows])
        points.append(_point(scored, rows, read_json(summary), metric))
    if any(names != items[0] for names in items):
        raise InputError(f"{scores[0]}: other trainings were scored on other items; score again")
    sign = -1 if larger_is_better else 1
    ranked = sorted(points, key=lambda p: (sign * p["value"], p["trainable"], p["alpha"]))
    write_json(
        out / "selection.json",
        {
            "winner": ranked[0],
            "why": _why(ranked),
            "metric": metric,
            "n_items": len(items[0]),
            "points": points,
        },
    )


def _point(
    scored: Path, rows: list[dict[str, Any]], summary: dict[str, Any], metric: str
) -> dict[str, Any]:
    values = [row["metrics"].get(metric) for row in rows]
    if not values or not all(isinstance(value, int | float) for value in values):
        raise InputError(f"{scored}: not every item has a number for {metric}; choose another")
    lora = summary["lora"]
    return {
        "name": scored.parents[2].name,
        "r": lora["r"],
        "alpha": lora["alpha"],
        "targets": lora["targets"],
        "trainable": summary["trainable"],
        "value": sum(values) / len(values),
    }


def _why(ranked: list[dict[str, Any]]) -> str:
    """The reason, in words: the best alone, or the smallest of those that tie."""
    tied = [point for point in ranked if point["value"] == ranked[0]["value"]]
    if len(tied) == 1:
        return "the best on the dev split"
    return f"the smallest of {len(tied)} that tie for the best on the dev split"
