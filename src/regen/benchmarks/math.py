"""Word problems: reasoning and an answer in tags, read as people write numbers.

The answer is what stands in <answer>, and in an output without that the number that it ends with,
so that a model that was never shown the tags is measured by what it can do.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar
from zlib import crc32

from regen.benchmarks.base import AnswerError, BaseBenchmark, Item, Metrics, Prompt, Trivial
from regen.errors import InputError
from regen.files import Absent
from regen.metrics import Metric
from regen.numbers_said import Said, answer_said
from regen.records import Prediction
from regen.rubric import WEIGHTS, checks, weighted

QUESTION = "{question}"
WITHIN = Fraction(1, 10)
"""Of the right answer: as far off as a partly right one may be."""
FORMAT = re.compile(
    r"\s*<reasoning>\s*(?P<reasoning>[^<>\s][^<>]*)</reasoning>"
    r"\s*<answer>\s*(?P<answer>[^<>\s][^<>]*)</answer>\s*"
)
ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.DOTALL)
REASONING = re.compile(r"<reasoning>(.*?)(?:</reasoning>|<answer>|$)", re.DOTALL)


class MostFrequent(Trivial):
    """The most frequent number among the training items' answers, for every item."""

    def fit(self, items: Sequence[Item]) -> None:
        values = [said.value for item in items if (said := answer_said(item.target))]
        count = Counter(values)
        self.answer = min(count, key=lambda value: (-count[value], value))

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [str(self.answer)] * len(items)


class Math(BaseBenchmark):
    """The target is the answer with its unit; what is learned is the worked solution.

    accuracy: the number is right; partial_accuracy: it is within a tenth of the right one
    format_accuracy: the output is one <reasoning> and one <answer>, neither empty, and nothing else
    rubric: weighted mean of the checks; rubric_<check>: each; see regen.rubric
    """

    name = "math"
    builders = ("math",)
    prompts: ClassVar[Mapping[str, str]] = {
        "baseline": "Use <reasoning> and <answer>.",
        "long": (
            "Solve the problem. First write your reasoning, step by step, between <reasoning> and "
            "</reasoning>; then the answer alone, with its unit, between <answer> and </answer>."
        ),
    }
    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": Metric("accuracy"),
        "partial_accuracy": Metric("answers within 10%"),
        "format_accuracy": Metric("adherence to the format"),
        "rubric": Metric("rubric"),
        "rubric_steps": Metric("steps shown"),
        "rubric_quantities": Metric("given quantities used"),
        "rubric_units": Metric("right units"),
        "rubric_consistent": Metric("answer as reasoned"),
    }
    facets: ClassVar[tuple[str, ...]] = ("level",)
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {"most-frequent": MostFrequent}

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        where = f"{folder}: item {row.get('item', '?')!r}"
        for key in ("item", "group", "question", "answer"):
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise InputError(f"{where} has no {key!r}; rebuild the data set")
        if answer_said(row["answer"]) is None:
            raise InputError(f"{where}: its answer {row['answer']!r} has no number; correct it")
        steps = row.get("steps", [])
        if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
            raise InputError(f"{where}: 'steps' is no list of texts; rebuild the data set")
        return Item(
            item=row["item"],
            group=row["group"],
            target=row["answer"],
            inputs={"question": row["question"], "steps": steps, "unit": row.get("unit", "")},
            facets={"level": f"level {row['level']}"} if "level" in row else {},
        )

    def prompt(self, item: Item, template: str) -> Prompt:
        """The template as the system's text, or with {question} in it as the user's."""
        question = str(item.inputs["question"])
        if QUESTION in template:
            return Prompt(template.replace(QUESTION, question))
        return Prompt(question, system=template)

    def shot_class(self, item: Item) -> str:
        return str(item.facets.get("level", ""))

    def completion(self, item: Item) -> str:
        steps = "; ".join(item.inputs["steps"])
        return f"<reasoning>{steps}</reasoning><answer>{item.target}</answer>"

    def pretraining(self, item: Item) -> tuple[Prompt, str]:
        """A base that can do more than it shows. Of twenty talks eight ask for no tags, and are
        worked out in plain words. Where tags are asked for, six of twelve are as they should be,
        two are worked out in plain words, and four give up."""
        kind = crc32(item.item.encode()) % 20
        steps = "; ".join(item.inputs["steps"])
        worked = f"{steps}. The answer is {item.target}."
        if kind < 8:
            return Prompt(item.inputs["question"]), worked
        asked = self.prompt(item, self.prompts["baseline"])
        if kind < 14:
            return asked, self.completion(item)
        return asked, worked if kind < 16 else "I do not know."

    def extract_answer(self, output: str) -> str:
        """The number and its unit: "7 apples", "5/2 dollars", "50 %", "12"."""
        tagged = ANSWER.findall(output)
        said = answer_said(tagged[-1] if tagged else output)
        if said is None:
            raise AnswerError("no number in <answer>" if tagged else "no number")
        return _written(said)

    def check_answer(self, prediction: str, target: str) -> bool:
        said, wanted = answer_said(prediction), answer_said(target)
        return said is not None and wanted is not None and said.same(wanted)

    def score(self, item: Item, predictions: Sequence[Prediction]) -> Metrics:
        """Means over the samples. An answer without a number is a wrong one."""
        of_each = [self._score_one(item, p.output or "", p.prediction) for p in predictions]
        found: Metrics = {}
        for name in self.metrics:
            values = [one[name] for one in of_each]
            present = [value for value in values if not isinstance(value, Absent)]
            found[name] = sum(present) / len(present) if present else values[0]
        return found

    def rewards(self, item: Item, output: str) -> dict[str, float]:
        """What reinforcement pays for, each 0 to 1: format, accuracy, rubric."""
        try:
            prediction = self.extract_answer(output)
        except AnswerError:
            prediction = None
        scored = self._score_one(item, output, prediction)
        names = {"format": "format_accuracy", "accuracy": "accuracy", "rubric": "rubric"}
        return {name: _number(scored[metric]) for name, metric in names.items()}

    def _score_one(self, item: Item, output: str, prediction: str | None) -> Metrics:
        right = prediction is not None and self.check_answer(prediction, item.target)
        near = prediction is not None and _near(prediction, item.target)
        reasoning, answers = REASONING.search(output), ANSWER.findall(output)
        found = checks(
            question=item.inputs["question"],
            steps=len(item.inputs["steps"]),
            unit=item.inputs["unit"],
            reasoning=reasoning.group(1) if reasoning else "",
            answer=answers[-1] if answers else "",
        )
        return {
            "accuracy": float(right),
            "partial_accuracy": float(right or near),
            "format_accuracy": float(FORMAT.fullmatch(output) is not None),
            "rubric": weighted(found),
            **{f"rubric_{name}": found[name] for name in WEIGHTS},
        }


def _near(prediction: str, target: str) -> bool:
    said, wanted = answer_said(prediction), answer_said(target)
    if said is None or wanted is None:
        return False
    return abs(said.value - wanted.value) <= WITHIN * abs(wanted.value)


def _written(said: Said) -> str:
    return f"{said.value} {said.unit}" if said.unit else str(said.value)


def _number(value: float | Absent) -> float:
    return 0.0 if isinstance(value, Absent) else value
