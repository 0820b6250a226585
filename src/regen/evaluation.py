"""Any model on any benchmark, outside the workflow: whatever has `generate` can be asked.

    from regen.evaluation import BenchmarkRegistry

    BenchmarkRegistry.register("mine", Mine)
    result = BenchmarkRegistry.evaluate(model, "mine", split="test", num_samples=100)
    print(result.metrics["accuracy"])
    tracker.log_evaluation("mine", result.to_dict())

The workflow does the same in two stages, prediction and scoring, from which its tables come.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regen.benchmarks.base import AnswerError, BaseBenchmark, Item, Prompt
from regen.benchmarks.registry import get_benchmark, list_benchmarks, register, register_file
from regen.errors import InputError
from regen.files import Absent, plain
from regen.records import Prediction
from regen.scoring import mean

DATA = Path("data")


@dataclass(frozen=True)
class EvaluationResult:
    """metrics: {name: mean over the items that have it, or `Absent`}, and with them
    avg_generation_time and total_time in seconds, and num_samples;
    samples: a row an item, with its output, what was read from it, and its metrics
    """

    benchmark: str
    split: str
    metrics: Mapping[str, Any]
    samples: Sequence[Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        found: dict[str, Any] = plain(
            {
                "benchmark": self.benchmark,
                "split": self.split,
                "metrics": dict(self.metrics),
                "samples": [dict(sample) for sample in self.samples],
            }
        )
        return found


def evaluate(
    model: Any,
    benchmark_name: str,
    split: str = "test",
    num_samples: int | None = None,
    *,
    data: Path | None = None,
    prompt: str = "baseline",
    **settings: Any,
) -> EvaluationResult:
    """Ask `model` the first `num_samples` items of a split (all if None), and score its answers.

    model: anything with `generate(question, **kwargs) -> str`. A model of this package is asked
        with its chat template; another one gets the system's text and the question as one text
    data: folder of the data set; data/<benchmark_name> if left out
    settings: go to `generate` as they are

    Raises InputError for a benchmark that is not registered, data that are not there, a model
    without `generate`, and a question with sound for a model that reads text.
    """
    task = get_benchmark(benchmark_name)
    if not callable(getattr(model, "generate", None)):
        raise InputError(f"{type(model).__name__}: has no generate(question) that could be asked")
    folder = DATA / benchmark_name if data is None else data
    items = task.load_dataset(folder, split, num_samples)
    template = task.template(prompt)
    samples = [_sample(task, model, item, task.prompt(item, template), settings) for item in items]
    metrics: dict[str, Any] = {
        name: mean([sample["metrics"][name] for sample in samples])["mean"] for name in task.metrics
    }
    total = sum(sample["seconds"] for sample in samples)
    metrics |= {
        "avg_generation_time": total / len(samples) if samples else Absent("no sample"),
        "total_time": total,
        "num_samples": len(samples),
    }
    return EvaluationResult(benchmark_name, split, metrics, samples)


def evaluate_all(
    model: Any,
    benchmark_names: Sequence[str],
    num_samples: int | None = None,
    split: str = "test",
    *,
    data: Mapping[str, Path] | None = None,
    **settings: Any,
) -> dict[str, EvaluationResult]:
    """{benchmark: result}. data: {benchmark: folder}, where it is not data/<benchmark>"""
    return {
        name: evaluate(model, name, split, num_samples, data=(data or {}).get(name), **settings)
        for name in benchmark_names
    }


class BenchmarkRegistry:
    """The benchmarks and what is done with them under one name, for scripts and notebooks."""

    list_benchmarks = staticmethod(list_benchmarks)
    register = staticmethod(register)
    register_file = staticmethod(register_file)
    get = staticmethod(get_benchmark)
    evaluate = staticmethod(evaluate)
    evaluate_all = staticmethod(evaluate_all)


def _sample(
    task: BaseBenchmark, model: Any, item: Item, prompt: Prompt, settings: dict[str, Any]
) -> dict[str, Any]:
    """One item's row."""
    ours = hasattr(model, "generate_batch")
    if prompt.heard and not ours:
        raise InputError(f"item {item.item!r}: has sound, and the model reads text only")
    asked = prompt if ours else "\n\n".join(part for part in (prompt.system, prompt.text) if part)
    started = time.perf_counter()
    output = model.generate(asked, **settings)
    seconds = time.perf_counter() - started
    if not isinstance(output, str):
        raise InputError(
            f"{type(model).__name__}.generate: returned {type(output).__name__}, not text"
        )
    said = error = None
    try:
        said = task.read_answer(item, output)
    except AnswerError as problem:
        error = str(problem)
    record = Prediction(
        item=item.item,
        group=item.group,
        variant="model",
        prompt="none",
        target=item.target,
        output=output,
        prediction=said,
        error=error,
    )
    found = {name: Absent("needs a sentence encoder") for name in task.compared(item, [record])}
    return {
        "item": item.item,
        "group": item.group,
        "question": prompt.text,
        "target": item.target,
        "output": output,
        "prediction": said,
        "error": error,
        "metrics": {**found, **task.score(item, [record])},
        "seconds": seconds,
    }
