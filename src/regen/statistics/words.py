"""How results are put in words: numbers at the precision that they bear, verdicts that say no more
than the test does."""

from collections.abc import Sequence

from regen.files import Absent

Value = float | Absent
LEVEL = 0.05


def p_text(p: Value) -> str:
    """ "p = 0.012", "p < 0.0001" or "p n/a (reason)"."""
    if isinstance(p, Absent):
        return f"p {p}"
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def amount(value: Value, binary: bool, signed: bool = True) -> str:
    """A difference: percentage points for a share, four digits otherwise."""
    if isinstance(value, Absent):
        return str(value)
    sign = "+" if signed else ""
    return f"{100 * value:{sign}.1f} points" if binary else f"{value:{sign}.4g}"


def interval_text(low: Value, high: Value, binary: bool) -> str:
    """ "95% interval +0.8 to +5.4 points"."""
    if isinstance(low, Absent):
        return f"interval {low}"
    if isinstance(high, Absent):
        return f"interval {high}"
    if binary:
        return f"95% interval {100 * low:+.1f} to {100 * high:+.1f} points"
    return f"95% interval {low:+.4g} to {high:+.4g}"


def verdict_on(
    a: str,
    b: str,
    estimate: Value,
    low: Value,
    high: Value,
    p: Value,
    seeds_a: int,
    seeds_b: int,
    binary: bool,
    adjusted: bool = False,
) -> str:
    """What a two-sided test of mean(A) - mean(B) allows to say, at the 5% level.

    seeds_a, seeds_b: trained seeds, 0 for a frozen model. adjusted: `p` is Holm-adjusted.
    """
    if isinstance(estimate, Absent) or isinstance(p, Absent):
        reason = estimate.reason if isinstance(estimate, Absent) else getattr(p, "reason", "")
        return f"No verdict on {a} against {b}: {reason}."
    figures = (
        f"{amount(estimate, binary)}, {interval_text(low, high, binary)}, "
        f"{'Holm-adjusted ' if adjusted else ''}{p_text(p)}"
    )
    if 2 in (seeds_a, seeds_b):
        return f"Exploratory, no verdict: two seeds on a side ({a} against {b}: {figures})."
    about = _about(((a, seeds_a), (b, seeds_b)))
    if p >= LEVEL:
        return f"No difference between {a} and {b} is shown{about} ({figures})."
    order = f"{a} scores higher than {b}" if estimate > 0 else f"{a} scores lower than {b}"
    return f"{order}{about} ({figures})."


def _about(sides: Sequence[tuple[str, int]]) -> str:
    """What the verdict is limited to: a side of which only one training was seen."""
    single = [name for name, seeds in sides if seeds == 1]
    if not single:
        return ""
    which = " and ".join(single)
    noun = "these single checkpoints" if len(single) == 2 else "the one checkpoint"
    return f", for {noun} of {which}"
