"""What several answers to one item are worth: their meaning's spread, likelihood, and pass@k.

Vectors come from the study's sentence encoder, likelihoods from its base model. An answer passes
if its check, the closeness in meaning to what a person said times how well-formed it is, reaches a
bar; the bar is the lowest, in steps of STEP, at which the base would pass fewer items of the dev
split than a given share with all its samples. A check that nearly all pass could not tell models
apart.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regen.benchmarks.base import BaseBenchmark, Item, Metrics
from regen.diversity import mean_distance, vendi_score
from regen.errors import InputError
from regen.files import Absent, read_jsonl
from regen.metrics import Metric
from regen.records import Prediction
from regen.statistics.pass_at_k import pass_at_k

METRICS = {
    "semantic_diversity": Metric("semantic diversity", percent=False, digits=3),
    "vendi": Metric("Vendi score", percent=False, digits=2),
    "pass_1": Metric("pass@1"),
    "pass_5": Metric("pass@5"),
    "pass_10": Metric("pass@10"),
    "perplexity": Metric(
        "perplexity under the base", percent=False, larger_is_better=False, digits=1
    ),
    "relevance": Metric("relevance", percent=False, digits=3),
    "closeness": Metric("closeness", percent=False, digits=3),
}
"""relevance: mean similarity of an item's samples to the message; closeness: to the reference"""
KS = (1, 5, 10)
STEP = 0.01
BATCH = 100
"""Answers whose likelihood is computed at once."""

Said = Mapping[str, Sequence[Prediction]]


def measure(
    task: BaseBenchmark,
    items: Mapping[str, Item],
    said: Said,
    *,
    encoder: Path | None,
    base: Path | None,
    bar: float | Absent,
) -> dict[str, tuple[Metrics, list[float]]]:
    """{item: (METRICS, the check of each of its samples)}; no checks without an encoder.

    encoder, base: folders of models; bar: what a check has to reach to pass
    """
    texts = {name: task.draws(item, said[name]) for name, item in items.items()}
    vectors: Mapping[str, Any] = {}
    if encoder is not None:
        from regen.models.encoder import embed

        every = [t for *asked, samples in texts.values() for t in (*asked, *samples)]
        vectors = embed(encoder, list(dict.fromkeys(every)))
    unlikely = perplexities(task, items, {n: t[2] for n, t in texts.items()}, base)
    found = {}
    for name, item in items.items():
        metrics, checks = _of_vectors(task, item, texts[name], vectors)
        passing = {f"pass_{k}": passed(checks, bar, k) for k in KS}
        found[name] = ({**metrics, **passing, "perplexity": unlikely[name]}, checks)
    return found


def _of_vectors(
    task: BaseBenchmark,
    item: Item,
    texts: tuple[str, str, Sequence[str]],
    vectors: Mapping[str, Any],
) -> tuple[Metrics, list[float]]:
    message, reference, samples = texts
    names = ("semantic_diversity", "vendi", "relevance", "closeness")
    if not vectors:
        return dict.fromkeys(names, Absent("the study has no encoder")), []
    matrix = np.stack([vectors[text] for text in samples])
    close = (matrix @ vectors[reference]).tolist()
    several = len(samples) > 1
    none = Absent("needs two texts")
    metrics: Metrics = {
        "semantic_diversity": mean_distance(matrix),
        "vendi": vendi_score(matrix) if several else none,
        "relevance": float((matrix @ vectors[message]).mean()),
        "closeness": float(np.mean(close)),
    }
    checks = [
        max(0.0, near) * task.quality(item, text) for near, text in zip(close, samples, strict=True)
    ]
    return metrics, checks


def passed(checks: Sequence[float], bar: float | Absent, k: int) -> float | Absent:
    """pass@k of one item. A check is rounded before it is held against the bar, so that the last
    bits in which two processors may differ do not decide.
    """
    if isinstance(bar, Absent):
        return bar
    if not checks:
        return Absent("the study has no encoder")
    return pass_at_k(len(checks), sum(round(one, 6) >= bar for one in checks), k)


def bar_of(dev: Path, most: float) -> float | Absent:
    """The lowest bar at which less than `most` of the items have a sample that passes.

    dev: items.jsonl of the variant that the bar is chosen for, on the dev split
    """
    best = [max(row["checks"]) for row in read_jsonl(dev) if row.get("checks")]
    if not best:
        return Absent("the study has no encoder")
    for step in range(round(1 / STEP) + 1):
        bar = round(step * STEP, 6)
        if np.mean([round(one, 6) >= bar for one in best]) < most:
            return bar
    raise InputError(f"{dev}: {most:.0%} of the items pass at any bar; choose a higher share")


def perplexities(
    task: BaseBenchmark,
    items: Mapping[str, Item],
    samples: Mapping[str, Sequence[str]],
    base: Path | None,
) -> dict[str, float | Absent]:
    """{item: exp of the mean negative log-likelihood a token of its samples, ends included}."""
    if base is None:
        return dict.fromkeys(items, Absent("the base is not asked"))
    import torch

    from regen.models.packed import load_packed

    model = load_packed(base)
    template = task.template("baseline")
    end = model.end_ids[:1]
    asked = {name: model.encode(task.prompt(item, template)) for name, item in items.items()}
    every = [(name, text) for name in items for text in samples[name]]
    sums = dict.fromkeys(items, 0.0)
    counts = dict.fromkeys(items, 0)
    for start in range(0, len(every), BATCH):
        some = every[start : start + BATCH]
        answers = [(*model.answer_ids(text), *end) for _, text in some]
        with torch.inference_mode():
            found, real = model.answer_log_probabilities([asked[n] for n, _ in some], answers)
        totals = (found * real).sum(-1).double().tolist()
        for (name, _), total, answer in zip(some, totals, answers, strict=True):
            sums[name] -= total
            counts[name] += len(answer)
    return {name: math.exp(sums[name] / counts[name]) for name in items}
