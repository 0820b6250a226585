"""`regen audit`: are reported figures consistent with each other, and can they be at all?

Reported figures stand in a YAML list; each case has an `id`, a `source`, a `kind` from `KINDS`,
what that kind is computed from, and the figures as they were printed (quote a number to keep its
trailing zeros: the number of decimals says how far it was rounded).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from regen.errors import InputError
from regen.statistics.granularity import attainable_sds, attainable_totals
from regen.statistics.mcnemar import mcnemar
from regen.statistics.wins import sign_test

CONSISTENT = "consistent"
OTHER = "another quantity"
WRONG = "does not follow"
IMPOSSIBLE = "cannot be"
NO_EVIDENCE = "no evidence"

Case = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """One reported figure: as printed, as recomputed, and what that makes of it.

    status: consistent; another quantity (right, but not what it is called, or not the quantity to
    report); does not follow (from the figures beside it); cannot be (whatever the data were); no
    evidence (the counts are right and show nothing).
    """

    case: str
    source: str
    figure: str
    reported: str
    recomputed: str
    status: str
    sentence: str


class Printed:
    """A number as it was printed: its value, and the interval that rounds to it."""

    def __init__(self, text: Any) -> None:
        self.text = str(text)
        self.value = float(self.text)
        decimals = len(self.text.partition(".")[2])
        self.half = 0.5 * 10.0**-decimals * (1 + 1e-9)

    def is_rounded(self, exact: float) -> bool:
        return abs(self.value - exact) <= self.half

    @property
    def low(self) -> float:
        return self.value - self.half

    @property
    def high(self) -> float:
        return self.value + self.half


def audit_file(path: Path) -> list[Finding]:
    """Raises InputError for a file, case or figure that cannot be read."""
    import yaml

    try:
        cases = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(cases, list) or not cases:
        raise InputError(f"{path}: must be a list of cases")
    return [finding for case in cases for finding in audit_case(case, str(path))]


def audit_case(case: Case, where: str = "case") -> list[Finding]:
    """The findings on one case."""
    name = case.get("id") if isinstance(case, dict) else None
    if not name or case.get("kind") not in KINDS:
        raise InputError(f"{where}: {case!r:.60} needs an id and a kind, one of {sorted(KINDS)}")
    try:
        found = list(KINDS[case["kind"]](case))
    except KeyError as error:
        raise InputError(f"{where}: case {name!r} lacks {error}") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: case {name!r} cannot be computed: {error}") from None
    source = str(case.get("source", ""))
    return [Finding(str(name), source, *parts) for parts in found]


def render(findings: Iterable[Finding]) -> str:
    """The findings as text, one a paragraph."""
    paragraphs = [
        f"{f.case}, {f.figure}: reported {f.reported}, recomputed {f.recomputed}: {f.status}\n"
        f"  {f.sentence}"
        for f in findings
    ]
    return "\n".join(paragraphs) + "\n"


Parts = tuple[str, str, str, str, str]


def _mcnemar(case: Case) -> Iterable[Parts]:
    """a_only, b_only; p, statistic, cohens_g: any of them."""
    b, c = int(case["a_only"]), int(case["b_only"])
    table = (0, b, c, 0)
    p_values = {
        name: mcnemar(table, name).p  # type: ignore[arg-type]
        for name in ("exact", "mid-p", "asymptotic", "asymptotic, corrected")
    }
    right = mcnemar(table)
    if "p" in case:
        yield _named(
            "p",
            Printed(case["p"]),
            {f"McNemar ({name})": p for name, p in p_values.items()},
            right.test,
            f"with {right.reason} the test is {right.test}, p = {right.p:.5g} "
            f"(mid-p {right.mid_p:.4g}; {right.smallest_p:.3g} is the smallest p possible)",
        )
    if "statistic" in case:
        statistics = {
            "the statistic without correction": (b - c) ** 2 / (b + c),
            "the statistic with correction": max(abs(b - c) - 1, 0) ** 2 / (b + c),
        }
        called = "the statistic without correction"
        yield _named("statistic", Printed(case["statistic"]), statistics, called, "")
    if "cohens_g" in case:
        g = max(b, c) / (b + c) - 0.5
        other = abs(b - c) / (2 * np.sqrt(b + c))
        quantities = {"Cohen's g": g, "|b - c| / (2 sqrt(b + c))": float(other)}
        printed = Printed(case["cohens_g"])
        parts = _named("Cohen's g", printed, quantities, "Cohen's g", f"g is {g:.4f}")
        if printed.low > 0.5:
            parts = (*parts[:3], IMPOSSIBLE, f"{parts[4]}; g cannot exceed 0.5")
        yield parts


def _proportion(case: Case) -> Iterable[Parts]:
    """percent, n; count if it was printed."""
    printed, n = Printed(case["percent"]), int(case["n"])
    totals = attainable_totals(printed.low / 100, printed.high / 100, n)
    nearest = round(printed.value / 100 * n)
    if "count" in case and int(case["count"]) not in totals:
        exact = 100 * int(case["count"]) / n
        sentence = f"{case['count']} of {n} is {exact:.2f}%"
        yield "percentage", f"{printed.text}%", f"{exact:.2f}%", WRONG, sentence
    elif totals:
        sentence = f"{printed.text}% is {totals[0]} of {n}"
        yield "percentage", f"{printed.text}%", f"{100 * totals[0] / n:.2f}%", CONSISTENT, sentence
    else:
        sentence = (
            f"no whole number of {n} is {printed.text}%: {nearest} is {100 * nearest / n:.2f}%"
        )
        yield "percentage", f"{printed.text}%", f"{100 * nearest / n:.2f}%", IMPOSSIBLE, sentence


def _runs(case: Case) -> Iterable[Parts]:
    """mean and sd in percent of `runs` runs on `n` items each."""
    mean, n, runs = Printed(case["mean"]), int(case["n"]), int(case["runs"])
    totals = attainable_totals(mean.low / 100, mean.high / 100, n * runs)
    if not totals:
        nearest = round(mean.value / 100 * n * runs)
        exact = 100 * nearest / (n * runs)
        sentence = f"{runs} runs of {n} items give multiples of {100 / (n * runs):.4g}%"
        yield "mean", mean.text, f"{exact:.2f}", IMPOSSIBLE, sentence
        return
    yield (
        "mean",
        mean.text,
        f"{100 * totals[0] / (n * runs):.2f}",
        CONSISTENT,
        f"{totals[0]} right of {n * runs}",
    )
    if "sd" not in case:
        return
    sd = Printed(case["sd"])
    low, high = max(0.0, sd.low), sd.high
    below, within, above = attainable_sds(totals, n, runs, low / 100, high / 100)
    if within is not None:
        yield (
            "SD",
            sd.text,
            f"{100 * within:.2f}",
            CONSISTENT,
            "such a standard deviation is possible",
        )
        return
    near = [f"{100 * value:.2f}" for value in (below, above) if value is not None]
    sentence = (
        f"{runs} whole counts out of {n} with this mean have no such standard deviation: "
        + ("the possible ones beside it are " if len(near) == 2 else "the closest is ")
        + " and ".join(near)
    )
    yield "SD", sd.text, " or ".join(near), IMPOSSIBLE, sentence


def _interval(case: Case) -> Iterable[Parts]:
    """mean, sd, runs; low and high, or half_width_in_sd where a rule was stated instead."""
    mean, sd, runs = float(case["mean"]), float(case["sd"]), int(case["runs"])
    error = sd / np.sqrt(runs)
    half = float(stdtrit(runs - 1, 0.975)) * error
    right = f"{mean:g} ± {half:.2f}"
    sentence = f"the 95% t interval for the mean of {runs} runs is {right}"
    if "half_width_in_sd" in case:
        factor = float(case["half_width_in_sd"])
        reported = f"mean ± {factor:g} SD = {mean:g} ± {factor * sd:g}"
        yield (
            "95% interval",
            reported,
            right,
            OTHER,
            f"that is no interval for the mean; {sentence}",
        )
        return
    low, high = Printed(case["low"]), Printed(case["high"])
    reported = f"{low.text} to {high.text}"
    if not low.value <= mean <= high.value:
        yield "95% interval", reported, right, IMPOSSIBLE, f"it does not hold its mean; {sentence}"
        return
    rules = {
        "the t interval for the mean": half,
        "mean ± 1.96 standard errors": 1.96 * error,
        "mean ± 2 standard errors": 2 * error,
        "mean ± 1.96 SD": 1.96 * sd,
        "mean ± 2 SD": 2 * sd,
        "mean ± SD": sd,
    }
    for name, width in rules.items():
        if low.is_rounded(mean - width) and high.is_rounded(mean + width):
            status = CONSISTENT if width == half else OTHER
            yield "95% interval", reported, right, status, f"it is {name}; {sentence}"
            return
    yield "95% interval", reported, right, WRONG, sentence


def _moments(case: Case) -> Iterable[Parts]:
    """mean and sd of `count` values between `lowest` and `highest`: the largest SD possible."""
    mean, sd, count = float(case["mean"]), Printed(case["sd"]), int(case["count"])
    lowest, highest = float(case["lowest"]), float(case["highest"])
    if not lowest <= mean <= highest:
        sentence = f"no mean of values from {lowest:g} to {highest:g} is {mean:g}"
        yield "mean", f"{mean:g}", "none", IMPOSSIBLE, sentence
        return
    # Bhatia and Davis 2000, American Mathematical Monthly 107:353, for a sample SD.
    largest = float(np.sqrt((highest - mean) * (mean - lowest) * count / (count - 1)))
    status = CONSISTENT if sd.low <= largest else IMPOSSIBLE
    sentence = f"{count} values from {lowest:g} to {highest:g} with this mean have at most this SD"
    yield "SD", sd.text, f"at most {largest:.3g}", status, sentence


def _average(case: Case) -> Iterable[Parts]:
    """values, and their average as printed."""
    printed = Printed(case["average"])
    exact = float(np.mean([float(value) for value in case["values"]]))
    ok = printed.is_rounded(exact)
    sentence = f"the {len(case['values'])} values average {exact:.4g}"
    yield "average", printed.text, f"{exact:.4g}", CONSISTENT if ok else WRONG, sentence


def _improvement(case: Case) -> Iterable[Parts]:
    """value, others, improvement; it was called one over "average" or "best" of the others."""
    value, others = float(case["value"]), [float(other) for other in case["others"]]
    quantities = {
        "the difference from the average of the others": value - float(np.mean(others)),
        "the difference from the best of the others": value - max(others),
    }
    called = f"the difference from the {case['over']} of the others"
    if called not in quantities:
        raise ValueError(f"over is average or best, not {case['over']!r}")
    right = f"{called} is {quantities[called]:+.2f}"
    yield _named("improvement", Printed(case["improvement"]), quantities, called, right)


def _sign_test(case: Case) -> Iterable[Parts]:
    """wins, ties, losses; p if it was printed, else the conclusion that was drawn."""
    wins = sign_test(int(case["wins"]), int(case["ties"]), int(case["losses"]))
    counts = f"{wins.wins} wins, {wins.losses} losses, {wins.ties} ties"
    right = f"the sign test of {counts} gives p = {wins.p:.3g}"
    if "p" in case:
        yield _named("p", Printed(case["p"]), {"sign test": wins.p}, "sign test", right)
        return
    concluded = str(case["conclusion"])
    shown = wins.p < 0.05
    sentence = right + ("" if shown else ": no evidence either way")
    status = CONSISTENT if shown else NO_EVIDENCE
    yield "conclusion", concluded, f"p = {wins.p:.3g}", status, sentence


def _share(case: Case) -> Iterable[Parts]:
    """weight, part, whole; percent: weight * part of the whole; no_effect: why it is 0 instead."""
    printed = Printed(case["percent"])
    exact = 100 * float(case["weight"]) * float(case["part"]) / float(case["whole"])
    sentence = f"{case['weight']} x {case['part']} is {exact:.3g}% of {case['whole']}"
    status = CONSISTENT if printed.is_rounded(exact) else WRONG
    recomputed = f"{exact:.3g}%"
    if "no_effect" in case:
        status, recomputed = WRONG, "0%"
        sentence = f"{sentence}, but {case['no_effect']}"
    yield "share", f"{printed.text}%", recomputed, status, sentence


KINDS: dict[str, Callable[[Case], Iterable[Parts]]] = {
    "average": _average,
    "improvement": _improvement,
    "interval": _interval,
    "mcnemar": _mcnemar,
    "moments": _moments,
    "proportion": _proportion,
    "runs": _runs,
    "share": _share,
    "sign-test": _sign_test,
}


def _named(
    figure: str, printed: Printed, quantities: dict[str, float], called: str, right: str
) -> Parts:
    """Which of `quantities` was printed under the name `called`; `right` is the right statement."""
    exact = quantities[called]
    recomputed = f"{exact:.4g}"
    if printed.is_rounded(exact):
        return figure, printed.text, recomputed, CONSISTENT, right or f"it is {called}"
    for name, value in quantities.items():
        if printed.is_rounded(value):
            return figure, printed.text, recomputed, OTHER, f"{printed.text} is {name}; {right}"
    return figure, printed.text, recomputed, WRONG, right or f"{called} is {recomputed}"
