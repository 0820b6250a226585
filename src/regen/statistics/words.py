"""How results are put in words: numbers at the precision that they bear, verdicts that say no more
than the test does."""

from collections.abc import Sequence

from regen.files import Absent
from regen.metrics import Metric

Value = float | Absent
LEVEL = 0.05


def p_text(p: Value) -> str:
    """ "p = 0.012", "p < 0.001" or "p n/a (reason)"."""
    if isinstance(p, Absent):
        return f"p {p}"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def amount(value: Value, metric: Metric, signed: bool = True) -> str:
    """A difference, in points or in the metric's own unit."""
    if isinstance(value, Absent):
        return str(value)
    return metric.pattern(signed).format(metric.factor * value) + metric.unit


def interval_text(low: Value, high: Value, metric: Metric) -> str:
    """ "95% interval +0.8 to +5.4 points"."""
    if isinstance(low, Absent):
        return f"interval {low}"
    if isinstance(high, Absent):
        return f"interval {high}"
    number = metric.pattern(signed=True)
    ends = " to ".join(number.format(metric.factor * end) for end in (low, high))
    return f"95% interval {ends}{metric.unit}"


def verdict_on(
    a: str,
    b: str,
    estimate: Value,
    low: Value,
    high: Value,
    p: Value,
    seeds_a: int,
    seeds_b: int,
    metric: Metric,
    adjusted: bool = False,
) -> str:
    """What a two-sided test of mean(A) - mean(B) allows to say, at the 5% level.

    seeds_a, seeds_b: trained seeds, 0 for a frozen model. metric: how it is printed.
    adjusted: `p` is Holm-adjusted.
    """
    if isinstance(estimate, Absent) or isinstance(p, Absent):
        reason = estimate.reason if isinstance(estimate, Absent) else getattr(p, "reason", "")
        return f"No verdict on {a} against {b}: {reason}."
    figures = (
        f"{amount(estimate, metric)}, {interval_text(low, high, metric)}, "
        f"{'Holm-adjusted ' if adjusted else ''}{p_text(p)}"
    )
    if 2 in (seeds_a, seeds_b):
        return f"Exploratory, no verdict: two seeds on a side ({a} against {b}: {figures})."
    about = _about(((a, seeds_a), (b, seeds_b)))
    if p >= LEVEL:
        return f"No difference in {metric.label} between {a} and {b} is shown{about} ({figures})."
    order = "higher" if estimate > 0 else "lower"
    return f"{a} scores {order} than {b} in {metric.label}{about} ({figures})."


def _about(sides: Sequence[tuple[str, int]]) -> str:
    """What the verdict is limited to: a side of which only one training was seen."""
    single = [name for name, seeds in sides if seeds == 1]
    if not single:
        return ""
    which = " and ".join(single)
    noun = "these single checkpoints" if len(single) == 2 else "the one checkpoint"
    return f", for {noun} of {which}"
