"""A study: trainings, choices, variants, comparisons and figures."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from regen.schema.common import Name, Positive, Section, Seed, known
from regen.schema.foundation import SplitSizes


class Lora(Section):
    """A low-rank adapter (Hu et al. 2021, arXiv 2106.09685)."""

    r: Positive = 16
    """rank"""
    alpha: Positive = 32
    """scale: the adapter's output is multiplied by alpha / r"""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """on the adapter's input, in training"""
    targets: Literal["attention", "attention+mlp"] = "attention"
    """q, k, v, o projections; with mlp also gate, up and down"""


class Optimisation(Section):
    """How the loss is brought down."""

    epochs: Positive = 3
    """passes over the training items"""
    max_steps: Positive | None = None
    """stop after so many steps, whatever the epochs"""
    batch_size: Positive = 16
    """items a step"""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    """peak, after warm-up"""
    warmup_fraction: Annotated[float, Field(ge=0, le=1)] = 0.1
    """share of the steps over which the learning rate rises"""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """of AdamW"""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """gradients are clipped to this norm"""
    save_every: Positive = 50
    """steps between saved states, from which an interrupted training goes on"""


class Training(Section):
    """A recipe: what is trained and how. Variants that differ only in prompt share one."""

    prompt: str = "baseline"
    """named prompt of the benchmark that the model is trained on"""
    lora: Lora = Lora()
    """the adapter"""
    selected: Name | None = None
    """grid of the study's `selections` whose winner gives `lora.r` and `lora.alpha` instead"""
    optimisation: Optimisation = Optimisation()
    """the optimiser"""


class Selection(Section):
    """The best on the dev split: of a grid over rank and scale, or among trained variants.

    Ties go to fewer trainable parameters, then to the smaller alpha.
    """

    recipe: Name | None = None
    """of a grid: the recipe that is trained at each of its points"""
    r: list[Positive] = []
    """of a grid: ranks"""
    alpha: list[Positive] = []
    """of a grid: scales"""
    among: list[Name] = []
    """else: variants that are trained, as they are"""
    seed: Seed
    """the one seed that they are trained with for this"""
    metric: str = "accuracy"
    """metric of the benchmark, on the dev split"""

    @model_validator(mode="after")
    def _one_kind(self) -> "Selection":
        grid = bool(self.recipe and self.r and self.alpha)
        if grid == (len(self.among) > 1) or (self.among and (self.recipe or self.r or self.alpha)):
            raise ValueError("a selection has recipe, r and alpha, or two variants in `among`")
        for name in ("r", "alpha", "among"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name}: {values} names one twice")
        return self


class Decoding(Section):
    """How an answer is drawn."""

    mode: Literal["options", "generate"] = "options"
    """options: multiple choice from the logits, free text generated; generate: text either way"""
    batch_size: Positive = 16
    """items at once; does not change the result"""
    max_new_tokens: Positive = 16
    """longest answer"""
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    """0 is greedy"""


class Variant(Section):
    """A training (or none) x a prompt x a decoding, or a trivial baseline: what is asked."""

    training: Name | None = None
    """recipe of this study whose checkpoints answer; null is the base model as it comes"""
    base: Name | None = None
    """another base model than the study's, as it comes; an entry of `models`"""
    trivial: Name | None = None
    """a baseline without a language model, by the benchmark's name for it"""
    prompt: str = "baseline"
    """named prompt of the benchmark"""
    shots: Annotated[int, Field(strict=True, ge=0, le=64)] = 0
    """answered training items that come before the question; see src/regen/shots.py"""
    decoding: Decoding = Decoding()
    """how answers are drawn"""
    table: bool = True
    """a row of the study's tables; without, it is computed for another of the paper's results"""

    @model_validator(mode="after")
    def _one_kind(self) -> "Variant":
        if self.training and self.trivial:
            raise ValueError("a variant has a training or is trivial, not both")
        if self.trivial and (self.shots or self.base):
            raise ValueError("a trivial variant has neither shots nor a base")
        if self.training and self.base:
            raise ValueError("a variant with a training has the study's base; leave out base")
        return self


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


class Thresholds(Section):
    """From which stimulus on is an answer mostly right? A psychometric function by variant."""

    variants: Annotated[list[Name], Field(min_length=1)]
    """whose scores are fitted"""
    axes: Annotated[dict[str, Literal["linear", "log"]], Field(min_length=1)]
    """fields of the data's rows that hold the stimulus, and the scale on which it acts"""
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


class Figure(Section):
    """What is drawn: a metric by a facet of the items; a reliability diagram; a grid."""

    name: Name
    """file name"""
    kind: Literal["facet", "reliability", "grid"] = "facet"
    """facet: a line a variant, with intervals; reliability: a panel a variant of `calibration`;
    grid: a selection's values over rank and scale"""
    metric: str = "accuracy"
    """of a facet figure: metric of the benchmark"""
    facet: str | None = None
    """of a facet figure: facet of the benchmark's items"""
    variants: list[Name] = []
    """of a facet figure: lines, in order"""
    label: str = ""
    """of a facet figure: of the horizontal axis"""
    selection: Name | None = None
    """of a grid: which"""
    caption: str
    """in the paper"""

    @model_validator(mode="after")
    def _what_its_kind_wants(self) -> "Figure":
        if (self.kind == "facet") != bool(self.facet and self.variants and self.label):
            raise ValueError("facet, variants and label belong to a figure of kind facet")
        if (self.kind == "grid") != (self.selection is not None):
            raise ValueError("selection belongs to a figure of kind grid")
        return self


class Study(Section):
    """One comparison of ways to adapt a model to a task."""

    title: str
    """heading in the paper"""
    benchmark: Name
    """the task, a file in src/regen/benchmarks/"""
    dataset: Name
    """entry of `datasets`"""
    items: SplitSizes
    """the first so many items of each split"""
    base: Name
    """entry of `models`"""
    seeds: Annotated[list[Seed], Field(min_length=1)]
    """of the trainings"""
    reference: Name
    """variant that the table compares with"""
    trainings: dict[Name, Training]
    """recipes by name"""
    selections: dict[Name, Selection] = {}
    """choices made on the dev split, by name"""
    variants: dict[Name, Variant]
    """what is compared, by name, in the table's order"""
    labels: dict[Name, Label]
    """what the tables print of each variant"""
    agreement: list[tuple[Name, Name]] = []
    """[variant from logits, the same with mode generate] each: do they say the same, how fast?"""
    comparisons: list[Comparison]
    """declared before the results are seen"""
    calibration: Calibration | None = None
    """of probabilities, on dev and test"""
    thresholds: Thresholds | None = None
    """of stimuli"""
    facets: list[str]
    """facets by which results are broken down"""
    figures: list[Figure]
    """figures of the paper"""

    @model_validator(mode="after")
    def _names_exist(self) -> "Study":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {self.seeds} names a seed twice")
        rows = [name for name, variant in self.variants.items() if variant.table]
        known(self.reference, rows, "reference", "variant with a row in the table")
        for name in self.labels:
            known(name, self.variants, "labels", "variant")
        for name, variant in self.variants.items():
            if variant.table:
                known(name, self.labels, f"variants.{name}", "label")
            if variant.training is not None:
                known(variant.training, self.trainings, f"variants.{name}.training", "training")
        for name, selection in self.selections.items():
            if selection.recipe is not None:
                known(selection.recipe, self.trainings, f"selections.{name}.recipe", "training")
            trained = [key for key, row in self.variants.items() if row.training]
            for asked in selection.among:
                known(asked, trained, f"selections.{name}.among", "trained variant")
            if selection.among and selection.seed not in self.seeds:
                raise ValueError(f"selections.{name}.seed: {selection.seed} is none of `seeds`")
            for point in self.points(name):
                if point in self.trainings or point in self.variants:
                    raise ValueError(f"{point}: the name of a grid's point; use another")
        for name, training in self.trainings.items():
            if training.selected is not None:
                where = f"trainings.{name}.selected"
                grids = [key for key, one in self.selections.items() if one.recipe is not None]
                known(training.selected, grids, where, "grid among the selections")
        for comparison in self.comparisons:
            for pair in comparison.pairs:
                for name in pair:
                    known(name, rows, f"comparisons.{comparison.family}", "variant in the table")
        logits = [
            key
            for key, row in self.variants.items()
            if row.trivial is None and row.decoding.mode == "options"
        ]
        for asked in self.calibration.variants if self.calibration else ():
            known(asked, logits, "calibration.variants", "variant that answers from logits")
        scored = [key for key, row in self.variants.items() if row.table]
        for asked in self.thresholds.variants if self.thresholds else ():
            known(asked, scored, "thresholds.variants", "variant")
        for figure in self.figures:
            if figure.facet is not None:
                known(figure.facet, self.facets, f"figures.{figure.name}.facet", "facet")
            if figure.selection is not None:
                grids = [key for key, one in self.selections.items() if one.recipe is not None]
                known(figure.selection, grids, f"figures.{figure.name}.selection", "grid")
            if figure.kind == "reliability" and self.calibration is None:
                raise ValueError(f"figures.{figure.name}: wants `calibration` in the study")
            for name in figure.variants:
                known(name, rows, f"figures.{figure.name}.variants", "variant in the table")
        for pair in self.agreement:
            for name in pair:
                known(name, self.variants, "agreement", "variant")
            if reason := self._not_twins(*pair):
                raise ValueError(f"agreement: {pair[0]} and {pair[1]} {reason}")
        return self

    def points(self, selection: str) -> dict[str, Training]:
        """The trainings of a grid, by name; none for a choice among recipes."""
        grid = self.selections[selection]
        if grid.recipe is None or grid.recipe not in self.trainings:
            return {}
        recipe = self.trainings[grid.recipe].model_copy(update={"selected": None})
        return {
            f"{selection}-r{r}-alpha{alpha}": recipe.model_copy(
                update={"lora": recipe.lora.model_copy(update={"r": r, "alpha": alpha})}
            )
            for r in grid.r
            for alpha in grid.alpha
        }

    def _not_twins(self, options: str, generated: str) -> str | None:
        """Why two variants are not one that is asked on both paths; None if they are."""
        a, b = self.variants[options], self.variants[generated]
        if a.trivial or b.trivial:
            return "must be language models; a trivial baseline has one path"
        if (a.decoding.mode, b.decoding.mode) != ("options", "generate"):
            return "must have the decoding modes options and generate, in this order"
        for key in ("training", "base", "prompt", "shots"):
            if getattr(a, key) != getattr(b, key):
                return f"differ in {key}; only their decoding may"
        if a.decoding.batch_size != b.decoding.batch_size:
            return "differ in decoding.batch_size; their times could not be compared"
        return None
