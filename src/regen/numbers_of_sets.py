"""The numbers of the text that sets of answers give beside their means."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from regen.files import Absent
from regen.metrics import Metric
from regen.numbers import Number, minus
from regen.sets import BETWEEN
from regen.tables.read import Document, Found, cell, unwrap
from regen.tables.table import Value

PARTS = ("value", "low", "high")


def numbers_of_sets(
    study: str,
    file: Path,
    spoken: Mapping[str, str],
    metrics: Mapping[str, Metric],
    outcomes: Mapping[str, Mapping[str, Any]],
) -> Iterator[Number]:
    """Keys such as replies/bar, replies/changes/set-1/distinct_2/value, replies/passing/sft/5/mean,
    replies/objectives/set-1/mean/share; shares in percent.

    <study>/rule/<variant>/verdict is a sentence, <study>/rule/verdict are all of them, in the order
    of `spoken`; <study>/as-written/verdict is a sentence.
    """
    read = Document(file, "sets")

    def number(key: str, pattern: str, scale: float, *path: str | int) -> Number:
        return _number(f"{study}/{key}", pattern, scale, read.found(*path))

    yield number("bar", "{:.2f}", 1, "bar")
    for variant, found in read.content["changes"].items():
        for metric in found:
            for part in PARTS:
                here = f"changes/{variant}/{metric}/{part}"
                yield number(here, "{:+.1f}", 100, "changes", variant, metric, part)
            here = f"changes/{variant}/{metric}/word"
            yield number(here, "{}", 1, "changes", variant, metric, "word")
    for variant, curve in read.content["passing"].items():
        for index, row in enumerate(curve):
            for part in ("mean", "low", "high"):
                here = f"passing/{variant}/{row['k']}/{part}"
                yield number(here, "{:.1f}", 100, "passing", variant, index, part)
    for training, row in read.content["objectives"].items():
        for part in row["mean"]:
            scale, pattern = (100, "{:.1f}") if part == "share" else (1, "{:.3f}")
            at = ("objectives", training, "mean", part)
            yield number("/".join(at), pattern, scale, *at)
        for part in ("same", "seeds"):
            yield number(f"objectives/{training}/{part}", "{:d}", 1, "objectives", training, part)
        for part in row["gap"]:
            at = ("objectives", training, "gap", part)
            yield number("/".join(at), "{:.3f}", 1, *at)
    against = spoken[read.content["against"]]
    sentences = []
    decisions = read.content["decisions"]
    for variant in (one for one in spoken if one in decisions):
        value, source = read.found("decisions", variant, "verdict")
        changes, allowed = read.content["changes"][variant], decisions[variant]["allowed"]
        text = rule_text(spoken[variant], against, value, allowed, changes, metrics, outcomes)
        sentences.append(Number(f"{study}/rule/{variant}/verdict", minus(text), value, (source,)))
    yield from sentences
    every = " ".join(one.text for one in sentences)
    sources = tuple(source for one in sentences for source in one.sources)
    yield Number(f"{study}/rule/verdict", every, None, sources)
    yield _as_written(study, read)


def rule_text(
    name: str,
    against: str,
    verdict: Value,
    allowed: Sequence[str],
    changes: Mapping[str, Mapping[str, Any]],
    metrics: Mapping[str, Metric],
    outcomes: Mapping[str, Mapping[str, Any]],
) -> str:
    """What the rule says of a variant, on which figures, and how sure that is."""
    if isinstance(verdict, Absent):
        metric, _, why = verdict.reason.partition(": ")
        return f"The rule has no verdict on {name} ({metrics[metric].label}: {why})."
    named = dict.fromkeys(metric for one in outcomes.values() for metric in one["bounds"])
    figures = "; ".join(f"{metrics[m].label} {change_text(changes[m])}" for m in named)

    def called(outcome: str) -> str:
        words = "" if outcome == BETWEEN else f" ({outcomes[outcome]['words']})"
        return f"“{outcome}{words}”"

    others = [called(one) for one in allowed if one != verdict]
    sure = f"the intervals also allow {' and '.join(others)}" if others else "so do all intervals"
    said = called(str(verdict))
    return f"Against {against}, {name} changes {figures}. The rule says {said}; {sure}."


def change_text(change: Mapping[str, Any]) -> str:
    """ "by +4.0% (95% interval +1.2% to +6.8%)"."""
    value, low, high = (unwrap(change[part]) for part in PARTS)
    if not all(isinstance(one, float | int) for one in (value, low, high)):
        return f"is {value}"
    ends = " to ".join(f"{100 * float(str(end)):+.1f}%" for end in (low, high))
    return f"by {100 * float(str(value)):+.1f}% (95% interval {ends})"


def _as_written(study: str, read: Document) -> Number:
    """Did the trainings whose objective has no gradient end where the plain ones did?"""
    rows = read.content["objectives"]
    written = [name for name, row in rows.items() if row["kind"] == "as_written"]
    same = sum(rows[name]["same"] for name in written)
    total = sum(rows[name]["seeds"] for name in written)
    found = [read.found("objectives", name, "same") for name in written]
    text = (
        f"Of adapters trained with the loss as it is written, {same} of {total} are those of the "
        "training without it, to the byte."
    )
    return Number(f"{study}/as-written/verdict", text, same, tuple(source for _, source in found))


def _number(key: str, pattern: str, scale: float, found: Found) -> Number:
    printed = cell(pattern, found, scale=scale)
    return Number(key, minus(printed.text), found[0], printed.sources)
