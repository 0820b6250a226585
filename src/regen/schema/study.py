"""A study: trainings, choices, variants, and what is asked of their answers."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from regen.schema.common import Name, Positive, Resources, Section, Seed, known
from regen.schema.datasets import SplitSizes
from regen.schema.prompts import Found, PromptSearch
from regen.schema.recipes import Selection, Sweep, Training
from regen.schema.results import (
    Answers,
    Calibration,
    Comparison,
    Draws,
    Figure,
    Label,
    Spending,
    Thresholds,
)


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
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """share of the probability that is drawn from"""
    top_k: Annotated[int, Field(strict=True, ge=0)] = 0
    """number of the likeliest tokens that are drawn from; 0 for all"""
    samples: Positive = 1
    """answers drawn for each item; metrics are means over them"""
    seed: Seed = 0
    """of the draws, beside the training's"""

    constrained: bool = False
    """only text of the form that the benchmark names (a JSON schema) can be drawn"""

    @model_validator(mode="after")
    def _samples_differ(self) -> "Decoding":
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("samples: greedy answers are all alike; set a temperature")
        return self


class Variant(Section):
    """A training (or none) x a prompt x a decoding, or a trivial baseline: what is asked."""

    training: Name | None = None
    """recipe of this study whose checkpoints answer; null is the base model as it comes"""
    epoch: Positive | None = None
    """the adapter after so many epochs of a training with `keep_epochs`; null is the last one"""
    base: Name | None = None
    """another base model than the study's, as it comes; an entry of `models`"""
    trivial: Name | None = None
    """a baseline without a language model, by the benchmark's name for it"""
    prompt: str | Found = "baseline"
    """named prompt of the benchmark, or {search: name}: what a prompt search has found"""
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
        if self.epoch and not self.training:
            raise ValueError("a variant with an epoch has a training")
        if self.training and self.base:
            raise ValueError("a variant with a training has the study's base; leave out base")
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
    encoder: Name | None = None
    """entry of `models` that reads texts for metrics of their similarity; null for none"""
    seeds: Annotated[list[Seed], Field(min_length=1)]
    """of the trainings"""
    reference: Name
    """variant that the table compares with"""
    trainings: dict[Name, Training] = {}
    """recipes by name"""
    trainings_of: Name | None = None
    """another study, whose checkpoints this one's variants use: what else has changed in them?"""
    selections: dict[Name, Selection] = {}
    """choices made on the dev split, by name"""
    sweeps: dict[Name, Sweep] = {}
    """learning rates and ranks to look at on the dev split, by name"""
    prompt_searches: dict[Name, PromptSearch] = {}
    """searches for better prompts on the dev split, by name"""
    variants: dict[Name, Variant]
    """what is compared, by name, in the table's order"""
    labels: dict[Name, Label]
    """what the tables print of each variant, and of a training that no variant answers with"""
    agreement: list[tuple[Name, Name]] = []
    """[variant from logits, the same with mode generate] each: do they say the same, how fast?"""
    comparisons: list[Comparison]
    """declared before the results are seen"""
    common: dict[Name, Annotated[list[Name], Field(min_length=1)]] = {}
    """variants by the name of the subset of items that they share: those with a metric in all"""
    calibration: Calibration | None = None
    """of probabilities, on dev and test"""
    thresholds: Thresholds | None = None
    """of stimuli"""
    answers: Answers | None = None
    """of free text"""
    draws: Draws | None = None
    """of several answers to one item"""
    spending: Spending | None = None
    """for a table of costs"""
    facets: list[str]
    """facets by which results are broken down"""
    figures: list[Figure]
    """figures of the paper"""
    resources: dict[str, Resources] = {}
    """by stage, where this study's jobs ask for something else than the other studies'"""

    @model_validator(mode="after")
    def _names_exist(self) -> "Study":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {self.seeds} names a seed twice")
        rows = [name for name, variant in self.variants.items() if variant.table]
        known(self.reference, rows, "reference", "variant with a row in the table")
        for name in self.labels:
            known(name, [*self.variants, *self.trainings], "labels", "variant or training")
        for name, variant in self.variants.items():
            if variant.table:
                known(name, self.labels, f"variants.{name}", "label")
            if variant.shots > self.items.train:
                raise ValueError(
                    f"variants.{name}.shots: {variant.shots}, but the study has "
                    f"{self.items.train} training items (items.train)"
                )
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
        self._starts_exist()
        for name, training in self.trainings.items():
            if training.items is not None and training.items > self.items.train:
                raise ValueError(
                    f"trainings.{name}.items: {training.items}, but the study has "
                    f"{self.items.train} (items.train)"
                )
            if training.selected is not None:
                where = f"trainings.{name}.selected"
                grids = [key for key, one in self.selections.items() if one.recipe is not None]
                known(training.selected, grids, where, "grid among the selections")
        if self.trainings_of is None:
            self.check_trained(self.trainings)
        elif self.trainings or self.selections or self.sweeps or self.prompt_searches:
            raise ValueError(
                "trainings_of: a study that uses another's checkpoints has no trainings, "
                "selections, sweeps or prompt_searches of its own"
            )
        self._searches_exist()
        self._sweeps_have_recipes()
        for subset, names in self.common.items():
            for name in names:
                known(name, rows, f"common.{subset}", "variant in the table")
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
        if self.answers is not None:
            for pair in self.answers.pairs:
                for name in pair:
                    known(name, rows, "answers.pairs", "variant in the table")
            if self.answers.facet is not None:
                known(self.answers.facet, self.facets, "answers.facet", "facet")
        if self.draws is not None:
            drawn = [key for key, row in self.variants.items() if row.table and not row.training]
            known(self.draws.bar, drawn, "draws.bar", "variant without a training in the table")
            trained = [key for key, row in self.variants.items() if row.table and row.training]
            known(self.draws.against, trained, "draws.against", "trained variant in the table")
            for name in self.draws.changes:
                known(name, rows, "draws.changes", "variant in the table")
            for outcome, one in self.draws.outcomes.items():
                for metric in one.bounds:
                    known(metric, self.draws.metrics, f"draws.outcomes.{outcome}", "metric")
        for figure in self.figures:
            if figure.facet is not None:
                known(figure.facet, self.facets, f"figures.{figure.name}.facet", "facet")
            if figure.selection is not None:
                grids = [key for key, one in self.selections.items() if one.recipe is not None]
                known(figure.selection, grids, f"figures.{figure.name}.selection", "grid")
            if figure.training is not None:
                paid = [key for key, one in self.trainings.items() if one.reinforcement]
                where = f"figures.{figure.name}.training"
                known(figure.training, paid, where, "training with reinforcement")
            if figure.kind == "search" and not self.prompt_searches:
                raise ValueError(f"figures.{figure.name}: wants `prompt_searches` in the study")
            if figure.kind == "passing" and self.draws is None:
                raise ValueError(f"figures.{figure.name}: wants `draws` in the study")
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

    def _starts_exist(self) -> None:
        earlier: list[str] = []
        for name, training in self.trainings.items():
            if training.start is not None:
                known(training.start, earlier, f"trainings.{name}.start", "earlier training")
                first = self.trainings[training.start]
                if (first.lora, first.selected) != (training.lora, training.selected):
                    raise ValueError(
                        f"trainings.{name}.lora: goes on with the adapter of {training.start}, "
                        "so it must have the same lora"
                    )
            earlier.append(name)
        for name, selection in self.selections.items():
            recipe = self.trainings.get(selection.recipe or "")
            if recipe is not None and recipe.start is not None:
                raise ValueError(
                    f"selections.{name}.recipe: {selection.recipe} goes on with an adapter of "
                    "given rank; choose a training without `start`"
                )

    def _sweeps_have_recipes(self) -> None:
        trained = [name for name, row in self.variants.items() if row.training]
        for name, sweep in self.sweeps.items():
            known(sweep.variant, trained, f"sweeps.{name}.variant", "trained variant")
            row = self.variants[sweep.variant]
            if row.epoch is not None or not isinstance(row.prompt, str):
                raise ValueError(
                    f"sweeps.{name}.variant: {sweep.variant} answers after an epoch, or with a "
                    "prompt that was searched for; choose another"
                )
            if self.trainings[str(row.training)].start is not None:
                raise ValueError(
                    f"sweeps.{name}.variant: the recipe of {sweep.variant} goes on with an adapter "
                    "of given rank; choose a training without `start`"
                )

    def runs(self, sweep: str) -> dict[str, Training]:
        """The trainings of a sweep, by name."""
        wanted = self.sweeps[sweep]
        recipe = self.trainings[str(self.variants[wanted.variant].training)]
        return {
            f"r{r}-lr{rate:g}": recipe.model_copy(
                update={
                    "selected": None,
                    "lora": recipe.lora.model_copy(update={"r": r}),
                    "optimisation": recipe.optimisation.model_copy(update={"learning_rate": rate}),
                }
            )
            for r in wanted.r
            for rate in wanted.learning_rate
        }

    def check_trained(self, trainings: dict[str, Training]) -> None:
        """Raise ValueError for a variant whose training or epoch is none of `trainings`."""
        for name, variant in self.variants.items():
            if variant.training is None:
                continue
            where = f"variants.{name}"
            known(variant.training, trainings, f"{where}.training", "training")
            how = trainings[variant.training].optimisation
            if variant.epoch is not None and not how.keep_epochs:
                raise ValueError(
                    f"{where}.epoch: training {variant.training} keeps its last adapter only; "
                    "set optimisation.keep_epochs to true"
                )
            if variant.epoch is not None and variant.epoch > how.epochs:
                raise ValueError(
                    f"{where}.epoch: {variant.epoch}, but training {variant.training} "
                    f"has {how.epochs}"
                )

    def _searches_exist(self) -> None:
        for name, search in self.prompt_searches.items():
            where = f"prompt_searches.{name}"
            if search.training and search.base:
                raise ValueError(f"{where}: a training has the study's base; leave out base")
            if search.training is not None:
                known(search.training, self.trainings, f"{where}.training", "training")
            elif search.checkpoint is not None:
                raise ValueError(f"{where}.checkpoint: the base has none; name a training")
            if search.checkpoint is not None and search.checkpoint not in self.seeds:
                raise ValueError(f"{where}.checkpoint: {search.checkpoint} is none of `seeds`")
            if search.budget_of is not None:
                others = [k for k, one in self.prompt_searches.items() if one.budget_of is None]
                known(search.budget_of, others, f"{where}.budget_of", "search with its own budget")
        for name, variant in self.variants.items():
            if isinstance(variant.prompt, Found):
                where = f"variants.{name}.prompt.search"
                known(variant.prompt.search, self.prompt_searches, where, "prompt search")

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
