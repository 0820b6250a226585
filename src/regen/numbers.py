"""The numbers of the text: every value that the statistics know, by a key, with its source."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regen.files import Absent, read_json
from regen.tables.read import Found, Statistics, cell, follow, pointer
from regen.tables.study import PERCENT
from regen.tables.table import Source, Value, escape

SUMMARY_FORMATS = {
    "mean": ("{:.1f}", PERCENT),
    "sd": ("{:.1f}", PERCENT),
    "low": ("{:.1f}", PERCENT),
    "high": ("{:.1f}", PERCENT),
    "n_items": ("{:d}", 1),
    "n_groups": ("{:d}", 1),
}
COMPARISON_FORMATS = {
    "estimate": ("{:+.1f}", PERCENT),
    "low": ("{:+.1f}", PERCENT),
    "high": ("{:+.1f}", PERCENT),
    "smallest_detectable": ("{:.1f}", PERCENT),
    "df": ("{:.1f}", 1),
    "n_items": ("{:d}", 1),
    "n_groups": ("{:d}", 1),
    "test": ("{}", 1),
    "reason": ("{}", 1),
    "verdict": ("{}", 1),
}


@dataclass(frozen=True)
class Number:
    """A value as the text prints it, and where it stands."""

    key: str
    text: str
    value: Value
    sources: tuple[Source, ...]


def numbers_of(study: str, folder: Path) -> Iterator[Number]:
    """Every number of a study, by keys such as speech/lora/accuracy/mean and
    speech/main/lora-vs-base/p_holm; metrics in percent, differences in points.
    """
    read = Statistics(folder)
    for variant, metrics in read.variants.items():
        for metric, summary in metrics.items():
            here = f"{study}/{variant}/{metric}"
            yield from _formatted(here, summary, SUMMARY_FORMATS, read, variant, metric)
            for target in summary.get("per_class", {}):
                found = read.variant(variant, metric, "per_class", target, "mean")
                yield _number(f"{here}/{target}", "{:.1f}", PERCENT, found)
            seeds = sum(seed != "base" for seed in summary["seeds"])
            source = Source("statistics", "variants.json", f"/{variant}/{metric}/seeds")
            yield Number(f"{here}/seeds", str(seeds), seeds, (source,))
    for index, comparison in enumerate(read.comparisons):
        pair = f"{comparison['a']}-vs-{comparison['b']}"
        here = f"{study}/{comparison['family']}/{pair}"
        for name, (pattern, scale) in COMPARISON_FORMATS.items():
            yield _number(f"{here}/{name}", pattern, scale, read.comparison(index, name))
        for name in ("p", "p_holm"):
            value, source = read.comparison(index, name)
            yield Number(f"{here}/{name}", p_text(value), value, (source,))
        yield _limits(here, comparison, index)


def numbers_of_selection(file: Path) -> Iterator[Number]:
    """What a choice on the dev split came to: keys such as speech/selection/rank/r."""
    study, folder = file.parents[2].name, f"selection/{file.parent.name}"
    chosen = read_json(file)

    def number(name: str, pattern: str, scale: int, *path: str) -> Number:
        value = follow(chosen, pointer(*path))
        source = Source(folder, file.name, pointer(*path))
        return _number(f"{study}/{folder}/{name}", pattern, scale, (value, source))

    yield number("why", "{}", 1, "why")
    yield number("n_items", "{:d}", 1, "n_items")
    yield number("value", "{:.1f}", PERCENT, "winner", "value")
    for name in ("name", "r", "alpha", "targets", "trainable"):
        yield number(name, "{}", 1, "winner", name)
    count, source = len(chosen["points"]), Source(folder, file.name, "/points")
    yield Number(f"{study}/{folder}/points", str(count), count, (source,))


def numbers_across(simulation: Path, findings: Path) -> Iterator[Number]:
    """What the appendix says: keys such as across/errors/seed-by-item-t-test/both/yes/high, in
    percent, across/grid/replications and across/audit/cannot-be.
    """
    simulated, audited = read_json(simulation), read_json(findings)

    def number(key: str, pattern: str, scale: int, folder: str, file: Path, *path: str) -> Number:
        document = audited if file is findings else simulated
        value = follow(document, pointer(*path))
        found = (value, Source(folder, file.name, pointer(*path)))
        return _number(f"across/{key}", pattern, scale, found)

    for kind, rows in simulated["ranges"].items():
        for name in rows:
            key = f"{kind}/" + name.replace(" / ", "/").replace(", ", "-").replace(" ", "-")
            for end in ("low", "high"):
                at = ("ranges", kind, name, end)
                yield number(f"{key}/{end}", "{:.1f}", PERCENT, "simulation", simulation, *at)
    for name, value in simulated["grid"].items():
        if isinstance(value, int):
            yield number(f"grid/{name}", "{:d}", 1, "simulation", simulation, "grid", name)
    for name in audited["counts"]:
        key = f"audit/{name.replace(' ', '-')}"
        yield number(key, "{:d}", 1, "tables", findings, "counts", name)


def p_text(value: Value) -> str:
    """A p-value in the text: "p = 0.012", "p < 0.001", or why there is none."""
    if isinstance(value, float | int):
        return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
    return str(value)


def macros(numbers: list[Number]) -> str:
    r"""LaTeX definitions that \result{key} and \verdict{key} expand to."""
    lines = (rf"\regendefine{{{number.key}}}{{{escape(number.text)}}}" for number in numbers)
    return "\n".join(lines) + "\n"


def _formatted(
    here: str,
    summary: dict[str, Any],
    formats: dict[str, tuple[str, int]],
    read: Statistics,
    *path: str,
) -> Iterator[Number]:
    for name, (pattern, scale) in formats.items():
        if name in summary:
            yield _number(f"{here}/{name}", pattern, scale, read.variant(*path, name))


def _number(key: str, pattern: str, scale: int, found: Found) -> Number:
    printed = cell(pattern, found, scale=scale)
    text = re.sub(r"(?<!\w)-(?=\d)", "−", printed.text)  # a minus sign, where it is one
    return Number(key, text, found[0], printed.sources)


def _limits(here: str, comparison: dict[str, Any], index: int) -> Number:
    """The test's known limits that apply, as one sentence; "none known" if there are none."""
    limits = comparison.get("limits") or []
    text = "; ".join(limits) if limits else "none known"
    source = Source("statistics", "comparisons.json", f"/{index}/limits")
    value: Value = text if limits else Absent("no limit applies")
    return Number(f"{here}/limits", text, value, (source,))
