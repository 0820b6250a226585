"""What a target rests on, and what of it would run: what Snakemake decides, told beforehand.

A target is what a user types after `snakemake` or `regen plan`: a stage's plural, a study, a DVC
stage, a folder or a file.
"""

from collections.abc import Iterable
from pathlib import Path

from regen.chain import Chain
from regen.digests import Digests
from regen.errors import InputError, nearest
from regen.provenance import Job
from regen.status import FRESH, NOT_HERE, State, status
from regen.versioning import stages_of

TARGETS = {
    "data": ["data"],
    "base_models": ["models"],
    "checkpoints": ["training"],
    "predictions": ["prediction"],
    "agreements": ["agreement"],
    "scores": ["scoring"],
    "selections": ["selection"],
    "sweeps": ["sweep"],
    "across": ["simulation", "appendix"],
    **{name: [name] for name in ("prompts", "statistics", "tables", "figures", "paper")},
}
"""{what a user types: stages}"""


def jobs_of(chain: Chain, target: str) -> list[Job]:
    """The jobs whose files a target is. Raises InputError where there is no such target."""
    if target in TARGETS:
        found = [job for stage in TARGETS[target] for job in chain.of_stage(stage)]
    elif target in chain.config.studies:
        stages = ("tables", "figures", "agreement")
        found = [job for stage in stages for job in chain.of_stage(stage, target)]
    else:
        parts = {name.replace("-", "_"): jobs for name, jobs in stages_of(chain).items()}
        folder = target.rstrip("/")
        whole = [job for job in chain.jobs.values() if folder in (job.out, *job.files)]
        found = parts.get(target, whole)
    if not found:
        names = [*TARGETS, *chain.config.studies]
        raise InputError(f"there is no target {target!r}{nearest(target, names)}")
    return found


def would_run(chain: Chain, wanted: Iterable[Job], digests: Digests) -> dict[str, State]:
    """{folder: its state} of what would run for `wanted`, upstream first.

    That is what is not fresh, and what is fresh but lacks files that are wanted or would be read.
    """
    wanted = list(wanted)
    jobs = chain.with_upstream(wanted)
    states = {state.folder: state for state in status(chain, digests, jobs)}
    read = {file for job in wanted for file in job.files}
    running = set()
    for job in reversed(jobs):
        state = states[job.out].state
        lacks = state == NOT_HERE and any(f in read and not Path(f).exists() for f in job.files)
        if lacks or state not in (FRESH, NOT_HERE):
            running.add(job.out)
            read |= {file for one in job.all_inputs() for file in chain.files_of(one)}
    return {job.out: states[job.out] for job in jobs if job.out in running}
