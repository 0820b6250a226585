"""A SQLite index of the event files, derived from them when it is read.

Writers never touch it, so they never wait for each other. It holds what lists and leaderboards ask:
of a metric its last, least and greatest value, of an evaluation where its row stands in the file.
It goes on from where it stopped in each file, and a missing or damaged one is made again.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.tracking.events import ENDING, ID, read_rows

VERSION = 1
WAIT = 60.0
"""Seconds that a reader waits for another one who is bringing the index up to date."""
SCHEMA = """
create table files (id text primary key, inode int, size int, offset int, torn int);
create table experiments (
    id text primary key, name text, notes text, status text, started real, finished real,
    deleted int default 0, scale text, scratch int, stage text, address text, manifest text,
    host text, process int, config text, captured text, job text, reproduces text,
    outputs text, error text);
create table metrics (
    id text, name text, n int, last real, last_step int, low real, low_step int,
    high real, high_step int, primary key (id, name)) without rowid;
create table evaluations (
    id text, benchmark text, number int, time real, offset int, length int, samples int,
    primary key (id, benchmark, number)) without rowid;
create table scores (
    id text, benchmark text, metric text, value real,
    primary key (benchmark, metric, id)) without rowid;
create table checkpoints (id text, step int, path text, time real);
create index scores_of on scores (id);
"""
TABLES = ("files", "experiments", "metrics", "evaluations", "scores", "checkpoints")
ADD_METRIC = """
insert into metrics values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set
    n = n + excluded.n, last = excluded.last, last_step = excluded.last_step,
    low_step = iif(excluded.low < low, excluded.low_step, low_step), low = min(low, excluded.low),
    high_step = iif(excluded.high > high, excluded.high_step, high_step),
    high = max(high, excluded.high)
"""


class Index:
    """The index of a folder of event files, at `path`, or in memory where that cannot be."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = folder

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection to the index as the event files are now."""
        connection = self._up_to_date()
        try:
            yield connection
        finally:
            connection.close()

    def _up_to_date(self) -> sqlite3.Connection:
        for remade in (False, True):
            try:
                connection = self._open()
                try:
                    self._update(connection)
                except BaseException:
                    connection.close()
                    raise
                return connection
            except sqlite3.OperationalError as error:
                if "lock" in str(error) or "readonly" in str(error) or "unable" in str(error):
                    break  # no place for an index, or a file system without locks
                self._remove(remade, error)
            except sqlite3.DatabaseError as error:
                self._remove(remade, error)
        connection = _fresh(":memory:")
        self._update(connection)
        return connection

    def _remove(self, remade: bool, error: Exception) -> None:
        if remade:
            raise InputError(f"{self._path}: cannot be made ({error}); delete it and try again")
        for ending in ("", "-journal", "-wal", "-shm"):
            Path(f"{self._path}{ending}").unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        if self._folder.is_dir():
            self._path.parent.mkdir(parents=True, exist_ok=True)
        elif not self._path.exists():
            return _fresh(":memory:")  # nothing was tracked yet, and looking leaves no trace
        connection = _connect(str(self._path))
        (version,) = connection.execute("pragma user_version").fetchone()
        if version != VERSION:
            connection.execute("begin immediate")
            try:
                (version,) = connection.execute("pragma user_version").fetchone()
                if version != VERSION:  # nobody was faster
                    _create(connection)
                connection.execute("commit")
            except BaseException:
                connection.close()
                raise
        return connection

    def _update(self, connection: sqlite3.Connection) -> None:
        if not self._changes(connection):
            return
        connection.execute("begin immediate")
        try:
            for name, stat in self._changes(connection).items():
                self._take(connection, name, stat)
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise

    def _changes(self, connection: sqlite3.Connection) -> dict[str, os.stat_result | None]:
        """Experiments whose file is not as the index has it; None if the file is gone."""
        query = "select id, inode, size from files"
        known = {name: (inode, size) for name, inode, size in connection.execute(query)}
        found: dict[str, os.stat_result | None] = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                name = entry.name.removesuffix(ENDING)
                if not entry.name.endswith(ENDING) or not ID.fullmatch(name):
                    continue
                with contextlib.suppress(FileNotFoundError):  # removed by gc this moment
                    stat = entry.stat()
                    if known.pop(name, None) != (stat.st_ino, stat.st_size):
                        found[name] = stat
        return {**found, **dict.fromkeys(known)}

    def _take(self, connection: sqlite3.Connection, name: str, stat: Any) -> None:
        query = "select inode, offset, torn from files where id = ?"
        inode, offset, torn = connection.execute(query, (name,)).fetchone() or (None, 0, 0)
        if stat is None or (inode is not None and inode != stat.st_ino) or stat.st_size < offset:
            for table in TABLES:
                connection.execute(f"delete from {table} where id = ?", (name,))
            offset = torn = 0
        if stat is None:
            return
        metrics: dict[str, list[Any]] = {}
        size = offset
        for place, length, row in read_rows(self._folder / f"{name}{ENDING}", offset):
            size = place + length
            try:
                if row is None:
                    torn += 1
                elif row["event"] == "metrics":
                    _add(metrics, row)
                else:
                    _event(connection, name, row, place, length)
            except (AttributeError, KeyError, TypeError, sqlite3.ProgrammingError):
                torn += 1  # JSON, and no row of ours
        rows = [(name, metric, *values) for metric, values in metrics.items()]
        connection.executemany(ADD_METRIC, rows)
        connection.execute(
            "insert or replace into files values (?, ?, ?, ?, ?)",
            (name, stat.st_ino, stat.st_size, size, torn),
        )


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("pragma synchronous = off")  # what a power cut spoils is made again
    return connection


def _fresh(path: str) -> sqlite3.Connection:
    connection = _connect(path)
    _create(connection)
    return connection


def _create(connection: sqlite3.Connection) -> None:
    for table in TABLES:
        connection.execute(f"drop table if exists {table}")
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"pragma user_version = {VERSION}")


def _add(metrics: dict[str, list[Any]], row: dict[str, Any]) -> None:
    """One row of metrics to the aggregates: n, last, its step, least, greatest, with their steps.

    Values that are absent (not a number) are no values.
    """
    step = row.get("step")
    for name, value in row["values"].items():
        if not isinstance(value, int | float):
            continue
        known = metrics.get(name)
        if known is None:
            metrics[name] = [1, value, step, value, step, value, step]
            continue
        known[0] += 1
        known[1], known[2] = value, step
        if value < known[3]:
            known[3], known[4] = value, step
        if value > known[5]:
            known[5], known[6] = value, step


def _event(
    connection: sqlite3.Connection, name: str, row: dict[str, Any], offset: int, length: int
) -> None:
    event = row["event"]
    if event == "start":
        captured, job = row.get("captured", {}), row.get("job") or {}
        connection.execute(
            "insert or replace into experiments (id, name, notes, status, started, scale, scratch, "
            "stage, address, host, process, config, captured, job, reproduces) "
            "values (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (name, row.get("name"), row.get("notes"), row["time"], job.get("scale"),
             job.get("scratch"), job.get("stage"), job.get("out"), captured.get("host"),
             captured.get("process"), json.dumps(row.get("config", {})), json.dumps(captured),
             json.dumps(job), row.get("reproduces")),
        )  # fmt: skip
    elif event == "finish":
        connection.execute(
            "update experiments set status = ?, finished = ?, manifest = ?, outputs = ?, error = ? "
            "where id = ?",
            (row.get("status"), row["time"], row.get("manifest"),
             json.dumps(row.get("outputs")), row.get("error"), name),
        )  # fmt: skip
    elif event in ("delete", "undelete"):
        flag = int(event == "delete")
        connection.execute("update experiments set deleted = ? where id = ?", (flag, name))
    elif event == "checkpoint":
        found = (name, row.get("step"), row.get("path"), row["time"])
        connection.execute("insert into checkpoints values (?, ?, ?, ?)", found)
    elif event == "evaluation":
        _evaluation(connection, name, row, offset, length)


def _evaluation(
    connection: sqlite3.Connection, name: str, row: dict[str, Any], offset: int, length: int
) -> None:
    """The latest evaluation of a benchmark is the one whose scores count."""
    benchmark = row.get("benchmark", "")
    connection.execute(
        "insert into evaluations select ?, ?, count(*), ?, ?, ?, ? from evaluations "
        "where id = ? and benchmark = ?",
        (name, benchmark, row["time"], offset, length, len(row.get("samples", ())), name,
         benchmark),
    )  # fmt: skip
    query = "delete from scores where id = ? and benchmark = ?"
    connection.execute(query, (name, benchmark))
    for metric, value in row.get("metrics", {}).items():
        if isinstance(value, int | float):
            found = (name, benchmark, metric, value)
            connection.execute("insert into scores values (?, ?, ?, ?)", found)
