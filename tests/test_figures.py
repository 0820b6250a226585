"""Figures: what is plotted is what the statistics say, and the bytes never vary."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from regen.errors import InputError
from regen.figures import grid, reliability, search
from regen.figures.facets import Point, facets, legend, points
from regen.figures.facets import draw as draw_figure
from regen.files import read_json, write_json, write_jsonl
from regen.metrics import Metric
from regen.tables.read import follow

LABELS = {
    name: {"model": "Model", "method": method, "prompt": "baseline", "trivial": False}
    for name, method in (("base", "none"), ("lora", "LoRA"))
}
METRICS = {"accuracy": asdict(Metric("accuracy")), "mse": asdict(Metric("MSE", percent=False))}


def row(level: Any, mean: Any) -> dict[str, Any]:
    return {"metric": "accuracy", "level": level, "mean": mean, "low": 0.1, "high": 0.9}


@pytest.fixture
def statistics(tmp_path: Path) -> Path:
    levels = [5, -5, "clean", 0]
    found = {
        "base": {"snr_db": [row(level, 0.5) for level in levels]},
        "lora": {"snr_db": [row(0, 0.7), row(5, {"absent": "no item"}), row("clean", 0.8)]},
    }
    write_json(tmp_path / "statistics" / "facets.json", found)
    return tmp_path / "statistics"


def draw(statistics: Path, out: Path, **changes: Any) -> Path:
    figure = {
        "name": "f", "metric": "accuracy", "facet": "snr_db", "variants": ["base", "lora"],
        "label": "SNR (dB)", "caption": "C",
    }  # fmt: skip
    out.mkdir()
    facets(
        statistics=statistics,
        variants=LABELS,
        metrics=METRICS,
        figure=figure | changes,
        out=out,
    )
    return out


def test_bytes_are_the_same_in_any_folder(statistics: Path, tmp_path: Path) -> None:
    first, second = draw(statistics, tmp_path / "a"), draw(statistics, tmp_path / "b")
    for ending in ("pdf", "png", "json"):
        assert (first / f"f.{ending}").read_bytes() == (second / f"f.{ending}").read_bytes()


def test_levels_are_in_order_words_last(statistics: Path) -> None:
    found = read_json(statistics / "facets.json")
    line = points(found, "base", "snr_db", "accuracy")
    assert [p.level for p in line] == [-5, 0, 5, "clean"]


def test_what_was_not_computed_is_named_and_breaks_the_line(
    statistics: Path, tmp_path: Path
) -> None:
    line = points(read_json(statistics / "facets.json"), "lora", "snr_db", "accuracy")
    assert [p.level for p in line] == [0, 5, "clean"]
    assert [p.absent for p in line] == ["", "no item", ""]
    plotted = read_json(draw(statistics, tmp_path / "a") / "f.json")["lines"]["lora"]
    assert plotted[1]["mean"] == {"absent": "no item"}


def test_every_plotted_number_stands_at_its_pointer(statistics: Path, tmp_path: Path) -> None:
    found = read_json(statistics / "facets.json")
    lines = read_json(draw(statistics, tmp_path / "a") / "f.json")["lines"]
    assert {name: len(line) for name, line in lines.items()} == {"base": 4, "lora": 3}
    for line in lines.values():
        for point in line:
            source = follow(found, point["pointer"])
            for key in {"level", "mean", "low", "high"} & set(point):
                assert source[key] == point[key]


def artists(count: int, metric: Metric, levels: list[Any]) -> Any:
    """The figure of `count` lines over the levels, the third level of the first one absent."""
    lines = {}
    for k in range(count):
        lines[f"v{k}"] = [Point(level, 0.5 + k / 20, 0.4, 0.9, "/x") for level in levels]
    lines["v0"][2] = Point(levels[2], float("nan"), float("nan"), float("nan"), "/x", "no item")
    labels = {name: f"Tiny Qwen2-Audio, LoRA + MLP, {name}" for name in lines}
    return draw_figure(lines, labels, metric, "SNR (dB)")


def test_the_artists_are_the_numbers() -> None:
    axes = artists(2, Metric("accuracy"), [-10, 0, 10, 20]).axes[0]
    lines = [c.lines[0] for c in axes.containers]
    assert lines[1].get_ydata().tolist() == pytest.approx([55, 55, 55, 55])
    assert [str(y) for y in lines[0].get_ydata()[2:3]] == ["nan"]
    assert lines[0].get_ydata()[1] == pytest.approx(50)
    assert axes.get_ylabel() == "Accuracy (%)"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["$-10$", "$0$", "$10$", "$20$"]
    plain = artists(1, Metric("MSE", percent=False), [1, 2, 3]).axes[0]
    assert plain.get_ylabel() == "MSE"
    assert plain.containers[0].lines[0].get_ydata()[0] == pytest.approx(0.5)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_the_legend_stays_on_the_canvas(count: int) -> None:
    figure = artists(count, Metric("accuracy"), [-10, 0, 10, "clean"])
    FigureCanvasAgg(figure).draw()
    (legend_box,) = [a.get_window_extent() for a in figure.legends]
    width, height = figure.canvas.get_width_height()
    assert legend_box.x0 >= 0 and legend_box.x1 <= width
    assert legend_box.y0 >= 0 and legend_box.y1 <= height
    assert len(figure.legends[0].get_texts()) == count


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"facet": "snr"}, "did you mean 'snr_db'"),
        ({"variants": ["lorra"]}, "did you mean 'lora'"),
        ({"metric": "acuracy"}, "did you mean 'accuracy'"),
    ],
)
def test_an_unknown_name_is_one_line(
    statistics: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        draw(statistics, tmp_path / "a", **change)


def test_the_legend_says_what_differs() -> None:
    assert legend(LABELS) == {"base": "no fine-tuning", "lora": "LoRA"}
    assert legend({"lora": LABELS["lora"]}) == {"lora": "lora"}


POINTS = [
    {"name": f"r{r}-a{a}", "r": r, "alpha": a, "value": 0.7 + r / 100 + a / 1000}
    for r in (8, 16) for a in (16, 32, 64)
]  # fmt: skip


def test_a_grid_shows_every_cell_where_it_belongs(tmp_path: Path) -> None:
    chosen = {"points": POINTS, "winner": POINTS[4], "metric": "accuracy"}
    figure = grid.draw(chosen, Metric("accuracy"))
    axes = figure.axes[0]
    shown = {
        (round(text.get_position()[0]), round(text.get_position()[1])): text.get_text()
        for text in axes.texts
    }
    assert shown[(0, 0)] == "79.6" and shown[(2, 1)] == "92.4"
    assert len(shown) == 6
    (frame,) = axes.patches  # scale 32 is the second column, rank 16 the second row
    assert (frame.get_x(), frame.get_y()) == (0.5, 0.5)
    write_json(tmp_path / "selection.json", chosen)
    wanted = {"name": "g", "caption": "C"}
    grid.grid(selection=tmp_path / "selection.json", metrics=METRICS, figure=wanted, out=tmp_path)
    for cell in read_json(tmp_path / "g.json")["cells"]:
        assert follow(chosen, cell["pointer"]) == pytest.approx(cell["value"])


def test_candidates_that_differ_otherwise_are_no_grid(tmp_path: Path) -> None:
    chosen = {"points": [POINTS[0], POINTS[0]], "winner": POINTS[0], "metric": "accuracy"}
    write_json(tmp_path / "selection.json", chosen)
    with pytest.raises(InputError, match="differ in more than rank and scale"):
        grid.grid(
            selection=tmp_path / "selection.json", metrics=METRICS,
            figure={"name": "g", "caption": "C"}, out=tmp_path,
        )  # fmt: skip


def test_reliability_has_a_panel_a_variant(tmp_path: Path) -> None:
    rows = [
        {"confidence": 0.6, "accuracy": 0.5, "n": 10},
        {"confidence": 0.9, "accuracy": 0.7, "n": 9},
    ]
    after = [{**row, "confidence": row["confidence"] - 0.1} for row in rows]
    content = {"reliability": {"before": rows, "after": after}}
    files = []
    for name in ("base", "lora"):
        files.append(tmp_path / "calibration" / name / "calibration.json")
        write_json(files[-1], content)
    spoken = {name: {**labels, "spoken": name.upper()} for name, labels in LABELS.items()}
    wanted = {"name": "r", "caption": "C"}
    reliability.reliability(calibrations=files, variants=spoken, figure=wanted, out=tmp_path)
    lines = read_json(tmp_path / "r.json")["lines"]
    assert set(lines) == {"base/before", "base/after", "lora/before", "lora/after"}
    for line in lines.values():
        for point in line:
            source = follow(read_json(tmp_path / point["file"]), point["pointer"])
            assert source == {key: point[key] for key in ("confidence", "accuracy", "n")}
    figure = reliability.draw({"base": content["reliability"]}, {"base": "BASE"})
    (axes,) = figure.axes
    diagonal, before, shifted = axes.lines
    assert diagonal.get_ydata().tolist() == diagonal.get_xdata().tolist()
    assert before.get_xdata().tolist() == pytest.approx([60, 90])
    assert shifted.get_xdata().tolist() == pytest.approx([50, 80])
    assert shifted.get_ydata().tolist() == pytest.approx([50, 70])


def test_a_search_is_a_staircase_of_the_best_so_far(tmp_path: Path) -> None:
    scores = {"opro": [0.5, 0.75, 0.25], "chance": [0.5, 0.25]}
    for name, values in scores.items():
        rows = [
            {"number": n, "dev_score": value, "best_dev_score": max(values[:n])}
            for n, value in enumerate(values, 1)
        ]
        write_jsonl(tmp_path / name / "history.jsonl", rows)
        write_json(tmp_path / name / "prompt.json", {"metric": "accuracy"})
    out = tmp_path / "out"
    search.search(
        histories=[tmp_path / name / "history.jsonl" for name in scores],
        found=[tmp_path / name / "prompt.json" for name in scores],
        spoken={"opro": "Base with OPRO", "chance": "Base with chance"}, metrics=METRICS,
        figure={"name": "s", "caption": "C"}, out=out,
    )  # fmt: skip
    assert (out / "s.pdf").stat().st_size > 1000 and (out / "s.png").exists()
    plotted = read_json(out / "s.json")["lines"]
    assert [row["best_dev_score"] for row in plotted["opro"]] == [0.5, 0.75, 0.75]
    rows = {"A": plotted["opro"], "B": plotted["chance"]}
    axes = search.draw(rows, Metric("accuracy")).axes[0]
    stairs = {line.get_label(): line for line in axes.lines if line.get_drawstyle() == "steps-post"}
    assert list(stairs["A"].get_ydata()) == [50.0, 75.0, 75.0]
    assert list(stairs["B"].get_xdata()) == [1, 2]
