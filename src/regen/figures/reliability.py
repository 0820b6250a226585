"""Figure: accuracy against confidence, before and after calibration, a panel a variant."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from regen.figures.style import SETTINGS, STYLES, save
from regen.files import read_json, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT = 2.6
WIDTH = 1.95
"""Inches, of the figure and of a panel."""


def reliability(
    *,
    calibrations: list[Path],
    variants: dict[str, dict[str, Any]],
    figure: dict[str, Any],
    out: Path,
) -> None:
    """Write <name>.pdf, <name>.png and <name>.json.

    calibrations: calibration.json files, in the folders of their variants; variants: labels by
    name; figure: name and caption. Points are bins of equal mass on the test split, over all seeds.
    """
    panels = {file.parent.name: read_json(file)["reliability"] for file in calibrations}
    labels = {name: variants[name]["spoken"] for name in panels}
    save(draw(panels, labels), out / figure["name"])
    lines = {
        f"{name}/{when}": [
            {**row, "file": f"calibration/{name}/calibration.json",
             "pointer": f"/reliability/{when}/{index}"}
            for index, row in enumerate(rows)
        ]
        for name, panel in panels.items()
        for when, rows in panel.items()
    }  # fmt: skip
    write_json(out / f"{figure['name']}.json", {"caption": figure["caption"], "lines": lines})


def draw(panels: dict[str, Any], labels: dict[str, str]) -> "Figure":
    """panels: {variant: {"before", "after": [{confidence, accuracy, n}]}}."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH * len(panels), HEIGHT), layout="constrained")
        every = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axes, (name, panel) in zip(every, panels.items(), strict=True):
            axes.plot([50, 100], [50, 100], color="#999999", linewidth=0.8)
            for k, when in enumerate(("before", "after")):
                colour, marker, dash = STYLES[k]
                axes.plot(
                    [100 * row["confidence"] for row in panel[when]],
                    [100 * row["accuracy"] for row in panel[when]],
                    color=colour,
                    marker=marker,
                    markersize=3.5,
                    linestyle=dash,
                    linewidth=1.1,
                    label=when if axes is every[0] else None,
                )
            axes.set_title(labels[name], fontsize=9)
            axes.set_xlabel("confidence (%)")
            axes.grid(linewidth=0.4, alpha=0.4)
        every[0].set_ylabel("accuracy (%)")
        figure.legend(frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure
