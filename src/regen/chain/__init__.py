"""The chain: every folder that a configuration asks for, how it is made, and from what.

    data -> base model -> checkpoint -> predictions -> scores -> statistics
         -> tables, figures -> paper

Beside it, predictions -> agreement, for a variant that is asked on two paths.

This is the one place that knows paths. Rules, the command line, DVC's stages, `status` and `trace`
all ask it. A path is the address of a result: a training is a recipe; a variant is a training x a
prompt x a decoding, so two variants may share a checkpoint; a base model has no seed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from regen.chain import across, foundation, results, study, sweeps
from regen.chain.study import Home
from regen.errors import InputError, nearest
from regen.provenance import Input, Job
from regen.schema import Config
from regen.schema.common import Resources
from regen.schema.models import EncoderModel, GgufModel

STAGES = (
    "sources",
    "data",
    "models",
    "training",
    "prompts",
    "prediction",
    "agreement",
    "scoring",
    "selection",
    "sweep",
    "calibration",
    "thresholds",
    "statistics",
    "answers",
    "sets",
    "tables",
    "figures",
    "simulation",
    "appendix",
    "paper",
)


RUN_A_MODEL = {"models", "training", "prompts", "prediction", "sweep"}
"""Stages whose bytes depend on the environment. From the answers on they do not, but for
similarities and perplexities, and those in digits that no table prints."""


class Chain:
    """All jobs of a configuration, by stage and address."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.results = f"results/{config.scale}"

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """{folder: job}, upstream first."""
        jobs = {job.out: job for job in self._all()}
        if not self.config.strict_environment:
            return jobs
        image = self.config.container
        counts = {out for out, job in jobs.items() if job.stage in RUN_A_MODEL}
        return {o: replace(job, image=image) if o in counts else job for o, job in jobs.items()}

    @cached_property
    def _by_stage(self) -> dict[str, list[Job]]:
        found: dict[str, list[Job]] = {}
        for job in self.jobs.values():
            found.setdefault(job.stage, []).append(job)
        return found

    @cached_property
    def _by_address(self) -> dict[tuple[str, frozenset[tuple[str, str]]], Job]:
        return {(job.stage, frozenset(job.wildcards.items())): job for job in self.jobs.values()}

    def job(self, stage: str, **address: str) -> Job:
        """The job of a stage at an address. Raises InputError, naming what is not configured."""
        wanted = {key: value for key, value in address.items() if key != "scale"}
        found = self._by_address.get((stage, frozenset(wanted.items())))
        if found is not None:
            return found
        others = self._by_stage.get(stage, [])
        for key, value in wanted.items():
            others_here = [job for job in others if job.wildcards.get(key) == value]
            if not others_here:
                values = sorted({job.wildcards.get(key, "") for job in others})
                raise InputError(f"{stage}: there is no {key} {value!r}{nearest(value, values)}")
            others = others_here
        raise InputError(f"{stage}: nothing at {wanted}; name all of {sorted(others[0].wildcards)}")

    def resources_of(self, job: Job) -> Resources:
        """What the configuration gives a job, by its stage, its study and its base model."""
        base = job.inputs.get("base")
        name = Path(base.path).name if isinstance(base, Input) else job.wildcards.get("base")
        return self.config.resources_of(job.stage, job.wildcards.get("study"), name)

    def of_stage(self, stage: str, study: str | None = None) -> list[Job]:
        """Jobs of a stage, of one study if it is named."""
        found = self._by_stage.get(stage, [])
        return [job for job in found if study is None or job.wildcards.get("study") == study]

    def upstream(self, job: Job) -> list[Job]:
        """The jobs whose folders `job` reads."""
        return [self.jobs[i.folder] for i in job.all_inputs() if i.folder in self.jobs]

    def with_upstream(self, jobs: Iterable[Job]) -> list[Job]:
        """Jobs and all that they rest on, upstream first."""
        found: set[str] = set()
        waiting = list(jobs)
        while waiting:
            job = waiting.pop()
            if job.out not in found:
                found.add(job.out)
                waiting += self.upstream(job)
        return [job for job in self.jobs.values() if job.out in found]

    def files_of(self, one: Input) -> list[str]:
        """The files that an input is: those that its folder promises, or the one named."""
        if one.folder is None:
            return [one.path]
        job = self.jobs[one.folder]
        names = [one.file] if one.file in job.outputs else job.outputs
        return [f"{job.out}/{name}" for name in names]

    def _all(self) -> Iterator[Job]:
        config = self.config
        for name, data in config.datasets.items():
            if data.sources:
                yield foundation.sources_job(name, data.sources)
        jobs = [foundation.data_job(config, name) for name in config.datasets]
        yield from sorted(jobs, key=lambda job: "apart_from" in job.inputs)  # it reads another
        for name, model in config.models.items():
            if isinstance(model, EncoderModel | GgufModel):
                yield foundation.sources_job(name, model.sources)
            yield foundation.model_job(config, name)
        homes = {
            name: Home(name, one, f"{self.results}/{name}") for name, one in config.studies.items()
        }
        for home in homes.values():
            owner = home.study.trainings_of
            yield from study_jobs(replace(home, lender=homes[owner]) if owner else home)
        yield across.simulation_job(config, self.results)
        yield across.appendix_job(self.results)
        yield results.paper_job(config, self.results)


def study_jobs(home: Home) -> Iterator[Job]:
    """Everything of a study, from its trainings to its tables and figures."""
    of = home.study
    for selection in of.selections:
        yield from study.grid_jobs(home, selection)
    for training, recipe in of.trainings.items():
        for seed in of.seeds:
            yield study.training_job(home, training, recipe, seed)
    for sweep in of.sweeps:
        yield from sweeps.sweep_jobs(home, sweep)
    for search in of.prompt_searches:
        yield study.prompts_job(home, search)
    if of.draws is not None:
        yield from study.answer_jobs(home, of.draws.bar, "base", "dev")
    scores = []
    for variant, row in of.variants.items():
        for run in study.runs_of(of, row):
            asked, scored = study.answer_jobs(home, variant, run, "test")
            yield asked
            if row.table:
                scores.append(Input("items.jsonl", scored.out))
                yield scored
    for options, generated in of.agreement:
        yield study.agreement_job(home, options, generated)
    for selection, choice in of.selections.items():
        if choice.among:
            yield from study.choice_jobs(home, selection)
    if of.calibration is not None:
        for variant in of.calibration.variants:
            yield from study.calibration_jobs(home, variant, of.calibration.temperatures)
    if of.thresholds is not None:
        yield study.thresholds_job(home, of.thresholds)
    yield results.statistics_job(home, tuple(scores))
    if of.answers is not None:
        yield results.answers_job(home, of.answers, tuple(scores))
    if of.draws is not None:
        yield results.sets_job(home, of.draws, tuple(scores))
    yield results.tables_job(home)
    for figure in of.figures:
        yield results.figure_job(home, figure)
