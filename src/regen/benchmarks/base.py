"""What a benchmark is: one readable file on how an item is read, asked, answered and scored."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from regen.errors import InputError
from regen.files import Absent, read_jsonl
from regen.metrics import Metric
from regen.records import Prediction

if TYPE_CHECKING:
    from regen.benchmarks.phrasing import Phrasing

Metrics = dict[str, float | Absent]
Pairs = list[tuple[str, str]]


class AnswerError(Exception):
    """An output that holds no answer; the message is the failure reason that is counted."""


@dataclass(frozen=True)
class Item:
    """One thing to be answered.

    `group` is what items share that makes them dependent (a voice, a passage); statistics average
    within groups first. `facets` are what results can be broken down by (SNR, duration, kind).
    `inputs` is what the benchmark's prompt needs, files as absolute paths.
    """

    item: str
    group: str
    target: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    facets: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prompt:
    """What a model is asked: a user's text, perhaps a system text, and audio files if it hears.

    `shots` are questions with their answers, which come before it as turns of the same talk.
    `form` is a JSON schema of the answer, for decoding that is constrained to it.
    """

    text: str
    system: str | None = None
    audio: tuple[Path, ...] = ()
    shots: "tuple[Shot, ...]" = ()
    form: str | None = None

    @property
    def heard(self) -> tuple[Path, ...]:
        """Every clip in the order in which the model hears them, those of the shots first."""
        return (*(path for shot in self.shots for path in shot.question.audio), *self.audio)


@dataclass(frozen=True)
class Shot:
    """A question that is answered already."""

    question: Prompt
    answer: str


class Trivial(ABC):
    """A baseline without a language model: fitted on the train split, then asked for answers."""

    @abstractmethod
    def fit(self, items: Sequence[Item]) -> None: ...

    @abstractmethod
    def predict(self, items: Sequence[Item]) -> list[str]: ...


class BaseBenchmark(ABC):
    """A task: subclass it, say how to read, ask, decode and check, and register it by name."""

    name: ClassVar[str]
    builders: ClassVar[tuple[str, ...]] = ()
    """The builders of data sets whose rows it reads, besides `own`; none named: not checked."""
    options: ClassVar[tuple[str, ...]] = ()
    """The possible answers of a multiple-choice task, scored from logits; empty for free text."""
    prompts: ClassVar[Mapping[str, str]]
    """Prompt templates by name; "baseline" is always one."""
    metrics: ClassVar[Mapping[str, Metric]] = {"accuracy": Metric("accuracy")}
    """The per-item metrics that `score` gives; the first is the primary one."""
    facets: ClassVar[tuple[str, ...]] = ()
    """What its items' results can be broken down by."""
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {}
    has_form: ClassVar[bool] = False
    """Whether its prompts name a form of the answer, to which decoding can be constrained."""

    @abstractmethod
    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        """One row of a split file as an item. Raises InputError naming the item if it is bad."""

    @abstractmethod
    def prompt(self, item: Item, template: str) -> Prompt:
        """The question for `item`, put as `template` says."""

    def template(self, name: str) -> str:
        """A prompt template by name. Raises InputError, naming those there are."""
        if name not in self.prompts:
            names = ", ".join(self.prompts)
            raise InputError(f"{self.name} has no prompt {name!r}; there are: {names}")
        return self.prompts[name]

    def phrasings(self) -> "Sequence[Phrasing]":
        """Ways to put the question, for pretraining a small base; none if the task has no such."""
        return ()

    def shot_class(self, item: Item) -> str:
        """What answered examples before a question are balanced over."""
        return item.target

    def completion(self, item: Item) -> str:
        """The text that a supervised model learns to answer."""
        return item.target

    def pretraining(self, item: Item) -> tuple[Prompt, str]:
        """The talk that a small base is pretrained on: what is asked, what it learns to answer."""
        return self.prompt(item, self.template("baseline")), self.completion(item)

    def rewards(self, item: Item, output: str) -> dict[str, float]:
        """What reinforcement pays for an output, by name, each 0 to 1."""
        raise InputError(f"benchmark {self.name}: has no rewards; reinforcement needs some")

    def extract_answer(self, output: str) -> str:
        """The answer in a model's raw output. Raises AnswerError(reason) if there is none."""
        answer = output.strip()
        if not answer:
            raise AnswerError("empty")
        return answer

    def read_answer(self, item: Item, output: str) -> str:
        """The answer to `item`, where reading it takes more than the output. Raises AnswerError."""
        return self.extract_answer(output)

    def check_answer(self, prediction: str, target: str) -> bool:
        return prediction == target

    def score(self, item: Item, predictions: Sequence[Prediction]) -> Metrics:
        """Per-item metrics of the samples drawn for `item`. An unparsed answer is a wrong one."""
        right = [
            p.prediction is not None and self.check_answer(p.prediction, item.target)
            for p in predictions
        ]
        return {"accuracy": sum(right) / len(right)}

    def compared(self, item: Item, predictions: Sequence[Prediction]) -> dict[str, Pairs]:
        """{metric: pairs of texts whose mean similarity it is}, where a study has an encoder."""
        return {}

    def quality(self, item: Item, text: str) -> float:
        """How good an answer is, 0 to 1, for objectives that ask; by a rule, and quick."""
        raise InputError(f"{self.name} has no quality of an answer; leave out the objective")

    def draws(self, item: Item, predictions: Sequence[Prediction]) -> tuple[str, str, list[str]]:
        """The question, what a person answered, and the samples, for `regen.draws`."""
        raise InputError(f"{self.name} is not about sets of answers; leave out `draws`")

    def to_record(self, item: Item, prediction: Prediction) -> Prediction:
        """What of an answer is written down; records may be published, texts of others may not."""
        return prediction

    def from_record(self, item: Item, prediction: Prediction) -> Prediction:
        """The answer as it was, from what was written down."""
        return prediction

    def load_dataset(self, folder: Path, split: str, num_samples: int | None = None) -> list[Item]:
        """The first `num_samples` items of a split (all if None).

        Raises InputError for a missing or damaged file, too few items, or an item named twice.
        """
        path = folder / f"{split}.jsonl"
        rows = read_jsonl(path)
        if num_samples is not None and len(rows) < num_samples:
            raise InputError(
                f"{path}: {num_samples} items are asked for, the file holds {len(rows)}; "
                f"lower the study's items.{split} or rebuild the data set"
            )
        items = [self.read(row, folder) for row in rows[:num_samples]]
        seen: set[str] = set()
        for item in items:
            if item.item in seen:
                raise InputError(
                    f"{path}: item {item.item!r} stands there twice; rebuild the data set"
                )
            seen.add(item.item)
        return items
