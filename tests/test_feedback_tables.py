"""The tables of scores with explanations: every number stands where its cell says."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from pdf import text_of

from regen.benchmarks.traits import Traits
from regen.files import Absent, read_json, write_json, write_text
from regen.numbers import numbers_of
from regen.paper import compile_pdf
from regen.tables.feedback import common_table, explanations_table, traits_table, validity_table
from regen.tables.read import Statistics, follow, unwrap
from regen.tables.table import Table

METRICS = dict(Traits.metrics)
SPOKEN = {"base": "Base", "qlora": "QLoRA"}
NONE = {"absent": "not JSON"}


def summary(mean: Any, coverage: float) -> dict[str, Any]:
    ends = {"low": 0.1, "high": 0.4, "name": "Wilson"}
    return {
        "mean": mean, "sd": NONE, "low": NONE, "high": NONE, "coverage": coverage, "n_items": 4,
        "n_groups": 4, "seeds_and_items": ends, "seeds": {"base": mean}, "per_class": NONE,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    values = {"valid": 0.5, "explained": 0.9, "explanation-words": 2.0, "agrees": 0.8}
    found = {
        variant: {
            name: summary(NONE if name.endswith(("witty", "upbeat")) else value, cover)
            for name in METRICS
            for value in [values.get(name, 3.0625)]
        }
        for variant, cover in (("base", 0.25), ("qlora", 1.0))
    }
    write_json(tmp_path / "variants.json", found)
    level = {"level": "high", "metric": "valid", "mean": 0.25, "n_items": 2}
    write_json(tmp_path / "facets.json", {"base": {"side": [level]}, "qlora": {}})
    rows = [
        {"family": family, "metric": metric, "a": "qlora", "b": "base", "verdict": "v",
         "estimate": -1.0, "low": -2.0, "high": -0.5, "p": 0.01, "p_holm": 0.02, "df": 3.0,
         "n_items": 4, "n_groups": 4, "smallest_detectable": 1.0, "test": "t", "reason": "r",
         "limits": [], "seeds_a": 3, "seeds_b": 0, "per_seed": NONE}
        for family, metric in (("main", "bound"), ("traits", "error-fillers"),
                               ("traits", "error-interesting"))
    ]  # fmt: skip
    write_json(tmp_path / "comparisons.json", rows)
    means = {"base": {"mean": 2.5, "sd": NONE}, "qlora": {"mean": 1.25, "sd": 0.5}}
    metrics = {
        name: {"n_items": 1, "coverage": 0.25, "variants": means}
        for name in METRICS
        if name.startswith("error")
    }
    write_json(
        tmp_path / "common.json", {"all": {"variants": ["base", "qlora"], "metrics": metrics}}
    )
    write_json(tmp_path / "failures.json", {
        "base": {"answers": 4, "failed": 3, "valid": 1, "reasons": {"not JSON": 2, "truncated": 1},
                 "most": "not JSON"},
        "qlora": {"answers": 12, "failed": 0, "valid": 12, "reasons": {},
                  "most": {"absent": "nothing failed"}},
    })  # fmt: skip
    return tmp_path


def tables(folder: Path) -> list[Table]:
    read = Statistics(folder)
    return [
        traits_table(folder / "failures.json", read, "t", SPOKEN, METRICS),
        common_table(folder / "common.json", read, "t", SPOKEN, METRICS),
        validity_table(folder / "failures.json", read, "t", SPOKEN),
        explanations_table(read, "t", SPOKEN, METRICS),
    ]


def test_every_value_stands_at_its_source(folder: Path) -> None:
    for table in tables(folder):
        assert len(table.rows) == (4 if table.name == "traits" else 2)
        for row in table.rows:
            for cell in row.cells:
                for value, source in zip(cell.values, cell.sources, strict=True):
                    assert source.input == "statistics"
                    found = follow(read_json(folder / source.file), source.pointer)
                    assert unwrap(found) == value


def test_only_the_traits_that_were_asked_for_have_columns(folder: Path) -> None:
    names = [column.name for column in tables(folder)[0].columns]
    assert {"all", "fillers", "interesting"} <= set(names)
    assert not {"witty", "upbeat"} & set(names)


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="needs LaTeX")
def test_six_traits_fit_the_page(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = read_json(folder / "variants.json")
    for summaries in found.values():
        for name in ("error", "bound"):
            summaries[f"{name}-interesting"]["mean"] = NONE
    write_json(folder / "variants.json", found)
    wide = tables(folder)[:2]
    assert len(wide[0].columns) == len(wide[1].columns) == 4 + 1 + 6
    page = r"""\documentclass[11pt]{article}\usepackage[a4paper,margin=28mm]{geometry}
        \usepackage[T1]{fontenc}\usepackage{lmodern,array,booktabs,graphicx}\begin{document}"""
    set_out = "".join(table.to_latex() for table in wide)
    write_text(folder / "page" / "main.tex", f"{page}\n{set_out}\\end{{document}}")
    compile_pdf(folder / "page")
    assert "wider than the page" not in capfd.readouterr().err
    assert "persua-" in text_of(folder / "page" / "main.pdf")


def test_own_errors_are_of_the_valid_answers_and_the_worst_of_all(folder: Path) -> None:
    table = tables(folder)[0]
    at = [column.name for column in table.columns].index("answers")
    assert {row.name: row.cells[at].text for row in table.rows} == {
        "own/base": "1", "own/qlora": "12", "worst/base": "4", "worst/qlora": "12",
    }  # fmt: skip


def test_reasons_are_counted_and_named_below(folder: Path) -> None:
    table = tables(folder)[2]
    shown = {
        c.name: [cell.text for cell in (row.cells[k] for row in table.rows)]
        for k, c in enumerate(table.columns)
    }
    assert shown["not-json"] == ["2", "–"] and shown["truncated"] == ["1", "–"]
    assert "A: not JSON; B: truncated" in table.notes[0]


def test_the_text_knows_them_and_a_family_of_several_metrics_by_metric(folder: Path) -> None:
    found = {number.key: number for number in numbers_of("t", folder, SPOKEN, METRICS)}
    assert found["t/common/all/error/qlora/mean"].text == "1.25"
    assert found["t/common/all/error/n_items"].text == "1"
    assert found["t/base/failures/most"].text == "not JSON"
    level = found["t/base/valid/side/high/mean"]
    assert (level.text, level.sources[0].pointer) == ("25.0", "/base/side/0/mean")
    assert found["t/qlora/error/coverage"].text == "100.0"
    assert isinstance(found["t/qlora/failures/most"].value, Absent)
    assert "t/main/qlora-vs-base/verdict" in found
    assert "lower than Base in squared error of fillers (" in found[
        "t/traits/qlora-vs-base/error-fillers/verdict"
    ].text  # fmt: skip
    parts = [found[f"t/traits/qlora-vs-base/error-{t}/verdict"] for t in ("fillers", "interesting")]
    family = found["t/family/traits/verdict"]
    assert family.text == f"{parts[0].text} {parts[1].text}"
    assert family.sources == parts[0].sources + parts[1].sources and len(family.sources) == 2
    assert found["t/family/main/verdict"].text == found["t/main/qlora-vs-base/verdict"].text
    assert len(found) == len(list(numbers_of("t", folder, SPOKEN, METRICS)))


def test_a_study_without_scores_has_no_rows(tmp_path: Path) -> None:
    write_json(tmp_path / "variants.json", {"lora": {"accuracy": summary(0.5, 1.0)}})
    write_json(tmp_path / "comparisons.json", [])
    for name in ("common", "facets", "failures"):
        write_json(tmp_path / f"{name}.json", {})
    assert [len(table.rows) for table in tables(tmp_path)] == [0, 0, 0, 0]
