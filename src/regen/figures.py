"""Stage `figures`: a metric by a facet of the items, as PDF and PNG, with the plotted numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import read_json, write_json
from regen.schema import nearest

SIZE = (5.6, 3.1)
"""Width and height in inches: one column of the paper."""
DODGE = 0.07
"""How far the lines stand apart, in levels, so that intervals do not hide each other."""
STYLES = (
    ("#777777", "o", ":"),
    ("#0072b2", "s", "-"),
    ("#d55e00", "^", "--"),
    ("#009e73", "D", "-."),
    ("#cc79a7", "v", (0, (5, 1))),
)
"""Colour (Okabe and Ito's, safe for the colour-blind), marker and dash of each line in turn."""
SETTINGS: Any = {
    "font.family": "serif",
    "font.serif": ["DejaVu Serif"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "regen",
}


@dataclass(frozen=True)
class Point:
    """A plotted mean with its interval, and where it stands in facets.json."""

    level: float | str
    mean: float
    low: float
    high: float
    pointer: str


def figures(
    *,
    statistics: Path,
    variants: dict[str, dict[str, Any]],
    figures: list[dict[str, Any]],
    out: Path,
) -> None:
    """Write <name>.pdf, <name>.png and <name>.json for each figure.

    statistics: folder with facets.json; variants: labels by name; figures: name, metric, facet,
    variants, label (of the horizontal axis) and caption. Bytes do not depend on time or place.
    """
    facets = read_json(statistics / "facets.json")
    for figure in figures:
        lines = {
            name: points(facets, name, figure["facet"], figure["metric"])
            for name in figure["variants"]
        }
        labels = legend({name: variants[name] for name in lines})
        draw(lines, labels, figure["metric"], figure["label"], out / figure["name"])
        write_json(
            out / f"{figure['name']}.json",
            {
                "caption": figure["caption"],
                "facet": figure["facet"],
                "metric": figure["metric"],
                "lines": {
                    name: [{**vars(point), "file": "facets.json"} for point in line]
                    for name, line in lines.items()
                },
            },
        )


def points(facets: Mapping[str, Any], variant: str, facet: str, metric: str) -> list[Point]:
    """A variant's line: numeric levels in order, then words; what was not computed is left out."""
    if variant not in facets:
        raise InputError(f"facets.json: there is no variant {variant!r}{nearest(variant, facets)}")
    if facet not in facets[variant]:
        known = facets[variant]
        raise InputError(f"facets.json: there is no facet {facet!r}{nearest(facet, known)}")
    found = [
        Point(row["level"], row["mean"], row["low"], row["high"], f"/{variant}/{facet}/{index}")
        for index, row in enumerate(facets[variant][facet])
        if row["metric"] == metric and all(_is_number(row[k]) for k in ("mean", "low", "high"))
    ]
    return sorted(found, key=lambda point: level_order(point.level))


def level_order(level: float | str) -> tuple[bool, float, str]:
    """Numbers by size, then words."""
    if isinstance(level, str):
        return True, 0.0, level
    return False, float(level), ""


def draw(
    lines: Mapping[str, list[Point]],
    labels: Mapping[str, str],
    metric: str,
    axis_label: str,
    path: Path,
) -> None:
    """One line a variant, in percent, levels evenly spaced; a word such as "clean" set apart."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    levels = sorted({p.level for line in lines.values() for p in line}, key=level_order)
    words = [isinstance(level, str) for level in levels]
    apart = 0.4 if any(words) and not all(words) else 0.0
    places = {level: k + apart * word for k, (level, word) in enumerate(zip(levels, words))}  # noqa: B905
    with matplotlib.rc_context(SETTINGS):
        figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
        for k, (name, line) in enumerate(lines.items()):
            colour, marker, dash = STYLES[k % len(STYLES)]
            shift = DODGE * (k - (len(lines) - 1) / 2)
            for part in (False, True):  # the line does not cross the gap before the words
                shown = [p for p in line if isinstance(p.level, str) == part]
                if not shown:
                    continue
                means = [100 * p.mean for p in shown]
                below = [100 * (p.mean - p.low) for p in shown]
                above = [100 * (p.high - p.mean) for p in shown]
                axes.errorbar(
                    [places[p.level] + shift for p in shown],
                    means,
                    yerr=[below, above],
                    color=colour,
                    marker=marker,
                    markersize=4.5,
                    linestyle=dash,
                    linewidth=1.3,
                    elinewidth=0.8,
                    capsize=2,
                    label=labels[name] if part is isinstance(line[0].level, str) else None,
                )
        axes.set_xticks(list(places.values()), [str(level) for level in places])
        axes.set_xlabel(axis_label)
        axes.set_ylabel(f"{metric} (%)")
        axes.grid(axis="y", linewidth=0.4, alpha=0.4)
        figure.legend(frameon=False, loc="outside upper center", ncols=3, fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        plain: dict[str, Any] = {"CreationDate": None, "Creator": None, "Producer": None}
        figure.savefig(f"{path}.pdf", metadata=plain)
        figure.savefig(f"{path}.png", dpi=150, metadata={"Software": None})
        pyplot.close(figure)


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
