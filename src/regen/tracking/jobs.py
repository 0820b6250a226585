"""Jobs of the chain as experiments: nobody has to ask, and no job fails of it.

A training, a run of a sweep and a prediction each are an experiment; scoring adds an evaluation to
its prediction's. No table reads any of this.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from regen.files import read_json, read_jsonl, sha256, write_text
from regen.provenance import CONTENT_ID, MANIFEST, Input, Job, listed_outputs
from regen.tracking.local import LocalBackend
from regen.tracking.tracker import ExperimentTracker

TRACKED = ("training", "prediction", "sweep")
POINTER = ".experiment"
"""A file in a job's folder that names its experiment; hidden, so no output of the stage."""
KEPT = ("item", "group", "metrics", "target", "prediction", "error")
"""What an evaluation keeps of a scored item."""


@dataclass(frozen=True)
class Watch:
    """What `provenance.run` calls around a job that really runs.

    scale: of the configuration. scratch: the folder is none that the paper reads. reproduces: the
    experiment that is made again, if any.
    """

    scale: str
    scratch: bool
    reproduces: str | None = None

    @contextlib.contextmanager
    def __call__(self, job: Job, record: Mapping[str, Any]) -> Iterator[None]:
        """record: the job's manifest as far as it is known before."""
        if job.stage not in TRACKED:
            yield
            if job.stage == "scoring":
                _quietly(lambda: self._scored(job))
            return
        tracker = ExperimentTracker()
        start = partial(self._start, tracker, job, record)
        _quietly(start)
        try:
            yield
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt | SystemExit)
            status = "interrupted" if stopped else "failed"
            said = " ".join(f"{type(error).__name__}: {error}".split())[:1000]
            _quietly(lambda: _fail(tracker, status, said))
            raise
        _quietly(lambda: _finish(tracker, job))

    def _start(self, tracker: ExperimentTracker, job: Job, record: Mapping[str, Any]) -> None:
        rest = {"reproduces": self.reproduces} if self.reproduces else {}
        tracker.start_experiment(described(job), job.out, job=self._described(job, record), **rest)

    def _described(self, job: Job, record: Mapping[str, Any]) -> dict[str, Any]:
        """A job as it is written, from which it can be made again."""
        threads = os.environ.get("OMP_NUM_THREADS")
        mine = {"scale": self.scale, "scratch": self.scratch, "threads": threads}
        return {**asdict(job), **mine, "manifest": dict(record)}

    def _scored(self, job: Job) -> None:
        """Add a score to the experiment that made the predictions, or to a new one for those that
        were pulled."""
        scored = job.inputs["predictions"]
        assert isinstance(scored, Input) and scored.folder
        backend, folder = LocalBackend(), Path(scored.folder)
        name = pointed_to(backend, folder)
        if name is None:
            tracker = ExperimentTracker()
            address = {"out": scored.folder, "stage": "prediction", "wildcards": job.wildcards}
            place = {"scale": self.scale, "scratch": self.scratch}
            tracker.start_experiment(_pulled(folder), scored.folder, job={**address, **place},
                                     notes="recorded results, made elsewhere")  # fmt: skip
            name = str(tracker.experiment_id)
            tracker.finish_experiment(manifest=sha256(folder / MANIFEST))
            write_text(folder / POINTER, f"{name} {sha256(folder / MANIFEST)}\n")
        summary = read_json(Path(job.out, "summary.json"))
        rows = read_jsonl(Path(job.out, "items.jsonl"))
        backend.append_to(
            name,
            "evaluation",
            benchmark=f"{job.params['benchmark']}/{job.params['split']}",
            metrics={metric: found["mean"] for metric, found in summary["metrics"].items()},
            samples=[{key: row[key] for key in KEPT if key in row} for row in rows],
            result={"n": summary["n"], "failures": summary["failures"], "address": job.out,
                    "manifest": sha256(Path(job.out, MANIFEST))},
        )  # fmt: skip


def described(job: Job) -> dict[str, Any]:
    """A job's hyper-parameters; of a prediction also those of the adapter that answered."""
    found = {**job.wildcards, **job.params}
    adapter = job.inputs.get("adapter")
    if isinstance(adapter, Input):
        found["training"] = _params(Path(adapter.path))
    return found


def pointed_to(backend: LocalBackend, folder: Path) -> str | None:
    """The experiment that made a folder as it is now, if its event file is here."""
    try:
        name, manifest = (folder / POINTER).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    known = manifest == sha256(folder / MANIFEST) and (backend.folder / f"{name}.jsonl").exists()
    return name if known else None


def _pulled(folder: Path) -> dict[str, Any]:
    """The configuration of predictions that were not made here, as their manifests have it."""
    manifest = read_json(folder / MANIFEST)
    found = dict(manifest["params"])
    for evidence in manifest["inputs"]:
        if "/checkpoints/" in evidence:
            found["training"] = _params(Path(evidence).parent)
    return found


def _params(folder: Path) -> dict[str, Any]:
    """A training's parameters, with what a grid's winner made of them; as far as they are here."""
    found: dict[str, Any] = {}
    with contextlib.suppress(Exception):
        found |= read_json(folder / MANIFEST)["params"]
        found["lora"] = read_json(folder / "summary.json")["lora"]
    return found


def _finish(tracker: ExperimentTracker, job: Job) -> None:
    folder = Path(job.out)
    if (folder / "log.jsonl").exists():
        for row in read_jsonl(folder / "log.jsonl"):
            step = row.pop("step", None)
            numbers = {key: value for key, value in row.items() if isinstance(value, int | float)}
            tracker.log_metrics(numbers, step=step)
    if (folder / "timing.json").exists():
        timing = read_json(folder / "timing.json")
        numbers = {f"measured/{k}": v for k, v in timing.items() if isinstance(v, int | float)}
        tracker.log_metrics(numbers)
    if job.stage == "training":
        tracker.log_checkpoint(folder)
    name, manifest = tracker.experiment_id, sha256(folder / MANIFEST)
    outputs = {"id": sha256(folder / CONTENT_ID), "files": listed_outputs(folder)}
    status, rest = "completed", {}
    if job.stage == "sweep":
        outcome = read_json(folder / "outcome.json")
        status = outcome["status"]
        if status == "failed":
            rest["error"] = outcome["value"]["absent"]
        else:
            tracker.log_metrics({f"dev/{outcome['metric']}": outcome["value"]})
    tracker.finish_experiment(status, manifest=manifest, outputs=outputs, **rest)
    write_text(folder / POINTER, f"{name} {manifest}\n")


def _fail(tracker: ExperimentTracker, status: str, said: str) -> None:
    if tracker.experiment_id is not None:
        tracker.finish_experiment(status, error=said)


def _quietly(call: Callable[[], object]) -> None:
    """A job does not fail because it could not be recorded; that is said in one line."""
    try:
        call()
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        print(f"experiments: not recorded ({said})", file=sys.stderr)
