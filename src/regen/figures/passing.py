"""Figure: the chance that one of k answers passes, by k, a line a variant."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regen.figures.style import SETTINGS, SIZE, STYLES, columns_of_legend, known, save
from regen.files import read_json, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def passing(
    *, sets: list[Path], variants: dict[str, dict[str, Any]], figure: dict[str, Any], out: Path
) -> None:
    """Write <name>.pdf, <name>.png and <name>.json.

    sets: the study's sets.json, alone; variants: labels by name; figure: name, variants, caption.
    A variant without a curve, since nothing was checked, has no line.
    """
    found = read_json(sets[0])["passing"]
    for name in figure["variants"]:
        known(name, found, "variant")
    lines = {name: found[name] for name in figure["variants"]}
    labels = {name: variants[name]["spoken"] for name in lines}
    save(draw(lines, labels), out / figure["name"])
    write_json(
        out / f"{figure['name']}.json",
        {
            "caption": figure["caption"],
            "lines": {
                name: [
                    {**row, "file": "sets/sets.json", "pointer": f"/passing/{name}/{index}"}
                    for index, row in enumerate(rows)
                ]
                for name, rows in lines.items()
            },
        },
    )


def draw(lines: Mapping[str, list[dict[str, Any]]], labels: Mapping[str, str]) -> "Figure":
    """A band is the interval over items; where it is absent there is none."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with rc_context(SETTINGS):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for k, (name, rows) in enumerate(lines.items()):
            colour, marker, dash = STYLES[k % len(STYLES)]
            x = [row["k"] for row in rows]
            axes.plot(
                x,
                [100 * row["mean"] for row in rows],
                color=colour,
                marker=marker,
                markersize=3.5,
                linestyle=dash,
                linewidth=1.2,
                label=labels[name],
            )
            there = [row for row in rows if isinstance(row["low"], float | int)]
            axes.fill_between(
                [row["k"] for row in there],
                [100 * row["low"] for row in there],
                [100 * row["high"] for row in there],
                color=colour,
                alpha=0.12,
                linewidth=0,
            )
        axes.set_xlabel("answers drawn, k")
        axes.set_ylabel("pass@k (%)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", linewidth=0.4, alpha=0.4)
        columns = columns_of_legend(labels.values())
        figure.legend(frameon=False, loc="outside upper center", ncols=columns, fontsize=8)
    return figure
