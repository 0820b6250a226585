"""The figures and tables of sets of answers: what is plotted, what is filled, what adds up."""

from pathlib import Path

import pytest

from regen.errors import InputError
from regen.figures.pareto import front, pareto
from regen.figures.passing import passing
from regen.files import read_json, write_json
from regen.metrics import Metric
from regen.tables.spending import spending_table

LABELS = {name: {"spoken": name} for name in ("base", "sft", "ours", "none")}


def summary(mean: float | None) -> dict[str, object]:
    if mean is None:
        return {"mean": {"absent": "one text"}, "seeds_and_items": {}}
    both = {"low": mean - 0.1, "high": mean + 0.1}
    if mean == 0.5:
        both = {key: {"absent": "no spread"} for key in both}
    return {"mean": mean, "seeds_and_items": both}


@pytest.fixture
def statistics(tmp_path: Path) -> Path:
    values = {"base": (0.2, 0.9), "sft": (0.5, 0.8), "ours": (0.6, 0.5), "none": (0.4, None)}
    write_json(
        tmp_path / "variants.json",
        {name: {"x": summary(x), "y": summary(y)} for name, (x, y) in values.items()},
    )
    return tmp_path


def test_the_front_is_what_no_other_beats() -> None:
    axes = {"other": Metric("x"), "metric": Metric("y", larger_is_better=False)}
    values = {"a": (1, 1), "b": (2, 1), "c": (3, 2), "d": (0, 0), "e": (2, 1)}
    points = {
        name: {"other": {"mean": x}, "metric": {"mean": y}} for name, (x, y) in values.items()
    }
    assert front(points, axes) == ["b", "c", "d", "e"]  # of two that are alike neither is beaten


def test_a_pareto_figure_leaves_out_what_has_no_value(statistics: Path, tmp_path: Path) -> None:
    figure = {"name": "p", "variants": list(LABELS), "metric": "y", "other": "x", "caption": "c"}
    described = {"x": vars(Metric("x")), "y": vars(Metric("y"))}
    for folder in ("one", "two"):
        pareto(
            statistics=statistics,
            variants=LABELS,
            metrics=described,
            figure=figure,
            out=tmp_path / folder,
        )
    drawn = read_json(tmp_path / "one" / "p.json")
    assert list(drawn["points"]) == ["base", "ours", "sft"]
    assert drawn["points"]["sft"]["other"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert drawn["front"] == ["base", "sft", "ours"]
    for ending in ("pdf", "png", "json"):
        one, two = ((tmp_path / folder / f"p.{ending}").read_bytes() for folder in ("one", "two"))
        assert one == two
    with pytest.raises(InputError, match="no variant 'sfd'"):
        pareto(
            statistics=statistics,
            variants=LABELS,
            metrics=described,
            figure=figure | {"variants": ["sfd"]},
            out=tmp_path,
        )


def test_a_passing_figure_has_a_line_a_curve(tmp_path: Path) -> None:
    rows = [{"k": k, "mean": k / 10, "low": k / 20, "high": k / 5} for k in (1, 2, 3)]
    lost = [{"k": 1, "mean": 0.5, "low": {"absent": "all alike"}, "high": {"absent": "all alike"}}]
    write_json(tmp_path / "sets.json", {"passing": {"base": rows, "sft": lost, "ours": []}})
    figure = {"name": "p", "variants": ["base", "sft", "ours"], "caption": "c"}
    passing(sets=[tmp_path / "sets.json"], variants=LABELS, figure=figure, out=tmp_path)
    drawn = read_json(tmp_path / "p.json")["lines"]
    assert [row["mean"] for row in drawn["base"]] == [0.1, 0.2, 0.3] and drawn["ours"] == []
    assert drawn["base"][2]["pointer"] == "/passing/base/2"


def test_what_is_spent_adds_up(tmp_path: Path) -> None:
    """Two seeds of a training and its answers, at 36 an hour, with one more seed to come."""
    folders = [tmp_path / "checkpoints" / "sft" / f"seed-{n}" for n in (1, 2)]
    for folder in folders:
        write_json(folder / "timing.json", {"seconds": 100, "steps": 7})
    answered = {"sft": ["seed-1", "seed-2"], "base": ["base"]}
    for variant, runs in answered.items():
        for run in runs:
            file = tmp_path / "predictions" / variant / run / "test" / "timing.json"
            write_json(file, {"seconds": 40, "seconds_loading": 10, "seconds_per_item": 9})
    spending = {
        "per_hour": 36.0,
        "currency": "EUR",
        "further_seeds": 1,
        "runs": {
            "base": {"training": "", "runs": ["base"]},
            "sft": {"training": "sft", "runs": ["seed-1", "seed-2"]},
        },
    }
    table = spending_table({"sft": folders}, "s", {"base": "base", "sft": "SFT"}, spending)
    printed = {row.name: [cell.text for cell in row.cells[1:]] for row in table.rows}
    assert printed == {
        "base": ["0.014", "0.50", "0.00", "0.50"],
        "sft": ["0.083", "3.00", "1.50", "4.50"],
        "all": ["0.097", "3.50", "1.50", "5.00"],
    }
    assert table.measured and table.columns[2].head == "EUR"
    sources = {(s.input, s.pointer) for row in table.rows for c in row.cells for s in c.sources}
    assert ("checkpoints/sft/seed-1", "/seconds") in sources
    assert ("predictions/base/base/test", "/seconds_loading") in sources
    assert spending_table({}, "s", {}, None).rows == ()
