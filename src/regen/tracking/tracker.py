"""Recording an experiment while it runs."""

import contextlib
import glob
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from regen.errors import InputError, nearest
from regen.files import Absent
from regen.machine import describe_run
from regen.tracking.config import ExperimentConfig, parameters
from regen.tracking.events import new_id
from regen.tracking.local import DATABASE, LocalBackend

STATES = ("completed", "failed", "interrupted")
SAMPLES = ("samples", "per_sample_results", "sample_results", "results", "predictions")
"""Names under which results of benchmarks hold their rows, one a sample."""


class Backend(Protocol):
    """What an experiment is written to."""

    def start(self, name: str, record: Mapping[str, Any]) -> None: ...
    def log_metrics(self, values: Mapping[str, Any], step: int | None) -> None: ...
    def log_checkpoint(self, path: str, step: int | None) -> None: ...
    def log_evaluation(
        self,
        benchmark: str,
        metrics: Mapping[str, Any],
        samples: Sequence[Any],
        rest: Mapping[str, Any],
    ) -> None: ...
    def finish(self, status: str, rest: Mapping[str, Any]) -> None: ...


class ExperimentTracker:
    """Writes one experiment at a time to each of its backends.

    Only the local one may raise: what W&B or MLflow cannot take is said in one line, once, and the
    experiment goes on without them.
    """

    def __init__(
        self,
        backends: Sequence[str] = ("local",),
        db_path: str | Path = DATABASE,
        wandb_project: str = "regen",
        mlflow_uri: str | None = None,
    ) -> None:
        """backends: "local", "wandb", "mlflow". mlflow_uri: a file or SQLite store of the user's,
        or a server; None is mlflow.db in the current folder. Raises InputError for an unknown one.
        """
        from regen.tracking.remote import MlflowBackend, WandbBackend

        makers: dict[str, Callable[[], Backend]] = {
            "local": lambda: LocalBackend(db_path),
            "wandb": lambda: WandbBackend(wandb_project),
            "mlflow": lambda: MlflowBackend(wandb_project, mlflow_uri),
        }
        for name in backends:
            if name not in makers:
                raise InputError(f"there is no tracking backend {name!r}{nearest(name, makers)}")
        self._makers = {name: makers[name] for name in backends}
        self._backends: dict[str, Backend] = {}
        self.experiment_id: str | None = None

    def start_experiment(
        self,
        config: ExperimentConfig | Mapping[str, Any],
        experiment_name: str = "",
        notes: str = "",
        **record: Any,
    ) -> str:
        """Start recording; returns the id. `record`: more for the start event, such as `job`."""
        if self.experiment_id is not None:
            raise InputError(f"{self.experiment_id} is still running; finish it first")
        name = new_id()
        start = {
            "name": experiment_name,
            "notes": notes,
            "config": parameters(config),
            "captured": captured(),
            **record,
        }
        if original := os.environ.get("REGEN_REPRODUCES"):
            start.setdefault("reproduces", original)
        self._backends = {}
        for backend, make in self._makers.items():
            with self._forgiving(backend):
                made = make()
                made.start(name, start)
                self._backends[backend] = made
        self.experiment_id = name
        return name

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """A row of numbers; NaN and infinities are recorded as absent, with the reason."""
        values = {key: _finite(value) for key, value in metrics.items()}
        self._each(lambda backend: backend.log_metrics(values, step))

    def log_checkpoint(self, path: str | Path, step: int | None = None) -> None:
        self._each(lambda backend: backend.log_checkpoint(str(path), step))

    def log_evaluation(self, benchmark: str, result: Mapping[str, Any]) -> None:
        """A benchmark's result, as its `to_dict()` gives it: metrics, and a row a sample."""
        metrics, samples, rest = evaluation(result)
        self._each(lambda backend: backend.log_evaluation(benchmark, metrics, samples, rest))

    def finish_experiment(self, status: str = "completed", **record: Any) -> None:
        """status: completed, failed or interrupted."""
        if status not in STATES:
            raise InputError(f"status {status!r}: is none of {', '.join(STATES)}")
        self._each(lambda backend: backend.finish(status, record))
        self.experiment_id = None

    @contextlib.contextmanager
    def experiment(
        self,
        config: ExperimentConfig | Mapping[str, Any],
        experiment_name: str = "",
        notes: str = "",
        **record: Any,
    ) -> Iterator[str]:
        """An experiment that ends with the block: failed or interrupted if that raises."""
        name = self.start_experiment(config, experiment_name, notes, **record)
        try:
            yield name
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt | SystemExit)
            said = " ".join(f"{type(error).__name__}: {error}".split())
            self.finish_experiment("interrupted" if stopped else "failed", error=said[:1000])
            raise
        self.finish_experiment()

    def _each(self, call: Callable[[Backend], None]) -> None:
        if self.experiment_id is None:
            raise InputError("no experiment is running; start one with start_experiment()")
        for name, backend in list(self._backends.items()):
            with self._forgiving(name):
                call(backend)

    @contextlib.contextmanager
    def _forgiving(self, backend: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if backend == "local":
                raise
            said = " ".join(str(error).split())[:200]
            print(f"{backend}: not recorded there any more ({said})", file=sys.stderr)
            self._backends.pop(backend, None)


def captured() -> dict[str, Any]:
    """What nobody has to say: git, user, host, Python, device, process, command."""
    run = describe_run()
    kept = {key: run[key] for key in ("user", "host", "python", "platform", "git")}
    command = {"command": sys.orig_argv, "folder": os.getcwd(), "process": os.getpid()}
    return {**kept, **command, "device": device_type(), "environment": run["environment"]}


def device_type() -> str:
    """cuda, mps or cpu: as torch says where it is loaded, else by what the machine has."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "cuda"):
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    return "cuda" if glob.glob("/dev/nvidia[0-9]*") and not hidden else "cpu"


def evaluation(
    result: Mapping[str, Any],
) -> tuple[dict[str, Any], list[Any], dict[str, Any]]:
    """(metrics, samples, the rest) of a benchmark's result.

    Metrics stand under "metrics", or are the numbers at the top; samples under one of `SAMPLES`.
    """
    rest = dict(result)
    metrics = rest.pop("metrics", None)
    if metrics is None:
        metrics = {key: value for key, value in rest.items() if _is_number(value)}
        rest = {key: value for key, value in rest.items() if key not in metrics}
    named = next((key for key in SAMPLES if isinstance(rest.get(key), list | tuple)), None)
    samples = list(rest.pop(named)) if named else []
    return {key: _finite(value) for key, value in metrics.items()}, samples, rest


def _is_number(value: Any) -> bool:
    value = value.item() if hasattr(value, "item") else value
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: Any) -> Any:
    if hasattr(value, "item"):  # NumPy and torch scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return Absent(f"not a finite number: {value}")
    return value
