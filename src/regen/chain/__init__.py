"""The chain: every folder that a configuration asks for, how it is made, and from what.

    data -> base model -> checkpoint -> predictions -> scores -> statistics
         -> tables, figures -> paper

Beside it, predictions -> agreement, for a variant that is asked on two paths.

This is the one place that knows paths. Rules, the command line, DVC's stages, `status` and `trace`
all ask it. A path is the address of a result: a training is a recipe; a variant is a training x a
prompt x a decoding, so two variants may share a checkpoint; a base model has no seed.
"""

from collections.abc import Iterator
from functools import cached_property

from regen.chain import across, foundation, results, study
from regen.chain.study import Home
from regen.errors import InputError, nearest
from regen.provenance import Input, Job
from regen.schema import Config

STAGES = (
    "sources",
    "data",
    "models",
    "training",
    "prediction",
    "agreement",
    "scoring",
    "selection",
    "calibration",
    "thresholds",
    "statistics",
    "tables",
    "figures",
    "simulation",
    "appendix",
    "paper",
)


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
        config = self.config
        for name in config.datasets:
            yield foundation.sources_job(config, name)
            yield foundation.data_job(config, name)
        for name in config.models:
            yield foundation.model_job(config, name)
        for name, one in config.studies.items():
            yield from study_jobs(Home(name, one, f"{self.results}/{name}"))
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
    yield results.tables_job(home)
    for figure in of.figures:
        yield results.figure_job(home, figure)
