"""Making one folder of the chain: the paper's own, a quick try of it, or one made by hand."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import typer

from regen.chain import Chain
from regen.digests import Digests
from regen.errors import InputError
from regen.gpus import claimed
from regen.provenance import Input, Job, run
from regen.tracking.jobs import Watch

SCRATCH = "results/scratch"
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}


def build(chain: Chain, job: Job, force: bool = False) -> None:
    """Make a job's folder and say so."""
    # As many threads as the workflow gives the stage: sums, and so bytes, depend on their number.
    asked = chain.resources_of(job)
    os.environ.setdefault("OMP_NUM_THREADS", str(asked.threads))
    digests = Digests()
    try:
        watch = Watch(chain.config.scale, scratch=job.out not in chain.jobs)
        with claimed(asked.gpu):
            verdict = run(job, digests, force=force, watch=watch)
    except Exception as error:
        full = os.strerror(errno.ENOSPC)  # writers in C report it as words, not as a number
        if getattr(error, "errno", None) in DISK_ERRORS or full in str(error):
            reason = getattr(error, "strerror", None) or full
            raise InputError(
                f"{job.out}: {reason}; make room and run it again (what was finished is kept)"
            ) from None
        raise
    finally:
        digests.save()
    typer.echo(f"{verdict} {job.out}")


def quick_try(job: Job, limit: int | None) -> Job:
    """The same job with fewer items, in a folder that no stage of the paper reads.

    It reads earlier tries of its inputs where there are any, else the paper's own; and it runs
    anywhere, since no environment counts for it.
    """
    params = dict(job.params)
    if limit is not None:
        if "limit" not in params:
            raise InputError(f"--limit: {job.stage} has no number of items to limit; leave it out")
        params["limit"] = min(limit, params["limit"])

    def tried(one: Input) -> Input:
        if one.folder and Path(scratch(one.folder), "manifest.json").exists():
            return Input(one.file, scratch(one.folder))
        return one

    inputs = {
        name: tuple(tried(v) for v in value) if isinstance(value, tuple) else tried(value)
        for name, value in job.inputs.items()
    }
    return replace(job, out=scratch(job.out), params=params, inputs=inputs, image="")


def scratch(folder: str) -> str:
    return f"{SCRATCH}/{folder.removeprefix('results/')}"
