"""One training in several processes, each with a graphics processor of its own.

Every process holds the model and takes its part of each batch; the adapter's gradients are summed,
so that all of them take the same step. torchrun starts the processes and accelerate joins them
(Gugger et al. 2022). Only the first one writes. Without GPUs the processes share the processor,
which is slower than one alone, and how the tests run them.

The command itself stays outside: it waits, passes an interruption on, and finishes the folder.
Its processes hold the other end of a pipe, so that they end when it is killed.
"""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from regen.errors import InputError
from regen.files import dumps, read_json, write_text
from regen.interrupts import Interrupts

T = TypeVar("T")
FOLDER = ".processes"
"""In the training's folder, while it runs: what is to be done, and how it ended."""


@dataclass(frozen=True)
class Processes:
    """This process among those of a training; by itself it is the first of one."""

    number: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> "Processes":
        from torch import distributed

        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        return self.number == 0

    def share(self, batch: Sequence[T]) -> Sequence[T]:
        """What of a batch this process takes: nothing, if there are more processes than items."""
        return batch[self.number :: self.count]

    def add_gradients(self, parameters: Iterable[Any]) -> None:
        """Put the sum of the processes' gradients in their place; who has none has zeros."""
        if self.count == 1:
            return
        import torch
        from accelerate.utils import reduce

        own = list(parameters)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in own]
        total = reduce(torch.cat([one.flatten() for one in gradients]), "sum")
        for parameter, part in zip(own, total.split([p.numel() for p in own]), strict=True):
            parameter.grad = part.view_as(parameter).clone()

    def gather(self, value: T) -> list[T]:
        """The value that each process has."""
        if self.count == 1:
            return [value]
        from accelerate.utils import gather_object

        return list(gather_object([value]))


def in_processes(function: Callable[..., None]) -> Callable[..., None]:
    """Run `function` in as many processes as `optimisation["processes"]` says."""

    @functools.wraps(function)
    def run(**arguments: Any) -> None:
        count = arguments["optimisation"].get("processes", 1)
        if count == 1:
            function(**arguments)
        else:
            _launch(f"{function.__module__}:{function.__name__}", arguments, count)

    return run


def _launch(function: str, arguments: dict[str, Any], count: int) -> None:
    import torch

    there = torch.cuda.device_count()
    if torch.cuda.is_available() and there < count:
        raise InputError(
            f"optimisation.processes: {count} want a graphics processor each, and {there} "
            f"{'is' if there == 1 else 'are'} to be seen; lower it, or ask for more (resources)"
        )
    folder = arguments["out"] / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paths = {name: str(value) for name, value in arguments.items() if isinstance(value, Path)}
    rest = {name: value for name, value in arguments.items() if name not in paths}
    write_text(folder / "call.json", dumps({"function": function, "paths": paths, "rest": rest}))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    command += [str(count), "--module", "regen.processes", str(folder)]
    # A session of its own: a Ctrl-C at the terminal reaches this process alone, which passes it on.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None
    told = False
    try:
        with Interrupts() as interrupts:
            while process.poll() is None:
                if interrupts.asked and not told:
                    process.stdin.write(b".")
                    process.stdin.flush()
                    told = True
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
    finally:
        process.stdin.close()
        process.wait()
    ends = [read_json(path) for path in sorted(folder.glob("end-*.json"))]
    shutil.rmtree(folder)
    for end in ends:
        raise (KeyboardInterrupt if end["interrupted"] else InputError)(end["said"])
    if told:
        raise KeyboardInterrupt("before the first step")
    if process.returncode:
        raise RuntimeError("a process of the training failed; what it said stands above")


def _work(folder: Path) -> None:
    """In each of the processes."""
    import torch
    from accelerate import PartialState

    threading.Thread(target=_heed, daemon=True).start()
    PartialState(cpu=not torch.cuda.is_available())  # joins the others, and takes its own GPU
    call = json.loads((folder / "call.json").read_text(encoding="utf-8"))
    module, _, name = call["function"].partition(":")
    function = getattr(import_module(module), name).__wrapped__
    paths = {name: Path(path) for name, path in call["paths"].items()}
    try:
        function(**paths, **call["rest"])
    except (InputError, KeyboardInterrupt) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        end = {"interrupted": interrupted, "said": str(error)}
        write_text(folder / f"end-{Processes.here().number}.json", dumps(end))
        if not interrupted:  # the others may wait for this one, and have to be stopped
            sys.exit(1)
    torch.distributed.destroy_process_group()


def _heed() -> None:
    """A byte from the command is an interruption, which one process heeds for all; an end, ours."""
    while os.read(sys.stdin.fileno(), 1):
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(128 + signal.SIGKILL)


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
