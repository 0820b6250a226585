"""Experiments on Weights & Biases and on MLflow: optional, and imported only when asked for."""

import netrc
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.tracking.config import flat

MLFLOW_STORE = "sqlite:///mlflow.db"
MLFLOW_STATES = {"completed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
INSTALL = "pip install -c constraints.txt"
"""And `-e`: without it the folder's package would be replaced by a copy."""
MLFLOW_LONGEST = 500
"""Characters of a parameter that every version of MLflow takes."""


class WandbBackend:
    """Steps are a value of each row like others: W&B drops rows whose own step goes back."""

    def __init__(self, project: str) -> None:
        try:
            import wandb
        except ImportError:
            raise InputError(f"wandb is not installed; {INSTALL} -e '.[wandb]'") from None
        self._wandb = wandb
        self._project = project
        self._run: Any = None

    def start(self, name: str, record: Mapping[str, Any]) -> None:
        offline = os.environ.get("WANDB_MODE") is None and not _has_login()
        self._run = self._wandb.init(
            project=self._project,
            id=name,
            name=record["name"] or name,
            notes=record["notes"],
            config={**record["config"], "captured": record["captured"]},
            mode="offline" if offline else None,
            settings=self._wandb.Settings(silent=True),
        )
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        if offline:
            folder = Path(self._run.dir).parent
            print(f"wandb: no login, so kept offline; later: wandb sync {folder}", file=sys.stderr)

    def log_metrics(self, values: Mapping[str, Any], step: int | None) -> None:
        numbers = _numbers(values)
        self._run.log(numbers if step is None else {**numbers, "step": step})

    def log_checkpoint(self, path: str, step: int | None) -> None:
        self._run.summary["checkpoint"] = path

    def log_evaluation(
        self,
        benchmark: str,
        metrics: Mapping[str, Any],
        samples: Sequence[Any],
        rest: Mapping[str, Any],
    ) -> None:
        for key, value in _numbers(metrics).items():
            self._run.summary[f"{benchmark}/{key}"] = value
        rows = [row for row in samples if isinstance(row, Mapping)]
        if rows:
            columns = list(dict.fromkeys(key for row in rows for key in row))
            data = [[_cell(row.get(key)) for key in columns] for row in rows]
            table = self._wandb.Table(columns=columns, data=data)
            self._run.log({f"{benchmark}/samples": table})

    def finish(self, status: str, rest: Mapping[str, Any]) -> None:
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if status == "completed" else 1)


class MlflowBackend:
    """Through the client, so that no global state of MLflow is changed."""

    def __init__(self, experiment: str, uri: str | None = None) -> None:
        # Usage is not to be sent to its makers.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            from mlflow.entities import Metric, Param, RunTag
            from mlflow.tracking import MlflowClient
        except ImportError:
            raise InputError(f"mlflow is not installed; {INSTALL} -e '.[mlflow]'") from None
        self._metric, self._param, self._tag = Metric, Param, RunTag
        self._client = MlflowClient(uri or os.environ.get("MLFLOW_TRACKING_URI") or MLFLOW_STORE)
        known = self._client.get_experiment_by_name(experiment)
        self._experiment = (
            known.experiment_id if known else self._client.create_experiment(experiment)
        )
        self._run = ""
        self._written = 0

    def start(self, name: str, record: Mapping[str, Any]) -> None:
        git = record["captured"].get("git", {})
        tags = {
            "experiment_id": name,
            "mlflow.note.content": record["notes"],
            "mlflow.user": record["captured"]["user"],
            "mlflow.source.git.commit": git.get("commit", ""),
            "mlflow.source.git.branch": git.get("branch", ""),
            "git.dirty": str(git.get("dirty", "")),
        }
        run = self._client.create_run(self._experiment, run_name=record["name"] or name, tags=tags)
        self._run = run.info.run_id
        params = [
            self._param(key, str(value)[:MLFLOW_LONGEST])
            for key, value in flat(record["config"]).items()
        ]
        for start in range(0, len(params), 100):  # what one call may hold
            self._client.log_batch(self._run, params=params[start : start + 100])

    def log_metrics(self, values: Mapping[str, Any], step: int | None) -> None:
        now = int(time.time() * 1000)
        step = self._written if step is None else step
        self._written += 1
        rows = [self._metric(key, value, now, step) for key, value in _numbers(values).items()]
        self._client.log_batch(self._run, metrics=rows)

    def log_checkpoint(self, path: str, step: int | None) -> None:
        self._client.set_tag(self._run, "checkpoint", path)

    def log_evaluation(
        self,
        benchmark: str,
        metrics: Mapping[str, Any],
        samples: Sequence[Any],
        rest: Mapping[str, Any],
    ) -> None:
        self.log_metrics({f"{benchmark}/{key}": value for key, value in metrics.items()}, None)
        if samples:
            content = {"samples": list(samples)}
            self._client.log_dict(self._run, content, f"evaluations/{benchmark}.json")

    def finish(self, status: str, rest: Mapping[str, Any]) -> None:
        self._client.set_terminated(self._run, MLFLOW_STATES[status])


def _has_login() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        found = netrc.netrc()
    except (OSError, netrc.NetrcParseError):
        return False
    return any("wandb" in host for host in found.hosts)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {key: value for key, value in values.items() if isinstance(value, int | float)}


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
