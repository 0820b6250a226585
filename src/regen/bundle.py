"""Work on another machine: what a target needs goes there, and what was made there comes back.

here   regen bundle TARGET                      bundle.tar.gz: code, configuration, what is read
there  snakemake TARGET; regen export-results   results.tar.gz: the folders that were made there
here   regen import-results results.tar.gz      `returned` checks them and puts them in place
"""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regen.archives import pack
from regen.chain import Chain
from regen.code import code_of, file_of, in_project
from regen.digests import PRIVATE, Digests
from regen.errors import InputError
from regen.files import dumps, read_json
from regen.image import is_file
from regen.pin import check_revisions
from regen.provenance import CONTENT_ID, MANIFEST, RUN, Input, Job, listed_outputs, measured_outputs
from regen.status import FRESH, NOT_HERE, State, status
from regen.targets import jobs_of, would_run
from regen.tracking.events import ENDING
from regen.tracking.jobs import POINTER, pointed_to
from regen.tracking.local import LocalBackend
from regen.versioning import NOT_RECORDED

UNPACKED = "regen-bundle"
"""The folder that a bundle unpacks to."""
NOTE = PRIVATE / "bundle.json"
"""In an unpacked bundle: its target, and the manifests' digests of the folders it came with."""
INDEX = "results.json"
"""First in an archive of results: the scale, the configuration, and the folders in it."""
NOT_NEEDED = {".ci", ".dvc", "docs", "dvc.lock", "recorded", "speed", "tests"}
"""What git tracks and no run reads. (Without DVC's folder, a run there records nothing in DVC.)"""


@dataclass(frozen=True)
class Bundle:
    """What was packed: bytes, jobs that would run there, files that differ from the last commit,
    and how many of the jobs would only make again what `dvc pull` brings."""

    size: int
    jobs: int
    changed: Sequence[str]
    not_pulled: int


def bundle(
    chain: Chain, target: str, configfiles: Sequence[Path], output: Path, digests: Digests
) -> Bundle:
    """Write all that another machine needs to make a target, and nothing else."""
    asked = jobs_of(chain, target)
    running = would_run(chain, asked, digests)
    if not running:
        raise InputError(f"{target}: nothing of it would run; it is fresh here")
    check_revisions(chain.jobs[folder] for folder in running)
    jobs = chain.with_upstream(asked)
    fresh = [j for j in jobs if j.out not in running or running[j.out].state == NOT_HERE]
    overlays = [str(file) for file in configfiles]
    tracked = files_of_project(chain)
    for name in code_files(jobs):
        if name not in tracked:
            raise InputError(f"{name}: the run needs it and git does not track it; git add {name}")
    for name in overlays:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise InputError(f"{name}: is outside the project; move it to config/")
    own = tracked | set(overlays) | given_files(jobs)
    members: dict[str, Path | bytes] = {name: Path(name) for name in own}
    members |= {name: Path(name) for name in files_of_chain(chain, asked, running, fresh)}
    note = {
        "target": target,
        "configfiles": overlays,
        "folders": {job.out: digests.of(f"{job.out}/{MANIFEST}") for job in fresh},
    }
    members[str(NOTE)] = (dumps(note) + "\n").encode()
    pack(output, [(f"{UNPACKED}/{name}", members[name]) for name in sorted(members)], digests)
    changed = sorted(own & set(_git("diff", "--name-only", "--relative", "-z", "HEAD")))
    return Bundle(output.stat().st_size, len(running), changed, not_pulled(chain, running))


def files_of_project(chain: Chain) -> set[str]:
    """What git tracks and a run may read: nothing that a stage wrote, of whichever scale."""
    names = _git("ls-files", "-z")
    made = {str(Path(name).parent) for name in names if Path(name).name == MANIFEST}
    made |= chain.jobs.keys()
    return {
        name
        for name in names
        if Path(name).parts[0] not in NOT_NEEDED
        and made.isdisjoint(map(str, Path(name).parents))
        and Path(name).is_file()
    }


def code_files(jobs: Iterable[Job]) -> set[str]:
    """The files of the modules that jobs run."""
    modules = {m for job in jobs for m in code_of((job.function.partition(":")[0], *job.code))}
    code = {file for module in modules if (file := file_of(module))}
    return {in_project(file) for file in code}


def given_files(jobs: Iterable[Job]) -> set[str]:
    """The files outside the chain that jobs read, whoever versions them, and the image."""
    jobs = list(jobs)
    given = {Path(one.path) for job in jobs for one in job.all_inputs() if one.folder is None}
    given |= {Path(job.image) for job in jobs if job.image and is_file(job.image)}
    for path in given:
        if not path.exists():
            raise InputError(f"{path}: the run needs it and it is not here; put it there")
    below = {file for path in given if path.is_dir() for file in path.rglob("*") if file.is_file()}
    return {str(path) for path in (given | below) if path.is_file()}


def files_of_chain(
    chain: Chain, asked: Iterable[Job], running: Mapping[str, State], fresh: Iterable[Job]
) -> set[str]:
    """The files of fresh folders that are read there, and what the plan there is made from.

    A content id and a manifest say that a folder is fresh though its files are not there.
    """
    kept = {job.out: job for job in fresh if job.out not in running}
    wanted = {file for job in asked if job.out in kept for file in job.files}
    for folder in running:
        for one in chain.jobs[folder].all_inputs():
            if one.folder in kept:
                wanted |= set(chain.files_of(one)) | covered(one)
                # Tables print times and sizes where they find them.
                wanted |= {f"{one.folder}/{name}" for name in kept[one.folder].measured}
    for job in kept.values():
        if wanted.issuperset(f"{job.out}/{name}" for name in (*job.outputs, *job.measured)):
            # With all that it promises here, a folder counts as pulled: the rest must be too.
            wanted |= {f"{job.out}/{name}" for name in listed_outputs(Path(job.out))}
    here = {file for file in wanted if Path(file).is_file()}
    return here | {f"{job.out}/{name}" for job in fresh for name in (CONTENT_ID, MANIFEST)}


def covered(one: Input) -> set[str]:
    """The files that an input is, by its folder's content id."""
    names = listed_outputs(Path(str(one.folder)))
    inside = f"{one.file}/"
    read = (n for n in names if one.file in (None, n) or n.startswith(inside))
    return {f"{one.folder}/{name}" for name in read}


def not_pulled(chain: Chain, running: Mapping[str, State]) -> int:
    """How many of the folders that would be made are recorded in DVC's remote."""
    lock = Path("dvc.lock")
    recorded = set(lock.read_text(encoding="utf-8").split()) if lock.exists() else set()
    lacking = [chain.jobs[out] for out, state in running.items() if state.state == NOT_HERE]
    return sum(
        job.stage not in NOT_RECORDED and f"{job.out}/{job.outputs[0]}" in recorded
        for job in lacking
    )


@dataclass(frozen=True)
class Export:
    """What was packed: bytes, folders, and how many of the target's are not made yet."""

    size: int
    folders: int
    unmade: int


def read_note() -> dict[str, Any]:
    """What the bundle that was unpacked here said of itself."""
    if not NOTE.exists():
        raise InputError(f"{NOTE}: is not here; run this in the folder that a bundle unpacked to")
    note = read_json(NOTE)
    assert isinstance(note, dict)
    return note


def export_results(chain: Chain, note: Mapping[str, Any], output: Path, digests: Digests) -> Export:
    """Write the folders of a bundle's target that are fresh and did not come with the bundle."""
    jobs = chain.with_upstream(jobs_of(chain, note["target"]))
    states = {state.folder: state.state for state in status(chain, digests, jobs)}
    made = [
        job
        for job in jobs
        if states[job.out] == FRESH
        and digests.of(f"{job.out}/{MANIFEST}") != note["folders"].get(job.out)
    ]
    unmade = sum(state not in (FRESH, NOT_HERE) for state in states.values())
    if not made:
        raise InputError(f"{note['target']}: nothing of it was made here (regen status says why)")
    index = {
        "scale": chain.config.scale,
        "configfiles": note["configfiles"],
        "folders": [job.out for job in made],
    }
    members: list[tuple[str, Path | bytes]] = [(INDEX, (dumps(index) + "\n").encode())]
    for job in made:
        members += [(name, Path(name)) for name in sorted(files_of_folder(job))]
    pack(output, members, digests)
    return Export(output.stat().st_size, len(made), unmade)


def files_of_folder(job: Job) -> set[str]:
    """A finished folder's files, with what was recorded of its making."""
    folder = Path(job.out)
    names = {*listed_outputs(folder), *measured_outputs(folder), CONTENT_ID, MANIFEST, RUN}
    files = {f"{folder}/{name}" for name in names}
    backend = LocalBackend()
    if experiment := pointed_to(backend, folder):
        files |= {f"{folder}/{POINTER}", str(backend.folder / f"{experiment}{ENDING}")}
    return {file for file in files if Path(file).is_file()}


def _git(*arguments: str) -> list[str]:
    """The names that a git command prints."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    except OSError as error:
        raise InputError(f"git: cannot be run ({error.strerror})") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        raise InputError(f"git {arguments[0]}: {said}; a bundle holds what git tracks")
    return [name for name in done.stdout.split("\0") if name]
