"""Questions about an excerpt of a medical abstract; the answer is a sentence of it, or none."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from regen import quoting
from regen.benchmarks.base import BaseBenchmark, Item, Metrics, Pairs, Prompt, Trivial
from regen.data.passages import sentences
from regen.errors import InputError
from regen.files import Absent
from regen.metrics import Metric
from regen.records import Prediction
from regen.text_metrics import (
    abstains,
    keyword_overlap,
    length_ratio,
    rouge_l,
    token_f1,
    unsupported_numbers,
)
from regen.texts import ABSTENTION

KINDS = ("aim", "motive", "outcome", "detail")
SYSTEM = "You answer questions about a text."
TEXT, QUESTION = "{text}", "{question}"


class Abstain(Trivial):
    """Says of every question that the text does not tell."""

    def fit(self, items: Sequence[Item]) -> None:
        pass

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [ABSTENTION] * len(items)


class Lead(Trivial):
    """The first sentence of the text."""

    def fit(self, items: Sequence[Item]) -> None:
        pass

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [next(sentences(item.inputs["context"])) for item in items]


class Copy(Trivial):
    """The whole text: what a metric gives that does not mind what else is said."""

    def fit(self, items: Sequence[Item]) -> None:
        pass

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [item.inputs["context"] for item in items]


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _mean(values: Sequence[float | Absent]) -> float | Absent:
    """Over an item's samples, of those that have the metric."""
    present = [value for value in values if not isinstance(value, Absent)]
    if not present:
        return next(value for value in values if isinstance(value, Absent))
    return sum(present) / len(present)


class Qa(BaseBenchmark):
    name = "qa"
    builders = ("qa",)
    prompts: ClassVar[Mapping[str, str]] = {
        "baseline": "Answer with one sentence of the text. If the text does not tell, answer: "
        f"{ABSTENTION}\n\nText: {{text}}\n\nQuestion: {{question}}",
        "bare": "Text: {text}\n\nQuestion: {question}",
    }
    metrics: ClassVar[Mapping[str, Metric]] = {
        "overlap": Metric("keyword overlap"),
        "token_f1": Metric("token F1"),
        "rouge_l": Metric("ROUGE-L"),
        "similarity": Metric("semantic similarity", percent=False, digits=3),
        "abstention_right": Metric("right choice to answer or not"),
        "abstained": Metric("abstentions"),
        "length_ratio": Metric(
            "length ratio", percent=False, larger_is_better=False, digits=2, least=0
        ),
        "on_topic": Metric("similarity to question and text", percent=False, digits=3),
        "unsupported": Metric("unsupported numbers", larger_is_better=False),
    }
    facets: ClassVar[tuple[str, ...]] = ("kind", "answerable")
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {
        "lead": Lead,
        "abstain": Abstain,
        "copy": Copy,
    }

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        where = f"{folder}: item {row.get('item', '?')!r}"
        for key in ("item", "group", "kind", "question", "context", "answer"):
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise InputError(f"{where} has no {key!r}; rebuild the data set")
        if row["kind"] not in KINDS:
            raise InputError(f"{where} is of kind {row['kind']!r}, none of {', '.join(KINDS)}")
        answerable = "no" if row["answer"] == ABSTENTION else "yes"
        return Item(
            item=row["item"],
            group=row["group"],
            target=row["answer"],
            inputs={"context": row["context"], "question": row["question"]},
            facets={"kind": row["kind"], "answerable": answerable},
        )

    def prompt(self, item: Item, template: str) -> Prompt:
        """The template's {text} and {question}; a template without them is put below both."""
        parts = {TEXT: item.inputs["context"], QUESTION: item.inputs["question"]}
        if TEXT not in template or QUESTION not in template:
            template = f"Text: {TEXT}\n\nQuestion: {QUESTION}\n\n{template}"
        before, _, after = template.partition(TEXT)
        filled = [part.replace(QUESTION, parts[QUESTION]) for part in (before, after)]
        return Prompt(parts[TEXT].join(filled), system=SYSTEM)

    def shot_class(self, item: Item) -> str:
        return str(item.facets["answerable"])

    def to_record(self, item: Item, prediction: Prediction) -> Prediction:
        """Without the abstract's words: a hash for its sentence, places for what is quoted."""
        context = item.inputs["context"]

        def quoted(text: str | None) -> str | None:
            return None if text is None else quoting.quote(text, context)

        output, answer = quoted(prediction.output), quoted(prediction.prediction)
        return replace(prediction, target=_hash(item.target), output=output, prediction=answer)

    def from_record(self, item: Item, prediction: Prediction) -> Prediction:
        context = item.inputs["context"]

        def restored(text: str | None) -> str | None:
            return None if text is None else quoting.restore(text, context)

        output, answer = restored(prediction.output), restored(prediction.prediction)
        same = prediction.target == _hash(item.target)
        target = item.target if same else prediction.target
        return replace(prediction, target=target, output=output, prediction=answer)

    def score(self, item: Item, predictions: Sequence[Prediction]) -> Metrics:
        """Means over the samples. An empty answer is one that shares nothing with the expected."""
        said = [p.prediction or "" for p in predictions]
        context, question = item.inputs["context"], item.inputs["question"]
        unanswerable = item.facets["answerable"] == "no"
        of_one: dict[str, Callable[[str], float | Absent]] = {
            "overlap": lambda answer: keyword_overlap(answer, item.target),
            "token_f1": lambda answer: token_f1(answer, item.target),
            "rouge_l": lambda answer: rouge_l(answer, item.target),
            "abstention_right": lambda answer: float(abstains(answer) == unanswerable),
            "abstained": lambda answer: float(abstains(answer)),
            "length_ratio": lambda answer: length_ratio(answer, item.target),
            "unsupported": lambda answer: unsupported_numbers(answer, context, question),
        }
        return {name: _mean([value(answer) for answer in said]) for name, value in of_one.items()}

    def compared(self, item: Item, predictions: Sequence[Prediction]) -> dict[str, Pairs]:
        source = f"{item.inputs['question']} {item.inputs['context']}"
        said = [p.prediction or "" for p in predictions]
        return {
            "similarity": [(answer, item.target) for answer in said],
            "on_topic": [(answer, source) for answer in said],
        }
