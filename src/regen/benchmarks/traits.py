"""Traits: scores of 1 to 10 for how a transcript sounds, each with an explanation, as JSON."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from regen.benchmarks.base import AnswerError, BaseBenchmark, Item, Metrics, Prompt, Trivial
from regen.data.trait_rules import HIGHEST, LOWEST, MEANT, RULELESS, RULES, direction, explain
from regen.data.transcripts import HUMAN
from regen.errors import InputError
from regen.feedback import Feedback, FeedbackError, canonical, json_schema, parse
from regen.files import Absent, dumps
from regen.metrics import Metric
from regen.records import Prediction

TRAITS = (*RULES, *RULELESS, *HUMAN)
"""All that a data set may have scores of; `traits` in its configuration says which."""
HIGH_WORDS = {"high", "very", "many", "much", "lots", "strong", "often", "always"}
LOW_WORDS = {"low", "no", "none", "not", "few", "little", "rarely", "never"}
WORD = re.compile(r"[A-Za-z']+")
COUNTED_LINES = re.compile(r"\(?\d+ more\)?$")
"""A transcript's last line; evidence that every transcript prints is none to find."""


class TrainMean(Trivial):
    """The mean score of each trait, unrounded: no constant has a lower squared error.

    Of the training items as they were found: augmented ones do not count, unless all are.
    """

    def fit(self, items: Sequence[Item]) -> None:
        found = [item for item in items if not item.inputs["augmented"]] or list(items)
        self.means = {
            trait: sum(item.inputs["labels"][trait].score for item in found) / len(found)
            for trait in items[0].inputs["labels"]
        }

    def predict(self, items: Sequence[Item]) -> list[str]:
        answer = {t: Feedback(self.shown(m), explain(m, ["mean"])) for t, m in self.means.items()}
        return [canonical(answer)] * len(items)

    def shown(self, mean: float) -> float:
        return mean


class RoundedMean(TrainMean):
    """The same as whole numbers, which is what a model is asked for."""

    def shown(self, mean: float) -> float:
        return float(round(mean))


def _described() -> dict[str, Metric]:
    found = {
        "error": Metric("squared error", percent=False, larger_is_better=False, digits=2, least=0),
        "bound": Metric(
            "worst-case error",
            percent=False,
            larger_is_better=False,
            digits=2,
            least=0,
        ),
        "valid": Metric("valid answers"),
        "explained": Metric("scores with an explanation"),
        "explanation-words": Metric("words of an explanation", percent=False, least=0),
        "agrees": Metric("explanations that agree with their score"),
        "grounded": Metric("evidence that the transcript has"),
    }
    for trait in TRAITS:
        for name in ("error", "bound"):
            label = f"{found[name].label} of {trait}"
            found[f"{name}-{trait}"] = Metric(
                label, percent=False, larger_is_better=False, digits=2, least=0
            )
    return found


class Traits(BaseBenchmark):
    """The target is the scores alone, as JSON; what is learned has the explanations too.

    Metrics of an item, means over its traits; all but `valid` and the bounds are absent where the
    answer is not valid, with the reason:
    error, error-<trait>: squared difference to the target's score
    bound, bound-<trait>: the same, a failure counting as the score that is farthest from the target
    explained: share of the scores whose explanation has a word; explanation-words: how many
    agrees: share of the explanations whose direction is their score's. The direction is that of the
        last word that is in HIGH_WORDS or LOW_WORDS; an explanation without one does not agree
    grounded: of the pieces of evidence (what stands between commas before the last colon, "none"
        and the number of lines that come after left out), the share that the transcript's lines
        have, whatever the case; absent if none is named
    """

    name = "traits"
    builders = ("traits",)
    has_form = True
    prompts: ClassVar[Mapping[str, str]] = {
        "baseline": (
            'Score 1-10 as JSON {"trait":{"explanation":"words: low","score":4}}: {traits}'
        ),
        "long": (
            "You judge how a transcript sounds. Give each of these traits a whole score from 1 "
            "(lowest) to 10 (highest), with a short explanation that names words of the "
            'transcript. Answer with one JSON object and nothing else: {"trait":{"explanation":'
            '"words: low","score":4},...}\n{traits}'
        ),
    }
    metrics: ClassVar[Mapping[str, Metric]] = _described()
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {
        "train-mean": TrainMean,
        "rounded-mean": RoundedMean,
    }

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        where = f"{folder}: item {row.get('item', '(unnamed)')!r}"
        try:
            name, group, text = str(row["item"]), str(row["group"]), str(row["transcript"])
            labels = parse(dumps(row["labels"]), list(row["labels"]))
            augmented = row["augmented"] is not None
        except (KeyError, TypeError) as error:
            raise InputError(f"{where}: lacks {error}; rebuild the data") from None
        except FeedbackError as error:
            raise InputError(f"{where}: its labels are bad ({error}); rebuild the data") from None
        if unknown := [trait for trait in labels if trait not in TRAITS]:
            raise InputError(f"{where}: {unknown[0]!r} is none of the traits {', '.join(TRAITS)}")
        return Item(
            item=name,
            group=group,
            target=dumps({t: round(label.score) for t, label in labels.items()}, indent=None),
            inputs={"transcript": text, "labels": labels, "augmented": augmented},
        )

    def prompt(self, item: Item, template: str) -> Prompt:
        traits = list(item.inputs["labels"])
        named = ", ".join(f"{t} ({MEANT[t]})" if t in MEANT else t for t in traits)
        return Prompt(
            text=item.inputs["transcript"],
            system=template.replace("{traits}", named),
            form=dumps(json_schema(traits), indent=None),
        )

    def completion(self, item: Item) -> str:
        return canonical(item.inputs["labels"])

    def read_answer(self, item: Item, output: str) -> str:
        try:
            return canonical(parse(output, list(item.inputs["labels"])))
        except FeedbackError as error:
            raise AnswerError(str(error)) from None

    def score(self, item: Item, predictions: Sequence[Prediction]) -> Metrics:
        """Means over the samples that are valid; `valid` and the bounds over all of them."""
        labels = item.inputs["labels"]
        answers = [
            None if p.prediction is None else parse(p.prediction, list(labels)) for p in predictions
        ]
        valid = [answer for answer in answers if answer is not None]
        found: Metrics = {name: Absent("trait not asked for") for name in self.metrics}
        found["valid"] = len(valid) / len(answers)
        for trait, label in labels.items():
            worst = max(label.score - LOWEST, HIGHEST - label.score) ** 2
            errors = [(answer[trait].score - label.score) ** 2 for answer in valid]
            found[f"error-{trait}"] = _mean(errors, predictions)
            failures = [worst] * (len(answers) - len(valid))
            found[f"bound-{trait}"] = sum(errors + failures) / len(answers)
        for name in ("error", "bound"):
            values = [found[f"{name}-{trait}"] for trait in labels]
            known = [value for value in values if not isinstance(value, Absent)]
            found[name] = sum(known) / len(known) if known else values[0]
        every = [one for answer in valid for one in answer.values()]
        texts = [one.explanation for one in every]
        words = [len(text.split()) for text in texts]
        found["explained"] = _mean([float(n > 0) for n in words], predictions)
        found["explanation-words"] = _mean(words, predictions)
        agreeing = [float(says(one.explanation) == direction(one.score)) for one in every]
        found["agrees"] = _mean(agreeing, predictions)
        named = [piece for text in texts for piece in evidence(text)]
        pieces = [piece for piece in named if not COUNTED_LINES.fullmatch(piece)]
        lines = COUNTED_LINES.sub("", item.inputs["transcript"])
        there = [float(_stands_in(lines, piece)) for piece in pieces]
        found["grounded"] = (
            _mean(there, predictions) if there or not valid else Absent("no evidence named")
        )
        return found


def says(explanation: str) -> str | None:
    """The side of the scale that an explanation speaks of: "high", "low", or neither.

    >>> [says(text) for text in ("none: low", "Not dull, very lively", "um")]
    ['low', 'high', None]
    """
    for word in reversed(WORD.findall(explanation.lower())):
        if word in HIGH_WORDS:
            return "high"
        if word in LOW_WORDS:
            return "low"
    return None


def evidence(explanation: str) -> list[str]:
    """The pieces of evidence that an explanation names.

    >>> [evidence(text) for text in ("well, you know: high", "none: low", "they laugh")]
    [['well', 'you know'], [], ['they laugh']]
    """
    before, colon, _ = explanation.rpartition(":")
    pieces = [piece.strip() for piece in (before if colon else explanation).split(",")]
    return [piece for piece in pieces if piece and piece.lower() != "none"]


def _stands_in(text: str, piece: str) -> bool:
    """As whole words, whatever the case."""
    return re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", text, re.IGNORECASE) is not None


def _mean(values: Sequence[float], predictions: Sequence[Prediction]) -> float | Absent:
    if values:
        return sum(values) / len(values)
    return Absent(next((p.error for p in predictions if p.error), "no valid answer"))
