"""Stage `figures`: a metric by a facet of the items, as PDF and PNG, with the plotted numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regen.errors import InputError, nearest
from regen.files import Absent, read_json, write_json
from regen.metrics import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAN = float("nan")

SIZE = (5.6, 3.1)
"""Width and height in inches: one column of the paper."""
DODGE = 0.07
"""How far the lines stand apart, in levels, so that intervals do not hide each other."""
LEGEND_WIDTH = 84
"""Characters that fit into a line of the legend, marks included."""
STYLES = (
    ("#777777", "o", ":"),
    ("#0072b2", "s", "-"),
    ("#d55e00", "^", "--"),
    ("#009e73", "D", "-."),
    ("#cc79a7", "v", (0, (5, 1))),
)
"""Colour (Okabe and Ito's, safe for the colour-blind), marker and dash of each line in turn."""
SETTINGS: Any = {
    # Computer Modern, as the paper has it; matplotlib brings both, so that no system font matters.
    "font.family": ["cmr10", "DejaVu Serif"],
    "mathtext.fontset": "cm",
    "axes.formatter.use_mathtext": True,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "regen",
}


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


def figures(
    *,
    statistics: Path,
    variants: dict[str, dict[str, Any]],
    metrics: dict[str, dict[str, Any]],
    figures: list[dict[str, Any]],
    out: Path,
) -> None:
    """Write <name>.pdf, <name>.png and <name>.json for each figure.

    statistics: folder with facets.json; variants: labels by name; metrics: fields of `Metric` by
    name; figures: name, metric, facet, variants, label (of the horizontal axis) and caption. Bytes
    do not depend on time or place.
    """
    facets = read_json(statistics / "facets.json")
    for figure in figures:
        known(figure["metric"], metrics, "metric")
        metric = Metric(**metrics[figure["metric"]])
        lines = {
            name: points(facets, name, figure["facet"], figure["metric"])
            for name in figure["variants"]
        }
        labels = legend({name: variants[name] for name in lines})
        save(draw(lines, labels, metric, figure["label"]), out / figure["name"])
        write_json(
            out / f"{figure['name']}.json",
            {
                "caption": figure["caption"],
                "facet": figure["facet"],
                "metric": figure["metric"],
                "lines": {
                    name: [_plotted(point) for point in line] for name, line in lines.items()
                },
            },
        )


def known(name: str, names: Iterable[str], kind: str) -> None:
    if name not in names:
        raise InputError(f"figure: there is no {kind} {name!r}{nearest(name, names)}")


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
                    linestyle=dash,
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
        columns = max(1, min(len(lines), LEGEND_WIDTH // (max(map(len, labels.values())) + 8)))
        figure.legend(frameon=False, loc="outside upper center", ncols=columns, fontsize=8)
    return figure


def tick(level: float | str) -> str:
    """A number as mathematics, whose minus is one; words as they are."""
    return level if isinstance(level, str) else f"${level:g}$"


def save(figure: "Figure", path: Path) -> None:
    """As <path>.pdf and <path>.png, without times and versions."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain: dict[str, Any] = {"CreationDate": None, "Creator": None, "Producer": None}
    with rc_context(SETTINGS):
        figure.savefig(f"{path}.pdf", metadata=plain)
        figure.savefig(f"{path}.png", dpi=150, metadata={"Software": None})


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
