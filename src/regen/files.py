"""Reading and writing small files: one JSON writer for the whole product.

Everything is written to a temporary name in the same folder and renamed, so that a reader never
sees half a file and an interrupted write leaves the old file as it was.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from regen.errors import InputError

SURROGATE = re.compile("[\ud800-\udfff]")
SIGNIFICANT_DIGITS = 12
"""Floats are written with so many digits: enough for any result, few enough that the last bits in
which two processors may differ do not reach the file."""


@dataclass(frozen=True)
class Absent:
    """A value that was not computed, and why: "n/a (reason)", in JSON ``{"absent": reason}``."""

    reason: str

    def __str__(self) -> str:
        return f"n/a ({self.reason})"


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plain(value: Any, where: str = "value") -> Any:
    """`value` as what JSON knows: NumPy values, dataclasses, paths and `Absent` unwrapped.

    Raises ValueError, naming the place, for NaN and infinities: a metric that was not computed is
    `Absent` with a reason.
    """
    if isinstance(value, Absent):
        return {"absent": value.reason}
    if value is None or isinstance(value, str | bool):
        return value
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, torch tensors
        return plain(value.tolist(), where)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}: write Absent(reason) for what was not computed")
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(items)]
    if is_dataclass(value) and not isinstance(value, type):
        named = ((f.name, getattr(value, f.name)) for f in fields(value))
        return plain({name: item for name, item in named if item is not None}, where)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{where}: {type(value).__name__} has no JSON form")


def dumps(value: Any, indent: int | None = 1) -> str:
    """Canonical JSON: sorted keys, stable floats, no NaN; half a surrogate pair as an escape."""
    separators = (",", ": ") if indent else (", ", ": ")
    text = json.dumps(
        plain(value), indent=indent, sort_keys=True, ensure_ascii=False, separators=separators
    )
    return SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary name beside `path`, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, dumps(value) + "\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """One canonical JSON object a line."""
    write_text(path, "".join(dumps(row, indent=None) + "\n" for row in rows))


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error}); restore or rebuild the file") from None


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON lines file; a line that is no JSON object is an error that names it."""
    rows = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    # Not splitlines: a text may hold U+2028 and others that it takes for ends of lines.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise InputError(
                f"{path}: line {number} is no JSON object: the file is truncated or was edited; "
                "restore or rebuild it"
            )
        rows.append(row)
    return rows
