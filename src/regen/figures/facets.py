"""Figure: a metric by a facet of the items, a line a variant, with the plotted numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regen.figures.style import SETTINGS, SIZE, STYLES, columns_of_legend, known, save
from regen.files import Absent, read_json, write_json
from regen.metrics import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAN = float("nan")

DODGE = 0.07
"""How far the lines stand apart, in levels, so that intervals do not hide each other."""


@dataclass(frozen=True)
class Point:
    """A plotted mean with its interval, and where it stands in facets.json.

    absent: why there is none; then nothing is plotted, and the line is broken
    """

    level: float | str
    mean: float
    low: float
    high: float
    pointer: str
    absent: str = ""


def facets(
    *,
    statistics: Path,
    variants: dict[str, dict[str, Any]],
    metrics: dict[str, dict[str, Any]],
    figure: dict[str, Any],
    out: Path,
) -> None:
    """Write <name>.pdf, <name>.png and <name>.json.

    statistics: folder with facets.json; variants: labels by name; metrics: fields of `Metric` by
    name; figure: name, metric, facet, variants, label (of the horizontal axis) and caption. Bytes
    do not depend on time or place.
    """
    found = read_json(statistics / "facets.json")
    known(figure["metric"], metrics, "metric")
    lines = {
        name: points(found, name, figure["facet"], figure["metric"]) for name in figure["variants"]
    }
    labels = legend({name: variants[name] for name in lines})
    metric = Metric(**metrics[figure["metric"]])
    save(draw(lines, labels, metric, figure["label"]), out / figure["name"])
    write_json(
        out / f"{figure['name']}.json",
        {
            "caption": figure["caption"],
            "facet": figure["facet"],
            "metric": figure["metric"],
            "lines": {name: [_plotted(point) for point in line] for name, line in lines.items()},
        },
    )


def points(facets: Mapping[str, Any], variant: str, facet: str, metric: str) -> list[Point]:
    """A variant's line: numeric levels in order, then words."""
    known(variant, facets, "variant")
    known(facet, facets[variant], "facet")
    found = []
    for index, row in enumerate(facets[variant][facet]):
        if row["metric"] != metric:
            continue
        pointer = f"/{variant}/{facet}/{index}"
        missing = [row[k]["absent"] for k in ("mean", "low", "high") if not _is_number(row[k])]
        if missing:
            found.append(Point(row["level"], NAN, NAN, NAN, pointer, missing[0]))
        else:
            found.append(Point(row["level"], row["mean"], row["low"], row["high"], pointer))
    return sorted(found, key=lambda point: level_order(point.level))


def _plotted(point: Point) -> dict[str, Any]:
    """As the JSON has it: an absent point has no numbers."""
    record: dict[str, Any] = {"level": point.level, "pointer": point.pointer, "file": "facets.json"}
    if point.absent:
        return record | {"mean": Absent(point.absent)}
    return record | {"mean": point.mean, "low": point.low, "high": point.high}


def level_order(level: float | str) -> tuple[bool, float, str]:
    """Numbers by size, then words."""
    if isinstance(level, str):
        return True, 0.0, level
    return False, float(level), ""


def draw(
    lines: Mapping[str, list[Point]], labels: Mapping[str, str], metric: Metric, axis_label: str
) -> "Figure":
    """One line a variant, levels evenly spaced; a word such as "clean" set apart."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    levels = sorted({p.level for line in lines.values() for p in line}, key=level_order)
    words = [isinstance(level, str) for level in levels]
    apart = 0.4 if any(words) and not all(words) else 0.0
    places = {
        level: k + apart * word for k, (level, word) in enumerate(zip(levels, words, strict=True))
    }
    with rc_context(SETTINGS):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for k, (name, line) in enumerate(lines.items()):
            colour, marker, dash = STYLES[k % len(STYLES)]
            shift = DODGE * (k - (len(lines) - 1) / 2)
            label: str | None = labels[name]
            for part in (False, True):  # the line does not cross the gap before the words
                # An absent point is not a number, at which matplotlib breaks the line.
                shown = [p for p in line if isinstance(p.level, str) == part]
                if not shown:
                    continue
                axes.errorbar(
                    [places[p.level] + shift for p in shown],
                    [metric.factor * p.mean for p in shown],
                    yerr=[
                        [metric.factor * (p.mean - p.low) for p in shown],
                        [metric.factor * (p.high - p.mean) for p in shown],
                    ],
                    color=colour,
                    marker=marker,
                    markersize=4.5,
                    linestyle="" if part else dash,  # words have no order
                    linewidth=1.3,
                    elinewidth=0.8,
                    capsize=2,
                    label=label,
                )
                label = None  # one entry in the legend
        axes.set_xticks(list(places.values()), [tick(level) for level in places])
        axes.set_xlabel(axis_label)
        axes.set_ylabel(metric.heading)
        axes.grid(axis="y", linewidth=0.4, alpha=0.4)
        columns = columns_of_legend(labels.values())
        figure.legend(frameon=False, loc="outside upper center", ncols=columns, fontsize=8)
    return figure


def tick(level: float | str) -> str:
    """A number as mathematics, whose minus is one; words as they are."""
    return level if isinstance(level, str) else f"${level:g}$"


def legend(variants: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What tells the lines apart: model, method and prompt, without what all of them share."""
    differing = [
        key
        for key in ("model", "method", "prompt")
        if len({str(variant[key]) for variant in variants.values()}) > 1
    ]
    return {
        name: ", ".join(plain(key, variant[key]) for key in differing) or name
        for name, variant in variants.items()
    }


def plain(key: str, value: str) -> str:
    return f"no {'fine-tuning' if key == 'method' else key}" if value == "none" else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
