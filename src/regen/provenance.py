"""The manifest chain: is a folder what its manifest says, and is that what we would make now?

Staleness is decided here, from content; Snakemake only schedules. Every stage folder holds

    outputs.sha256  the content id, in `sha256sum` format: all that a later stage depends on
    manifest.json   how it came about: content ids of the inputs, parameters, code, content id
    run.json        what varies without mattering: time, host, environment, measured files

The manifest goes first and comes last: a folder without one was never finished.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from regen.code import code_of
from regen.digests import PRIVATE, Digests, read_object
from regen.errors import InputError
from regen.files import dumps, plain, sha256, write_json, write_text
from regen.image import check_inside, identity
from regen.locks import alone
from regen.machine import committed, describe_run

CONTENT_ID = "outputs.sha256"
MANIFEST = "manifest.json"
RUN = "run.json"
RESERVED = {CONTENT_ID, MANIFEST, RUN}


@dataclass(frozen=True)
class Input:
    """A file or folder that a stage reads.

    With `folder` (another stage's), it is vouched for by that folder's content id: `file` is a file
    or folder inside, or None for all of it. Without, `file` is a path of its own, hashed itself.
    """

    file: str | None
    folder: str | None = None

    @property
    def path(self) -> str:
        """What the stage is given."""
        if self.folder is None:
            return str(self.file)
        return f"{self.folder}/{self.file}" if self.file else self.folder

    @property
    def evidence(self) -> str:
        """The file whose sha256 the manifest records."""
        return f"{self.folder}/{CONTENT_ID}" if self.folder else str(self.file)


Inputs = Mapping[str, Input | tuple[Input, ...]]


@dataclass(frozen=True)
class Job:
    """One folder of the chain and how it is made.

    function is "module:name"; it is called with the inputs' paths, the parameters and `out` as
    keyword arguments. `wildcards` are the job's address. `code` names modules that the function
    reaches by name only (a benchmark). `outputs` are the files that it promises to Snakemake, in
    the folder; `beside` are files and folders that come with them. `measured` are outputs that
    vary from run to run and are left out of the content id. `part` names jobs of several stages
    that DVC versions as one: a loop that comes back to a stage would be a cycle among its stages.
    `image` is the container that a result counts for, where the environment makes a difference.
    """

    stage: str
    out: str
    function: str
    wildcards: Mapping[str, str] = field(default_factory=dict)
    inputs: Inputs = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    part: str = ""
    image: str = ""

    @property
    def content_id(self) -> str:
        return f"{self.out}/{CONTENT_ID}"

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that the job promises, as paths."""
        names = (*self.outputs, *self.measured, CONTENT_ID, MANIFEST)
        return tuple(f"{self.out}/{name}" for name in names)

    def all_inputs(self) -> list[Input]:
        every: list[Input] = []
        for value in self.inputs.values():
            every += value if isinstance(value, tuple) else [value]
        return every


Watch = Callable[[Job, Mapping[str, Any]], AbstractContextManager[None]]


def wanted(job: Job, digests: Digests) -> dict[str, Any]:
    """The manifest as it would be made now, but for the outputs. OSError if an input is missing."""
    module = job.function.partition(":")[0]
    inputs = {i.evidence: digests.of(i.evidence) for i in job.all_inputs()}
    record = {
        "stage": job.stage,
        "function": job.function,
        "inputs": inputs,
        "params": plain(dict(job.params)),
        "code": code_of((module, *job.code)),
    }
    if job.image:
        record["image"] = identity(job.image, digests.of)
    return json.loads(dumps(record))


@dataclass(frozen=True)
class Stale:
    """Why a folder is not what would be made now; `edited` are files changed by hand since."""

    reason: str
    missing: bool = False
    edited: tuple[str, ...] = ()


def why_stale(job: Job, digests: Digests, *, need_files: bool = False) -> Stale | None:
    """None if the folder is fresh given its inputs as they are; are they fresh? Ask their jobs.

    A folder without its files was not pulled, which is not stale, unless `need_files`.
    """
    folder = Path(job.out)
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        if not folder.exists():
            return Stale("never made", missing=True)
        return Stale("never finished", missing=True, edited=by_hand(job, digests))
    except NotADirectoryError:
        raise InputError(f"{folder}: a folder belongs there; move the file away") from None
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        return Stale(f"{MANIFEST} is damaged", edited=by_hand(job, digests))
    try:
        if digests.of(folder / CONTENT_ID) != manifest.get("outputs"):
            return Stale(f"{CONTENT_ID} was edited", edited=by_hand(job, digests))
        listed = listed_outputs(folder)
    except (OSError, ValueError):
        return Stale(f"{CONTENT_ID} is missing or damaged", edited=by_hand(job, digests))
    edited = tuple(n for n, d in listed.items() if _differs(folder / n, d, digests))
    measured = measured_outputs(folder).items()
    edited += tuple(n for n, d in measured if _remeasured(folder / n, d, digests))
    if edited:
        return Stale(f"edited by hand: {', '.join(edited)}", edited=edited)
    try:
        now = wanted(job, digests)
    except FileNotFoundError as error:
        return Stale(f"input {error.filename} is missing")
    for part, value in now.items():
        if manifest.get(part) != value:
            return Stale(_difference(part, manifest.get(part), value))
    promised = (*job.outputs, *job.measured)
    absent = [name for name in (*promised, *listed) if not (folder / name).exists()]
    # Snakemake sees to the promised files itself; what a stage wrote beside them, it does not know.
    if absent and (need_files or not set(absent) & set(promised)):
        return Stale(f"{absent[0]} is missing", missing=True)
    return None


def listed_outputs(folder: Path) -> dict[str, str]:
    """{file: sha256} of a folder's content id. Raises OSError or ValueError if it is unreadable."""
    listed = {}
    for line in (folder / CONTENT_ID).read_text(encoding="utf-8").splitlines():
        digest, separator, name = line.partition("  ")
        if len(digest) != 64 or not separator:
            raise ValueError(f"not a sha256sum line: {line[:80]}")
        listed[name] = digest
    return listed


def measured_outputs(folder: Path) -> dict[str, str]:
    """{file: sha256} of what was measured, as run.json has it; empty without one."""
    record = read_object(folder / RUN)
    measured = record.get("measured", {}) if record else {}
    return measured if isinstance(measured, dict) else {}


def by_hand(job: Job, digests: Digests) -> tuple[str, ...]:
    """Files of a folder that its last seal does not vouch for: changed since, or put there.

    Without a content id there are none: that is how an interrupted stage leaves its folder. Where
    the content id is not the one that was sealed, nothing is vouched for.
    """
    folder = Path(job.out)
    names = found_outputs(folder)
    manifest = read_object(folder / MANIFEST)
    try:
        listed = listed_outputs(folder)
    except FileNotFoundError:
        return tuple(names) if manifest else ()
    except (OSError, ValueError):
        return (*names, CONTENT_ID)
    if manifest and digests.of(folder / CONTENT_ID) != manifest.get("outputs"):
        return (*names, CONTENT_ID)
    measured = measured_outputs(folder)
    unknown = set(job.measured) - set(measured)  # run.json is not here to tell

    def changed(name: str) -> bool:
        if name in measured:
            return _remeasured(folder / name, measured[name], digests)
        return name not in listed or _differs(folder / name, listed[name], digests)

    return tuple(name for name in names if name not in unknown and changed(name))


def check_inputs(job: Job, digests: Digests) -> None:
    """Raise InputError for an input that is missing, or is not what its content id says."""
    for known in job.all_inputs():
        if not Path(known.evidence).exists():
            raise InputError(
                f"{job.stage}: {known.evidence} is not there; "
                f"build it first: snakemake {known.evidence}"
            )
        if known.folder is None:
            continue
        folder = Path(known.folder)
        try:
            listed = listed_outputs(folder)
        except ValueError:
            raise InputError(
                f"{known.evidence}: is damaged; rebuild it: snakemake {known.evidence}"
            ) from None
        inside = f"{known.file}/"
        for name in listed:
            if known.file and name != known.file and not name.startswith(inside):
                continue
            path = folder / name
            if not path.exists():
                raise InputError(f"{path}: is missing; build it: snakemake {known.evidence}")
            if digests.of(path) != listed[name]:
                raise InputError(
                    f"{path}: is truncated or was edited (its content id says otherwise); "
                    f"rebuild it: snakemake {known.evidence}"
                )


def run(
    job: Job, digests: Digests, *, force: bool = False, watch: Watch = lambda *_: nullcontext()
) -> str:
    """Make a folder, or find that what is there is what would be made. Returns "ran" or "kept".

    watch: given the job and the beginning of its manifest, a context around the work, if there is
    any to do; the folder is finished when the context ends.
    """
    with alone(job.out, PRIVATE / "locks"):
        return _run(job, digests, force, watch)


def _run(job: Job, digests: Digests, force: bool, watch: Watch) -> str:
    folder = Path(job.out)
    stale = why_stale(job, digests, need_files=True)
    if stale is None and not force:
        for file in (*job.files, job.content_id):
            os.utime(file)  # Snakemake wants outputs that are not older than their inputs
        return "kept"
    if job.image:
        check_inside(job.image, digests.of)
    check_inputs(job, digests)
    keep_aside(folder, by_hand(job, digests))
    before = wanted(job, digests)
    remove_outputs(job)
    folder.mkdir(parents=True, exist_ok=True)

    with watch(job, before):
        started = time.time()
        call(job)
        seconds = time.time() - started

        if wanted(job, digests) != before:
            raise InputError(f"{job.out}: an input changed while the stage ran; run it again")
        seal(job, before, {"started": started, "seconds": seconds}, digests)
    return "ran"


def call(job: Job) -> None:
    """Call the stage's function with named inputs, parameters and the folder to write to."""
    module, _, name = job.function.partition(":")
    function: Callable[..., None] = getattr(import_module(module), name)
    paths = {
        key: [Path(i.path) for i in value] if isinstance(value, tuple) else Path(value.path)
        for key, value in job.inputs.items()
    }
    function(**paths, **job.params, out=Path(job.out))


def seal(job: Job, record: dict[str, Any], timing: dict[str, float], digests: Digests) -> None:
    """Write content id, run.json and, last, the manifest."""
    folder = Path(job.out)
    written = found_outputs(folder)
    promised = set(job.outputs) | set(job.measured)
    if absent := sorted(promised - set(written)):
        raise RuntimeError(f"{job.function} promised {absent[0]} and did not write it")
    lines = [f"{sha256(folder / n)}  {n}\n" for n in written if n not in job.measured]
    write_text(folder / CONTENT_ID, "".join(lines))
    measured = {name: sha256(folder / name) for name in job.measured}
    write_json(folder / RUN, {**describe_run(), **timing, "measured": measured})
    write_json(folder / MANIFEST, {**record, "outputs": sha256(folder / CONTENT_ID)})


def found_outputs(folder: Path) -> list[str]:
    """Every file below a folder but the reserved and hidden ones, sorted."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    visible = (n for n in names if not any(part.startswith(".") for part in n.parts))
    return sorted(str(name) for name in visible if str(name) not in RESERVED)


def remove_outputs(job: Job) -> None:
    """Clear a folder for its stage: the manifest first. Hidden files (a training's state) stay.

    Files are unlinked, never overwritten: DVC's cache may hold a hard link to them.
    """
    folder = Path(job.out)
    (folder / MANIFEST).unlink(missing_ok=True)
    if folder.exists():
        for name in job.outputs:
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
        for name in (*found_outputs(folder), CONTENT_ID, RUN):
            (folder / name).unlink(missing_ok=True)


def keep_aside(folder: Path, edited: tuple[str, ...]) -> None:
    """Copy files that were edited or added by hand to where nothing overwrites them; say so."""
    for name in edited:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        copy = PRIVATE / "edited" / folder / f"{name}.{stamp}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / name, copy)
        print(f"{folder / name} is not as it was made; your copy: {copy}", file=sys.stderr)


def _differs(path: Path, digest: str, digests: Digests) -> bool:
    return path.exists() and (path.is_dir() or digests.of(path) != digest)


def _remeasured(path: Path, digest: str, digests: Digests) -> bool:
    """Whether a measured file is neither this machine's nor what the last commit brought."""
    return _differs(path, digest, digests) and not committed(path)


def _difference(part: str, old: Any, new: Any) -> str:
    """What changed, named as precisely as one line allows."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return f"{part} changed: {old} -> {new}"
    keys = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
    named = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    return f"{part} changed: {named}"
