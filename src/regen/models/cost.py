"""What work with a model took, as timing.json has it: seconds and memory."""

import resource
import sys
import time

import torch


def timing(started: float, begun: float, steps: int, resumed_at: int) -> dict[str, float]:
    """Of this process: a resumed training counts only the steps that it took itself."""
    now = time.monotonic()
    return {
        "seconds": now - started,
        "steps": steps,
        "resumed_at": resumed_at,
        "seconds_per_step": (now - begun) / max(steps, 1),
        "peak_memory_mib": peak_memory_mib(),
    }


def peak_memory_mib() -> float:
    """The most memory this process has held so far.

    On a GPU, if it used one, of tensors; else its peak resident set, libraries and all.
    """
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**20
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10
