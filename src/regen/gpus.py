"""A graphics processor of its own for each job, where several run on one machine.

Snakemake counts the GPUs that jobs ask for and gives none of them out, so that all jobs would meet
on the first. Here a job takes what is free by the kernel's locks, which end with its process. A
scheduler that gives a job its GPUs, as Slurm does, leaves nothing to choose.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICES = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))
"""One of them is there where a driver is: NVIDIA's, AMD's, or Windows' for Linux inside it."""


def may_be_here() -> bool:
    """Whether a job could see a GPU, told without opening one."""
    return os.environ.get(VISIBLE) != "" and any(device.exists() for device in DEVICES)


@contextmanager
def claimed(count: int) -> Iterator[None]:
    """While the context lasts this process sees `count` GPUs that no other job has claimed.

    It sees all of them if there are no more than it asks for; and if fewer are free, as where
    Snakemake was not told how many there are, those that are free first.
    """
    there = seen() if count else []
    if len(there) <= count:
        yield
        return
    before = os.environ.get(VISIBLE)
    with ExitStack() as held:
        os.environ[VISIBLE] = ",".join(_free_first(there, count, held))
        try:
            yield
        finally:
            os.environ.pop(VISIBLE)
            if before is not None:
                os.environ[VISIBLE] = before


def seen() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def _free_first(there: Sequence[str], count: int, held: ExitStack) -> list[str]:
    """`count` of them, locked as far as they are free; `held` gives them back."""
    folder = Path(tempfile.gettempdir()) / f"regen-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    taken: list[str] = []
    for name in there:
        if len(taken) == count:
            break
        file = held.enter_context((folder / name.replace("/", "-")).open("w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        taken.append(name)
    return [*taken, *(name for name in there if name not in taken)][:count]
