"""Run an experiment again with the same configuration: is the result the same?"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from regen.digests import Digests
from regen.errors import InputError
from regen.image import VARIABLE
from regen.provenance import Input, Job, listed_outputs, run, wanted
from regen.tracking.jobs import Watch
from regen.tracking.local import DATABASE, LocalBackend

FOLDER = "results/scratch/reproduced"


def reproduce(
    name: str, *, out: Path | None = None, db_path: str | Path = DATABASE
) -> dict[str, Any]:
    """Make an experiment again and compare: {id, again, same, compared, differences, notes}.

    A job of the chain is built from the recorded inputs into `out` or results/scratch, and its
    outputs are compared by their sha256. Anything else is its recorded command, run again in its
    folder; what that logs is compared by configuration, scores and last metrics. Raises InputError
    for inputs that are no longer what they were, and if nothing can be run again.
    """
    backend = LocalBackend(db_path)
    experiment = backend.get_experiment(name)
    if experiment["job"].get("function"):
        return _job_again(backend, experiment, out)
    return _command_again(backend, experiment)


def _job_again(
    backend: LocalBackend, experiment: Mapping[str, Any], out: Path | None
) -> dict[str, Any]:
    name, recorded = experiment["id"], experiment["job"]
    if not experiment["outputs"]:
        raise InputError(f"{name}: was not completed, there is no result to compare with")
    job = job_of(recorded)
    job = replace(job, out=str(out) if out else f"{FOLDER}/{name}")
    digests = Digests()
    manifest = _same_inputs(name, job, recorded["manifest"], digests)
    notes = []
    if manifest["code"] != recorded["manifest"]["code"]:
        commit = experiment["captured"].get("git", {}).get("commit", "")[:10] or "unknown"
        notes.append(f"the code of the stage has changed since (it was commit {commit})")
    image, here = recorded["manifest"].get("image"), os.environ.get(VARIABLE)
    if image not in (None, here):
        notes.append(f"it ran in the image {image}, and this in {here or 'none'}")
    before, threads = os.environ.get("OMP_NUM_THREADS"), recorded["threads"]
    if threads and before is None:
        os.environ["OMP_NUM_THREADS"] = threads  # sums, and so bytes, depend on it
    elif threads != before:
        notes.append(f"OMP_NUM_THREADS was {threads or 'not set'} and is {before}")
    watch = Watch(scale=str(recorded["scale"]), scratch=True, reproduces=name)
    run(job, digests, force=True, watch=watch)
    digests.save()
    then, now = experiment["outputs"]["files"], listed_outputs(Path(job.out))
    differ = sorted(file for file in then.keys() | now.keys() if then.get(file) != now.get(file))
    return {
        "id": name,
        "again": job.out,
        "same": not differ,
        "compared": f"{len(then)} files by sha256",
        "differences": differ,
        "notes": notes,
    }


def job_of(recorded: Mapping[str, Any]) -> Job:
    """A job from its event."""

    def read(value: Any) -> Any:
        return tuple(Input(**one) for one in value) if isinstance(value, list) else Input(**value)

    lists = ("outputs", "beside", "measured", "code")
    return Job(
        stage=recorded["stage"],
        out=recorded["out"],
        function=recorded["function"],
        wildcards=recorded["wildcards"],
        inputs={key: read(value) for key, value in recorded["inputs"].items()},
        params=recorded["params"],
        part=recorded["part"],
        image="",  # it runs wherever this does
        **{key: tuple(recorded[key]) for key in lists},
    )


def _same_inputs(
    name: str, job: Job, recorded: Mapping[str, Any], digests: Digests
) -> dict[str, Any]:
    """The manifest as it would be now. Raises InputError unless its inputs are as recorded."""
    try:
        now = wanted(job, digests)
    except FileNotFoundError as error:
        raise InputError(
            f"{name}: its input {error.filename} is not there; build it first: "
            f"snakemake {error.filename}"
        ) from None
    changed = [key for key, value in recorded["inputs"].items() if now["inputs"].get(key) != value]
    if changed:
        raise InputError(
            f"{name}: its input {changed[0]} is not what it was; bring it back (git checkout of "
            "the recorded commit, dvc checkout) or run the job anew, which is a new experiment"
        )
    return now


def _command_again(backend: LocalBackend, experiment: Mapping[str, Any]) -> dict[str, Any]:
    name, was = experiment["id"], experiment["captured"]
    command, folder = was.get("command") or [], was.get("folder", "")
    if len(command) < 2 or not Path(folder).is_dir():
        raise InputError(f"{name}: was not started by a command that can be run again here")
    known = {one["id"] for one in backend.get_all_experiments()}
    environment = {**os.environ, "REGEN_REPRODUCES": name}
    done = subprocess.run(command, cwd=folder, env=environment)
    if done.returncode:
        raise InputError(f"{name}: its command ended with status {done.returncode}: {command}")
    config = experiment["config"]
    again = [
        found
        for one in backend.get_all_experiments()
        if one["id"] not in known and one["reproduces"] == name
        if (found := backend.get_experiment(one["id"]))["config"] == config
    ]
    if not again:
        raise InputError(f"{name}: its command ran again and logged no such configuration")
    then, now = _result(experiment), _result(again[0])
    differ = sorted(key for key in then.keys() | now.keys() if then.get(key) != now.get(key))
    return {
        "id": name,
        "again": again[0]["id"],
        "same": not differ,
        "compared": f"{len(then)} scores and last metrics",
        "differences": differ,
        "notes": [],
    }


def _result(experiment: Mapping[str, Any]) -> dict[str, float]:
    """What was found, without what was measured."""
    scores = {
        f"{benchmark}/{metric}": value
        for benchmark, found in experiment["scores"].items()
        for metric, value in found.items()
    }
    last = {metric: known["last"] for metric, known in experiment["metrics"].items()}
    both = {**scores, **last}
    return {
        key: value for key, value in both.items() if "time" not in key and "measured" not in key
    }
