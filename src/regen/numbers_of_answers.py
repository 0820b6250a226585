"""The numbers of the text that free answers give beside their means."""

from collections.abc import Iterator
from pathlib import Path

from regen.metrics import Metric
from regen.numbers import Number
from regen.statistics.words import LEVEL, p_text
from regen.tables.read import Document, Found, cell
from regen.tables.table import Value


def numbers_of_answers(
    study: str, file: Path, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Iterator[Number]:
    """Keys such as qa/wins/qlora-vs-base/overlap/wins, qa/abstention/base/recall/value,
    qa/openings/base/share and qa/ranking/overlap/token_f1/items; shares in percent.

    qa/wins/<pair>/<metric>/verdict and qa/ranking/verdict are sentences.
    """
    read = Document(file, "answers")

    def number(key: str, pattern: str, scale: float, *path: str | int) -> Number:
        return _number(f"{study}/{key}", pattern, scale, read.found(*path))

    for k, row in enumerate(read.content["wins"]):
        here = f"wins/{row['a']}-vs-{row['b']}/{row['metric']}"
        for part in ("wins", "ties", "losses", "n"):
            yield number(f"{here}/{part}", "{:d}", 1, "wins", k, part)
        for part in ("share", "low", "high"):
            yield number(f"{here}/{part}", "{:.1f}", 100, "wins", k, part)
        metric = metrics[row["metric"]]
        yield number(f"{here}/tolerance", "{:g}", metric.factor, "wins", k, "tolerance")
        p, source = read.found("wins", k, "p")
        names = spoken[row["a"]], spoken[row["b"]]
        text = won_text(*names, metric, p, row["wins"], row["losses"])
        yield Number(f"{study}/{here}/verdict", text, p, (source,))
    for variant, found in read.content["abstention"].items():
        for name in found:
            here = f"abstention/{variant}/{name}"
            for part in ("value", "low", "high"):
                yield number(f"{here}/{part}", "{:.1f}", 100, "abstention", variant, name, part)
            for part in ("n_items", "n_answers"):
                yield number(f"{here}/{part}", "{:d}", 1, "abstention", variant, name, part)
    for variant in read.content["openings"]:
        for part in ("concentration", "share"):
            here = f"openings/{variant}/{part}"
            yield number(here, "{:.1f}", 100, "openings", variant, part)
        here = f"openings/{variant}/n_answers"
        yield number(here, "{:d}", 1, "openings", variant, "n_answers")
    for k, row in enumerate(read.content["ranking"]):
        for part in ("variants", "items"):
            here = f"ranking/{'/'.join(row['metrics'])}/{part}"
            yield number(here, "{:.2f}", 1, "ranking", k, part)


def won_text(a: str, b: str, metric: Metric, p: Value, wins: int, losses: int) -> str:
    """What the sign test says, in a sentence."""
    if not isinstance(p, float | int):
        return f"Item by item, {a} and {b} cannot be compared on {metric.label}."
    test = f"(exact sign test, {p_text(p)})"
    if p >= LEVEL:
        return (
            f"Item by item, {metric.label} is no evidence that {a} or {b} is the better one {test}."
        )
    better = (wins > losses) == metric.larger_is_better
    word = "better" if better else "worse"
    return f"Item by item, {a} is {word} than {b} on {metric.label} {test}."


def _number(key: str, pattern: str, scale: float, found: Found) -> Number:
    printed = cell(pattern, found, scale=scale)
    return Number(key, printed.text, found[0], printed.sources)
