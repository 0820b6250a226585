"""Leaderboards, and experiments side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regen.errors import InputError, nearest
from regen.files import Absent, dumps
from regen.tracking.config import flat
from regen.tracking.local import DATABASE, LocalBackend

SMALLER_IS_BETTER = (
    "loss", "perplexity", "ppl", "mse", "mae", "rmse", "error", "nll", "brier", "ece", "time",
    "seconds", "latency", "memory", "wer", "cer", "self_bleu", "failures",
)  # fmt: skip
"""Words in a metric's name, for metrics that no benchmark describes."""
LAST = " (last)"
"""After the name of a metric that was logged step by step: its last value."""


def larger_is_better(metric: str, benchmark: str | None = None) -> bool:
    """As the benchmark says, else by the words of the metric's name."""
    if benchmark is not None:
        from regen.benchmarks.registry import get_benchmark

        try:
            described = get_benchmark(benchmark.partition("/")[0]).metrics
        except (InputError, ImportError):
            described = {}
        if metric in described:
            return described[metric].larger_is_better
    words = metric.lower().replace("-", "_").replace("/", "_").replace(".", "_")
    return not any(f"_{word}_" in f"_{words}_" for word in SMALLER_IS_BETTER)


def generate_leaderboard(
    benchmark: str,
    metric: str = "accuracy",
    top: int | None = 10,
    *,
    smallest_first: bool | None = None,
    db_path: str | Path = DATABASE,
) -> list[dict[str, Any]]:
    """Experiments by their latest score on a benchmark, the best first: rank, id, name, value, ...

    Equal values share a rank. smallest_first: None asks the benchmark, or the metric's name.
    Raises InputError, naming those there are, for a benchmark or metric that nobody was scored on.
    """
    if smallest_first is None:
        smallest_first = not larger_is_better(metric, benchmark)
    order = "asc" if smallest_first else "desc"
    with LocalBackend(db_path).query() as index:
        query = (
            "select s.id, e.name, s.value, e.status, e.scale, e.scratch, e.started, v.samples "
            "from scores s join experiments e using (id) join evaluations v on v.id = s.id "
            "and v.benchmark = s.benchmark and v.number = (select max(number) from evaluations "
            "where id = s.id and benchmark = s.benchmark) "
            "where s.benchmark = ? and s.metric = ? and e.deleted = 0 "
            f"order by s.value {order}, s.id limit ?"
        )
        rows = index.execute(query, (benchmark, metric, -1 if top is None else top)).fetchall()
        if not rows:
            _explain_empty(index, benchmark, metric)
    board: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 1):
        tied = board and board[-1]["value"] == row["value"]
        rank = board[-1]["rank"] if tied else number
        board.append({"rank": rank, **dict(row), "scratch": bool(row["scratch"])})
    return board


def _explain_empty(index: Any, benchmark: str, metric: str) -> None:
    query = "select distinct benchmark from scores join experiments using (id) where deleted = 0"
    benchmarks = sorted(row[0] for row in index.execute(query))
    if benchmark not in benchmarks:
        raise InputError(
            f"no experiment was evaluated on {benchmark!r}{nearest(benchmark, benchmarks)}"
        )
    query = "select distinct metric from scores where benchmark = ?"
    metrics = sorted(row[0] for row in index.execute(query, (benchmark,)))
    raise InputError(f"no experiment has {metric!r} on {benchmark}{nearest(metric, metrics)}")


def compare_experiments(
    ids: Sequence[str], metric: str | None = None, *, db_path: str | Path = DATABASE
) -> dict[str, Any]:
    """Two or more experiments: the parameters that differ, all metrics, the best of each, a winner.

    metric: what decides, as a row of the result has it ("gsm8k/accuracy"); None takes the first
    accuracy that several have, else the first score, else the first metric.
    """
    if len(ids) < 2:
        raise InputError("name two experiments or more")
    backend = LocalBackend(db_path)
    found = [backend.get_experiment(name) for name in ids]
    if len({one["id"] for one in found}) < len(found):
        raise InputError("the same experiment is named twice")
    configs = [flat(one["config"]) for one in found]
    keys = list(dict.fromkeys(key for config in configs for key in config))
    none = Absent("not set")
    parameters = {key: [config.get(key, none) for config in configs] for key in keys}
    differ = {
        key: values
        for key, values in parameters.items()
        if len({dumps(value) for value in values}) > 1
    }
    rows = _metrics_of(found)
    return {
        "experiments": [
            {key: one[key] for key in ("id", "name", "status", "scale")} for one in found
        ],
        "parameters": differ,
        "same_parameters": len(parameters) - len(differ),
        "metrics": rows,
        "winner": _winner(found, rows, metric),
    }


def _metrics_of(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """{"benchmark/metric" of the scores, "metric (last)" of the curves: values, which is best}."""
    columns: list[dict[str, tuple[float, bool]]] = []
    for one in found:
        column = {
            f"{benchmark}/{metric}": (value, larger_is_better(metric, benchmark))
            for benchmark, scores in one["scores"].items()
            for metric, value in scores.items()
        }
        for metric, known in one["metrics"].items():
            column[f"{metric}{LAST}"] = (known["last"], larger_is_better(metric))
        columns.append(column)
    rows: dict[str, dict[str, Any]] = {}
    names = dict.fromkeys(name for column in columns for name in column)
    for name in sorted(names, key=lambda name: name.endswith(LAST)):
        larger = next(column[name][1] for column in columns if name in column)
        values = [column[name][0] if name in column else None for column in columns]
        known = [value for value in values if value is not None]
        best = max(known) if larger else min(known)
        several = len(known) > 1
        rows[name] = {
            "values": [Absent("not measured") if value is None else value for value in values],
            "larger_is_better": larger,
            "best": [i for i, value in enumerate(values) if several and value == best],
        }
    return rows


def _winner(
    found: Sequence[Mapping[str, Any]], rows: Mapping[str, Mapping[str, Any]], metric: str | None
) -> dict[str, Any] | Absent:
    shared = [name for name, row in rows.items() if row["best"]]
    if metric is not None and metric not in shared:
        raise InputError(f"no two of these have {metric!r}{nearest(metric, shared)}")
    scored = [name for name in shared if not name.endswith(LAST)]
    accurate = [name for name in scored if name.endswith("/accuracy")]
    if not shared:
        return Absent("no metric that two of these have")
    name = metric or (accurate or scored or shared)[0]
    row = rows[name]
    sign = 1 if row["larger_is_better"] else -1
    ranked = sorted(
        ((sign * v, i) for i, v in enumerate(row["values"]) if not isinstance(v, Absent)),
        reverse=True,
    )
    (first, best), (second, next_best) = ranked[0], ranked[1]
    if first == second:
        return Absent(f"a tie on {name}")
    return {
        "metric": name,
        "id": found[best]["id"],
        "name": found[best]["name"],
        "value": row["values"][best],
        "runner_up": found[next_best]["id"],
        "by": first - second,
    }


def format_comparison(comparison: Mapping[str, Any]) -> str:
    """A comparison as text: only the parameters that differ, a star at the best of each row."""
    experiments = comparison["experiments"]
    lines = [["", *(one["id"] for one in experiments)]]
    lines.append(["name", *(one["name"] or "" for one in experiments)])
    lines.append(["status", *(one["status"] for one in experiments)])
    for key, values in comparison["parameters"].items():
        lines.append([key, *(_text(value) for value in values)])
    for name, row in comparison["metrics"].items():
        stars = ["*" if i in row["best"] else "" for i in range(len(experiments))]
        lines.append([name, *(_text(v) + s for v, s in zip(row["values"], stars, strict=True))])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    padded = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines]
    same = f"{comparison['same_parameters']} parameters are the same"
    return "\n".join([*(line.rstrip() for line in padded), "", same, winner_text(comparison)])


def winner_text(comparison: Mapping[str, Any]) -> str:
    winner = comparison["winner"]
    if isinstance(winner, Absent):
        return f"no winner: {winner.reason}"
    named = f"{winner['id']} ({winner['name']})" if winner["name"] else winner["id"]
    return (
        f"winner on {winner['metric']}: {named}, {_text(winner['value'])}, "
        f"better than {winner['runner_up']} by {_text(winner['by'])}"
    )


def _text(value: Any) -> str:
    if isinstance(value, Absent):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else dumps(value, indent=None)
