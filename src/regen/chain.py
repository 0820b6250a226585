"""The chain: every folder that a configuration asks for, how it is made, and from what.

    data -> base model -> checkpoint -> predictions -> scores -> statistics
         -> tables, figures -> paper

This is the one place that knows paths. Rules, the command line, DVC's stages, `status` and `trace`
all ask it. A path is the address of a result: a training is a recipe; a variant is a training x a
prompt x a decoding, so two variants may share a checkpoint; a base model has no seed.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from regen.errors import InputError
from regen.provenance import Input, Job
from regen.schema import Config, Figure, Study, Training, Variant, nearest

STAGES = (
    "sources",
    "data",
    "models",
    "training",
    "prediction",
    "scoring",
    "selection",
    "statistics",
    "tables",
    "figures",
    "paper",
)
TABLES = ("comparison", "tests", "per-seed")
"""The tables of a study; each is written as .tex, .md, .csv and .json."""


class Chain:
    """All jobs of a configuration, by stage and address."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.results = f"results/{config.scale}"

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """{folder: job}, upstream first."""
        return {job.out: job for job in self._all()}

    @cached_property
    def _by_address(self) -> dict[tuple[str, frozenset[tuple[str, str]]], Job]:
        return {(job.stage, frozenset(job.wildcards.items())): job for job in self.jobs.values()}

    def job(self, stage: str, **address: str) -> Job:
        """The job of a stage at an address. Raises InputError, naming what is not configured."""
        wanted = {key: value for key, value in address.items() if key != "scale"}
        found = self._by_address.get((stage, frozenset(wanted.items())))
        if found is not None:
            return found
        others = [job for job in self.jobs.values() if job.stage == stage]
        for key, value in wanted.items():
            others_here = [job for job in others if job.wildcards.get(key) == value]
            if not others_here:
                values = sorted({job.wildcards.get(key, "") for job in others})
                raise InputError(f"{stage}: there is no {key} {value!r}{nearest(value, values)}")
            others = others_here
        raise InputError(f"{stage}: nothing at {wanted}; name all of {sorted(others[0].wildcards)}")

    def of_stage(self, stage: str, study: str | None = None) -> list[Job]:
        """Jobs of a stage, of one study if it is named."""
        found = [job for job in self.jobs.values() if job.stage == stage]
        return [job for job in found if study is None or job.wildcards.get("study") == study]

    def upstream(self, job: Job) -> list[Job]:
        """The jobs whose folders `job` reads."""
        return [self.jobs[i.folder] for i in job.all_inputs() if i.folder in self.jobs]

    def _all(self) -> Iterator[Job]:
        for name in self.config.datasets:
            yield self._sources(name)
            yield self._data(name)
        for name in self.config.models:
            yield self._model(name)
        for name, study in self.config.studies.items():
            yield from self._study(name, study)
        yield self._paper()

    def _sources(self, dataset: str) -> Job:
        return Job(
            stage="sources",
            out=f"data/sources/{dataset}",
            function="regen.data.sources:sources",
            wildcards={"dataset": dataset},
            inputs={"requirements": Input("data/sources.txt")},
            params={"packages": self.config.datasets[dataset].sources},
            outputs=("packages.json",),
            beside=("archives",),
        )

    def _data(self, dataset: str) -> Job:
        data = self.config.datasets[dataset]
        return Job(
            stage="data",
            out=f"data/{dataset}",
            function=f"regen.data.{data.builder}:{data.builder}",
            wildcards={"dataset": dataset},
            inputs={"sources": Input("archives", f"data/sources/{dataset}")},
            params=data.model_dump(exclude={"builder", "sources"}),
            outputs=("train.jsonl", "dev.jsonl", "test.jsonl", "card.json"),
            beside=("clips",),
        )

    def _model(self, name: str) -> Job:
        model = self.config.models[name]
        return Job(
            stage="models",
            out=f"models/{name}",
            function=f"regen.models.{model.builder}:{model.builder}",
            wildcards={"base": name},
            inputs={"data": Input(None, f"data/{model.dataset}")},
            params=model.model_dump(exclude={"builder", "dataset"}),
            outputs=("config.json", "model.safetensors"),
            beside=(
                "chat_template.jinja",
                "generation_config.json",
                "pretraining.jsonl",
                "processor_config.json",
                "tokenizer.json",
                "tokenizer_config.json",
            ),
            measured=("timing.json",),
            code=(benchmark_module(model.benchmark),),
        )

    def _study(self, name: str, study: Study) -> Iterator[Job]:
        for selection in study.selections:
            yield from self._grid(name, study, selection)
        for training, recipe in study.trainings.items():
            for seed in study.seeds:
                yield self._training(name, study, training, recipe, seed)
        scores = []
        for variant, row in study.variants.items():
            for run in runs_of(study, row):
                jobs = self._answers(name, study, variant, run, "test")
                scores.append(Input("items.jsonl", jobs[-1].out))
                yield from jobs
        for selection, choice in study.selections.items():
            if choice.among:
                yield from self._choice(name, study, selection)
        yield self._statistics(name, study, tuple(scores))
        yield self._tables(name, study)
        for figure in study.figures:
            yield self._figure(name, study, figure)

    def _grid(self, name: str, study: Study, selection: str) -> Iterator[Job]:
        """A training at each point of a grid, its answers on the dev split, and the best one."""
        jobs: list[Job] = []
        points = study.points(selection)
        seed = study.selections[selection].seed
        for point, recipe in points.items():
            row = Variant(training=point, prompt=recipe.prompt)
            jobs += [
                self._training(name, study, point, recipe, seed),
                self._prediction(name, study, point, row, f"seed-{seed}", "dev"),
                self._scoring(name, study, point, f"seed-{seed}", "dev"),
            ]
        if points:
            asked = {point: point for point in points}
            jobs.append(self._selection(name, study, selection, asked))
        # The recipes wait for the grid's winner, so that their training comes after this one.
        yield from (replace(job, part=f"selection-{selection}") for job in jobs)

    def _choice(self, name: str, study: Study, selection: str) -> Iterator[Job]:
        """Variants on the dev split, and the best of them."""
        choice = study.selections[selection]
        for variant in choice.among:
            yield from self._answers(name, study, variant, f"seed-{choice.seed}", "dev")
        asked = {variant: str(study.variants[variant].training) for variant in choice.among}
        yield self._selection(name, study, selection, asked)

    def _answers(
        self, name: str, study: Study, variant: str, run: str, split: str
    ) -> tuple[Job, Job]:
        """A variant's predictions and their scores."""
        row = study.variants[variant]
        prediction = self._prediction(name, study, variant, row, run, split)
        return prediction, self._scoring(name, study, variant, run, split)

    def _selection(self, name: str, study: Study, selection: str, asked: dict[str, str]) -> Job:
        """asked: {variant, or point of a grid: its training}."""
        choice = study.selections[selection]
        scores = f"{self.results}/{name}/scores"
        checkpoints = f"{self.results}/{name}/checkpoints"
        run = f"seed-{choice.seed}"
        return Job(
            stage="selection",
            out=f"{self.results}/{name}/selection/{selection}",
            function="regen.selection:select",
            wildcards={"study": name, "selection": selection},
            inputs={
                "scores": tuple(Input("items.jsonl", f"{scores}/{one}/{run}/dev") for one in asked),
                "summaries": tuple(
                    Input("summary.json", f"{checkpoints}/{training}/{run}")
                    for training in asked.values()
                ),
            },
            params={"metric": choice.metric},
            outputs=("selection.json",),
        )

    def _training(self, name: str, study: Study, training: str, recipe: Training, seed: int) -> Job:
        inputs = {
            "base": Input(None, f"models/{study.base}"),
            "data": Input(None, f"data/{study.dataset}"),
        }
        if recipe.selected is not None:
            folder = f"{self.results}/{name}/selection/{recipe.selected}"
            inputs["selection"] = Input("selection.json", folder)
        return Job(
            stage="training",
            out=f"{self.results}/{name}/checkpoints/{training}/seed-{seed}",
            function="regen.training:train",
            wildcards={"study": name, "training": training, "seed": str(seed)},
            inputs=inputs,
            params={
                "benchmark": study.benchmark,
                "prompt": recipe.prompt,
                "lora": recipe.lora.model_dump(),
                "optimisation": recipe.optimisation.model_dump(),
                "limit": study.items.train,
                "seed": seed,
            },
            outputs=(
                "adapter_model.safetensors",
                "adapter_config.json",
                "log.jsonl",
                "summary.json",
            ),
            measured=("timing.json",),
            code=(benchmark_module(study.benchmark),),
        )

    def _prediction(
        self, name: str, study: Study, variant: str, row: Variant, run: str, split: str
    ) -> Job:
        inputs = {"data": Input(None, f"data/{study.dataset}")}
        if row.trivial is None:
            inputs["base"] = Input(None, f"models/{study.base}")
        if row.training is not None:
            folder = f"{self.results}/{name}/checkpoints/{row.training}/{run}"
            inputs["adapter"] = Input(None, folder)
        params: dict[str, Any] = {
            "benchmark": study.benchmark,
            "variant": variant,
            "split": split,
            "limit": getattr(study.items, split),
        }
        if row.trivial is not None:
            params |= {"trivial": row.trivial, "train_limit": study.items.train}
        else:
            params |= {"prompt": row.prompt, "decoding": row.decoding.model_dump()}
        if run != "base":
            params["seed"] = int(run.removeprefix("seed-"))
        return Job(
            stage="prediction",
            out=f"{self.results}/{name}/predictions/{variant}/{run}/{split}",
            function="regen.prediction:predict",
            wildcards={"study": name, "variant": variant, "run": run, "split": split},
            inputs=inputs,
            params=params,
            outputs=("predictions.jsonl",),
            measured=("timing.json",),
            code=(benchmark_module(study.benchmark),),
        )

    def _scoring(self, name: str, study: Study, variant: str, run: str, split: str) -> Job:
        predictions = f"{self.results}/{name}/predictions/{variant}/{run}/{split}"
        return Job(
            stage="scoring",
            out=f"{self.results}/{name}/scores/{variant}/{run}/{split}",
            function="regen.scoring:score",
            wildcards={"study": name, "variant": variant, "run": run, "split": split},
            inputs={
                "predictions": Input("predictions.jsonl", predictions),
                "data": Input(None, f"data/{study.dataset}"),
            },
            params={
                "benchmark": study.benchmark,
                "split": split,
                "limit": getattr(study.items, split),
            },
            outputs=("items.jsonl", "summary.json"),
            code=(benchmark_module(study.benchmark),),
        )

    def _statistics(self, name: str, study: Study, scores: tuple[Input, ...]) -> Job:
        return Job(
            stage="statistics",
            out=f"{self.results}/{name}/statistics",
            function="regen.statistics.stage:statistics",
            wildcards={"study": name},
            inputs={"scores": scores},
            params={
                "variants": {variant: {} for variant in study.variants},
                "comparisons": [c.model_dump() for c in study.comparisons],
                "facets": study.facets,
            },
            outputs=("variants.json", "comparisons.json", "facets.json", "metrics.json"),
        )

    def _tables(self, name: str, study: Study) -> Job:
        return Job(
            stage="tables",
            out=f"{self.results}/{name}/tables",
            function="regen.tables.study:tables",
            wildcards={"study": name},
            inputs={"statistics": Input(None, f"{self.results}/{name}/statistics")},
            params={
                "study": name,
                "variants": labels(study),
                "comparisons": [c.model_dump() for c in study.comparisons],
                "reference": study.reference,
            },
            outputs=tuple(f"{t}.{e}" for t in TABLES for e in ("tex", "md", "csv", "json")),
        )

    def _figure(self, name: str, study: Study, figure: Figure) -> Job:
        return Job(
            stage="figures",
            out=f"{self.results}/{name}/figures/{figure.name}",
            function="regen.figures:figures",
            wildcards={"study": name, "figure": figure.name},
            inputs={"statistics": Input(None, f"{self.results}/{name}/statistics")},
            params={"variants": labels(study), "figures": [figure.model_dump()]},
            outputs=tuple(f"{figure.name}.{ending}" for ending in ("json", "pdf", "png")),
        )

    def _paper(self) -> Job:
        config = self.config
        studies = list(config.studies)
        sections = tuple(Input(f"paper/sections/{study}.tex") for study in studies)

        def of(stage: str) -> tuple[Input, ...]:
            folders = [f"{self.results}/{study}/{stage}" for study in studies]
            return tuple(Input(None, folder) for folder in folders)

        figures = tuple(
            Input(None, f"{self.results}/{study}/figures/{figure.name}")
            for study in studies
            for figure in config.studies[study].figures
        )

        return Job(
            stage="paper",
            out=f"{self.results}/paper",
            function="regen.paper:paper",
            inputs={
                "main": Input("paper/main.tex"),
                "abstracts": tuple(Input(f"paper/abstracts/{study}.tex") for study in studies),
                "sections": sections,
                "tables": of("tables"),
                "figures": figures,
                "statistics": of("statistics"),
            },
            params={
                "studies": studies,
                "title": config.title,
                "scale": config.scale,
                "stamp": config.stamp,
            },
            outputs=("main.pdf", "numbers.tex", "numbers.json"),
        )


def runs_of(study: Study, variant: Variant) -> list[str]:
    """The runs that a variant has: one a seed if it is trained, else the one called "base"."""
    return [f"seed-{seed}" for seed in study.seeds] if variant.training else ["base"]


def benchmark_module(name: str) -> str:
    return f"regen.benchmarks.{name.replace('-', '_')}"


def labels(study: Study) -> dict[str, dict[str, Any]]:
    """What tables and figures print of each variant."""
    return {
        name: {**study.labels[name].model_dump(), "trivial": variant.trivial is not None}
        for name, variant in study.variants.items()
    }
