"""Figures: what is plotted is what the statistics say, and the bytes never vary."""

from pathlib import Path
from typing import Any

import pytest

from regen.errors import InputError
from regen.figures import figures, legend, points
from regen.files import read_json, write_json
from regen.tables.read import follow

LABELS = {
    name: {"model": "Model", "method": method, "prompt": "baseline", "trivial": False}
    for name, method in (("base", "none"), ("lora", "LoRA"))
}


def row(level: Any, mean: Any) -> dict[str, Any]:
    return {"metric": "accuracy", "level": level, "mean": mean, "low": 0.1, "high": 0.9}


@pytest.fixture
def statistics(tmp_path: Path) -> Path:
    levels = [5, -5, "clean", 0]
    facets = {
        "base": {"snr_db": [row(level, 0.5) for level in levels]},
        "lora": {"snr_db": [row(0, 0.7), row(5, {"absent": "no item"}), row("clean", 0.8)]},
    }
    write_json(tmp_path / "statistics" / "facets.json", facets)
    return tmp_path / "statistics"


def draw(statistics: Path, out: Path, **changes: Any) -> Path:
    figure = {
        "name": "f", "metric": "accuracy", "facet": "snr_db", "variants": ["base", "lora"],
        "label": "SNR (dB)", "caption": "C",
    }  # fmt: skip
    out.mkdir()
    figures(statistics=statistics, variants=LABELS, figures=[figure | changes], out=out)
    return out


def test_bytes_are_the_same_in_any_folder(statistics: Path, tmp_path: Path) -> None:
    first, second = draw(statistics, tmp_path / "a"), draw(statistics, tmp_path / "b")
    for ending in ("pdf", "png", "json"):
        assert (first / f"f.{ending}").read_bytes() == (second / f"f.{ending}").read_bytes()


def test_levels_are_in_order_words_last(statistics: Path) -> None:
    facets = read_json(statistics / "facets.json")
    line = points(facets, "base", "snr_db", "accuracy")
    assert [p.level for p in line] == [-5, 0, 5, "clean"]


def test_what_was_not_computed_is_left_out(statistics: Path) -> None:
    line = points(read_json(statistics / "facets.json"), "lora", "snr_db", "accuracy")
    assert [p.level for p in line] == [0, "clean"]


def test_every_plotted_number_stands_at_its_pointer(statistics: Path, tmp_path: Path) -> None:
    facets = read_json(statistics / "facets.json")
    lines = read_json(draw(statistics, tmp_path / "a") / "f.json")["lines"]
    assert {name: len(line) for name, line in lines.items()} == {"base": 4, "lora": 2}
    for line in lines.values():
        for point in line:
            source = follow(facets, point["pointer"])
            assert {k: source[k] for k in ("level", "mean", "low", "high")} == {
                k: point[k] for k in ("level", "mean", "low", "high")
            }


@pytest.mark.parametrize(
    ("change", "words"),
    [({"facet": "snr"}, "did you mean 'snr_db'"), ({"variants": ["lorra"]}, "did you mean 'lora'")],
)
def test_an_unknown_name_is_one_line(
    statistics: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        draw(statistics, tmp_path / "a", **change)


def test_the_legend_says_what_differs() -> None:
    assert legend(LABELS) == {"base": "no fine-tuning", "lora": "LoRA"}
    assert legend({"lora": LABELS["lora"]}) == {"lora": "lora"}
