"""What the Snakefile asks of regen: which files a job needs, and whether it is stale by content.

Snakemake only knows times, so the verdict reaches it as a time. A stale job gets a folder, `STALE`,
as a fresh input; a fresh job gets the same folder as an ancient one. While the main process plans,
every content id carries one fixed old mtime: only an upstream job that really rebuilt its folder
makes downstream look. (Snakemake never checksums a directory, so only the folder's time counts.)

What is fresh but not here is made again only for those who will read it. Snakemake would then run
whoever else names it as an input; so a job that will not run names content ids only. Nor does one
that will name more than it must: a folder's files come with its content id, unless they are not
here although it is. (A sweep of thousands of jobs is planned in two thirds of the time for it.)
"""

import fcntl
import gc
import hashlib
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from subprocess import Popen
from typing import Any, TypeVar

from snakemake.common import overwrite_function_params
from snakemake.exceptions import WorkflowError
from snakemake.ioflags import flag
from snakemake.resources import Resource
from snakemake_interface_executor_plugins.settings import DeploymentMethod

from regen import warm
from regen.chain import Chain
from regen.config import check, check_overlay, in_order_of, read
from regen.digests import PRIVATE, Digests
from regen.errors import InputError
from regen.files import write_text
from regen.forecast import forecast, over_budget
from regen.gpus import may_be_here
from regen.image import INSIDE_ALONE, check_pinned, identity, missing
from regen.pin import check_revisions
from regen.provenance import CONTENT_ID, Input, Job, Stale, why_stale
from regen.status import NOT_HERE, State
from regen.targets import jobs_of, would_run
from regen.versioning import record, stages_of

STALE = PRIVATE / "stale"
OLD = (1, 1)
FORCED = "REGEN_FORCED"
BY_DEFAULT = (100, 1)
"""Snakemake's --max-jobs-per-timespan where nobody gave one: jobs, seconds"""

Function = TypeVar("Function", bound=Callable[..., Any])
InputFunction = Callable[[Mapping[str, str]], Any]


class Plan:
    """One reading of the Snakefile.

    `workflow` is Snakemake's; a job that reads the Snakefile again (on a node, or beside the main
    process) must set no times.
    """

    def __init__(self, merged: Mapping[str, Any], workflow: Any) -> None:
        try:
            if workflow.is_main_process:
                _check_overlays(workflow)
            # Snakemake has what overlays name first.
            merged = in_order_of(read(_own_files(workflow)), merged)
            self.config = check(merged)
        except InputError as error:
            raise WorkflowError(str(error)) from None
        self.chain = Chain(self.config)
        self.digests = Digests()
        self.asked: dict[str, Job] = {}
        """folder -> job, for every job that this reading asked about"""
        self._restored: dict[str, str] = {}
        """folder -> digest of its content id, of what is made again for files that are not here"""
        self._workflow = workflow
        self._warm: Popen[bytes] | None = None
        if workflow.nodes is not None:
            # `cores: all` of profiles/default are this machine's, and would cap a node's threads.
            workflow.global_resources["_cores"] = sys.maxsize
        self._announced: set[str] = set()
        if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
            os.environ.update(dict.fromkeys(INSIDE_ALONE, self._image()))
        self.configfile = self._write_configfile(merged)
        STALE.mkdir(parents=True, exist_ok=True)
        if workflow.is_main_process:
            # What is planned stays, and looking for garbage takes a quarter of a large plan's time.
            gc.disable()

    def check(self, stage: str) -> InputFunction:
        """An input that makes Snakemake run the job if, and only if, its content says so."""

        def verdict(wildcards: Mapping[str, str]) -> Any:
            job = self._job(stage, wildcards)
            self.asked[job.out] = job
            stale = self._why_stale(job)
            if self._workflow.is_main_process:
                self._set_old(job)
            if stale is None:
                return flag(str(STALE), "ancient")
            if stale.edited and job.out not in self._announced:
                self._announced.add(job.out)
                print(
                    f"{job.out}: {stale.reason}; it will be made again, and your copy kept in "
                    f"{PRIVATE / 'edited' / job.out}",
                    file=sys.stderr,
                )
            return str(STALE)

        return signed(verdict)

    def need(self, stage: str, name: str) -> InputFunction | list[str]:
        """A job's input: content ids, whose times count, and files of theirs that are not here.

        Nothing where no job of the stage has such an input: Snakemake asks a function once a job.
        """
        if not any(job.inputs.get(name) for job in self.chain.of_stage(stage)):
            return []

        def paths(wildcards: Mapping[str, str]) -> list[Any]:
            job = self._job(stage, wildcards)
            value = job.inputs.get(name, ())
            every = value if isinstance(value, tuple) else (value,)
            if self._running is not None and job.out not in self._running:
                return [flag(one.evidence, "ancient") for one in every]
            return [path for one in every for path in self._paths(one)]

        return signed(paths)

    def files(self, stage: str, study: str | None = None) -> InputFunction:
        """What a stage promises, everywhere or in one study: a target."""
        return self._promised(self.chain.of_stage(stage, study))

    def targets(self) -> dict[str, InputFunction]:
        """{target: files} for every DVC stage: `prediction_speech` and the like."""
        return {
            name.replace("-", "_"): self._promised(jobs)
            for name, jobs in stages_of(self.chain).items()
            if name != "paper"
        }

    def names_of_models(self, promised: str) -> str:
        """A wildcard's pattern: the base models of whose folder `promised` is a file."""
        jobs = self.chain.of_stage("models")
        names = [re.escape(job.wildcards["base"]) for job in jobs if promised in job.outputs]
        return "|".join(names) or "(?!)"

    def ask(self, stage: str, what: str) -> Callable[[Mapping[str, str], int], int] | int:
        """A resource that the configuration gives a job of the stage; a number if all get the same.

        Memory grows by as much with every attempt: the one before may have been killed for it.
        """
        jobs = self.chain.of_stage(stage)
        given = [self.chain.resources_of(job) for job in jobs] or [self.config.resources_of(stage)]
        amounts = {getattr(one, what) for one in given}
        if len(amounts) == 1 and what != "mem_mb":
            return int(amounts.pop())

        def asked(wildcards: Mapping[str, str], attempt: int) -> int:
            amount = int(getattr(self.chain.resources_of(self._job(stage, wildcards)), what))
            return amount * attempt if what == "mem_mb" else amount

        return signed(asked)

    @cached_property
    def force(self) -> Callable[[Mapping[str, str]], str]:
        """The flag that makes a stage run although nothing changed, if the user asked for that.

        Snakemake forces whatever it runs on a node; there the environment says what was asked here.
        """

        def asked(wildcards: Mapping[str, str]) -> str:
            if self._workflow.is_main_process:
                os.environ[FORCED] = "1" if self._is_forced() else ""
            return "--force" if os.environ.get(FORCED) else ""

        return signed(asked)

    def start(self) -> None:
        """Refuse to run beside another run in this folder.

        Snakemake's own lock is a file, which stays when Snakemake is killed and then keeps the next
        run out until somebody unlocks it; this one is the kernel's and ends with its process.
        """
        gc.freeze()  # what is planned
        gc.enable()
        self._lock = (PRIVATE / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkflowError("another snakemake runs in this folder; wait for it") from None
        self._keep_to_what_is_pinned()
        self._keep_to_budget()
        look_only_when_a_job_ends(self._workflow)
        here = self._workflow.local_exec
        if here and not self._workflow.deployment_settings.deployment_method and not may_be_here():
            self._warm = warm.start(PRIVATE / "warm.socket")

    def _keep_to_budget(self) -> None:
        """Refuse what is forecast to cost more than the configuration's budget."""
        prices = self.config.prices
        if prices is None or prices.budget is None:
            return
        found = forecast(self.chain, self._will_run())
        if problem := over_budget(found, prices.budget, prices):
            raise WorkflowError(problem)

    def _keep_to_what_is_pinned(self) -> None:
        """Refuse what the hub may change, and an image that is only a tag where results are to
        count for one image.
        """
        jobs = [self.chain.jobs[folder] for folder in self._will_run()]
        try:
            check_revisions(jobs)
            if any(job.image for job in jobs):
                check_pinned(self.config.container)
        except InputError as error:
            raise WorkflowError(str(error)) from None

    def _image(self) -> str:
        """What the image is known by in which Snakemake will run the jobs."""
        container = self.config.container
        try:
            return identity(container, self.digests.of)
        except OSError as error:
            raise WorkflowError(str(missing(container, error))) from None

    def finish(self) -> None:
        """After a run: keep the digests for the next reading, and tell DVC what is fresh."""
        warm.stop(self._warm)
        self._say_what_came_out_differently()
        record(self.chain, self.asked, self.digests)
        self.digests.save()

    def _say_what_came_out_differently(self) -> None:
        for folder, before in self._restored.items():
            content_id = self.chain.jobs[folder].content_id
            if os.path.exists(content_id) and self.digests.of(content_id) != before:
                print(
                    f"{folder}: made again because its files were not here, it is not what was "
                    "recorded; what rests on it is stale now: run snakemake again",
                    file=sys.stderr,
                )

    def _will_run(self) -> dict[str, State]:
        running = self._running
        if running is None:
            return would_run(self.chain, self.asked.values(), self.digests)
        return running

    def _job(self, stage: str, wildcards: Mapping[str, str]) -> Job:
        try:
            return self.chain.job(stage, **dict(wildcards.items()))
        except InputError as error:
            raise WorkflowError(str(error)) from None

    def _is_forced(self) -> bool:
        settings = self._workflow.dag_settings
        return bool(settings.forceall or settings.forcerun or settings.forcetargets)

    @cached_property
    def _running(self) -> dict[str, State] | None:
        """{folder: its state} of what will run, or None where that is Snakemake's to say."""
        # With --rerun-incomplete Snakemake runs again what a killed run had just finished, and then
        # looks no further along inputs that are ancient.
        by_marker = self._workflow.dag_settings.force_incomplete
        if not self._workflow.is_main_process or self._is_forced() or by_marker:
            return None
        try:
            targets = self._workflow.dag_settings.targets or ["paper"]
            wanted = [job for target in targets for job in jobs_of(self.chain, str(target))]
            running = would_run(self.chain, wanted, self.digests)
        except Exception:  # no target of the chain's, or a folder that cannot be judged
            return None
        restored = [folder for folder, state in running.items() if state.state == NOT_HERE]
        ids = {folder: self.chain.jobs[folder].content_id for folder in restored}
        self._restored = {folder: self.digests.of(path) for folder, path in ids.items()}
        return running

    def _why_stale(self, job: Job) -> Stale | None:
        """Why a job is stale; also if that cannot be told.

        Snakemake takes an exception here to mean that this rule cannot make the file, and uses the
        one that is there, whatever it holds. The job's own command will meet the error again.
        """
        try:
            return why_stale(job, self.digests)
        except Exception as error:
            reason = f"{job.out}: {error}"
            if reason not in self._announced:
                self._announced.add(reason)
                print(reason, file=sys.stderr)
            return Stale(str(error))

    def _paths(self, one: Input) -> list[Any]:
        if one.folder is None:
            return [flag(one.path, "ancient")]
        files = [] if self._told_by_id(one.folder) else self.chain.files_of(one)
        return [one.evidence, *(flag(file, "ancient") for file in files)]

    def _promised(self, jobs: Iterable[Job]) -> InputFunction:
        """The files of jobs, as far as Snakemake must be told of them."""

        def promised(wildcards: Mapping[str, str]) -> list[str]:
            told = [(job, self._told_by_id(job.out)) for job in jobs]
            return [f for job, by_id in told for f in ((job.content_id,) if by_id else job.files)]

        return signed(promised)

    def _told_by_id(self, folder: str) -> bool:
        """Whether the files of a folder will be here if its content id is."""
        if self._running is None:
            return False
        state = self._running.get(folder)
        return state is None or state.state != NOT_HERE

    def _set_old(self, job: Job) -> None:
        ids = [i.evidence for i in job.all_inputs() if i.evidence.endswith(CONTENT_ID)]
        for path in (*ids, job.content_id):
            # Not here, or not any more: a job of a run that was killed may still be at work there.
            with suppress(FileNotFoundError):
                if os.stat(path).st_mtime != OLD[1]:
                    os.utime(path, OLD)

    @staticmethod
    def _write_configfile(merged: Mapping[str, Any]) -> str:
        """The configuration as this reading has it, in a file that the jobs' commands read."""
        text = json.dumps(merged, indent=1)
        path = PRIVATE / "config" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        if not path.exists():
            write_text(path, text)
        return str(path)


def _check_overlays(workflow: Any) -> None:
    """Each file over those before it, then what --config says: merging them hides what is wrong."""
    settings = workflow.config_settings
    under = read([*_own_files(workflow), *map(Path, settings.configfiles)])
    check_overlay(settings.config, under, "--config")


def _own_files(workflow: Any) -> list[Path]:
    """What the Snakefile itself names, unless the user's files replace it."""
    settings = workflow.config_settings
    given = {Path(file) for file in settings.configfiles}
    own = [Path(file) for file in workflow.configfiles if Path(file) not in given]
    return [] if settings.replace_workflow_config else own


def signed(function: Function) -> Function:
    """A function that carries its parameters.

    Snakemake asks for them some 25 times a job, and working them out each time takes a tenth of the
    time that a large plan takes.
    """
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function


# Snakemake's own, through which it asks every resource of every job.
signed(Resource.evaluate)


def look_only_when_a_job_ends(workflow: Any) -> None:
    """Lift Snakemake's default limit of 100 new jobs a second, once there is a scheduler.

    With a limit, the scheduler looks at all ready jobs again a timespan after every look, so each
    job that ends begins one more endless round of looking: hundreds a second in a long run.
    """
    limit = workflow.scheduler.job_rate_limiter
    if limit is not None and (limit.max_jobs, limit.timespan) == BY_DEFAULT:
        workflow.scheduler.job_rate_limiter = None
