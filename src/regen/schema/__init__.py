"""The configuration's one schema: the checks, the defaults and the JSON schema come from it."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from regen.schema.common import Name, Positive, Section, Seed, known
from regen.schema.foundation import Model, SpeechData, TinyAudioModel
from regen.schema.study import Study

# Rules and targets of the workflow, and folders beside those of the studies.
RESERVED = {
    "agree",
    "agreements",
    "analyze",
    "build-data",
    "calibrate",
    "find-thresholds",
    "build-model",
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
    "scratch",
    "selections",
    "simulation",
    "statistics",
    "tables",
}


class Simulation(Section):
    """How often the tests err and the intervals hold, on simulated answers: an appendix.

    Every combination of the lists is a cell. The small scale's 10,000 replications take an hour.
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
        if self.scale == "scratch":
            raise ValueError("scale: results/scratch/ holds quick tries; use another name")
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


def json_schema() -> dict[str, Any]:
    """For editors and Snakemake's `validate`; config/schema.json is this, and a test holds it."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
