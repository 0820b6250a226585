"""What the Snakefile asks of regen: which files a job needs, and whether it is stale by content.

Snakemake only knows times, so the verdict reaches it as a time. A stale job gets a folder, `STALE`,
as a fresh input; a fresh job gets the same folder as an ancient one. While the main process plans,
every content id carries one fixed old mtime: only an upstream job that really rebuilt its folder
makes downstream look. (Snakemake never checksums a directory, so only the folder's time counts.)
"""

import fcntl
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.ioflags import flag

from regen.chain import Chain
from regen.config import check
from regen.errors import InputError
from regen.files import write_text
from regen.provenance import CONTENT_ID, PRIVATE, Digests, Input, Job, why_stale
from regen.schema.foundation import HubModel
from regen.versioning import record, stages_of

STALE = PRIVATE / "stale"
OLD = (1, 1)

InputFunction = Callable[[Mapping[str, str]], Any]


class Plan:
    """One reading of the Snakefile.

    `workflow` is Snakemake's; a job that reads the Snakefile again (on a node, or beside the main
    process) must set no times.
    """

    def __init__(self, merged: Mapping[str, Any], workflow: Any) -> None:
        try:
            self.config = check(merged)
        except InputError as error:
            raise WorkflowError(str(error)) from None
        self.chain = Chain(self.config)
        self.digests = Digests()
        self.asked: dict[str, Job] = {}
        """folder -> job, for every job that this reading asked about"""
        self._workflow = workflow
        self._announced: set[str] = set()
        self.configfile = self._write_configfile(merged)
        STALE.mkdir(parents=True, exist_ok=True)

    def check(self, stage: str) -> InputFunction:
        """An input that makes Snakemake run the job if, and only if, its content says so."""

        def verdict(wildcards: Mapping[str, str]) -> Any:
            job = self._job(stage, wildcards)
            self.asked[job.out] = job
            stale = why_stale(job, self.digests)
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

        return verdict

    def need(self, stage: str, name: str) -> InputFunction:
        """The files of a job's input: content ids, whose times count, and what they cover."""

        def paths(wildcards: Mapping[str, str]) -> list[Any]:
            value = self._job(stage, wildcards).inputs.get(name, ())
            every = value if isinstance(value, tuple) else (value,)
            return [path for one in every for path in self._paths(one)]

        return paths

    def files(self, stage: str, study: str | None = None) -> list[str]:
        """What a stage promises, everywhere or in one study: a target."""
        jobs = self.chain.of_stage(stage, study)
        return [file for job in jobs for file in job.files]

    def targets(self) -> dict[str, list[str]]:
        """{target: files} for every DVC stage: `prediction_speech` and the like."""
        return {
            name.replace("-", "_"): [file for job in jobs for file in job.files]
            for name, jobs in stages_of(self.chain).items()
            if name != "paper"
        }

    def names_of_models(self, hub: bool) -> str:
        """A wildcard's pattern: the base models that are fetched from the hub, or the others."""
        models = self.config.models.items()
        names = [re.escape(name) for name, model in models if isinstance(model, HubModel) == hub]
        return "|".join(names) or "(?!)"

    def ask(self, stage: str, what: str) -> int:
        """A resource that the configuration gives the stage's jobs."""
        return int(getattr(self.config.resources_of(stage), what))

    def force(self, wildcards: Mapping[str, str]) -> str:
        """The flag that makes a stage run although nothing changed, if the user asked for that."""
        settings = self._workflow.dag_settings
        asked = settings.forceall or settings.forcerun or settings.forcetargets
        return "--force" if asked and self._workflow.is_main_process else ""

    def start(self) -> None:
        """Refuse to run beside another run in this folder.

        Snakemake's own lock is a file, which stays when Snakemake is killed and then keeps the next
        run out until somebody unlocks it; this one is the kernel's and ends with its process.
        """
        self._lock = (PRIVATE / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkflowError("another snakemake runs in this folder; wait for it") from None

    def finish(self) -> None:
        """After a run: keep the digests for the next reading, and tell DVC what is fresh."""
        record(self.chain, self.asked, self.digests)
        self.digests.save()

    def _job(self, stage: str, wildcards: Mapping[str, str]) -> Job:
        try:
            return self.chain.job(stage, **dict(wildcards.items()))
        except InputError as error:
            raise WorkflowError(str(error)) from None

    def _paths(self, one: Input) -> list[Any]:
        if one.folder is None:
            return [flag(one.path, "ancient")]
        job = self.chain.jobs[one.folder]
        names = [one.file] if one.file in job.outputs else job.outputs
        files = [f"{job.out}/{name}" for name in names]
        return [one.evidence, *(flag(file, "ancient") for file in files)]

    def _set_old(self, job: Job) -> None:
        ids = [i.evidence for i in job.all_inputs() if i.evidence.endswith(CONTENT_ID)]
        for path in (*ids, job.content_id):
            if os.path.exists(path) and os.stat(path).st_mtime != OLD[1]:
                os.utime(path, OLD)

    @staticmethod
    def _write_configfile(merged: Mapping[str, Any]) -> str:
        """The configuration as this reading has it, in a file that the jobs' commands read."""
        text = json.dumps(merged, indent=1)
        path = PRIVATE / "config" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        if not path.exists():
            write_text(path, text)
        return str(path)
