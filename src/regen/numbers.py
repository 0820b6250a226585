"""The numbers of the text: every value that the statistics know, by a key, with its source."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from regen.files import Absent, read_json
from regen.metrics import Metric
from regen.statistics.words import p_text, verdict_on
from regen.tables.read import Found, Statistics, cell, follow, pointer, unwrap
from regen.tables.table import Source, Value, escape

SUMMARY = ("mean", "sd", "low", "high")
DIFFERENCE = ("estimate", "low", "high")
COUNTS = ("n_items", "n_groups")


@dataclass(frozen=True)
class Number:
    """A value as the text prints it, and where it stands."""

    key: str
    text: str
    value: Value
    sources: tuple[Source, ...]


def numbers_of(
    study: str, folder: Path, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Iterator[Number]:
    """Every number of a study, by keys such as speech/lora/accuracy/mean and
    speech/main/lora-vs-base/p_holm; shares in percent, their differences in points.

    <study>/family/<family>/verdict are the verdict sentences of all comparisons of a family, in the
    order declared; without the word, a family "rule" would have the key of another number.

    spoken: what a sentence calls each variant
    """
    read = Statistics(folder)
    families: dict[str, list[Number]] = {}
    yield from _numbers_by_level(study, folder / "facets.json", metrics)
    for variant, summaries in read.variants.items():
        for name, summary in summaries.items():
            here, metric = f"{study}/{variant}/{name}", metrics[name]
            for part in SUMMARY:
                found = read.variant(variant, name, part)
                yield _number(f"{here}/{part}", metric.pattern(), metric.factor, found)
            for part in COUNTS:
                yield _number(f"{here}/{part}", "{:d}", 1, read.variant(variant, name, part))
            for target in classes(summary):
                found = read.variant(variant, name, "per_class", target, "mean")
                yield _number(f"{here}/{target}", metric.pattern(), metric.factor, found)
            found = read.variant(variant, name, "coverage")
            yield _number(f"{here}/coverage", "{:.1f}", 100, found)
            seeds = sum(seed != "base" for seed in summary["seeds"])
            source = Source("statistics", "variants.json", f"/{variant}/{name}/seeds")
            yield Number(f"{here}/seeds", str(seeds), seeds, (source,))
    for index, comparison in enumerate(read.comparisons):
        metric = metrics[comparison["metric"]]
        here = f"{study}/{read.address(index)}"
        for part in DIFFERENCE:
            found = read.comparison(index, part)
            yield _number(f"{here}/{part}", metric.pattern(signed=True), metric.factor, found)
        found = read.comparison(index, "smallest_detectable")
        yield _number(f"{here}/smallest_detectable", metric.pattern(), metric.factor, found)
        yield _number(f"{here}/df", "{:.1f}", 1, read.comparison(index, "df"))
        for part in COUNTS:
            yield _number(f"{here}/{part}", "{:d}", 1, read.comparison(index, part))
        for part in ("test", "reason"):
            yield _number(f"{here}/{part}", "{}", 1, read.comparison(index, part))
        for part in ("p", "p_holm"):
            value, source = read.comparison(index, part)
            text = str(value) if isinstance(value, Absent) else p_text(float(value or 0))
            yield Number(f"{here}/{part}", text, value, (source,))
        verdict = _verdict(here, index, read, spoken, metric)
        families.setdefault(comparison["family"], []).append(verdict)
        yield verdict
        yield _limits(here, comparison, index)
    for family, verdicts in families.items():
        every = " ".join(one.text for one in verdicts)
        sources = tuple(source for one in verdicts for source in one.sources)
        yield Number(f"{study}/family/{family}/verdict", every, None, sources)
    yield from _numbers_of_common(study, folder / "common.json", metrics)
    for variant, found in read_json(folder / "failures.json").items():
        for part in ("answers", "failed", "most"):
            source = Source("statistics", "failures.json", pointer(variant, part))
            value = unwrap(found[part])
            yield Number(f"{study}/{variant}/failures/{part}", str(value), value, (source,))


def _numbers_by_level(study: str, file: Path, metrics: dict[str, Metric]) -> Iterator[Number]:
    """Keys such as qa/base/overlap/answerable/yes/mean: of the items of a facet's level."""
    for variant, facets in read_json(file).items():
        for facet, rows in facets.items():
            for k, row in enumerate(rows):
                metric = metrics[row["metric"]]
                here = f"{study}/{variant}/{row['metric']}/{facet}/{row['level']}"
                for part, pattern, scale in (
                    ("mean", metric.pattern(), metric.factor),
                    ("n_items", "{:d}", 1),
                ):
                    source = Source("statistics", file.name, pointer(variant, facet, k, part))
                    yield _number(f"{here}/{part}", pattern, scale, (unwrap(row[part]), source))


def _numbers_of_common(study: str, file: Path, metrics: dict[str, Metric]) -> Iterator[Number]:
    """Keys such as traits/common/all/error/qlora/mean and traits/common/all/error/n_items."""
    for subset, content in read_json(file).items():
        for name, found in content["metrics"].items():
            here, at = f"{study}/common/{subset}/{name}", (subset, "metrics", name)
            source = Source("statistics", file.name, pointer(*at, "n_items"))
            count = found["n_items"]
            yield Number(f"{here}/n_items", str(count), count, (source,))
            for variant, means in found["variants"].items():
                for part in ("mean", "sd"):
                    source = Source(
                        "statistics", file.name, pointer(*at, "variants", variant, part)
                    )
                    value = (unwrap(means[part]), source)
                    metric = metrics[name]
                    key = f"{here}/{variant}/{part}"
                    yield _number(key, metric.pattern(), metric.factor, value)


def classes(summary: dict[str, Any]) -> list[str]:
    """The classes by which a summary is broken down, none if targets are no classes."""
    per_class = summary.get("per_class", {})
    return [] if set(per_class) == {"absent"} else list(per_class)


def numbers_of_selection(
    file: Path, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Iterator[Number]:
    """What a choice on the dev split came to: keys such as speech/selection/rank/r."""
    study, folder = file.parents[2].name, f"selection/{file.parent.name}"
    chosen = read_json(file)

    def number(name: str, pattern: str, scale: int, *path: str) -> Number:
        value = follow(chosen, pointer(*path))
        source = Source(folder, file.name, pointer(*path))
        return _number(f"{study}/{folder}/{name}", pattern, scale, (value, source))

    yield number("why", "{}", 1, "why")
    yield number("n_items", "{:d}", 1, "n_items")
    metric = metrics[chosen["metric"]]
    yield number("value", metric.pattern(), metric.factor, "winner", "value")
    for name in ("r", "alpha", "targets", "trainable"):
        yield number(name, "{}", 1, "winner", name)
    winner, source = chosen["winner"]["name"], Source(folder, file.name, "/winner/name")
    yield Number(f"{study}/{folder}/name", spoken.get(winner, winner), winner, (source,))
    count, source = len(chosen["points"]), Source(folder, file.name, "/points")
    yield Number(f"{study}/{folder}/points", str(count), count, (source,))


def numbers_of_search(file: Path, metrics: dict[str, Metric]) -> Iterator[Number]:
    """What a search for a prompt came to: keys such as speech/prompts/base-opro/evaluated."""
    study, folder = file.parents[2].name, f"prompts/{file.parent.name}"
    found = read_json(file)
    metric = metrics[found["metric"]]
    scores = (metric.pattern(), metric.factor)
    for name in ("evaluated", "asked", "proposed", "dropped_in_all", "found_at", "dev_items"):
        source = Source(folder, file.name, pointer(name))
        yield _number(f"{study}/{folder}/{name}", "{:d}", 1, (found[name], source))
    for name in ("dev_score", "baseline_dev_score"):
        source = Source(folder, file.name, pointer(name))
        yield _number(f"{study}/{folder}/{name}", *scores, (found[name], source))


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
                yield number(f"{key}/{end}", "{:.1f}", 100, "simulation", simulation, *at)
    for name, value in simulated["grid"].items():
        if isinstance(value, int):
            yield number(f"grid/{name}", "{:d}", 1, "simulation", simulation, "grid", name)
    for name in audited["counts"]:
        key = f"audit/{name.replace(' ', '-')}"
        yield number(key, "{:d}", 1, "tables", findings, "counts", name)


def macros(numbers: list[Number]) -> str:
    r"""LaTeX definitions that \result{key} and \verdict{key} expand to."""
    lines = (rf"\regendefine{{{number.key}}}{{{_body(number)}}}" for number in numbers)
    return "\n".join(lines) + "\n"


def _body(number: Number) -> str:
    if isinstance(number.value, Absent) and number.text == str(number.value):
        return rf"\regenabsent{{{escape(number.value.reason)}}}"
    return escape(number.text)


def _verdict(
    here: str, index: int, read: Statistics, spoken: dict[str, str], metric: Metric
) -> Number:
    """The verdict at the adjusted p, with the names and units that the paper uses."""
    comparison = read.comparisons[index]
    value, source = read.comparison(index, "verdict")
    parts = ("estimate", "low", "high", "p_holm")
    estimate, low, high, p = (cast(float | Absent, unwrap(comparison[part])) for part in parts)
    text = verdict_on(
        spoken[comparison["a"]],
        spoken[comparison["b"]],
        estimate,
        low,
        high,
        p,
        comparison["seeds_a"],
        comparison["seeds_b"],
        metric,
        adjusted=True,
    )
    return Number(f"{here}/verdict", minus(text), value, (source,))


def minus(text: str) -> str:
    """With a minus sign where a hyphen stands for one."""
    return re.sub(r"(?<!\w)-(?=\d)", "−", text)


def _number(key: str, pattern: str, scale: int, found: Found) -> Number:
    printed = cell(pattern, found, scale=scale)
    return Number(key, minus(printed.text), found[0], printed.sources)


def _limits(here: str, comparison: dict[str, Any], index: int) -> Number:
    """The test's known limits that apply, as one sentence; "none known" if there are none."""
    limits = comparison.get("limits") or []
    text = "; ".join(limits) if limits else "none known"
    source = Source("statistics", "comparisons.json", f"/{index}/limits")
    value: Value = text if limits else Absent("no limit applies")
    return Number(f"{here}/limits", text, value, (source,))
