"""The registry as scripts call it: any model, any benchmark, one's own in a file elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from regen.benchmarks.registry import get_benchmark
from regen.cli import main
from regen.data.math import math
from regen.errors import InputError
from regen.evaluation import BenchmarkRegistry, evaluate
from regen.tracking import ExperimentTracker, LocalBackend

OWN = """
from regen.benchmarks.base import BaseBenchmark, Item, Prompt


class Parrot(BaseBenchmark):
    name = "parrot"
    prompts = {"baseline": "Repeat it."}

    def read(self, row, folder):
        return Item(row["word"], row["word"], row["word"])

    def prompt(self, item, template):
        return Prompt(item.target, system=template)
"""
GSM8K = {
    "question": "Nat sold clips to 48 friends in April, and half as many in May. How many in all?",
    "answer": "In May 48/2 = <<48/2=24>>24.\nIn all 48+24 = <<48+24=72>>72.\n#### 72",
}


class Solver:
    """Answers as a table says; the options that it was asked with are kept."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def generate(self, question: str, **settings: Any) -> str:
        self.asked.append((question, settings))
        return next((a for q, a in self.answers.items() if q in question), "no idea")


@pytest.fixture(autouse=True)
def registered_by_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regen.benchmarks.registry._registered", {})


@pytest.fixture
def problems(workdir: Path) -> list[dict[str, Any]]:
    sizes = {"train": 6, "dev": 3, "test": 6}
    math(out=Path("data/math"), seed=1, sizes=sizes, levels=[1, 2, 3])
    return [json.loads(line) for line in Path("data/math/test.jsonl").read_text().splitlines()]


def test_metrics_and_samples(problems: list[dict[str, Any]]) -> None:
    right = {
        row["question"]: f"<reasoning>{row['steps'][0]}</reasoning><answer>{row['answer']}</answer>"
        for row in problems[:3]
    }
    model = Solver(right | {problems[3]["question"]: f"I think {problems[3]['answer']}"})
    result = BenchmarkRegistry.evaluate(model, "math", "test", 5, max_tokens=9)
    assert result.metrics["accuracy"] == 4 / 5
    assert result.metrics["format_accuracy"] == 3 / 5
    assert result.metrics["partial_accuracy"] == 4 / 5
    assert result.metrics["num_samples"] == 5
    assert result.metrics["total_time"] >= result.metrics["avg_generation_time"] > 0
    assert [row["error"] for row in result.samples] == [None] * 4 + ["no number"]
    assert [row["output"] for row in result.samples][-1] == "no idea"
    assert all(settings == {"max_tokens": 9} for _, settings in model.asked)
    assert model.asked[0][0] == f"Use <reasoning> and <answer>.\n\n{problems[0]['question']}"
    found = json.loads(json.dumps(result.to_dict()))
    assert found["metrics"]["accuracy"] == 0.8 and len(found["samples"]) == 5
    tracker = ExperimentTracker()
    name = tracker.start_experiment({})
    tracker.log_evaluation("math", result.to_dict())
    tracker.finish_experiment()
    kept = LocalBackend().get_evaluation_results(name, "math")
    assert "no idea" in json.dumps(kept)


def test_several_benchmarks_and_one_of_a_file(problems: list[dict[str, Any]]) -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere/own.py").write_text(OWN)
    Path("data/parrot").mkdir()
    Path("data/parrot/test.jsonl").write_text('{"word": "polly"}\n{"word": "nut"}\n')
    for _ in range(2):
        assert BenchmarkRegistry.register_file(Path("elsewhere/own.py")) == ["parrot"]
    Path("other.py").write_text(OWN)
    with pytest.raises(InputError, match="there is a benchmark 'parrot' already"):
        BenchmarkRegistry.register_file(Path("other.py"))
    assert {"parrot", "math", "gsm8k", "qa", "speech", "traits"} <= set(
        BenchmarkRegistry.list_benchmarks()
    )
    results = BenchmarkRegistry.evaluate_all(Solver({"polly": "polly"}), ["parrot", "math"], 2)
    assert {name: r.metrics["accuracy"] for name, r in results.items()} == {
        "parrot": 0.5,
        "math": 0.0,
    }


def test_gsm8k_reads_the_original_rows(workdir: Path) -> None:
    Path("test.jsonl").write_text(json.dumps(GSM8K) + "\n")
    said = "<reasoning>48 / 2 = 24; 48 + 24 = 72</reasoning><answer>72 clips</answer>"
    result = evaluate(Solver({"Nat": said}), "gsm8k", data=Path())
    assert result.metrics["accuracy"] == result.metrics["rubric_steps"] == 1
    assert result.to_dict()["metrics"]["rubric_units"] == {"absent": "no item has this metric"}
    item = get_benchmark("gsm8k").load_dataset(Path(), "test")[0]
    assert get_benchmark("gsm8k").completion(item) == (
        "<reasoning>48 / 2 = 24; 48 + 24 = 72</reasoning><answer>72</answer>"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "own.py: is no Python file"),
        ("x = 1", "own.py: defines no subclass of BaseBenchmark with a name"),
        ("1 / 0", r"own.py: cannot be run \(ZeroDivisionError"),
    ],
)
def test_bad_files(workdir: Path, text: str | None, said: str) -> None:
    if text is not None:
        Path("own.py").write_text(text)
    with pytest.raises(InputError, match=said):
        BenchmarkRegistry.register_file(Path("own.py"))


class Silent:
    def generate(self, question: str) -> None:
        return None


@pytest.mark.parametrize(
    ("model", "name", "said"),
    [
        (object(), "math", r"object: has no generate\(question\)"),
        (Silent(), "math", r"Silent.generate: returned NoneType, not text"),
        (Solver({}), "maths", "there is no benchmark 'maths'; did you mean 'math'"),
        (Solver({}), "gsm8k", r"data/gsm8k/test.jsonl: cannot be read"),
    ],
)
def test_bad_input(problems: list[dict[str, Any]], model: Any, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        evaluate(model, name)


def test_on_the_command_line(
    problems: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    from regen.models.tiny_text import tiny_text

    sizes = {"width": 32, "layers": 1, "heads": 4, "context": 512}
    tiny_text(architecture=sizes, seed=1, out=Path("model"))
    Path("own.py").write_text(OWN)

    def regen(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", *words])
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert {"parrot", "math"} <= set(regen("--benchmark-file", "own.py").split())
    said = regen("--benchmark", "math", "--model", "model", "--num-samples", "2",
                 "--max-new-tokens", "4", "--output", "found.json")  # fmt: skip
    metrics = json.loads(said)["math"]
    assert metrics["num_samples"] == 2 and 0 <= metrics["accuracy"] <= 1
    found = json.loads(Path("found.json").read_text())["math"]
    assert len(found["samples"]) == 2
    assert found["metrics"]["accuracy"] == metrics["accuracy"]
