"""One process at a time."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(out: str, locks: Path) -> Iterator[None]:
    """Wait until no other process makes this folder: one may live on whose Snakemake was killed.

    The lock is the kernel's, so that it never outlives its process.
    """
    path = locks / f"{out.replace('/', '--')}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{out}: another process makes it; waiting for that", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
