"""Figure: what reinforcement is paid, reward by reward, over its steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regen.figures.style import SETTINGS, SIZE, STYLES, columns_of_legend, save
from regen.files import read_jsonl, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PREFIX = "reward_"
OF_THE_SUM = "reward_sd"


def rewards(*, logs: list[Path], figure: dict[str, Any], out: Path) -> None:
    """Write <name>.pdf, <name>.png and <name>.json.

    logs: log.jsonl of each seed of a training with rewards; figure: name, caption

    A line is a reward's mean over the seeds, in percent of the most that it can be, averaged over
    a tenth of the steps around each.
    """
    seeds = [read_jsonl(log) for log in logs]
    names = [key for key in seeds[0][0] if key.startswith(PREFIX) and key != OF_THE_SUM]
    steps = [row["step"] for row in seeds[0]]
    lines = {
        name.removeprefix(PREFIX): smooth(
            [sum(rows[n][name] for rows in seeds) / len(seeds) for n in range(len(steps))],
            max(len(steps) // 10, 1),
        )
        for name in names
    }
    save(draw(steps, lines), out / figure["name"])
    found = {"caption": figure["caption"], "steps": steps, "lines": lines}
    write_json(out / f"{figure['name']}.json", found)


def smooth(values: Sequence[float], window: int) -> list[float]:
    """Means over `window` values around each; fewer at the ends.

    >>> smooth([0, 3, 6, 3], 3)
    [1.5, 3.0, 4.0, 4.5]
    """
    found = []
    for n in range(len(values)):
        part = values[max(0, n - window // 2) : n + window // 2 + 1]
        found.append(sum(part) / len(part))
    return found


def draw(steps: Sequence[int], lines: Mapping[str, Sequence[float]]) -> "Figure":
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for k, (label, values) in enumerate(lines.items()):
            colour, _, dash = STYLES[k % len(STYLES)]
            axes.plot(steps, [100 * v for v in values], color=colour, linestyle=dash, label=label)
        axes.set_xlabel("step")
        axes.set_ylabel("reward (%)")
        axes.grid(axis="y", linewidth=0.4, alpha=0.4)
        columns = columns_of_legend(lines)
        figure.legend(frameon=False, loc="outside upper center", ncols=columns, fontsize=8)
    return figure
