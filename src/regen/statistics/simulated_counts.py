"""Coverage of two intervals that are not about seeds: pass@k over problems, and Cohen's g."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from regen.files import Absent
from regen.statistics.bootstrap import bootstrap_mean
from regen.statistics.mcnemar import mcnemar
from regen.statistics.pass_at_k import pass_at_k

SAMPLES, K = 10, 5
"""Samples of each problem, and k."""
SOLVED = (0.6, 1.4)
"""Beta distribution of the problems' chance of being solved: many hard ones, few easy ones."""
DISCORDANT = 0.2
"""Share of the items on which two checkpoints disagree."""
SHARES = (0.5, 0.75)
"""Of the discordant items, those that the better checkpoint has right."""


@dataclass(frozen=True)
class Covered:
    """interval, what it is for, and the share of the replications in which it holds the truth."""

    items: int
    interval: str
    of: str
    coverage: float
    replications: int


def coverages_of_counts(
    items: int, replications: int, resamples: int, rng: np.random.Generator
) -> Iterator[Covered]:
    """For so many problems or items."""
    held = sum(_pass_at_k_holds(items, resamples, rng, seed) for seed in range(replications))
    yield Covered(
        items,
        "bootstrap (BCa) over problems",
        f"pass@{K} of {SAMPLES} samples, new problems",
        held / replications,
        replications,
    )
    for share in SHARES:
        found = [_g_holds(items, share, rng) for _ in range(replications)]
        defined = [holds for holds in found if holds is not None]
        yield Covered(
            items,
            "Clopper-Pearson",
            f"Cohen's g of {share - 0.5:g}",
            sum(defined) / len(defined),
            len(defined),
        )


def _pass_at_k_holds(items: int, resamples: int, rng: np.random.Generator, seed: int) -> bool:
    a, b = SOLVED
    # E[1 - (1 - p)^k] for p from Beta(a, b): the k failures are a product of b's moments.
    truth = 1 - float(np.prod([(b + i) / (a + b + i) for i in range(K)]))
    right = rng.binomial(SAMPLES, rng.beta(a, b, items))
    values = [pass_at_k(SAMPLES, int(c), K) for c in right]
    found = bootstrap_mean(np.array(values, float), method="BCa", resamples=resamples, seed=seed)
    if isinstance(found.low, Absent) or isinstance(found.high, Absent):
        return False
    return found.low <= truth <= found.high


def _g_holds(items: int, share: float, rng: np.random.Generator) -> bool | None:
    """None where no item is discordant and g is not defined."""
    discordant = int(rng.binomial(items, DISCORDANT))
    first = int(rng.binomial(discordant, share))
    table = mcnemar((0, first, discordant - first, items - discordant))
    if isinstance(table.g_low, Absent) or isinstance(table.g_high, Absent):
        return None
    truth = (share if first >= discordant - first else 1 - share) - 0.5
    return table.g_low <= truth <= table.g_high
