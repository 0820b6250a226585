"""Wins, ties and losses item by item: the sign test."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from regen.files import Absent
from regen.statistics.intervals import Interval, wilson
from regen.statistics.mcnemar import exact_p

ROUNDING = 1e-9
"""Of differences of floats."""


@dataclass(frozen=True)
class Wins:
    """wins, ties, losses of A; p: exact sign test on the items that are no ties, 1 without one;
    share: (wins + ties / 2) / n, with Wilson's interval as a description, not a test."""

    wins: int
    ties: int
    losses: int
    p: float
    share: float | Absent
    interval: Interval


def sign_test(wins: int, ties: int, losses: int) -> Wins:
    """The exact sign test of wins against losses (Dixon and Mood 1946, JASA 41:557)."""
    n = wins + ties + losses
    share = (wins + ties / 2) / n if n else Absent("no items")
    interval = wilson(wins + ties / 2, n)
    return Wins(wins, ties, losses, exact_p(wins, losses), share, interval)


def beyond(difference: Any, tolerance: float) -> Any:
    """Whether it is more than tolerated, elementwise; 0.65 - 0.60 is not more than 0.05."""
    return difference > tolerance + ROUNDING


def count_wins(a: ArrayLike, b: ArrayLike, tolerance: float = 0.0) -> Wins:
    """The sign test of scores of the same items, (n,) each; within `tolerance` they tie."""
    d = np.asarray(a, float) - np.asarray(b, float)
    wins, losses = int(beyond(d, tolerance).sum()), int(beyond(-d, tolerance).sum())
    return sign_test(wins, d.size - wins - losses, losses)
