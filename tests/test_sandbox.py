"""The sandbox against programs that mean harm, and against those that mean none."""

import os
import time
from pathlib import Path

import pytest

from regen import sandbox
from regen.errors import InputError
from regen.sandbox import Limits, run, run_all

WRITABLE = """
import ctypes, struct
asked = struct.pack("QQQQ", 0, 1, 0, 0)
assert ctypes.CDLL(None).syscall(442, -100, b"/", 0x8000, asked, 32) == 0
"""
"""Asks that files be writable again."""
SHORT = Limits(seconds=1, memory_mb=200, disk_mb=4)


def confined() -> bool:
    try:
        return run("pass", SHORT).passed
    except InputError:
        return False


pytestmark = pytest.mark.skipif(not confined(), reason="no namespaces here")


@pytest.mark.parametrize(
    "program",
    [
        "import math\nassert math.sqrt(4) == 2",
        "open('note', 'w').write('x')\nassert open('note').read() == 'x'",
        "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()",
        "",
    ],
)
def test_what_means_no_harm_passes(program: str) -> None:
    assert run(program, SHORT).passed


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("assert 1 == 2, 'no'", "AssertionError: no"),
        ("this is no program", "SyntaxError"),
        ("import sys\nsys.exit(0)", "left before its end"),
        ("import os\nos._exit(0)", "ended with status 0"),
        ("import os\nos.write(3, b'0' * 32)\nos._exit(0)", ""),
        ("while True: pass", "timed out"),
        ("import time\ntime.sleep(60)", "timed out"),
        ("print('x' * 10)\nwhile True: print('x' * 10**6)", "timed out"),
        ("import os\nwhile True: os.fork()", "PermissionError"),
        ("import subprocess\nsubprocess.run(['ls'])", "PermissionError"),
        ("import multiprocessing as m\nm.Process(target=print).start()", "PermissionError"),
        ("found = bytearray(10**10)", "MemoryError"),
        ("found = []\nwhile True: found.append(bytearray(10**7))", "MemoryError"),
        ("file = open('big', 'wb')\nwhile True: file.write(b'0' * 10**6)", "OSError"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9), 1)", "unreachable"),
        ("import ctypes\nassert ctypes.CDLL(None).mount(b'a', b'/', b'tmpfs', 0, None) == 0", ""),
        ("import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0", "AssertionError"),
        (WRITABLE, "AssertionError"),
    ],
)
def test_what_means_harm_fails_soon(program: str, reason: str) -> None:
    started = time.monotonic()
    outcome = run(program, SHORT)
    assert not outcome.passed and reason in outcome.reason
    assert time.monotonic() - started < 15


def test_files_outside_stay_as_they_are(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("alive")
    for program in (
        f"import os\nos.unlink({str(victim)!r})",
        f"open({str(victim)!r}, 'w').write('dead')",
        f"import os\nos.rename({str(victim)!r}, {str(victim) + '2'!r})",
        f"import shutil\nshutil.rmtree({str(tmp_path)!r})",
    ):
        assert "Read-only" in run(program, SHORT).reason
    assert victim.read_text() == "alive"


def test_the_environment_is_not_there_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY_OF_MINE", "hush")
    assert not run("import os\nassert 'A_KEY_OF_MINE' in os.environ", SHORT).passed
    assert not run("import os\nopen(f'/proc/{os.getppid()}/environ')", SHORT).passed
    assert not run("open('/proc/self/environ')", SHORT).passed


def test_signals_do_not_reach_who_started_it() -> None:
    for target in (os.getpid(), os.getppid(), -1, 0):
        run(f"import os\nos.kill({target}, 15)", SHORT)
        run(f"import os\nos.killpg({max(target, 0)}, 15)", SHORT)
    assert run("pass", SHORT).passed  # and this process is still there to say so


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run("import os, time\nos.setsid()\nopen('a', 'w')\ntime.sleep(60)", SHORT)
    assert list(tmp_path.iterdir()) == []
    mine = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    assert [p for p in mine if _is_child(p)] == []


def _is_child(process: Path) -> bool:
    """Whether it is a program's, by the limits of this file on its command line."""
    try:
        said = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return sandbox.CHILD.name.encode() in said and b'"memory_mb": 200' in said


def test_several_keep_their_order() -> None:
    programs = ["pass", "assert False", "pass"]
    found = run_all(programs, SHORT, trusted=[False] * 3)
    assert [outcome.passed for outcome in found] == [True, False, True]


def test_a_program_cannot_say_that_it_was_not_confined() -> None:
    assert not run(f"import os\nos._exit({sandbox.UNCONFINED})", SHORT).passed


@pytest.mark.parametrize(
    "refused",
    [
        "checked(libc.unshare(kinds))",
        'checked(libc.mount(None, b"/", None, PRIVATE, None))',
        "checked(libc.prctl(SECCOMP, FILTER, program, 0, 0))",
    ],
)
def test_without_namespaces_only_what_is_trusted_runs(
    refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may be given them, and no mounts in them."""
    child = Path(sandbox.CHILD).read_text()
    broken = child.replace(refused, "raise OSError(1, 'not permitted')")
    assert broken != child
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "child.py")
        script.write_text(broken)
        monkeypatch.setattr(sandbox, "CHILD", script)
        with pytest.raises(InputError, match="no namespaces of its own"):
            run("pass", SHORT)
        assert run("pass", SHORT, trusted=True).passed
        if "SECCOMP" not in refused:
            assert not run("import os\nos.fork()", SHORT, trusted=True).passed
