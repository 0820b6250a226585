"""Programs that nobody has read, run where they can do no harm: Python, one process, no network.

A program runs in namespaces of its own (user, mounts, processes, network), in which every file
system is read-only but an empty folder in memory, with limits on memory, time, files and output,
and a filter of system calls that lets it start no process; `sandbox_child` sets all that up. What
it can still do is read files that its user can read, and keep what it finds to itself.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from regen import sandbox_child
from regen.errors import InputError
from regen.sandbox_child import UNCONFINED

CHILD = Path(sandbox_child.__file__)
"""Imported, although it is run in a process of its own: it is code that results depend on."""
LATE = 2.0
"""Seconds more than the program's that its start and end may take."""
LONGEST_REASON = 200


@dataclass(frozen=True)
class Limits:
    """seconds: of the wall clock, and of the processor; memory_mb, disk_mb: MiB"""

    seconds: float = 3.0
    memory_mb: int = 256
    disk_mb: int = 16


@dataclass(frozen=True)
class Outcome:
    """passed: the program came to its end; else why it did not: "timed out", or its last line."""

    passed: bool
    reason: str = ""


def run(program: str, limits: Limits = Limits(), *, trusted: bool = False) -> Outcome:
    """Run a Python program to its end.

    It passes only if its last statement was reached: leaving early does not count, whatever the
    status. trusted: run it with limits alone where there are no namespaces. Raises InputError
    there for any other program.
    """
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        reading, writing = os.pipe()
        given = {**vars(limits), "token": token, "pipe": writing, "trusted": trusted}
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(CHILD), json.dumps(given)],
            cwd=folder,
            env={"LANG": "C.UTF-8", "HOME": folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=[writing],
            start_new_session=True,
        )
        os.close(writing)
        timed_out = False
        try:
            process.communicate(program.encode(), timeout=limits.seconds + LATE)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _kill(process)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read(len(token) + 1).decode(errors="replace")
        if process.returncode == UNCONFINED or said == f"{token}!":
            raise InputError(
                "sandbox: this machine gives a process no namespaces of its own, so that programs "
                "of a model are not run; allow unprivileged user namespaces, to a container too, "
                "or run it elsewhere"
            )
        if said == token and process.returncode == 0 and not timed_out:
            return Outcome(True)
        # Nothing but the limit on processor time kills a program from outside.
        if timed_out or process.returncode == 128 + signal.SIGKILL:
            return Outcome(False, "timed out")
        return Outcome(False, _last_line(errors) or f"ended with status {process.returncode}")


def run_all(programs: Sequence[str], limits: Limits, *, trusted: Sequence[bool]) -> list[Outcome]:
    """The same of several, as many at once as there are processors, in their order."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(
            pool.map(
                lambda one: run(one[0], limits, trusted=one[1]),
                zip(programs, trusted, strict=True),
            )
        )


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """The whole session. The child's own child dies with it, and with that all in its namespace."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read(1 << 20).decode(errors="replace").strip().splitlines()
    return lines[-1][:LONGEST_REASON] if lines else ""
