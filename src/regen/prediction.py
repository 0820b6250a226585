"""What a variant says to each item of a split: a base model, an adapter, a trivial baseline."""

import hashlib
import json
import math
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from regen.benchmarks.base import AnswerError, BaseBenchmark, Item, Prompt
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import write_json
from regen.progress import track
from regen.records import Prediction, write_predictions
from regen.shots import choose, with_shots

if TYPE_CHECKING:
    from regen.models.protocol import Decoding, Model

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
    prompt_file: Path | None = None,
    trivial: str | None = None,
    train_limit: int | None = None,
    prompt: str = "baseline",
    shots: int = 0,
    decoding: dict[str, Any] | None = None,
    softmax_temperature: float = 1.0,
    seed: int | None = None,
) -> None:
    """Answer the first `limit` items of a split; write predictions.jsonl and timing.json.

    base, adapter: folders of the model and of what was trained on it; or
    trivial: one of the benchmark's baselines, fitted on the first `train_limit` training items
    prompt: named prompt of the benchmark; prompt_file: in its place, see `read_prompt`
    shots: so many of the first `train_limit` training items, answered, come before each question
    decoding: {mode, batch_size, max_new_tokens, samples, temperature, top_p, top_k, seed}, each
        with a default; `samples` texts are drawn for an item. A benchmark with options is scored
        from the logits and uses batch_size alone, unless mode is "generate": then its answers are
        text, too, and parsed.
    softmax_temperature: divides the options' logits; changes probabilities, never the answer
    seed: of the training, written to each record

    timing.json has the seconds of answering, in all and an item; apart from that, those of loading
    the model and of reading the clips.
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
        template = read_prompt(prompt_file) if prompt_file else task.template(prompt)
        shown = []
        if shots:
            training = task.load_dataset(data, "train", train_limit)
            shown = choose(training, shots, task.shot_class)
        records, measured = _model_answers(
            task,
            (base, adapter),
            [
                (item, with_shots(task, task.prompt(item, template), shown, template))
                for item in items
            ],
            common | {"prompt": prompt_hash(template)},
            decoding or {},
            softmax_temperature,
        )
    known = {item.item: item for item in items}
    written = (task.to_record(known[record.item], record) for record in records)
    write_predictions(out / "predictions.jsonl", written)
    seconds = measured["seconds"]
    timing = {"items": len(items), "seconds_per_item": seconds / max(len(items), 1), **measured}
    write_json(out / "timing.json", timing)


def read_prompt(path: Path) -> str:
    """A prompt template from a text file, or from a JSON object's key "prompt".

    Raises InputError for a file that cannot be read or holds no prompt.
    """
    try:
        found = path.read_text(encoding="utf-8-sig")  # editors on Windows begin a file with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from None
    if path.suffix == ".json":
        try:
            content = json.loads(found)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: is not JSON ({error}); correct the file") from None
        text = content.get("prompt") if isinstance(content, dict) else None
    else:
        text = found.strip()
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{path}: holds no prompt; write one, in JSON under the key prompt")
    if (odd := odd_character(text)) is not None:
        raise InputError(f"{path}: its prompt holds {odd}, which is no text; take it out")
    return text


def odd_character(text: str) -> str | None:
    """The first character that is no text, as U+0000: half of a pair, a control character."""
    for character in text:
        if character not in "\n\r\t" and unicodedata.category(character) in ("Cc", "Cs"):
            return f"U+{ord(character):04X}"
    return None


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
    model_folders: tuple[Path, Path | None],
    asked: Sequence[tuple[Item, Prompt]],
    common: dict[str, Any],
    decoding: dict[str, Any],
    softmax_temperature: float,
) -> tuple[list[Prediction], dict[str, Any]]:
    """The records, and what was measured: seconds of each part, memory."""
    from regen.models.cost import peak_memory_mib
    from regen.models.packed import load_packed
    from regen.models.protocol import Decoding

    settings = dict(decoding)
    size, samples = settings.pop("batch_size", 16), settings.pop("samples", 1)
    from_logits = bool(task.options) and settings.pop("mode", "options") == "options"
    settings.pop("mode", None)
    drawing = None if from_logits else Decoding(**settings)

    loading = time.monotonic()
    model = load_packed(*model_folders)
    reading = time.monotonic()
    # Clips are read once; their features stay in memory.
    lengths = [len(model.encode(prompt).ids) for _, prompt in asked]
    read = time.monotonic()
    batches = by_length(lengths, size)
    # Libraries start slowly, which is not what an item takes. Two tokens of one answer are enough.
    first = drawing and replace(drawing, max_new_tokens=2)
    list(answer(task, model, asked[:1], common, first, softmax_temperature))
    begun = time.monotonic()
    records: dict[int, list[Prediction]] = {}
    for number, chosen in enumerate(
        track(batches, len(batches), f"answers of {common['variant']}")
    ):
        batch = [asked[i] for i in chosen]
        draws = []
        for sample in range(1 if drawing is None else samples):
            drawn = drawing and replace(
                drawing, seed=draw_seed(drawing.seed, common, number, sample)
            )
            found = answer(task, model, batch, common, drawn, softmax_temperature)
            draws.append([replace(record, sample=sample) for record in found])
        records |= {
            i: list(of_item) for i, of_item in zip(chosen, zip(*draws, strict=True), strict=True)
        }
    measured = {
        "seconds": time.monotonic() - begun,
        "seconds_loading": reading - loading,
        "seconds_reading": read - reading,
        "peak_memory_mib": peak_memory_mib(),
        "batch_size": size,
    }
    return [record for i in range(len(asked)) for record in records[i]], measured


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """The numbers of all items in batches of `size`, the longest first.

    Rows are padded to their batch's longest, so that items of about one length waste the least; and
    what does not fit the memory is found at once.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return [order[at : at + size] for at in range(0, len(order), size)]


def draw_seed(seed: int, common: dict[str, Any], batch: int, sample: int) -> int:
    """Of the draws for one batch: another one for every run, batch and sample."""
    key = [seed, common.get("seed") or 0, batch, sample]
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def answer(
    task: BaseBenchmark,
    model: "Model",
    batch: Sequence[tuple[Item, Prompt]],
    common: dict[str, Any],
    drawing: "Decoding | None" = None,
    softmax_temperature: float = 1.0,
) -> Iterator[Prediction]:
    """The records of one batch: text drawn as `drawing` says, or, without, by the logits.

    common: fields of every record
    """
    prompts = [prompt for _, prompt in batch]
    if drawing is None:
        scores = model.score_options(prompts, task.options)
        for (item, _), row in zip(batch, scores.tolist(), strict=True):
            options = option_probabilities(task.options, row, softmax_temperature)
            best = task.options[row.index(max(row))]
            yield _record(task, item, best, common | {"options": options})
    else:
        for (item, _), said in zip(batch, model.generate_batch(prompts, drawing), strict=True):
            found = {"finish": said.finish, "tokens": said.tokens}
            yield _record(task, item, said.text, common | found)


def option_probabilities(
    options: Sequence[str], scores: Sequence[float], temperature: float = 1.0
) -> dict[str, dict[str, float]]:
    """{option: {"logit": log-probability as the answer, "probability": among the options}}.

    Probabilities are those of the logits divided by the temperature; logits are kept as they are.
    """
    highest = max(scores)
    weights = [math.exp((score - highest) / temperature) for score in scores]
    total = sum(weights)
    return {
        option: {"logit": score, "probability": weight / total}
        for option, score, weight in zip(options, scores, weights, strict=True)
    }


def _record(task: BaseBenchmark, item: Item, output: str, fields: dict[str, Any]) -> Prediction:
    """The record of one raw answer: parsed, or with the reason why it could not be."""
    prediction = error = None
    try:
        prediction = task.read_answer(item, output)
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
