"""What counts can give: proportions of n items are whole numbers over n, and so are their spreads.

For means this is the GRIM test (Brown and Heathers 2017, Soc. Psychol. Personal. Sci. 8:363), for
standard deviations GRIMMER's idea (Anaya 2016, PeerJ Preprints 4:e2400v1), by enumeration.
"""

import math
from collections.abc import Sequence


def attainable_totals(low: float, high: float, n: int) -> list[int]:
    """The counts k of n with low <= k / n <= high."""
    return list(range(max(0, math.ceil(low * n)), min(n, math.floor(high * n)) + 1))


def attainable_sds(
    totals: Sequence[int], n: int, runs: int, low: float, high: float
) -> tuple[float | None, float | None, float | None]:
    """Sample SDs of the proportions of `runs` runs on n items each, whose counts sum to a total.

    Returns the largest attainable SD below `low`, one within [low, high], and the smallest above
    `high`; None where there is none. Raises ValueError for fewer than two runs.
    """
    if runs < 2:
        raise ValueError("a standard deviation needs two runs")
    below: list[float] = []
    within: list[float] = []
    above: list[float] = []
    for total in totals:
        for squares in _square_sums(total, n, runs, high):
            sd = math.sqrt(max(0.0, squares - total**2 / runs) / (runs - 1)) / n
            (below if sd < low else above if sd > high else within).append(sd)
    return max(below, default=None), min(within, default=None), min(above, default=None)


def _square_sums(total: int, n: int, runs: int, high: float) -> set[int]:
    """Sums of squares of `runs` counts in 0..n with this sum, to a little beyond an SD of `high`.

    Built up run by run: {(sum, sum of squares)}. A count further from the mean than the whole
    allowed sum of squared deviations cannot occur, which keeps the sets small.
    """
    mean = total / runs
    # Squared deviations move in steps of 2; a few steps more show the next attainable SD.
    allowed = (high * n) ** 2 * (runs - 1) + 4 * runs
    reach = math.sqrt(allowed)
    counts = range(max(0, math.ceil(mean - reach)), min(n, math.floor(mean + reach)) + 1)
    states = {(0, 0.0, 0)}
    for _ in range(runs):
        states = {
            (so_far + count, spread + (count - mean) ** 2, squares + count**2)
            for so_far, spread, squares in states
            for count in counts
            if spread + (count - mean) ** 2 <= allowed
        }
    return {squares for so_far, _, squares in states if so_far == total}
