"""Ctrl-C and SIGTERM in the middle of a step, and the chance that a saved state has to hold."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """Ctrl-C and SIGTERM are remembered until the step is done; a second Ctrl-C ends at once."""

    asked = False

    def __enter__(self) -> "Interrupts":
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def random_states() -> dict[str, Any]:
    """Torch's generators, of the processor and of the GPU that this process uses.

    Nothing in a training draws from Python's or NumPy's global ones.
    """
    import torch

    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_random_states(states: dict[str, Any]) -> None:
    import torch

    torch.set_rng_state(states["cpu"])
    if states["cuda"] is not None:
        torch.cuda.set_rng_state(states["cuda"])
