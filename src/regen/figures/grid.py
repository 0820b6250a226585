"""Figure: what a grid over rank and scale gave on dev, the chosen cell framed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from regen.errors import InputError
from regen.figures.style import SETTINGS, save
from regen.files import read_json, write_json
from regen.metrics import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (3.4, 2.6)
"""Inches."""


def grid(
    *,
    selection: Path,
    metrics: dict[str, dict[str, Any]],
    figure: dict[str, Any],
    out: Path,
) -> None:
    """Write <name>.pdf, <name>.png and <name>.json.

    selection: selection.json of a grid; metrics: fields of `Metric` by name; figure: name, caption
    """
    chosen = read_json(selection)
    if len({(p["r"], p["alpha"]) for p in chosen["points"]}) < len(chosen["points"]):
        raise InputError(f"{selection}: its candidates differ in more than rank and scale")
    save(draw(chosen, Metric(**metrics[chosen["metric"]])), out / figure["name"])
    cells = [
        {"r": p["r"], "alpha": p["alpha"], "value": p["value"], "file": selection.name,
         "pointer": f"/points/{index}/value"}
        for index, p in enumerate(chosen["points"])
    ]  # fmt: skip
    write_json(out / f"{figure['name']}.json", {"caption": figure["caption"], "cells": cells})


def draw(chosen: dict[str, Any], metric: Metric) -> "Figure":
    """chosen: {points: [{r, alpha, value}], winner}."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    ranks = sorted({p["r"] for p in chosen["points"]})
    scales = sorted({p["alpha"] for p in chosen["points"]})
    values = [[float("nan")] * len(scales) for _ in ranks]
    for p in chosen["points"]:
        values[ranks.index(p["r"])][scales.index(p["alpha"])] = metric.factor * p["value"]
    with rc_context(SETTINGS):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(values, cmap="cividis", aspect="auto", origin="lower")
        low, high = image.get_clim()
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                if value == value:  # no number where the grid has no such cell
                    dark = value < (low + high) / 2
                    text = metric.pattern().format(value)
                    axes.text(j, i, text, ha="center", va="center", color="w" if dark else "k")
        winner = chosen["winner"]
        corner = (scales.index(winner["alpha"]) - 0.5, ranks.index(winner["r"]) - 0.5)
        frame = Rectangle(corner, 1, 1, fill=False, edgecolor="#d55e00", linewidth=2.5)
        axes.add_patch(frame)
        axes.set_xticks(range(len(scales)), [f"${scale}$" for scale in scales])
        axes.set_yticks(range(len(ranks)), [f"${rank}$" for rank in ranks])
        axes.set_xlabel(r"scale $\alpha$")
        axes.set_ylabel("rank $r$")
        figure.colorbar(image, label=f"{metric.heading} on dev")
    return figure
