"""Prediction files of several kinds as scored rows: ours, other tools', a CSV.

A row is {"item", "group", "metrics": {name: number}} and, where known, "target", "seed", "variant".
"""

import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import read_json, read_jsonl
from regen.statistics.runs import Row, Runs, by_item, join_runs

ITEM_COLUMNS = ("item", "id", "doc_id", "example", "index")
TARGET_COLUMNS = ("target", "ground_truth", "label", "reference")
GUESS_COLUMNS = ("prediction", "predicted", "output")
SCORE_COLUMNS = ("score", "correct", "accuracy")


def read_side(
    paths: Sequence[Path],
    name: str,
    groups: dict[str, str] | None = None,
    benchmark: str | None = None,
) -> Runs:
    """One file a run, all of one system. Seeds are those that the rows name, else 1, 2, ...

    One file whose rows name no seed is taken for a frozen model. groups: {item: group}, instead
    of what the files say; benchmark: see `read_rows`. Raises InputError for files that cannot be
    read or do not fit.
    """
    runs: dict[int | None, tuple[Path, dict[str, Row]]] = {}
    for number, path in enumerate(paths, 1):
        rows = read_rows(path, benchmark)
        if groups is not None:
            rows = [{**row, "group": _group_of(row["item"], groups, path)} for row in rows]
        seeds = {row.get("seed") for row in rows}
        if len(seeds) > 1:
            raise InputError(f"{path}: rows are of {len(seeds)} seeds; give one file a seed")
        seed = seeds.pop() if seeds else None
        if seed is None and len(paths) > 1:
            seed = number
        if seed in runs:
            raise InputError(f"{path}: seed {seed} was given by {runs[seed][0]} already")
        runs[seed] = (path, by_item(rows, path))
    return join_runs(name, runs)


def read_rows(path: Path, benchmark: str | None = None) -> list[Row]:
    """Scored rows of a file; its kind is seen from its name and content.

    .csv: an item column; a score, or a prediction and a target; group and seed if they are there
    .json: an object with `predictions` and `ground_truth`, lists in the same order, and perhaps
    `scores`, `groups` and `items` beside them
    .jsonl: scored items or prediction records of this product, or lm-eval's samples
    benchmark: that of prediction records which no manifest beside them says the benchmark of
    """
    if path.suffix == ".csv":
        rows = _from_csv(path)
    elif path.suffix == ".json":
        rows = _from_lists(path)
    else:
        rows = _from_jsonl(path, benchmark)
    if not rows:
        raise InputError(f"{path}: holds no predictions; give the file that a prediction run wrote")
    return rows


def _from_jsonl(path: Path, benchmark: str | None) -> list[Row]:
    rows = read_jsonl(path)
    first = rows[0] if rows else {}
    if "doc_id" in first:
        return _from_lm_eval(rows, path)
    if "item" in first and isinstance(first.get("metrics"), dict):
        return rows
    if "item" in first and "target" in first:
        return _from_records(rows, path, _benchmark_of(path) or benchmark)
    if not rows:
        return []
    raise InputError(
        f"{path}: is none of the known kinds (its rows have {sorted(first)}); "
        "give prediction records, scored items, lm-eval samples, a JSON object or a CSV"
    )


def _from_records(rows: Sequence[Row], path: Path, benchmark: str | None) -> list[Row]:
    """Prediction records: the share of an item's samples that equal the target."""
    _check_equality(path, [row.get("target") for row in rows], benchmark)
    if benchmark is None and not _are_choices(rows):
        raise InputError(
            f"{path}: no manifest.json beside it says of which benchmark these answers are, and "
            "they may be right in other words than their target's; name it with --benchmark, or "
            f"give the scores of the same run instead: {_scores(path)}"
        )
    samples: dict[str, list[Row]] = defaultdict(list)
    for number, row in enumerate(rows, 1):
        if "item" not in row or "target" not in row:
            raise InputError(f"{path}: line {number} has no item or target; predict again")
        samples[row["item"]].append(row)
    return [
        {
            "item": item,
            "group": found[0].get("group", item),
            "seed": found[0].get("seed"),
            "target": found[0]["target"],
            "metrics": {
                "accuracy": sum(row.get("prediction") == row["target"] for row in found)
                / len(found)
            },
        }
        for item, found in samples.items()
    ]


def _are_choices(rows: Sequence[Row]) -> bool:
    """Whether records evidently choose among a few answers: from logits, or targets that recur."""
    if all(row.get("options") for row in rows):
        return True
    target_of = {str(row.get("item")): str(row.get("target")) for row in rows}
    targets = set(target_of.values())
    answers = {str(row["prediction"]) for row in rows if row.get("prediction") is not None}
    return answers <= targets and 2 * len(targets) <= len(target_of)


def scored_by_equality(benchmark: str) -> bool:
    """Whether an answer is right where it equals the target, and nothing else counts.

    No for a benchmark that is not known here: nobody can say how it scores.
    """
    from regen.benchmarks.base import BaseBenchmark
    from regen.benchmarks.registry import get_benchmark

    try:
        kind = type(get_benchmark(benchmark))
    except InputError:
        return False
    return (kind.score, kind.check_answer) == (BaseBenchmark.score, BaseBenchmark.check_answer)


def _check_equality(path: Path, targets: Sequence[Any], benchmark: str | None = None) -> None:
    """Refuse answers whose equality with their targets would say nothing."""
    if any(isinstance(target, str) and target.startswith("sha256:") for target in targets):
        reason = "the targets are recorded as hashes"
    elif benchmark is not None and not scored_by_equality(benchmark):
        reason = f"{benchmark} does not score answers by their equality with a target"
    else:
        return
    raise InputError(f"{path}: {reason}; give the scores of the same run instead: {_scores(path)}")


def _benchmark_of(path: Path) -> str | None:
    """The benchmark that the manifest beside a prediction file names, if there is one."""
    manifest = path.with_name("manifest.json")
    found = read_json(manifest) if manifest.is_file() else None
    params = found.get("params") if isinstance(found, dict) else None
    benchmark = params.get("benchmark") if isinstance(params, dict) else None
    return benchmark if isinstance(benchmark, str) else None


def _scores(path: Path) -> str:
    """Where the scores of a prediction file lie, or would lie."""
    if len(path.parents) > 3 and path.parents[3].name == "predictions":
        study, run = path.parents[4], path.parent.relative_to(path.parents[3])
        scored = study / "scores" / run / "items.jsonl"
        if scored.is_file():
            return str(scored)
    return (
        "results/<scale>/<study>/scores/<variant>/<run>/<split>/items.jsonl (from: regen score), "
        "or what regen predict --save-predictions writes"
    )


def _from_lm_eval(rows: Sequence[Row], path: Path) -> list[Row]:
    """lm-eval's per-sample log: a row a document and filter, its metrics as keys of the row.

    With several filters a metric is called "exact_match,strict-match", as in that tool's results.
    """
    filters = {row.get("filter", "none") for row in rows}
    scored: dict[str, Row] = {}
    for number, row in enumerate(rows, 1):
        item = str(row.get("doc_id"))
        names = row.get("metrics") or [key for key in ("acc", "exact_match") if key in row]
        found = {name: row[name] for name in names if isinstance(row.get(name), int | float)}
        if not found:
            raise InputError(
                f"{path}: line {number} holds no score; log samples with their metrics"
            )
        suffix = f",{row.get('filter', 'none')}" if len(filters) > 1 else ""
        metrics = {f"{name}{suffix}": float(value) for name, value in found.items()}
        entry = scored.setdefault(item, {"item": item, "group": item, "metrics": {}})
        if metrics.keys() & entry["metrics"].keys():
            raise InputError(f"{path}: document {item} stands there twice; give one run's file")
        entry["metrics"].update(metrics)
        entry["target"] = row.get("target")
    return list(scored.values())


def _from_lists(path: Path) -> list[Row]:
    """A JSON object of lists; items are numbered from 0 unless `items` names them.

    `scores`, by the metric called `metric`, are what the answers are worth; without, it is whether
    they equal the true ones. `groups` and `seed` are as in a row.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not {"predictions", "ground_truth"} <= content.keys():
        raise InputError(f"{path}: has no 'predictions' and 'ground_truth'; give such an object")
    guesses, targets = content["predictions"], content["ground_truth"]
    if not isinstance(guesses, list) or not isinstance(targets, list):
        raise InputError(f"{path}: 'predictions' and 'ground_truth' must be lists; export them so")
    if len(guesses) != len(targets):
        raise InputError(f"{path}: {len(guesses)} predictions for {len(targets)} true answers")
    count = len(targets)
    names = _aligned(content, "items", count, path) or list(range(count))
    groups = _aligned(content, "groups", count, path) or names
    metric, scores = "accuracy", _aligned(content, "scores", count, path)
    if scores is None:
        _check_equality(path, targets)
        scores = [float(guess == target) for guess, target in zip(guesses, targets, strict=True)]
    else:
        metric = str(content.get("metric", "score"))
    rows: list[Row] = [
        {"item": str(name), "group": str(group), "target": target, "metrics": {metric: score}}
        for name, group, target, score in zip(names, groups, targets, scores, strict=True)
    ]
    seed = content.get("seed")
    if seed is not None and not isinstance(seed, int):
        raise InputError(f"{path}: 'seed' must be a whole number; name the training's or leave out")
    return rows if seed is None else [{**row, "seed": seed} for row in rows]


def _aligned(content: Row, key: str, count: int, path: Path) -> list[Any] | None:
    """A list that goes with the true answers, if the object has it."""
    values = content.get(key)
    if values is None:
        return None
    if not isinstance(values, list):
        raise InputError(f"{path}: {key!r} must be a list, one value an answer; export it so")
    if len(values) != count:
        raise InputError(f"{path}: {len(values)} {key} for {count} true answers")
    if key != "scores" and any(not isinstance(value, str | int) for value in values):
        raise InputError(f"{path}: {key!r} must be texts or whole numbers; name each or leave out")
    return values


def _from_csv(path: Path) -> list[Row]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if not rows:
        return []
    columns = list(rows[0])
    item, score = _first(columns, ITEM_COLUMNS), _first(columns, SCORE_COLUMNS)
    guess, target = _first(columns, GUESS_COLUMNS), _first(columns, TARGET_COLUMNS)
    if score is None and (guess is None or target is None):
        raise InputError(
            f"{path}: has the columns {columns}, and a score ({', '.join(SCORE_COLUMNS)}) or "
            "a prediction and a target are needed; rename them"
        )
    scored = []
    for number, row in enumerate(rows):
        name = row[item] if item else str(number)
        right = float(row[guess] == row[target]) if score is None and guess and target else 0.0
        entry: Row = {
            "item": name,
            "group": row.get("group") or name,
            "metrics": {score or "accuracy": _number(row[score], path, number) if score else right},
        }
        if target:
            entry["target"] = row[target]
        if row.get("seed"):
            entry["seed"] = int(_number(row["seed"], path, number))
        scored.append(entry)
    return scored


def read_groups(path: Path) -> dict[str, str]:
    """{item: group} from a CSV with these two columns."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if not rows or not {"item", "group"} <= rows[0].keys():
        raise InputError(f"{path}: needs the columns item and group")
    return {row["item"]: row["group"] for row in rows}


def _group_of(item: str, groups: dict[str, str], path: Path) -> str:
    if item not in groups:
        raise InputError(f"{path}: item {item!r} has no group in the file of groups; add it")
    return groups[item]


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in columns), None)


def _number(text: Any, path: Path, row: int) -> float:
    words = {"true": 1.0, "false": 0.0}
    try:
        value = words[text.lower()] if text.lower() in words else float(text)
        json.dumps(value, allow_nan=False)
    except (AttributeError, ValueError):
        raise InputError(f"{path}: row {row + 1} has {text!r} where a number is needed") from None
    return value
