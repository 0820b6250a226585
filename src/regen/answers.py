"""Stage `answers`: what free text calls for beyond the means of its metrics.

Wins and losses item by item, whether metrics rank alike, abstentions, openings, and cases to look
at, which a rule picks.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from regen.benchmarks.base import BaseBenchmark, Item
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import Absent, read_jsonl, write_json
from regen.records import Prediction
from regen.statistics.intervals import wilson
from regen.statistics.runs import Runs, read_runs
from regen.statistics.wins import beyond, count_wins
from regen.tables.cases import cases_table
from regen.tables.table import write_table
from regen.text_metrics import abstains
from regen.texts import words

HEADS = ("win", "tie", "loss")
OPENING = 3
"""Words that an answer opens with."""


def answers(
    *,
    scores: list[Path],
    data: Path,
    study: str,
    benchmark: str,
    split: str,
    limit: int,
    variants: dict[str, str],
    pairs: list[tuple[str, str]],
    tolerances: dict[str, float],
    ranking: list[str],
    cases: int,
    out: Path,
) -> None:
    """Write answers.json, and the table of cases, which holds texts of the data set.

    scores: items.jsonl files, one run each; variants: {name: what a sentence calls it}
    pairs: [method, reference] each; tolerances: {metric: how far apart scores still tie}, the
    first metric picks the cases; ranking: metrics that are asked whether they rank alike
    cases: how many wins, ties and losses of the first pair are shown

    Raises InputError for a metric or a variant without scores.
    """
    runs = read_runs(scores)
    task = get_benchmark(benchmark)
    items = {item.item: item for item in task.load_dataset(data, split, limit)}
    said: dict[str, list[dict[str, str]]] = {name: [] for name in variants}
    for path in scores:
        rows = read_jsonl(path)
        said[rows[0]["variant"]].append(said_in(task, items, rows))
    picked = pick(runs, pairs[0], next(iter(tolerances.items())), cases)
    write_json(
        out / "answers.json",
        {
            "wins": [won(runs, pair, *metric) for pair in pairs for metric in tolerances.items()],
            "ranking": ranks(runs, pairs[0], ranking),
            "abstention": {name: abstention(said[name], items) for name in variants},
            "openings": {name: openings(said[name]) for name in variants},
            "cases": picked,
        },
    )
    shown = [(case, items[case["item"]], _said_by(said, case)) for case in picked]
    label = task.metrics[next(iter(tolerances))].label
    write_table(cases_table(shown, study, variants, label), out)


def said_in(
    task: BaseBenchmark, items: Mapping[str, Item], rows: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """{item: what a run answered}, in the words that it used; only of runs with one sample."""
    found = {}
    for row in rows:
        record = Prediction(row["item"], row["group"], row["variant"], "", row["target"])
        record = replace(record, prediction=row.get("prediction"))
        found[row["item"]] = task.from_record(items[row["item"]], record).prediction or ""
    return found


def _said_by(
    said: Mapping[str, Sequence[Mapping[str, str]]], case: Mapping[str, Any]
) -> tuple[str, str]:
    """The answers of both sides' first runs."""
    return said[case["a"]][0][case["item"]], said[case["b"]][0][case["item"]]


def scores_of(runs: Mapping[str, Runs], variant: str, metric: str) -> np.ndarray:
    """Each item's mean over the runs; NaN where a run has none. InputError if nothing is scored."""
    if variant not in runs or metric not in runs[variant].scores:
        raise InputError(f"answers: {variant!r} has no scores of {metric!r}; score it")
    return np.asarray(runs[variant].scores[metric].mean(0))


def differences(runs: Mapping[str, Runs], pair: Sequence[str], metric: str) -> np.ndarray:
    """Of each item, the first of the pair minus the second."""
    a, b = pair
    if runs[a].items != runs[b].items:
        raise InputError(f"answers: {a!r} and {b!r} were asked different items; predict again")
    return scores_of(runs, a, metric) - scores_of(runs, b, metric)


def won(
    runs: Mapping[str, Runs], pair: Sequence[str], metric: str, tolerance: float
) -> dict[str, Any]:
    """The exact sign test over groups (Dixon and Mood 1946), and Wilson's interval of the share."""
    d = _by_group(differences(runs, pair, metric), runs[pair[0]].groups)
    row: dict[str, Any] = {"a": pair[0], "b": pair[1], "metric": metric, "tolerance": tolerance}
    if not d.size:
        none = Absent("no item has it in every run")
        keys = ("wins", "ties", "losses", "p", "share", "low", "high")
        return {**row, "n": 0, **dict.fromkeys(keys, none)}
    found = count_wins(d, np.zeros_like(d), tolerance)
    counts = {key: getattr(found, key) for key in ("wins", "ties", "losses", "p", "share")}
    return {**row, "n": d.size, **counts, "low": found.interval.low, "high": found.interval.high}


def _by_group(values: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Means of the groups that have a value."""
    names = np.array(groups)[np.isfinite(values)]
    known = values[np.isfinite(values)]
    return np.array([known[names == name].mean() for name in dict.fromkeys(names.tolist())])


def ranks(
    runs: Mapping[str, Runs], pair: Sequence[str], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """For two metrics each: do they order the variants alike, and the items' differences?

    Kendall's tau-b over the variants' means, Spearman's rho over the items' differences of `pair`.
    """
    from scipy.stats import kendalltau, spearmanr

    found = []
    means = {
        metric: np.array([_mean(scores_of(runs, name, metric)) for name in runs])
        for metric in metrics
    }
    for number, one in enumerate(metrics):
        for other in metrics[number + 1 :]:
            x, y = (differences(runs, pair, metric) for metric in (one, other))
            both = np.isfinite(x) & np.isfinite(y)
            of_variants = np.isfinite(means[one]) & np.isfinite(means[other])
            found.append(
                {
                    "metrics": [one, other],
                    "variants": _correlation(kendalltau, means[one], means[other], of_variants),
                    "n_variants": int(of_variants.sum()),
                    "items": _correlation(spearmanr, x, y, both),
                    "n_items": int(both.sum()),
                }
            )
    return found


def _mean(values: np.ndarray) -> float:
    """Of the items that have one; NaN if none has."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan


def _correlation(how: Any, x: np.ndarray, y: np.ndarray, there: np.ndarray) -> float | Absent:
    x, y = x[there], y[there]
    if len(x) < 3:
        return Absent("fewer than three have both metrics")
    if len(set(x.tolist())) == 1 or len(set(y.tolist())) == 1:
        return Absent("a metric is the same for all")
    return float(how(x, y).statistic)


def abstention(said: Sequence[Mapping[str, str]], items: Mapping[str, Item]) -> dict[str, Any]:
    """Precision and recall of saying that the text does not tell.

    Shares over all runs; Wilson's interval is at the number of different items, not of answers:
    runs that answer the same item do not tell twice as much.
    """
    empty = {name for name, item in items.items() if item.facets["answerable"] == "no"}
    given = [(name, name in empty) for run in said for name in run if abstains(run[name])]
    asked = [(name, abstains(run[name])) for run in said for name in run if name in empty]
    return {
        "precision": _share(given, "it never abstained"),
        "recall": _share(asked, "every question has an answer"),
    }


def _share(found: Sequence[tuple[str, bool]], otherwise: str) -> dict[str, Any]:
    if not found:
        none = Absent(otherwise)
        return {"value": none, "low": none, "high": none, "n_items": 0, "n_answers": 0}
    value = sum(right for _, right in found) / len(found)
    n = len({name for name, _ in found})
    interval = wilson(value * n, n)
    return {
        "value": value,
        "low": interval.low,
        "high": interval.high,
        "n_items": n,
        "n_answers": len(found),
    }


def openings(said: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Do answers open with the same OPENING words? Of a run, abstentions and empty answers apart.

    concentration: the chance that two of its answers open alike (Simpson 1949); share: of the
    answers with its most frequent opening, 0 if no two open alike; both are means over runs.
    n_answers: over all runs; most: their most frequent opening.
    """
    every: Counter[str] = Counter()
    of_runs = []
    for run in said:
        texts = [words(text)[:OPENING] for text in run.values() if not abstains(text)]
        count = Counter(" ".join(opening) for opening in texts if opening)
        every += count
        n = count.total()
        if n > 1:
            alike = sum(k * (k - 1) for k in count.values()) / (n * (n - 1))
            of_runs.append((alike, max(count.values()) / n if alike else 0.0))
    if not of_runs:
        none = Absent("fewer than two answers are no abstentions")
        return {"concentration": none, "share": none, "n_answers": every.total(), "most": none}
    alike, share = (float(np.mean(values)) for values in zip(*of_runs, strict=True))
    most = min(every, key=lambda opening: (-every[opening], opening))
    return {"concentration": alike, "share": share, "n_answers": every.total(), "most": most}


def pick(
    runs: Mapping[str, Runs], pair: Sequence[str], metric: tuple[str, float], count: int
) -> list[dict[str, Any]]:
    """The clearest wins, ties and losses: the largest, smallest and most negative differences.

    A win or loss is beyond the tolerance, a tie within; among ties of the same size those with the
    higher scores come first; what is left is settled by the item's name.
    """
    name, tolerance = metric
    a, b = (scores_of(runs, variant, name) for variant in pair)
    items = runs[pair[0]].items
    known = [n for n in range(len(items)) if np.isfinite(a[n] - b[n])]
    d = a - b
    wins = [n for n in known if beyond(d[n], tolerance)]
    losses = [n for n in known if beyond(-d[n], tolerance)]
    ties = [n for n in known if n not in {*wins, *losses}]
    orders = {
        "win": sorted(wins, key=lambda n: (-d[n], items[n])),
        "tie": sorted(ties, key=lambda n: (round(abs(d[n]), 12), -a[n], items[n])),
        "loss": sorted(losses, key=lambda n: (d[n], items[n])),
    }
    return [
        {
            "head": head,
            "item": items[n],
            "a": pair[0],
            "b": pair[1],
            "score_a": float(a[n]),
            "score_b": float(b[n]),
        }
        for head in HEADS
        for n in orders[head][:count]
    ]
