"""Experiments as one static page: leaderboards, a comparison, and curves. Nothing is loaded."""

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import Absent, write_text
from regen.tracking.compare import compare_experiments, generate_leaderboard, winner_text
from regen.tracking.local import DATABASE, LocalBackend
from regen.tracking.page_parts import SCRIPT, STYLE

POINTS = 300
"""A curve has at most so many points: the least and the greatest value of each stretch."""
WIDTH, HEIGHT, MARGIN = 560, 240, 48
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito's, which the colour-blind can tell apart."""

DASHES = ("none", "7 3", "2 3")
STYLES = ("solid", "dashed", "dotted")

Point = tuple[float, float]


def export_html(
    output: Path, ids: Sequence[str] = (), *, limit: int = 20, db_path: str | Path = DATABASE
) -> dict[str, Any]:
    """Write the page of these experiments, or of the newest `limit`; {output, experiments, curves}.

    Raises InputError if there is none.
    """
    backend = LocalBackend(db_path)
    if ids:
        found = [backend.get_experiment(name) for name in ids]
    else:
        newest = backend.get_all_experiments(limit=limit)
        found = [backend.get_experiment(one["id"]) for one in newest]
    if not found:
        raise InputError("there is no experiment to show; see: regen experiments list")
    curves = _curves(backend, found)
    sections = [_list(found), *_leaderboards(backend, db_path)]
    if len(found) > 1:
        sections.append(_comparison(found, db_path))
    sections.append(_figures(found, curves))
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>Experiments</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>Experiments</h1>\n"
        + "\n".join(sections)
        + f"\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )
    write_text(output, page)
    return {"output": str(output), "experiments": len(found), "curves": len(curves)}


def _list(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            _swatch(number, one["id"]),
            _escape(one["id"]),
            _escape(one["name"] or ""),
            _escape(one["status"]),
            _escape(one["scale"] or ""),
            _escape(one["started"]),
            _number(one["seconds"]),
            _escape((one["captured"].get("git") or {}).get("commit", "")[:10]),
        ]
        for number, one in enumerate(found)
    ]
    heads = ["curve", "id", "name", "status", "scale", "started (UTC)", "seconds", "commit"]
    return _section("list", "What was run", _table(heads, rows))


def _leaderboards(backend: LocalBackend, db_path: str | Path) -> list[str]:
    """One table a benchmark and metric."""
    with backend.query() as index:
        query = (
            "select distinct benchmark, metric from scores join experiments using (id) "
            "where deleted = 0 order by 1, 2"
        )
        pairs = [tuple(row) for row in index.execute(query)]
    sections = []
    for benchmark, metric in pairs:
        board = generate_leaderboard(benchmark, metric, 20, db_path=db_path)
        rows = [
            [str(r["rank"]), _escape(r["id"]), _escape(r["name"] or ""), _number(r["value"]),
             str(r["samples"])]
            for r in board
        ]  # fmt: skip
        table = _table(["rank", "id", "name", metric, "samples"], rows)
        sections.append(_section("leaderboard", f"Leaderboard: {benchmark}, {metric}", table))
    return sections


def _comparison(found: Sequence[Mapping[str, Any]], db_path: str | Path) -> str:
    """Parameters that differ and every metric, the best of a row marked."""
    compared = compare_experiments([one["id"] for one in found], db_path=db_path)
    names = [one["name"] or one["id"] for one in compared["experiments"]]
    rows = [
        [_escape(key), *(_number(value) for value in values)]
        for key, values in compared["parameters"].items()
    ]
    for name, row in compared["metrics"].items():
        cells = [
            f"<b>{_number(value)}&#8239;★</b>" if i in row["best"] else _number(value)
            for i, value in enumerate(row["values"])
        ]
        rows.append([_escape(name), *cells])
    said = (
        f"<p>{compared['same_parameters']} parameters are the same and left out. "
        f"{_escape(winner_text(compared).capitalize())}.</p>"
    )
    return _section("comparison", "Side by side", said + _table(["", *names], rows))


def _curves(
    backend: LocalBackend, found: Sequence[Mapping[str, Any]]
) -> dict[str, dict[int, list[Point]]]:
    """{metric: {number of the experiment: points}}, of metrics that were logged more than once."""
    curves: dict[str, dict[int, list[Point]]] = {}
    for number, one in enumerate(found):
        points: dict[str, list[Point]] = {}
        for place, row in enumerate(backend.get_metrics(one["id"])):
            step = place if row["step"] is None else row["step"]
            for metric, value in row["values"].items():
                if isinstance(value, int | float):
                    points.setdefault(metric, []).append((step, value))
        for metric, line in points.items():
            if len(line) > 1:
                curves.setdefault(metric, {})[number] = thinned(line)
    return dict(sorted(curves.items()))


def thinned(points: Sequence[Point], most: int = POINTS) -> list[Point]:
    """At most `most` points: ends, and the least and greatest of each stretch, in order."""
    if len(points) <= most:
        return list(points)
    stretch = math.ceil((len(points) - 2) / ((most - 2) // 2))
    kept = [points[0]]
    for start in range(1, len(points) - 1, stretch):
        part = points[start : min(start + stretch, len(points) - 1)]
        ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        kept += sorted(ends)
    return [*kept, points[-1]]


def _figures(
    found: Sequence[Mapping[str, Any]], curves: Mapping[str, Mapping[int, Sequence[Point]]]
) -> str:
    if not curves:
        return _section("curves", "Curves", "<p>No metric was logged more than once.</p>")
    figures = [_figure(found, metric, lines) for metric, lines in curves.items()]
    return _section("curves", "Curves", f'<div class="figures">{"".join(figures)}</div>')


def _figure(
    found: Sequence[Mapping[str, Any]], metric: str, lines: Mapping[int, Sequence[Point]]
) -> str:
    """One metric over steps, a line an experiment, as SVG."""
    xs = [x for line in lines.values() for x, _ in line]
    ys = [y for line in lines.values() for _, y in line]
    x_ticks, y_ticks = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))
    left, right = min(xs[0], *xs, x_ticks[0]), max(*xs, x_ticks[-1])
    low, high = min(*ys, y_ticks[0]), max(*ys, y_ticks[-1])

    def across(x: float) -> float:
        return MARGIN + (x - left) / ((right - left) or 1) * (WIDTH - MARGIN - 8)

    def up(y: float) -> float:
        return HEIGHT - 28 - (y - low) / ((high - low) or 1) * (HEIGHT - 40)

    parts = [
        f'<line class="grid" x1="{MARGIN}" x2="{WIDTH - 8}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>'
        f'<text x="{MARGIN - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{y:.4g}</text>'
        for y in y_ticks
    ]
    parts += [
        f'<text x="{across(x):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{x:g}</text>'
        for x in x_ticks
    ]
    for number, line in lines.items():
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        one = found[number]
        title = _escape(f"{one['name'] or one['id']}: {line[-1][1]:.5g} at the end")
        parts.append(
            f'<polyline data-experiment="{_escape(one["id"])}" stroke="{_colour(number)}" '
            f'stroke-dasharray="{DASHES[_style(number)]}" '
            f'points="{path}"><title>{title}</title></polyline>'
        )
    return (
        f'<figure><figcaption>{_escape(metric)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{_escape(metric)} over steps">{"".join(parts)}</svg></figure>'
    )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that span low to high."""
    if low == high:
        return [low]
    rough = (high - low) / (most - 1)
    scale = 10 ** math.floor(math.log10(rough))
    step = next(scale * m for m in (1, 2, 5, 10) if scale * m >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _section(kind: str, title: str, body: str) -> str:
    return f'<section class="{kind}"><h2>{_escape(title)}</h2>{body}</section>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """heads are text, cells are HTML already."""
    head = "".join(f'<th scope="col">{_escape(one)}</th>' for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _swatch(number: int, name: str) -> str:
    border = f"border-left: 1rem {STYLES[_style(number)]} {_colour(number)}"
    return (
        f'<label style="{border}"><input type="checkbox" checked '
        f'data-shows="{_escape(name)}" aria-label="show the curves of {_escape(name)}"></label>'
    )


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _style(number: int) -> int:
    """Beyond the colours, curves differ in their dashes."""
    return number // len(COLOURS) % len(DASHES)


def _number(value: Any) -> str:
    if isinstance(value, Absent) or value is None:
        return "–"
    return f"{value:.5g}" if isinstance(value, float) else _escape(str(value))


def _escape(text: Any) -> str:
    return html.escape(str(text), quote=True)
