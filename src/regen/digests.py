"""sha256 of files and folders, remembered by their stat."""

import hashlib
import json
import os
import time
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from regen.files import sha256, write_text

PRIVATE = Path(".regen")
"""What regen keeps for itself, relative to the project: digests by stat, and edited copies."""


class Digests:
    """sha256 by path. A file is read again only when its size, inode, mtime or ctime moved."""

    def __init__(self, file: Path = PRIVATE / "digests.json") -> None:
        self._file = file
        self._changed = False
        self._known: dict[str, Any] = read_object(file) or {}

    def of(self, path: str | Path) -> str:
        """The digest of a file, or of a folder's files and names, as they are now.

        Raises OSError if it cannot be read.
        """
        stat = os.stat(path)
        if S_ISDIR(stat.st_mode):
            inside = sorted(file for file in Path(path).rglob("*") if file.is_file())
            lines = (f"{self.of(file)}  {file.relative_to(path).as_posix()}\n" for file in inside)
            return hashlib.sha256("".join(lines).encode()).hexdigest()
        key = [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]
        known = self._known.get(str(path))
        if isinstance(known, list) and len(known) == 2 and known[0] == key:
            return str(known[1])
        digest = sha256(Path(path))
        # A file written a moment ago may be written again within the clock's resolution without a
        # trace in its stat: such a one is not remembered (git's "racy" rule).
        if time.time_ns() - stat.st_ctime_ns > 2_000_000_000:
            self._known[str(path)] = [key, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        if self._changed:
            write_text(self._file, json.dumps(self._known))
            self._changed = False


def read_object(file: Path) -> dict[str, Any] | None:
    """A JSON object; None if the file is missing, damaged or something else."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
