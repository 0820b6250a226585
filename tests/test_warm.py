"""Commands that are forked from a warm process behave as if they had been started by themselves.

A stand-in for the command line says what it was given; the libraries are real.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from regen import warm

COMMAND_LINE = """
import json, os, signal, sys, time

def main():
    given = sys.argv[2] if len(sys.argv) > 2 else "say"
    if given == "say":
        import torch
        print("to the log", file=sys.stderr)
        print(json.dumps({
            "arguments": sys.argv[1:], "folder": os.getcwd(), "word": os.environ.get("WORD"),
            "input": sys.stdin.read(), "threads": torch.get_num_threads(), "process": os.getpid(),
            "parent": os.getppid(),
        }))
    elif given == "exit":
        sys.exit(int(sys.argv[3]))
    elif given == "raise":
        raise RuntimeError("unforeseen")
    elif given == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif given == "wait":
        def stopped(number, frame):
            os.write(1, b"stopped by %d\\n" % number)  # a print may be under way
            sys.exit(130)
        signal.signal(signal.SIGTERM, stopped)
        print(os.getpid(), flush=True)
        time.sleep(60)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with a package of the same name, its command line a stand-in."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "regen" / "cli").mkdir(parents=True)
    (folder / "regen" / "__init__.py").touch()
    shutil.copy(warm.__file__, folder / "regen" / "warm.py")
    (folder / "regen" / "cli" / "__init__.py").write_text(COMMAND_LINE)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("warm") / "socket"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(warm.VARIABLE, "restored afterwards")
        process = warm.start(path)
        assert process is not None
        while not path.exists():
            time.sleep(0.05)
        yield path
        warm.stop(process)


def begin(package: Path, server: Path | None, *arguments: str, **environment: str):  # type: ignore[no-untyped-def]
    given = {k: v for k, v in os.environ.items() if k != warm.VARIABLE}
    given |= {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1", **environment}
    if server is not None:
        given[warm.VARIABLE] = str(server)
    return subprocess.Popen(
        [sys.executable, "-c", "from regen.warm import main; main()", *arguments],
        env=given, cwd=package, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def gone(process: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_it_is_given_what_it_would_have_had(package: Path, server: Path) -> None:
    said = {}
    for name, where in (("warm", server), ("cold", None)):
        one = begin(package, where, "train", WORD="é")
        out, log = one.communicate("from the pipe", timeout=120)
        assert (one.returncode, log) == (0, "to the log\n")
        said[name] = json.loads(out) | {"messenger": one.pid}
    for key in ("arguments", "folder", "word", "input", "threads"):
        assert said["warm"][key] == said["cold"][key], key
    assert said["warm"]["threads"] == 1
    assert said["warm"]["process"] != said["warm"]["messenger"]
    assert said["cold"]["process"] == said["cold"]["messenger"]


@pytest.mark.parametrize(
    ("arguments", "status", "log"),
    [
        (("exit", "0"), 0, ""),
        (("exit", "3"), 3, ""),
        (("raise",), 1, "RuntimeError: unforeseen"),
        (("die",), 137, ""),
    ],
)
def test_it_ends_as_the_command_ends(
    package: Path, server: Path, arguments: tuple[str, ...], status: int, log: str
) -> None:
    one = begin(package, server, "predict", *arguments)
    _, said = one.communicate(timeout=120)
    assert one.returncode == status
    assert log in said


def test_several_run_side_by_side(package: Path, server: Path) -> None:
    waiting = [begin(package, server, "train", "wait") for _ in range(4)]
    processes = {int(one.stdout.readline()) for one in waiting}
    assert len(processes) == 4
    for one in waiting:
        one.terminate()
    assert [one.wait(120) for one in waiting] == [130] * 4


def test_a_signal_is_passed_on(package: Path, server: Path) -> None:
    one = begin(package, server, "train", "wait")
    one.stdout.readline()
    one.send_signal(signal.SIGTERM)
    out, _ = one.communicate(timeout=20)
    assert (one.returncode, out) == (130, "stopped by 15\n")


@pytest.mark.parametrize(("answer", "status"), [(b"yes", 130), (b"no", -signal.SIGTERM)])
def test_a_signal_before_the_answer_is_kept(
    package: Path, tmp_path: Path, answer: bytes, status: int
) -> None:
    """The test is the server: the command may have begun before its messenger has been told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        one = begin(package, tmp_path / "socket", "train", "wait")
        connection, _ = listener.accept()
        connection.recv(warm.LARGEST)
        one.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.send(answer)
        if answer == b"yes":
            assert connection.recv(64) == b"15"
            connection.send(b"130")
        assert one.wait(20) == status


@pytest.mark.parametrize("when", ["before the answer", "before it has read the answer"])
def test_a_messenger_may_be_killed_at_once(package: Path, server: Path, when: str) -> None:
    """The test is the messenger."""
    reading, writing = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as messenger:
        messenger.connect(str(server))
        request = {"arguments": ["regen", "train", "wait"], "folder": str(package),
                   "environment": {}, "path": [str(package), *sys.path],
                   "python": warm.PYTHON}  # fmt: skip
        socket.send_fds(messenger, [json.dumps(request).encode()], [reading, writing, writing])
        os.close(writing)
        if when == "before it has read the answer":
            assert select.select([messenger], [], [], 60)[0]
    held = True
    while held:  # by the command, which else sleeps for a minute
        assert select.select([reading], [], [], 30)[0]
        held = bool(os.read(reading, 64))
    after = begin(package, server, "train")
    assert json.loads(after.communicate("", timeout=60)[0])["process"] != after.pid


def test_the_command_does_not_outlive_its_messenger(package: Path, server: Path) -> None:
    one = begin(package, server, "train", "wait")
    command = int(one.stdout.readline())
    one.kill()
    assert gone(command)
    after = begin(package, server, "train", "exit", "5")  # and the next one is served
    assert after.wait(60) == 5


def test_everything_ends_with_the_process_that_started_it(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    starter = subprocess.Popen(
        [sys.executable, "-c", "import sys, time; from pathlib import Path; from regen import warm;"
         f"print(warm.start(Path({str(path)!r})).pid, flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    served = int(starter.stdout.readline())  # type: ignore[union-attr]
    while not path.exists():
        time.sleep(0.05)
    one = begin(package, path, "train", "wait")
    command = int(one.stdout.readline())
    starter.kill()
    assert one.wait(20) == 137
    assert gone(command)
    assert gone(served)


@pytest.mark.parametrize(
    "why", ["a quick command", "two threads", "nobody listens", "another Python"]
)
def test_otherwise_it_runs_by_itself(package: Path, server: Path, tmp_path: Path, why: str) -> None:
    command, path, found = "train", server, package
    threads = "2" if why == "two threads" else "1"
    if why == "a quick command":
        command = "table"
    elif why == "nobody listens":
        path = tmp_path / "nothing"
    elif why == "another Python":
        found = tmp_path / "package"
        shutil.copytree(package, found)
        text = Path(warm.__file__).read_text()
        (found / "regen" / "warm.py").write_text(text.replace("[sys.prefix,", "['/elsewhere',"))
    one = begin(found, path, command, OMP_NUM_THREADS=threads)
    out, _ = one.communicate("", timeout=120)
    assert json.loads(out)["process"] == one.pid
