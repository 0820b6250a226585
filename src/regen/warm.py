"""Commands that start at once: a process that has imported the large libraries forks for each.

A job imports torch, transformers and peft for five seconds and more, often longer than it then
works. While Snakemake runs on this machine, one process imports them, at the first job that needs
them; a `regen` command that finds it hands over its arguments, folder, environment and open files,
and becomes a messenger: it passes signals on, and ends as the forked command ends. If the messenger
is killed, so is the command; if Snakemake ends, however it ends, so does everything here. Nothing
of this package is imported beforehand: a command runs the code on the disk when it starts.

Snakemake measures the messenger: in its benchmark files the seconds are right, memory and load are
not. Where there is no such process (a node of a cluster, a container, no Linux, a machine with a
GPU: peft opens CUDA when it is imported, and what has opened CUDA cannot be forked), commands run
as they always do. So do those with more than one thread: told their number after it was loaded, MKL
no longer takes fewer for small matrices, which halves the speed of an adapter and changes bytes.
"""

import contextlib
import gc
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

VARIABLE = "REGEN_WARM"
"""Holds the socket's path, for the commands that Snakemake starts."""
LIBRARIES = (
    "pydantic",
    "scipy.stats",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
    "peft",
    "typer",
)
SLOW = ("base", "train", "sweep", "optimize-prompt", "predict", "score")
"""Commands that import them; `score` does for a study with an encoder."""
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PYTHON = [sys.prefix, sys.version]
LARGEST = 2**20
"""Bytes of a request: arguments and the environment."""


def spare_words() -> None:
    """Call before the libraries are imported, whose warnings would fill the logs.

    transformers warns at each item of what is meant; bitsandbytes says at every start that a faster
    kernel could be had from the hub.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def main() -> None:
    """The command `regen`: through the warm process if there is one, else here."""
    path = os.environ.get(VARIABLE)
    fit = sys.argv[1:2] and sys.argv[1] in SLOW and os.environ.get("OMP_NUM_THREADS") == "1"
    code = hand_over(path, sys.argv) if path and fit else None
    if code is None:
        from regen.cli import main as run_here

        run_here()
    sys.exit(code)


def start(path: Path) -> subprocess.Popen[bytes] | None:
    """Start the process that listens at `path`; it ends when its standard input is closed."""
    if not hasattr(os, "pidfd_open"):
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    # -P: beside this file lie modules that are named as those of the standard library.
    command = [sys.executable, "-P", __file__, str(path)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )
    os.environ[VARIABLE] = str(path.resolve())
    return process


def stop(process: subprocess.Popen[bytes] | None) -> None:
    os.environ.pop(VARIABLE, None)
    if process is not None and process.stdin is not None:
        process.stdin.close()
        process.wait()


def hand_over(path: str, arguments: list[str]) -> int | None:
    """Let the process at `path` run the command; its exit status, None if it will not."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    request = {
        "arguments": arguments,
        "folder": os.getcwd(),
        "environment": {name: text for name, text in os.environ.items() if name != VARIABLE},
        "path": sys.path,
        "python": PYTHON,
    }
    # A signal that comes before the answer waits: for the command, or for this process if refused.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    try:
        connection.connect(path)
        socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
        if connection.recv(64) != b"yes":
            return None
        for number in PASSED_ON:
            signal.signal(number, lambda number, frame: connection.send(str(number).encode()))
    except OSError:
        return None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        answer = connection.recv(64)
    except ConnectionError:
        answer = b""
    return int(answer or 128 + signal.SIGKILL)


def serve(path: str) -> dict[str, Any] | None:
    """Fork for each request until standard input closes. In the forked process: the request."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    events = selectors.DefaultSelector()
    events.register(sys.stdin.fileno(), selectors.EVENT_READ)
    events.register(listener, selectors.EVENT_READ)
    commands: dict[int, tuple[socket.socket, int]] = {}
    """connection or pidfd: (connection, process id)"""
    while True:
        # New ones last: theirs may be the number of a file that was closed in this very round.
        ready = [key.fd for key, _ in events.select()]
        if sys.stdin.fileno() in ready:
            for _, process in commands.values():
                os.kill(process, signal.SIGKILL)
            return None
        for file in ready:
            if file in commands:
                _attend(file, commands, events)
        if listener.fileno() in ready:
            connection, _ = listener.accept()
            request, files = _receive(connection)
            process = os.fork() if request else 0
            if request and process == 0:
                for number, file in enumerate(files):
                    os.dup2(file, number)
                    os.close(file)
                for other, _ in commands.values():
                    other.close()
                for resource in (listener, events, connection):
                    resource.close()
                return request
            for file in files:
                os.close(file)
            if not process:
                connection.close()
            else:
                with contextlib.suppress(OSError):  # the messenger was killed: attended to next
                    connection.send(b"yes")
                for file in (connection.fileno(), os.pidfd_open(process)):
                    events.register(file, selectors.EVENT_READ)
                    commands[file] = (connection, process)


def _receive(connection: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """What is asked, None if that is for another Python; and the messenger's open files.

    The first one asked is kept waiting while the libraries are imported, as it would be anyway.
    """
    message, files, _, _ = socket.recv_fds(connection, LARGEST, 3)
    request = json.loads(message) if message else {}
    if request.get("python") != PYTHON:
        return None, files
    spare_words()
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()  # else every command's collector would touch, and so copy, all that they hold
    return request, files


def _attend(
    file: int, commands: dict[int, tuple[socket.socket, int]], events: selectors.BaseSelector
) -> None:
    """A command has ended, or its messenger passes a signal on, or was killed itself."""
    connection, process = commands[file]
    if file == connection.fileno():
        try:
            said = connection.recv(64)
        except ConnectionError:  # it was killed before it had read the answer
            said = b""
        os.kill(process, int(said) if said else signal.SIGKILL)
        if said:
            return
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with contextlib.suppress(OSError):  # nobody may wait for it
        connection.send(str(code if code >= 0 else 128 - code).encode())
    for other in [fd for fd, (_, of) in commands.items() if of == process]:
        events.unregister(other)
        del commands[other]
        if other != connection.fileno():
            os.close(other)
    connection.close()


def run(request: dict[str, Any]) -> None:
    """The command, in the forked process."""
    import torch

    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:] = request["path"]
    sys.argv = request["arguments"]
    torch.set_num_threads(1)  # OMP_NUM_THREADS was read when torch was loaded

    from regen.cli import main as run_here

    run_here()


if __name__ == "__main__":
    if asked := serve(sys.argv[1]):
        run(asked)
