"""Results that were made on another machine (`bundle`): checked, and put where they belong.

Nothing is believed. A folder is taken if its files are what its content id says, if its manifest is
the one that would be written here now, and if all that it rests on is fresh here.
"""

import json
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from regen.archives import unpack, unpacking
from regen.bundle import INDEX
from regen.chain import Chain
from regen.digests import PRIVATE, Digests
from regen.errors import InputError
from regen.files import dumps, sha256
from regen.locks import alone
from regen.provenance import (
    CONTENT_ID,
    MANIFEST,
    RUN,
    Job,
    by_hand,
    keep_aside,
    listed_outputs,
    measured_outputs,
    wanted,
    why_stale,
)
from regen.tracking.events import ENDING, ID
from regen.tracking.jobs import POINTER
from regen.tracking.local import LocalBackend
from regen.versioning import record


@dataclass
class Arrival:
    """What became of the folders of an archive; refused: (folder, why)."""

    taken: list[str] = field(default_factory=list)
    were_here: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def import_results(file: Path, chain: Chain, digests: Digests) -> Arrival:
    """Take the folders of an archive that fit; a DVC stage that they complete is recorded.

    Interrupted at any moment, the same call goes on: each folder is there as a whole or not at all.
    """
    arrival = Arrival()
    with unpacking(file) as (tar, members):
        index = read_index(tar, members, file)
        check_scale(index, chain, file)
        delivery = Delivery(tar, {member.name: member for member in members}, chain, digests)
        for folder in index["folders"]:
            if folder not in chain.jobs:
                arrival.refused.append((folder, "this configuration has no such folder"))
        for job in [job for out, job in chain.jobs.items() if out in index["folders"]]:
            with alone(job.out, PRIVATE / "locks"):
                try:
                    done = arrival.taken if delivery.take(job) else arrival.were_here
                    done.append(job.out)
                except Refused as why:
                    arrival.refused.append((job.out, str(why)))
    there = {out: chain.jobs[out] for out in (*arrival.taken, *arrival.were_here)}
    record(chain, there, digests)
    return arrival


class Refused(Exception):
    """Why a folder is not taken."""


def read_index(tar: tarfile.TarFile, members: list[tarfile.TarInfo], file: Path) -> dict[str, Any]:
    """What an archive says of itself."""
    problem = InputError(f"{file}: is no archive of results; make one with: regen export-results")
    content = tar.extractfile(members[0]) if members and members[0].name == INDEX else None
    try:
        index = json.load(content) if content else None
    except ValueError:
        raise problem from None
    parts = {"scale": str, "configfiles": list, "folders": list}
    if not isinstance(index, dict):
        raise problem
    if any(not isinstance(index.get(key), kind) for key, kind in parts.items()):
        raise problem
    return {**index, "folders": list(dict.fromkeys(map(str, index["folders"])))}


def check_scale(index: Mapping[str, Any], chain: Chain, file: Path) -> None:
    """Raise InputError for results that this configuration has no place for."""
    if index["scale"] != chain.config.scale:
        overlays = "".join(f" --configfile {name}" for name in index["configfiles"])
        raise InputError(
            f"{file}: holds results of the scale {index['scale']!r}, and this configuration is of "
            f"{chain.config.scale!r}; try: regen import-results {file}{overlays}"
        )
    if not chain.jobs.keys() & set(index["folders"]):
        raise InputError(
            f"{file}: holds no folder of this configuration; is it of another project?"
        )


@dataclass
class Delivery:
    """An archive that is being read; fresh: folders that are known to be, all the way down."""

    tar: tarfile.TarFile
    members: Mapping[str, tarfile.TarInfo]
    chain: Chain
    digests: Digests
    fresh: set[str] = field(default_factory=set)

    def take(self, job: Job) -> bool:
        """Put a folder in place; False if it is there already. Raises Refused."""
        folder = Path(job.out)
        staged = folder.with_name(f".{folder.name}.import")
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(staged, ignore_errors=True)  # an import was killed here
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
        try:
            for name, member in self.members.items():
                if name.startswith(f"{job.out}/"):
                    unpack(self.tar, member, staged / name.removeprefix(f"{job.out}/"))
            self.check(job, staged)
            if why_stale(job, self.digests) is None:
                if (folder / CONTENT_ID).read_bytes() != (staged / CONTENT_ID).read_bytes():
                    raise Refused("is fresh here with other content; remove it to have this one")
                if why_stale(job, self.digests, need_files=True) is None:
                    return False
            self.bring_experiment(staged)
            keep_aside(folder, by_hand(job, self.digests))
            if folder.exists():
                folder.rename(old)
            staged.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise InputError(
                f"{job.out}: {error.strerror or error}; run it again (what was taken is kept)"
            ) from None
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return True

    def check(self, job: Job, staged: Path) -> None:
        """Raise Refused unless a folder is sound and would be fresh in the job's place."""
        for upstream in self.chain.with_upstream(self.chain.upstream(job)):
            if upstream.out in self.fresh:
                continue
            if stale := why_stale(upstream, self.digests):
                raise Refused(f"rests on {upstream.out}, which is not fresh here ({stale.reason})")
            self.fresh.add(upstream.out)
        there = replace(job, out=str(staged))
        if stale := why_stale(there, self.digests, need_files=True):
            raise Refused(stale.reason.replace("edited by hand", "changed since it was made"))
        vouched = {*listed_outputs(staged), *measured_outputs(staged), CONTENT_ID, MANIFEST}
        found = {str(path.relative_to(staged)) for path in staged.rglob("*") if path.is_file()}
        if strange := sorted(found - vouched - {RUN, POINTER}):
            raise Refused(f"{strange[0]} is no file that the stage wrote")
        manifest = {**wanted(there, self.digests), "outputs": sha256(staged / CONTENT_ID)}
        if (staged / MANIFEST).read_text(encoding="utf-8") != dumps(manifest) + "\n":
            raise Refused(f"{MANIFEST} is not as it was written")

    def bring_experiment(self, staged: Path) -> None:
        """The record of the run that made a folder, if it came along and is not here."""
        pointer = staged / POINTER
        said = pointer.read_bytes().decode(errors="replace") if pointer.exists() else ""
        name = said.partition(" ")[0]
        path = LocalBackend().folder / f"{name}{ENDING}"
        if ID.fullmatch(name) and str(path) in self.members and not path.exists():
            part = path.with_name(f".{path.name}.part")
            unpack(self.tar, self.members[str(path)], part)
            part.rename(path)
