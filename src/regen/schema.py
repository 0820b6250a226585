"""The configuration's one schema: the checks, the defaults and the JSON schema come from it."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from regen.errors import nearest

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="lower case, digits, -")]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
Positive = Annotated[int, Field(strict=True, gt=0)]


# Targets of the workflow, and folders beside those of the studies.
RESERVED = {
    "across",
    "all",
    "appendix",
    "base-models",
    "checkpoints",
    "data",
    "figures",
    "paper",
    "predictions",
    "scores",
    "scratch",
    "selections",
    "simulation",
    "statistics",
    "tables",
}


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


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
    sources: list[str] = ["espeakng-loader", "captcha", "foxdot", "arcade"]
    """packages of data/sources.txt that it is derived from"""
    seed: Seed = 7
    """of every random choice in the clips"""
    sizes: SplitSizes
    """clips in each split; a study takes a prefix of each"""


class TinyAudioArchitecture(Section):
    """Sizes of a tiny Qwen2-Audio; feed-forward layers are twice as wide as their input."""

    mel_bins: Positive = 64
    """frequency bands of the spectrogram"""
    window_seconds: Positive = 2
    """longest clip that is heard"""
    audio_width: Positive = 96
    """width of the encoder's layers"""
    audio_layers: Positive = 1
    """layers of the encoder"""
    text_width: Positive = 64
    """width of the language model's layers"""
    text_layers: Positive = 2
    """layers of the language model"""
    heads: Positive = 4
    """attention heads in either"""
    vocabulary: Annotated[int, Field(strict=True, ge=280)] = 512
    """tokens, bytes and special ones included"""


class TinyAudioPretraining(Section):
    """Questions about sounds: first unmistakable ones, then the whole mixture."""

    steps: Positive = 500
    """of AdamW, with warm-up and cosine decay"""
    batch_size: Positive = 32
    """questions a step"""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-3
    """peak"""
    warmup_fraction: Annotated[float, Field(ge=0, le=1)] = 0.1
    """share of the steps over which the learning rate rises"""
    plain_fraction: Annotated[float, Field(ge=0, le=1)] = 0.6
    """share of the steps, at the start, with questions whose answer words have one meaning"""
    contrary_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    """share, later, of questions whose answer words mean the opposite elsewhere"""
    other_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """share, later, of questions about something else than the target"""
    items: Annotated[int, Field(strict=True, ge=0)] = 0
    """the first so many training items; 0 for all"""


class TinyAudioModel(Section):
    """A tiny Qwen2-Audio, built by code and pretrained on questions about sounds."""

    builder: Literal["tiny_audio"]
    """the stage that makes it: src/regen/models/tiny_audio.py"""
    dataset: Name
    """data set whose train split it is pretrained on"""
    benchmark: Name
    """benchmark whose phrasings it is asked"""
    architecture: TinyAudioArchitecture = TinyAudioArchitecture()
    """sizes of the network"""
    pretraining: TinyAudioPretraining = TinyAudioPretraining()
    """how it learns to hear"""
    seed: Seed = 1
    """of initialisation and order"""


class HubModel(Section):
    """A model of the hub at a pinned revision, read from the local cache."""

    builder: Literal["hub"]
    """the stage that makes it: src/regen/models/hub.py"""
    id: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """the model's id: owner/name"""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    """commit of the model; null where none is pinned yet, and then it does not run"""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """of the weights; auto is bfloat16 on a GPU, float32 without"""
    quantisation: Literal["none", "nf4"] = "none"
    """nf4: four bits, double quantisation; adapters trained on it are QLoRA"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto is a GPU if there is one"""


Model = Annotated[TinyAudioModel | HubModel, Field(discriminator="builder")]


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


class Figure(Section):
    """A metric by a facet of the items, a line a variant, with intervals."""

    name: Name
    """file name"""
    metric: str = "accuracy"
    """metric of the benchmark"""
    facet: str
    """facet of the benchmark's items"""
    variants: list[Name]
    """lines, in order"""
    label: str
    """of the horizontal axis"""
    caption: str
    """in the paper"""


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
        for figure in self.figures:
            known(figure.facet, self.facets, f"figures.{figure.name}.facet", "facet")
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


class Simulation(Section):
    """How often the tests err and the intervals hold, on simulated answers: an appendix.

    Every combination of the lists is a cell. The small scale's 10,000 replications take an hour.
    """

    items: list[Positive] = [30, 100, 500]
    """numbers of items"""
    seeds: list[Positive] = [1, 3, 5, 10]
    """numbers of seeds a side"""
    seed_sd: list[Annotated[float, Field(ge=0, lt=0.5)]] = [0.0, 0.05]
    """standard deviations of the accuracy over seeds"""
    groups: list[bool] = [False, True]
    """items by themselves, or in groups of 1 to 9"""
    accuracy: Annotated[float, Field(gt=0, lt=1)] = 0.85
    """of both methods"""
    replications: Positive = 2000
    """simulated comparisons of a cell"""
    interval_replications: Positive = 200
    """simulated intervals of a cell, where one takes longer"""
    resamples: Positive = 500
    """of a bootstrap interval"""
    seed: Seed = 1
    """of the draws"""


class Resources(Section):
    """What a stage's jobs ask of the machine or the cluster."""

    threads: Positive = 1
    """processor cores; torch wants them all: two jobs at once on two cores are slower than one"""
    mem_mb: Positive = 2000
    """memory in MiB"""
    runtime: Positive = 30
    """minutes until a cluster may kill the job"""
    gpu: Annotated[int, Field(strict=True, ge=0)] = 0
    """graphics processors"""


class Config(Section):
    """Everything that decides what is computed."""

    scale: Name
    """name of the scale; results lie in results/<scale>/"""
    title: str
    """of the paper"""
    stamp: str | None
    """printed on every page, for scales whose numbers mean nothing; null for none"""
    container: str
    """image in which rules run with --sdm apptainer"""
    datasets: dict[Name, SpeechData]
    """data sets by name; they lie in data/<name>/"""
    models: dict[Name, Model]
    """base models by name; they lie in models/<name>/"""
    studies: Annotated[dict[Name, Study], Field(min_length=1)]
    """studies by name, in the paper's order"""
    simulation: Simulation = Simulation()
    """the appendix on the tests"""
    resources: dict[str, Resources] = {}
    """by stage; "default" for the others"""

    @model_validator(mode="after")
    def _names_exist(self) -> "Config":
        for name, study in self.studies.items():
            if name in RESERVED:
                raise ValueError(f"studies.{name}: the name of a target or folder; use another")
            known(study.dataset, self.datasets, f"studies.{name}.dataset", "data set")
            known(study.base, self.models, f"studies.{name}.base", "model")
            for variant, row in study.variants.items():
                if row.base is not None:
                    known(row.base, self.models, f"studies.{name}.variants.{variant}.base", "model")
            sizes = self.datasets[study.dataset].sizes
            for split in ("train", "dev", "test"):
                if getattr(study.items, split) > getattr(sizes, split):
                    raise ValueError(
                        f"studies.{name}.items.{split}: {getattr(study.items, split)} items, "
                        f"but data set {study.dataset} has {getattr(sizes, split)}"
                    )
        for name, model in self.models.items():
            if isinstance(model, TinyAudioModel):
                known(model.dataset, self.datasets, f"models.{name}.dataset", "data set")
        return self

    def resources_of(self, stage: str) -> Resources:
        return self.resources.get(stage) or self.resources.get("default") or Resources()


def known(name: str, names: Iterable[str], where: str, kind: str) -> None:
    """Raise ValueError, with the nearest right name, if `name` is not one of `names`."""
    if name not in names:
        raise ValueError(f"{where}: there is no {kind} {name!r}{nearest(name, names)}")


def json_schema() -> dict[str, Any]:
    """For editors and Snakemake's `validate`; config/schema.json is this, and a test holds it."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
