"""What a variant says to each item of a split: a base model, an adapter, a trivial baseline."""

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from regen.benchmarks.base import AnswerError, BaseBenchmark, Item
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import write_json
from regen.progress import track
from regen.records import Prediction, write_predictions

NO_PROMPT = "none"


def predict(
    *,
    data: Path,
    benchmark: str,
    variant: str,
    split: str,
    limit: int,
    out: Path,
    base: Path | None = None,
    adapter: Path | None = None,
    trivial: str | None = None,
    train_limit: int | None = None,
    prompt: str = "baseline",
    decoding: dict[str, Any] | None = None,
    seed: int | None = None,
) -> None:
    """Answer the first `limit` items of a split; write predictions.jsonl and timing.json.

    base, adapter: folders of the model and of what was trained on it; or
    trivial: one of the benchmark's baselines, fitted on the first `train_limit` training items
    prompt: named prompt of the benchmark
    decoding: {batch_size, max_new_tokens, temperature, top_p, top_k, seed}, each with a default.
        A benchmark with options is scored from the logits and uses batch_size alone.
    seed: of the training, written to each record
    """
    task = get_benchmark(benchmark)
    items = task.load_dataset(data, split, limit)
    common = {"variant": variant, "seed": seed}
    started = time.monotonic()
    if trivial is not None:
        training = task.load_dataset(data, "train", train_limit)
        records = list(_trivial_answers(task, trivial, training, items, common))
        measured = {"seconds": time.monotonic() - started}
    else:
        if base is None:
            raise InputError(f"variant {variant}: has neither a base model nor a trivial baseline")
        records, measured = _model_answers(
            task, base, adapter, items, common, prompt=prompt, decoding=decoding or {}
        )
    write_predictions(out / "predictions.jsonl", records)
    seconds = measured["seconds"]
    timing = {"items": len(items), "seconds_per_item": seconds / max(len(items), 1), **measured}
    write_json(out / "timing.json", timing)


def prompt_hash(template: str) -> str:
    """The first 12 hex digits of the template's sha256."""
    return hashlib.sha256(template.encode()).hexdigest()[:12]


def _trivial_answers(
    task: BaseBenchmark,
    name: str,
    training: Sequence[Item],
    items: Sequence[Item],
    common: dict[str, Any],
) -> Iterator[Prediction]:
    kind = task.trivial.get(name)
    if kind is None:
        names = ", ".join(task.trivial) or "none"
        raise InputError(f"{task.name} has no trivial baseline {name!r}; there are: {names}")
    baseline = kind()
    baseline.fit(training)
    for item, answer in zip(items, baseline.predict(items), strict=True):
        yield _record(task, item, answer, common | {"prompt": NO_PROMPT})


def _model_answers(
    task: BaseBenchmark,
    base: Path,
    adapter: Path | None,
    items: Sequence[Item],
    common: dict[str, Any],
    *,
    prompt: str,
    decoding: dict[str, Any],
) -> tuple[list[Prediction], dict[str, float]]:
    """The records, and what was measured: seconds of answering, seconds of loading, memory."""
    from regen.models.loading import load
    from regen.models.local import peak_memory_mib
    from regen.models.protocol import Decoding

    template = task.template(prompt)
    common = common | {"prompt": prompt_hash(template)}
    settings = dict(decoding)
    size = settings.pop("batch_size", 16)
    drawing = Decoding(**settings)

    loading = time.monotonic()
    model = load(base, adapter)
    begun = time.monotonic()
    records: list[Prediction] = []
    batches = [items[i : i + size] for i in range(0, len(items), size)]
    for batch in track(batches, len(batches), f"answers of {common['variant']}"):
        prompts = [task.prompt(item, template) for item in batch]
        if task.options:
            scores = model.score_options(prompts, task.options)
            for item, row in zip(batch, scores.tolist(), strict=True):
                options = option_probabilities(task.options, row)
                best = task.options[row.index(max(row))]
                records.append(_record(task, item, best, common | {"options": options}))
        else:
            for item, said in zip(batch, model.generate_batch(prompts, drawing), strict=True):
                found = {"finish": said.finish, "tokens": said.tokens}
                records.append(_record(task, item, said.text, common | found))
    measured = {
        "seconds": time.monotonic() - begun,
        "seconds_loading": begun - loading,
        "peak_memory_mib": peak_memory_mib(),
    }
    return records, measured


def option_probabilities(
    options: Sequence[str], scores: Sequence[float]
) -> dict[str, dict[str, float]]:
    """{option: {"logit": log-probability as the answer, "probability": among the options}}."""
    highest = max(scores)
    weights = [math.exp(score - highest) for score in scores]
    total = sum(weights)
    return {
        option: {"logit": score, "probability": weight / total}
        for option, score, weight in zip(options, scores, weights, strict=True)
    }


def _record(task: BaseBenchmark, item: Item, output: str, fields: dict[str, Any]) -> Prediction:
    """The record of one raw answer: parsed, or with the reason why it could not be."""
    prediction = error = None
    try:
        prediction = task.extract_answer(output)
    except AnswerError as problem:
        error = str(problem)
    return Prediction(
        item=item.item,
        group=item.group,
        target=item.target,
        output=output,
        prediction=prediction,
        error=error,
        **fields,
    )
