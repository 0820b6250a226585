"""Experiments on this file system: written as event files, read through their index."""

import contextlib
import json
import os
import socket
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import Absent, dumps, read_json, write_text
from regen.tracking.events import ENDING, ID, EventFile, read_row, read_rows
from regen.tracking.index import Index

DATABASE = "experiments.db"
FORMAT = "regen experiment"
DIED = "died"
"""Shown for an experiment that never ended and whose process, on this host, is no more."""


class LocalBackend:
    """Experiments at `db_path`: the index is that file, the event files are in the folder beside it
    of the same name without the ending (experiments.db, experiments/)."""

    def __init__(self, db_path: str | Path = DATABASE) -> None:
        path = Path(db_path)
        if not path.suffix:
            raise InputError(f"{path}: name it with an ending, such as {path}.db")
        self.folder = path.with_suffix("")
        self._index = Index(path, self.folder)
        self._file: EventFile | None = None

    # ---- writing: one experiment at a time

    def start(self, name: str, record: Mapping[str, Any]) -> None:
        self._file = EventFile(self._path(name), new=True)
        self._file.append("start", **record)

    def log_metrics(self, values: Mapping[str, Any], step: int | None) -> None:
        self._append("metrics", values=values, step=step)

    def log_checkpoint(self, path: str, step: int | None) -> None:
        self._append("checkpoint", path=path, step=step)

    def log_evaluation(
        self,
        benchmark: str,
        metrics: Mapping[str, Any],
        samples: Sequence[Any],
        rest: Mapping[str, Any],
    ) -> None:
        found = {"metrics": metrics, "samples": samples, "result": rest}
        self._append("evaluation", benchmark=benchmark, **found)

    def finish(self, status: str, rest: Mapping[str, Any]) -> None:
        self._append("finish", status=status, **rest)
        if self._file:
            self._file.close()
        self._file = None

    def append_to(self, name: str, event: str, **values: Any) -> None:
        """One row to an experiment that was started elsewhere."""
        file = EventFile(self._path(name))
        try:
            file.append(event, **values)
        finally:
            file.close()

    def _append(self, event: str, **values: Any) -> None:
        if self._file is None:
            raise InputError("no experiment is running; start one with start_experiment()")
        self._file.append(event, **values)

    # ---- reading

    def get_experiment(self, name: str) -> dict[str, Any]:
        """An experiment by its id or the beginning of it; also a deleted one."""
        with self._index.read() as index:
            found = _resolve(index, name)
            row = index.execute("select * from experiments where id = ?", (found,)).fetchone()
            experiment = _experiment(row)
            query = "select * from metrics where id = ? order by name"
            rows = [dict(row) for row in index.execute(query, (found,))]
            experiment["metrics"] = {row.pop("name"): _without_id(row) for row in rows}
            experiment["scores"] = _scores(index, found).get(found, {})
            query = "select step, path from checkpoints where id = ? order by time, step"
            experiment["checkpoints"] = [dict(row) for row in index.execute(query, (found,))]
            (torn,) = index.execute("select torn from files where id = ?", (found,)).fetchone()
            experiment["torn_rows"] = torn
        return experiment

    def get_all_experiments(
        self, *, status: str | None = None, limit: int | None = None, deleted: bool = False
    ) -> list[dict[str, Any]]:
        """The newest first, with their scores by benchmark; without curves and samples.

        status: running, completed, failed, interrupted, or died. deleted: those, instead.
        """
        with self._index.read() as index:
            query = "select * from experiments where deleted = ? order by started desc, id desc"
            rows = index.execute(query, (int(deleted),))
            wanted = (row for row in rows if status in (None, _status(row)))
            found = [_experiment(row) for row in islice(wanted, limit)]
            few = [one["id"] for one in found] if len(found) <= 500 else []
            scores = _scores(index, *few)
            for one in found:
                one["scores"] = scores.get(one["id"], {})
        return found

    def get_evaluation_results(self, name: str, benchmark: str) -> dict[str, Any]:
        """The latest result of a benchmark as it was logged: metrics, samples, and the rest."""
        with self._index.read() as index:
            found = _resolve(index, name)
            query = "select benchmark, offset, length from evaluations where id = ? order by number"
            places = {row[0]: (row[1], row[2]) for row in index.execute(query, (found,))}
        if benchmark not in places:
            names = ", ".join(places) or "none"
            raise InputError(f"{found}: was not evaluated on {benchmark!r}; there are: {names}")
        row = read_row(self._path(found), *places[benchmark])
        rest = row.get("result", {})
        return {
            "benchmark": benchmark,
            **rest,
            "metrics": row["metrics"],
            "samples": row["samples"],
        }

    def get_metrics(self, name: str) -> list[dict[str, Any]]:
        """Every metric row of an experiment: {step, time, values}, in the order of writing."""
        path = self._path(self.resolve(name))
        rows = (row for _, _, row in read_rows(path) if row and row["event"] == "metrics")
        return [{key: row.get(key) for key in ("step", "time", "values")} for row in rows]

    def resolve(self, name: str) -> str:
        """The id that begins so, or whose part after the time does. Raises InputError."""
        if ID.fullmatch(name) and self._path(name).exists():
            return name
        with self._index.read() as index:
            return _resolve(index, name)

    @contextlib.contextmanager
    def query(self) -> Iterator[sqlite3.Connection]:
        """The index itself (see `index.SCHEMA`); whatever is written there is lost."""
        with self._index.read() as index:
            yield index

    def statistics(self) -> dict[str, Any]:
        """How many experiments, by status and scale; rows, evaluations, bytes."""
        with self._index.read() as index:

            def one(query: str) -> Any:
                return index.execute(query).fetchone()[0]

            states: dict[str, int] = {}
            for row in index.execute("select * from experiments where deleted = 0"):
                state = _status(row)
                states[state] = states.get(state, 0) + 1
            query = (
                "select coalesce(scale, 'none'), count(*) from experiments where deleted = 0 "
                "group by 1 order by 1"
            )
            return {
                "experiments": sum(states.values()),
                "by_status": dict(sorted(states.items())),
                "by_scale": {row[0]: row[1] for row in index.execute(query)},
                "deleted": one("select count(*) from experiments where deleted = 1"),
                "metric_values": one("select coalesce(sum(n), 0) from metrics"),
                "evaluations": one("select count(*) from evaluations"),
                "samples": one("select coalesce(sum(samples), 0) from evaluations"),
                "bytes": one("select coalesce(sum(size), 0) from files"),
                "torn_rows": one("select coalesce(sum(torn), 0) from files"),
            }

    # ---- deleting, which never touches anything but event files

    def delete(self, names: Sequence[str]) -> list[str]:
        """Hide experiments from everything; `undelete` brings them back until `gc`."""
        return self._mark(names, "delete")

    def undelete(self, names: Sequence[str]) -> list[str]:
        return self._mark(names, "undelete")

    def gc(self) -> dict[str, int]:
        """Remove the event files of deleted experiments for good: {experiments, bytes}."""
        removed = size = 0
        for one in self.get_all_experiments(deleted=True):
            path = self._path(one["id"])
            size += path.stat().st_size
            path.unlink()
            removed += 1
        with self._index.read() as index, contextlib.suppress(sqlite3.OperationalError):
            index.execute("vacuum")
        return {"experiments": removed, "bytes": size}

    def _mark(self, names: Sequence[str], event: str) -> list[str]:
        found = [self.resolve(name) for name in names]
        for one in found:
            self.append_to(one, event)
        return found

    # ---- taking out and in

    def export(self, name: str, output: Path) -> dict[str, Any]:
        """Everything of an experiment as one JSON file, which `import_file` reads."""
        found = self.resolve(name)
        events = [row for _, _, row in read_rows(self._path(found)) if row]
        write_text(output, dumps({"format": FORMAT, "id": found, "events": events}) + "\n")
        return {"id": found, "events": len(events), "output": str(output)}

    def import_file(self, path: Path) -> str:
        """The id of the experiment that an exported file holds. Raises InputError."""
        content = read_json(path)
        name = content.get("id") if isinstance(content, dict) else None
        if not isinstance(name, str) or not ID.fullmatch(name) or content.get("format") != FORMAT:
            raise InputError(f"{path}: is no exported experiment; make one with: export ID")
        events = content.get("events")
        if not isinstance(events, list) or not events or not all(map(_is_event, events)):
            raise InputError(f"{path}: holds rows that are no events; export it again")
        lines = "".join(dumps(event, indent=None) + "\n" for event in events)
        target = self._path(name)
        if target.exists() and target.read_text(encoding="utf-8") != lines:
            raise InputError(f"{path}: {name} is here already and differs; delete that one first")
        write_text(target, lines)
        return name

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{ENDING}"


def _is_event(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("event"), str)


def _resolve(index: sqlite3.Connection, name: str) -> str:
    query = (
        "select id from experiments where substr(id, 1, ?) = ? or substr(id, 21, ?) = ? "
        "order by id limit 4"
    )
    size = len(name)
    found = [row[0] for row in index.execute(query, (size, name, size, name))] if name else []
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise InputError(f"there is no experiment {name!r}; see: regen experiments list")
    raise InputError(f"{name!r} begins several ids: {', '.join(found[:3])}; write more of one")


def _experiment(row: sqlite3.Row) -> dict[str, Any]:
    one = dict(row)
    captured, job = json.loads(one.pop("captured")), json.loads(one.pop("job"))
    started, finished = one["started"], one["finished"]
    one |= {
        "status": _status(row),
        "deleted": bool(one["deleted"]),
        "scratch": bool(one["scratch"]),
        "config": json.loads(one["config"]),
        "outputs": json.loads(one["outputs"]) if one["outputs"] else None,
        "started": _moment(started),
        "finished": _moment(finished) if finished else None,
        "seconds": finished - started if finished else Absent("did not end"),
    }
    for known in ("host", "process", "scale", "scratch", "stage", "address", "manifest"):
        one[known] = one.pop(known)
    return {**one, "captured": captured, "job": job}


def _status(row: sqlite3.Row) -> str:
    """As it was logged; a running one whose process is gone from this host has died."""
    status = str(row["status"])
    if status != "running" or row["host"] != socket.gethostname() or not row["process"]:
        return status
    try:
        os.kill(row["process"], 0)
    except ProcessLookupError:
        return DIED
    except PermissionError:
        pass  # another user's, and alive
    return status


def _scores(index: sqlite3.Connection, *names: str) -> dict[str, dict[str, dict[str, float]]]:
    """{id: {benchmark: {metric: value}}}, of these experiments or of all."""
    where = f"where id in ({', '.join('?' * len(names))})" if names else ""
    found: dict[str, dict[str, dict[str, float]]] = {}
    query = f"select id, benchmark, metric, value from scores {where} order by benchmark, metric"
    for name, benchmark, metric, value in index.execute(query, names):
        found.setdefault(name, {}).setdefault(benchmark, {})[metric] = value
    return found


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "id"}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
