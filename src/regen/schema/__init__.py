"""The configuration's one schema: the checks, the defaults and the JSON schema come from it."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from regen.schema.common import Name, Positive, Prices, Resources, Section, Seed, known
from regen.schema.datasets import DataSet, DecisionsData, OwnData, ProjectPath
from regen.schema.models import (
    EncoderModel,
    Model,
    QuantisedModel,
    RoundedModel,
    TinyAudioModel,
    TinyLlamaModel,
)
from regen.schema.prompts import LocalProposer
from regen.schema.study import Study

# Rules and targets of the workflow, and folders beside those of the studies.
RESERVED = {
    "agree",
    "agreements",
    "optimise-prompt",
    "prompts",
    "analyze",
    "answers",
    "read-answers",
    "build-data",
    "calibrate",
    "find-thresholds",
    "build-model",
    "quantise-model",
    "compile-paper",
    "fetch-model",
    "fetch-sources",
    "plot",
    "predict",
    "score",
    "select",
    "simulate",
    "tabulate",
    "tabulate-appendix",
    "train",
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
    "compare-sets",
    "scratch",
    "sets",
    "selections",
    "simulation",
    "statistics",
    "sweep",
    "sweeps",
    "tables",
}


class Simulation(Section):
    """How often the tests err and the intervals hold, on simulated answers: an appendix.

    Every combination of the lists is a cell. 10,000 replications take an hour.
    """

    items: Annotated[list[Annotated[int, Field(strict=True, ge=10)]], Field(min_length=1)] = [
        30,
        100,
        500,
    ]
    """numbers of items"""
    seeds: Annotated[list[Positive], Field(min_length=1)] = [1, 3, 5, 10]
    """numbers of seeds a side"""
    seed_sd: Annotated[list[Annotated[float, Field(ge=0, lt=0.5)]], Field(min_length=1)] = [
        0.0,
        0.05,
    ]
    """standard deviations of the accuracy over seeds"""
    groups: Annotated[list[bool], Field(min_length=1)] = [False, True]
    """items by themselves, or in groups of 1 to 9"""
    accuracy: Annotated[float, Field(gt=0, lt=1)] = 0.85
    """of both methods"""
    replications: Annotated[int, Field(strict=True, ge=10)] = 2000
    """simulated comparisons of a cell"""
    interval_replications: Positive = 200
    """simulated intervals of a cell, where one takes longer"""
    resamples: Positive = 500
    """of a bootstrap interval"""
    seed: Seed = 1
    """of the draws"""


class Config(Section):
    """Everything that decides what is computed."""

    scale: Name
    """name of the scale; results lie in results/<scale>/"""
    title: str
    """of the paper"""
    stamp: str | None
    """printed on every page, for scales whose numbers mean nothing; null for none"""
    container: str
    """image in which rules run with --sdm apptainer: docker://NAME@sha256:DIGEST, or a .sif file"""
    strict_environment: bool = False
    """whether another image makes base models, checkpoints and predictions stale"""
    benchmark_files: list[ProjectPath] = []
    """Python files of your own that define benchmarks; a study names one as any other"""
    datasets: dict[Name, DataSet]
    """data sets by name; they lie in data/<name>/"""
    models: dict[Name, Model]
    """base models by name; they lie in models/<name>/"""
    studies: Annotated[dict[Name, Study], Field(min_length=1)]
    """studies by name, in the paper's order"""
    simulation: Simulation = Simulation()
    """the appendix on the tests"""
    resources: dict[str, Resources] = {}
    """by stage; "default" for the others. A study may ask for other ones"""
    model_resources: dict[Name, dict[str, Resources]] = {}
    """by base model and stage, for its jobs in any study: a large model among small ones"""
    prices: Prices | None = None
    """of the machines that all this runs on; null where none is known"""

    @model_validator(mode="after")
    def _names_exist(self) -> "Config":
        if self.scale == "scratch":
            raise ValueError("scale: results/scratch/ holds quick tries; use another name")
        encoders = [key for key, one in self.models.items() if isinstance(one, EncoderModel)]
        talking = [key for key in self.models if key not in encoders]
        for name, study in self.studies.items():
            if name in RESERVED:
                raise ValueError(f"studies.{name}: the name of a target or folder; use another")
            known(study.dataset, self.datasets, f"studies.{name}.dataset", "data set")
            known(study.base, talking, f"studies.{name}.base", "language model")
            if study.encoder is not None:
                known(study.encoder, encoders, f"studies.{name}.encoder", "sentence encoder")
            for variant, row in study.variants.items():
                if row.base is not None:
                    where = f"studies.{name}.variants.{variant}.base"
                    known(row.base, talking, where, "language model")
            for search, one in study.prompt_searches.items():
                where = f"studies.{name}.prompt_searches.{search}"
                if one.base is not None:
                    known(one.base, talking, f"{where}.base", "language model")
                if isinstance(one.proposer, LocalProposer):
                    known(one.proposer.model, talking, f"{where}.proposer.model", "language model")
            self._check_processes(name, study)
            if study.trainings_of is not None:
                self._check_borrowed(name, study, study.trainings_of)
            data = self.datasets[study.dataset]
            if isinstance(data, OwnData) and data.benchmark != study.benchmark:
                raise ValueError(
                    f"studies.{name}.benchmark: {study.benchmark}, but data set {study.dataset} is "
                    f"read by benchmark {data.benchmark}; make them the same"
                )
            sizes = data.sizes
            for split in ("train", "dev", "test"):
                if getattr(study.items, split) > getattr(sizes, split):
                    raise ValueError(
                        f"studies.{name}.items.{split}: {getattr(study.items, split)} items, "
                        f"but data set {study.dataset} has {getattr(sizes, split)}"
                    )
        for name, data in self.datasets.items():
            if isinstance(data, DecisionsData):
                others = [k for k, one in self.datasets.items() if not isinstance(one, type(data))]
                known(data.apart_from, others, f"datasets.{name}.apart_from", "other data set")
        for name, model in self.models.items():
            if name in self.datasets:
                raise ValueError(f"models.{name}: the name of a data set; use another")
            if isinstance(model, TinyAudioModel | TinyLlamaModel):
                known(model.dataset, self.datasets, f"models.{name}.dataset", "data set")
            if isinstance(model, QuantisedModel | RoundedModel):
                whole = [
                    key
                    for key, one in self.models.items()
                    if not isinstance(one, QuantisedModel | RoundedModel)
                ]
                known(model.of, whole, f"models.{name}.of", "model that is not quantised itself")
        return self

    def _check_processes(self, name: str, study: Study) -> None:
        """Raise ValueError unless as many GPUs are asked for as a training has processes."""
        swept = {study.variants[one.variant].training for one in study.sweeps.values()}
        for training, recipe in study.trainings.items():
            processes = recipe.optimisation.processes
            for stage in ("training", "sweep") if training in swept else ("training",):
                gpu = self.resources_of(stage, name, study.base).gpu
                if processes > 1 and gpu != processes:
                    raise ValueError(
                        f"studies.{name}.trainings.{training}.optimisation.processes: {processes}, "
                        f"but {stage} asks for {gpu} gpu; make resources.{stage}.gpu {processes}"
                    )

    def _check_borrowed(self, name: str, study: Study, owner: str) -> None:
        """Raise ValueError unless `study` can use the checkpoints of the study `owner`."""
        where = f"studies.{name}"
        owners = [key for key, one in self.studies.items() if one.trainings]
        known(owner, owners, f"{where}.trainings_of", "study with trainings")
        lender = self.studies[owner]
        if study.base != lender.base:
            raise ValueError(
                f"{where}.base: {study.base}, but the checkpoints of {owner} are on {lender.base}"
            )
        if unknown := sorted(set(study.seeds) - set(lender.seeds)):
            raise ValueError(f"{where}.seeds: {unknown[0]} is none of study {owner}'s")
        try:
            study.check_trained(lender.trainings)
        except ValueError as error:
            raise ValueError(f"{where}.{error}") from None

    def resources_of(
        self, stage: str, study: str | None = None, base: str | None = None
    ) -> Resources:
        """What the base model asks for in the stage, else the study, else the stage, else all."""
        by_model = self.model_resources.get(base or "", {})
        by_study = self.studies[study].resources if study in self.studies else {}
        found = by_model.get(stage) or by_study.get(stage) or self.resources.get(stage)
        return found or self.resources.get("default") or Resources()


def json_schema() -> dict[str, Any]:
    """For editors and Snakemake's `validate`; config/schema.json is this, and a test holds it."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
