"""One seed for every source of chance, and the same bytes when a job is run again."""

import os
import random

import numpy as np


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, and ask torch for algorithms that repeat themselves.

    On a GPU an operation without such an algorithm warns and goes on. The number of threads is
    left alone: it is the machine's, and the same on a second run.
    """
    # cuBLAS reads this once, when the first GPU context is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())


def seed_dropout(seed: int, process: int) -> None:
    """Give every process but the first (0) of a training draws of its own, as its items are."""
    if process == 0:
        return
    import torch

    torch.manual_seed(int(np.random.SeedSequence([seed, process]).generate_state(1)[0]))
