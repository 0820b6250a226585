"""Rows of a user's own file, and what a benchmark reads from each."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regen.benchmarks.base import BaseBenchmark, Item
from regen.errors import InputError
from regen.files import read_jsonl

Rows = list[tuple[str, dict[str, Any]]]
"""Each row, after the place in which it stands: "line 7"."""


def rows_of(path: Path) -> Rows:
    """The rows of a .csv, .jsonl or .parquet file. Raises InputError for one that is none."""
    readers = {".csv": rows_of_csv, ".jsonl": _rows_of_jsonl, ".parquet": _rows_of_parquet}
    if path.suffix not in readers:
        raise InputError(f"{path}: is none of {', '.join(readers)}; save it as one of them")
    return readers[path.suffix](path)


def rows_of_csv(path: Path) -> Rows:
    """Each row with the line in which it ends; every cell is a text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # Strict: a quotation mark that is never closed would take the other rows in.
            table = csv.reader(file, strict=True)
            names = next(table, [])
            rows = [(table.line_num, row) for row in table if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: has the column {twice[0]!r} twice; leave one of them out")
    for line, row in rows:
        if len(row) != len(names):
            raise InputError(
                f"{path}: line {line}: has {len(row)} cells for {len(names)} columns; a text with "
                "a comma stands in quotation marks"
            )
    return [(f"line {line}", dict(zip(names, row, strict=True))) for line, row in rows]


def read_item(
    task: BaseBenchmark, row: Mapping[str, Any], folder: Path, where: str
) -> tuple[Item, dict[str, Any]]:
    """What the benchmark reads, and the row that it read: as it is or, if the benchmark wants
    lists or objects where there are texts, with their JSON decoded.

    folder: where the files lie that the row names
    """
    try:
        return task.read(row, folder), dict(row)
    except InputError as error:
        reason = str(error)
    decoded = {name: _decoded(cell) for name, cell in row.items()}
    if decoded != row:
        try:
            return task.read(decoded, folder), decoded
        except InputError as error:
            reason = str(error)
    # Benchmarks speak of the data sets that regen builds, in which no one would correct a row.
    reason = reason.removeprefix(f"{folder}: ").partition("; rebuild the data")[0]
    raise InputError(
        f"{where}: {reason}; correct the row (in CSV, lists and objects are written as JSON)"
    ) from None


def _rows_of_jsonl(path: Path) -> Rows:
    return [(f"line {number}", row) for number, row in enumerate(read_jsonl(path), 1)]


def _rows_of_parquet(path: Path) -> Rows:
    import pyarrow
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        said = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: cannot be read as Parquet ({said})") from None
    return [(f"row {number}", row) for number, row in enumerate(rows, 1)]


def _decoded(cell: Any) -> Any:
    """A list, an object or null from its JSON; any other cell as it is."""
    if not isinstance(cell, str):
        return cell
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return found if found is None or isinstance(found, list | dict) else cell
