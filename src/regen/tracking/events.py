"""An experiment's event file: one JSON object a line, only ever appended to.

Every row is one `write` to a file opened for appending. The system has it when the call returns, so
a process that is killed loses at most the row that it was writing. Rows that stand for much work
(start, checkpoint, evaluation, end, deletion) are also forced to the disk (fsync), and with them
all rows before; metric rows are not, so a power cut may cost those since the last such row.
"""

import errno
import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import dumps

ID = re.compile(r"exp_\d{8}_\d{6}_[0-9a-f]{8}")
FORCED = {"start", "checkpoint", "evaluation", "finish", "delete", "undelete"}
"""Events that are on the disk when the call returns."""
ENDING = ".jsonl"


def new_id() -> str:
    """exp_<date>_<time>_<hex>, in UTC, so that ids sort by time on all machines alike."""
    return f"exp_{time.strftime('%Y%m%d_%H%M%S', time.gmtime())}_{secrets.token_hex(4)}"


class EventFile:
    """Appends rows to one experiment's file; several processes may."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        """new: the file must not be there yet. Otherwise it must be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        try:
            self._file = os.open(path, flags | (os.O_CREAT | os.O_EXCL if new else 0), 0o664)
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such experiment") from None
        self._torn = True

    def append(self, event: str, **values: Any) -> None:
        """One row. Raises OSError (disk full), ValueError for what has no JSON form."""
        row = {"event": event, "time": time.time(), **values}
        self._write((dumps(row, indent=None) + "\n").encode())
        if event in FORCED:
            os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        """One line, on its own also where a killed writer or a full disk left half of one."""
        if self._torn:
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")
            self._torn = False
        if os.write(self._file, line) < len(line):
            self._torn = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_rows(path: Path, offset: int = 0) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """(offset, length, row) of each whole line from `offset` on; row is None if it is torn.

    A last line that has no end yet is left for later.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            if len(line) > 1:
                yield offset, len(line), parse(line)
            offset += len(line)


def read_row(path: Path, offset: int, length: int) -> dict[str, Any]:
    with open(path, "rb") as file:
        file.seek(offset)
        return parse(file.read(length)) or {}


def parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, Mapping) and isinstance(row.get("event"), str) else None  # type: ignore[return-value]
