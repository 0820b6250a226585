"""What a study asks of its answers: labels, comparisons, closer readings, figures, costs."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from regen.schema.common import Name, Section, Seed


class Label(Section):
    """What the tables print of a variant; changing it computes nothing again but the tables."""

    model: str
    """which model"""
    method: str = "none"
    """how it was fine-tuned"""
    prompt: str = "baseline"
    """which prompt"""


class Comparison(Section):
    """A declared family of comparisons; p-values are Holm-corrected within it."""

    family: Name
    """the family's name, printed with its results"""
    metric: str = "accuracy"
    """metric of the benchmark"""
    paired_seeds: bool = False
    """seed s of one side and of the other share their randomness"""
    pairs: list[tuple[Name, Name]]
    """[method, reference] each"""


class Calibration(Section):
    """Are the probabilities what they say? A temperature fitted on dev, reported on test."""

    variants: Annotated[list[Name], Field(min_length=1)]
    """that answer from logits"""
    temperatures: list[Annotated[float, Field(gt=0)]] = [0.8, 1.0, 1.2, 1.5, 2.0]
    """of a sweep on dev beside the fitted one"""


class Axis(Section):
    """A stimulus that is more or less of something."""

    label: str
    """what the table calls it, with its unit"""
    scale: Literal["linear", "log"] = "linear"
    """on which it acts"""


class Thresholds(Section):
    """From which stimulus on is an answer mostly right? A psychometric function by variant."""

    variants: Annotated[list[Name], Field(min_length=1)]
    """whose scores are fitted"""
    axes: Annotated[dict[str, Axis], Field(min_length=1)]
    """by the field of the data's rows that holds the stimulus"""
    metric: str = "accuracy"
    """0 or 1 an item"""
    guess: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """chance of being right without hearing anything"""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.75
    """accuracy that is asked for"""
    seed: Seed = 0
    """of the bootstrap"""

    @model_validator(mode="after")
    def _above_guessing(self) -> "Thresholds":
        if self.level <= self.guess:
            raise ValueError(f"level: {self.level} is not above guessing ({self.guess})")
        return self


class Answers(Section):
    """What is asked of free text beside its means; see src/regen/statistics/answers.py."""

    pairs: Annotated[list[tuple[Name, Name]], Field(min_length=1)]
    """[method, reference] each, won and lost item by item; the first pair gives the cases"""
    tolerances: Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(min_length=1)]
    """{metric: how far apart two scores still tie}; the first metric picks the cases"""
    ranking: Annotated[list[str], Field(min_length=2)]
    """metrics that are asked whether they rank alike"""
    facet: str | None = None
    """facet by which the first metric is broken down in a table"""
    cases: Annotated[int, Field(strict=True, ge=0)] = 2
    """wins, ties and losses each that are shown"""

    @model_validator(mode="after")
    def _none_twice(self) -> "Answers":
        for name, values in (("pairs", self.pairs), ("ranking", self.ranking)):
            if len(set(values)) != len(values):
                raise ValueError(f"{name}: {values} names one twice")
        if same := [a for a, b in self.pairs if a == b]:
            raise ValueError(f"pairs: {same[0]} is compared with itself")
        return self


class Outcome(Section):
    """What a rule may come to, and when."""

    words: str
    """what a sentence adds to its name"""
    bounds: Annotated[dict[str, tuple[float | None, float | None]], Field(min_length=1)]
    """{metric: [at least, at most]}: relative changes as shares, null for no bound"""


class Draws(Section):
    """What is asked of several answers to one item; see src/regen/draws.py and sets.py."""

    bar: Name
    """the variant, as it answers dev, that the bar of pass@k is chosen for"""
    most: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """of its items fewer than this share have a sample that passes the bar"""
    perplexity: bool = True
    """ask the study's base how likely it finds each answer"""
    against: Name
    """trained variant that changes are relative to"""
    changes: Annotated[list[Name], Field(min_length=1)]
    """variants whose changes are given"""
    metrics: Annotated[list[str], Field(min_length=1)]
    """of which, in the table's order"""
    outcomes: dict[str, Outcome]
    """a rule, by its outcomes; of those that hold the first counts, and "between" if none does"""


class Spending(Section):
    """What an hour of the machine costs, for a table of what was and will be spent."""

    per_hour: Annotated[float, Field(ge=0)]
    """price of an hour"""
    currency: str = "USD"
    """of the price"""
    further_seeds: Annotated[int, Field(strict=True, ge=0)] = 0
    """of every training, that are still to be run"""


class Figure(Section):
    """What is drawn: a metric by a facet of the items; a reliability diagram; a grid; searches."""

    name: Name
    """file name"""
    kind: Literal["facet", "reliability", "grid", "search", "passing", "pareto", "rewards"] = (
        "facet"
    )
    """facet: a line a variant, with intervals; reliability: a panel a variant of `calibration`;
    grid: a selection's values over rank and scale; search: the best so far of each prompt search;
    passing: pass@k by k; pareto: a metric against another, a point a variant;
    rewards: of a training with `reinforcement`, by step"""
    metric: str = "accuracy"
    """of a facet figure: metric of the benchmark; of a pareto figure: that of the vertical axis"""
    other: str | None = None
    """of a pareto figure: metric of the horizontal axis"""
    facet: str | None = None
    """of a facet figure: facet of the benchmark's items"""
    variants: list[Name] = []
    """of a facet figure: lines, in order; of a passing or pareto figure: lines or points"""
    label: str = ""
    """of a facet figure: of the horizontal axis"""
    selection: Name | None = None
    """of a grid: which"""
    training: Name | None = None
    """of a rewards figure: which"""
    caption: str
    """in the paper"""

    @model_validator(mode="after")
    def _what_its_kind_wants(self) -> "Figure":
        if (self.kind == "facet") != bool(self.facet and self.variants and self.label):
            raise ValueError("facet, variants and label belong to a figure of kind facet")
        if self.kind in ("passing", "pareto") and not self.variants:
            raise ValueError(f"variants: a figure of kind {self.kind} wants some")
        if (self.kind == "pareto") != (self.other is not None):
            raise ValueError("other belongs to a figure of kind pareto")
        if (self.kind == "grid") != (self.selection is not None):
            raise ValueError("selection belongs to a figure of kind grid")
        if (self.kind == "rewards") != (self.training is not None):
            raise ValueError("training belongs to a figure of kind rewards")
        return self
