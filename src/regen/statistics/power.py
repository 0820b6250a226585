"""The smallest effect that a comparison could have detected."""

import numpy as np
from scipy.special import bdtr, bdtrc, nctdtrinc, stdtrit

from regen.files import Absent
from regen.statistics.methods import Result

Value = float | Absent


def detectable_by_t(se: float, df: float, level: float = 0.05, power: float = 0.8) -> float:
    """The smallest |difference| that a two-sided t test finds with the given power.

    Noncentral t, the far tail neglected (it is below 1e-6 at a power of .8).
    """
    return float(nctdtrinc(df, 1 - power, stdtrit(df, 1 - level / 2))) * se


def smallest_detectable(result: Result, binary: bool) -> Value:
    """`detectable_by_t` with the spread that was seen, at the 5% level and a power of 80%.

    Absent where no error was estimated, or where even the largest difference would go unseen.
    """
    if isinstance(result.se, Absent) or isinstance(result.df, Absent):
        return result.se if isinstance(result.se, Absent) else Absent("no degrees of freedom")
    if result.se == 0:
        return Absent("no spread between seeds or items to estimate an error from")
    effect = detectable_by_t(result.se, result.df)
    if binary and effect > 1:
        return Absent("no difference is large enough for so few items and seeds")
    return effect


def mcnemar_power(share: float, discordant: int, level: float = 0.05) -> float:
    """Power of the exact McNemar test if a discordant pair favours A with probability `share`."""
    most = _rejects_up_to(discordant, level)
    if most < 0:
        return 0.0
    low = float(bdtr(most, discordant, share))
    return low + float(bdtrc(discordant - most - 1, discordant, share))


def detectable_by_mcnemar(
    n: int, discordant: int, level: float = 0.05, power: float = 0.8
) -> Value:
    """The smallest difference of two accuracies on n items that the exact test finds with `power`,
    if as many pairs are discordant as here. Absent if no outcome of so few pairs reaches `level`.
    """
    if _rejects_up_to(discordant, level) < 0:
        return Absent(f"with {discordant} discordant pairs no exact p falls below {level}")
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if mcnemar_power(middle, discordant, level) >= power else (middle, high)
        )
    return (2 * high - 1) * discordant / n


def _rejects_up_to(discordant: int, level: float) -> int:
    """The largest smaller count at which the exact test still rejects; -1 if none."""
    counts = np.arange(discordant // 2 + 1)
    p = np.minimum(1.0, 2 * bdtr(counts, discordant, 0.5))
    return int((p <= level).sum()) - 1
