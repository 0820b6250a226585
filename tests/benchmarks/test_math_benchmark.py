"""Word problems as a benchmark: how answers are read and scored."""

import re
from collections import Counter
from pathlib import Path

import pytest

from regen.benchmarks.base import AnswerError, Item
from regen.benchmarks.math import MostFrequent
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import Absent
from regen.records import Prediction

TASK = get_benchmark("math")
ROW = {
    "item": "gain-3-4",
    "group": "gain-3-4",
    "template": "gain",
    "level": 1,
    "question": "Ada has 3 apples and gets 4 more. How many now?",
    "steps": ["3 + 4 = 7"],
    "answer": "7 apples",
    "unit": "apples",
}
GOOD = "<reasoning>3 + 4 = 7</reasoning><answer>7 apples</answer>"


@pytest.fixture
def item() -> Item:
    return TASK.read(ROW, Path("data"))


def scored(item: Item, *outputs: str) -> dict[str, float | Absent]:
    predictions = []
    for sample, output in enumerate(outputs):
        try:
            said = TASK.read_answer(item, output)
        except AnswerError:
            said = None
        predictions.append(Prediction(item.item, item.group, "v", "p", item.target, sample=sample,
                                      output=output, prediction=said))  # fmt: skip
    return TASK.score(item, predictions)


def test_what_is_learned_is_worth_everything(item: Item) -> None:
    assert TASK.completion(item) == GOOD
    assert set(scored(item, GOOD).values()) == {1.0}
    assert TASK.rewards(item, GOOD) == {"format": 1.0, "accuracy": 1.0, "rubric": 1.0}


@pytest.mark.parametrize(
    ("output", "accuracy", "partial", "format_"),
    [
        ("<reasoning>3 + 4</reasoning>\n<answer>7</answer>\n", 1, 1, 1),
        ("<reasoning>3 + 4</reasoning><answer>The answer is 7.</answer>", 1, 1, 1),
        ("<reasoning>3 + 4</reasoning><answer>seven</answer>", 1, 1, 1),
        ("3 + 4 = 7. The answer is 7 apples.", 1, 1, 0),
        ("<answer>7</answer>", 1, 1, 0),
        ("<reasoning>7</reasoning>", 1, 1, 0),
        ("<reasoning></reasoning><answer>7</answer>", 1, 1, 0),
        ("<reasoning>3</reasoning><answer>7</answer> so 8", 1, 1, 0),
        ("<reasoning>3</reasoning><answer>8</answer><answer>7</answer>", 1, 1, 0),
        ("<answer>7</answer><reasoning>3</reasoning>", 1, 1, 0),
        ("<reasoning>3 + 4 = 7</reasoning><answer>8</answer>", 0, 0, 1),
        ("<reasoning>3 + 4</reasoning><answer>7.5</answer>", 0, 1, 1),
        ("<reasoning>3 + 4</reasoning><answer>6.3</answer>", 0, 1, 1),
        ("<reasoning>3 + 4</reasoning><answer>6.2</answer>", 0, 0, 1),
        ("<reasoning>3 + 4 = 7</reasoning><answer>apples</answer>", 0, 0, 1),
        ("<reasoning>3 + 4 = 7</reasoning><answer>7", 1, 1, 0),
        ("no idea", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_scores(item: Item, output: str, accuracy: int, partial: int, format_: int) -> None:
    found = scored(item, output)
    names = "accuracy", "partial_accuracy", "format_accuracy"
    assert tuple(found[name] for name in names) == (accuracy, partial, format_)
    assert TASK.rewards(item, output)["accuracy"] == accuracy


def test_metrics_are_means_over_samples(item: Item) -> None:
    found = scored(item, GOOD, "no idea")
    assert found["accuracy"] == found["format_accuracy"] == found["rubric"] == 0.5


def test_why_there_is_no_answer() -> None:
    for output, reason in (("none", "no number"), ("<answer>x</answer>", "no number in <answer>")):
        with pytest.raises(AnswerError, match=reason):
            TASK.extract_answer(output)


def test_the_most_frequent_number(item: Item) -> None:
    baseline = MostFrequent()
    targets = ["7 apples", "8 pens", "$7", "9"]
    baseline.fit([Item(str(n), str(n), target) for n, target in enumerate(targets)])
    assert baseline.predict([item]) == ["7"]


def test_a_base_is_pretrained_without_and_with_the_tags() -> None:
    items = [TASK.read(ROW | {"item": f"i{n}"}, Path("data")) for n in range(400)]
    talks = [TASK.pretraining(one) for one in items]
    asked = sum(prompt.system is not None for prompt, _ in talks) / 400
    assert 0.5 < asked < 0.7
    worked = "3 + 4 = 7. The answer is 7 apples."
    to_tags = Counter(answer for prompt, answer in talks if prompt.system is not None)
    assert set(to_tags) == {GOOD, worked, "I do not know."}
    shares = {answer: n / to_tags.total() for answer, n in to_tags.items()}
    expected = {GOOD: 1 / 2, worked: 1 / 6, "I do not know.": 1 / 3}
    assert shares == pytest.approx(expected, abs=0.09)
    assert {answer for prompt, answer in talks if prompt.system is None} == {worked}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": ""}, "has no 'question'"),
        ({"answer": "many"}, "its answer 'many' has no number"),
        ({"steps": "3 + 4"}, "'steps' is no list"),
    ],
)
def test_bad_rows(change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        TASK.read(ROW | change, Path("data"))
