"""Figure: a metric against another one, a point a variant: what is bought, and what it costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regen.figures.style import SETTINGS, SIZE, STYLES, columns_of_legend, known, save
from regen.files import Absent, read_json, write_json
from regen.metrics import Metric
from regen.tables.read import unwrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Point = dict[str, Any]


def pareto(
    *,
    statistics: Path,
    variants: dict[str, dict[str, Any]],
    metrics: dict[str, dict[str, Any]],
    figure: dict[str, Any],
    out: Path,
) -> None:
    """Write <name>.pdf, <name>.png and <name>.json.

    statistics: folder with variants.json; figure: name, variants, metric (vertical), other
    (horizontal), caption. A variant that lacks one of the two metrics is left out.
    """
    found = read_json(statistics / "variants.json")
    axes = {key: Metric(**metrics[figure[key]]) for key in ("other", "metric")}
    points: dict[str, Point] = {}
    for name in figure["variants"]:
        known(name, found, "variant")
        means = {key: unwrap(found[name][figure[key]]["mean"]) for key in axes}
        if not any(isinstance(mean, Absent) for mean in means.values()):
            points[name] = {key: _ends(found[name][figure[key]], means[key]) for key in axes}
    best = front(points, axes)
    labels = {name: variants[name]["spoken"] for name in points}
    save(draw(points, labels, axes, best), out / figure["name"])
    write_json(
        out / f"{figure['name']}.json",
        {
            "caption": figure["caption"],
            "metrics": [figure["other"], figure["metric"]],
            "points": {
                name: {**point, "file": "statistics/variants.json", "pointer": f"/{name}"}
                for name, point in points.items()
            },
            "front": best,
        },
    )


def _ends(summary: Mapping[str, Any], mean: Any) -> dict[str, float]:
    """Mean and interval over seeds and items; the mean itself where there is none."""
    both = summary["seeds_and_items"]
    ends = {key: unwrap(both[key]) for key in ("low", "high")}
    return {
        "mean": mean,
        **{key: mean if isinstance(end, Absent) else end for key, end in ends.items()},
    }


def front(points: Mapping[str, Point], axes: Mapping[str, Metric]) -> list[str]:
    """The points than which no other is at least as good on both and better on one, by means."""
    signed = {
        name: tuple(point[key]["mean"] * (1 if axes[key].larger_is_better else -1) for key in axes)
        for name, point in points.items()
    }
    return [
        name
        for name, own in signed.items()
        if not any(
            other != own and all(b >= a for a, b in zip(own, other, strict=True))
            for other in signed.values()
        )
    ]


def draw(
    points: Mapping[str, Point],
    labels: Mapping[str, str],
    metrics: Mapping[str, Metric],
    best: list[str],
) -> "Figure":
    """Points than which no other is better on one metric and as good on the other are filled."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for k, (name, point) in enumerate(points.items()):
            colour, marker, _ = STYLES[k % len(STYLES)]
            x, y = (
                {part: metrics[key].factor * value for part, value in point[key].items()}
                for key in ("other", "metric")
            )
            axes.errorbar(
                [x["mean"]],
                [y["mean"]],
                xerr=[[x["mean"] - x["low"]], [x["high"] - x["mean"]]],
                yerr=[[y["mean"] - y["low"]], [y["high"] - y["mean"]]],
                color=colour,
                marker=marker,
                markersize=6,
                markerfacecolor=colour if name in best else "white",
                linestyle="",
                elinewidth=0.7,
                capsize=2,
                label=labels[name],
            )
        axes.set_xlabel(metrics["other"].heading)
        axes.set_ylabel(metrics["metric"].heading)
        axes.grid(linewidth=0.4, alpha=0.4)
        if labels:
            columns = columns_of_legend(labels.values())
            figure.legend(frameon=False, loc="outside upper center", ncols=columns, fontsize=8)
    return figure
