"""Several tests that belong together: the family-wise error is kept at the level of one."""

from collections.abc import Sequence

from regen.files import Absent


def holm(p_values: Sequence[float | Absent]) -> list[float | Absent]:
    """Holm's step-down adjustment (1979, Scand. J. Stat. 6:65), in the order given.

    The family is the one declared: an absent p counts as 1 and stays absent. Raises ValueError for
    a p outside [0, 1].
    """
    known = [(p, i) for i, p in enumerate(p_values) if not isinstance(p, Absent)]
    if any(not 0 <= p <= 1 for p, _ in known):
        raise ValueError(f"p-values lie in [0, 1]: {[p for p, _ in known]}")
    adjusted = list(p_values)
    so_far = 0.0
    for rank, (p, i) in enumerate(sorted(known)):
        so_far = max(so_far, min(1.0, (len(p_values) - rank) * p))
        adjusted[i] = so_far
    return adjusted
