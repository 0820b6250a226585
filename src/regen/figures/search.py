"""Figure: the best score on dev so far, by how many prompts a search has scored."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regen.figures.style import SETTINGS, SIZE, STYLES, columns_of_legend, save
from regen.files import read_json, read_jsonl, write_json
from regen.metrics import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def search(
    *,
    histories: list[Path],
    found: list[Path],
    spoken: dict[str, str],
    metrics: dict[str, dict[str, Any]],
    figure: dict[str, Any],
    out: Path,
) -> None:
    """Write <name>.pdf, <name>.png and <name>.json.

    histories: history.jsonl of each search, in the folder of its name; found: prompt.json of each;
    spoken: what the legend calls each search; metrics: fields of `Metric` by name; figure: name,
    caption
    """
    names = [file.parent.name for file in histories]
    rows = {name: read_jsonl(file) for name, file in zip(names, histories, strict=True)}
    metric = Metric(**metrics[read_json(found[0])["metric"]])
    save(draw({spoken[name]: rows[name] for name in names}, metric), out / figure["name"])
    lines = {
        name: [
            {key: row[key] for key in ("number", "dev_score", "best_dev_score")}
            for row in rows[name]
        ]
        for name in names
    }
    write_json(out / f"{figure['name']}.json", {"caption": figure["caption"], "lines": lines})


def draw(lines: Mapping[str, list[dict[str, Any]]], metric: Metric) -> "Figure":
    """A staircase a search, of the best so far, and a mark for each prompt that was scored."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for k, (label, rows) in enumerate(lines.items()):
            colour, marker, dash = STYLES[k % len(STYLES)]
            numbers = [row["number"] for row in rows]
            best = [metric.factor * row["best_dev_score"] for row in rows]
            each = [metric.factor * row["dev_score"] for row in rows]
            axes.step(numbers, best, where="post", color=colour, linestyle=dash, label=label)
            axes.plot(
                numbers, each, color=colour, marker=marker, markersize=3, linestyle="", alpha=0.5
            )
        axes.set_xlabel("prompts scored")
        axes.set_ylabel(f"{metric.heading} on dev")
        axes.grid(axis="y", linewidth=0.4, alpha=0.4)
        columns = columns_of_legend(lines)
        figure.legend(frameon=False, loc="outside upper center", ncols=columns, fontsize=8)
    return figure
