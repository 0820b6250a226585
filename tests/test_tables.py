"""The table object and the study's tables, from statistics made up for the purpose."""

import csv
import io
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pdf import text_of

from regen.files import Absent, read_json, write_json
from regen.metrics import Metric
from regen.tables.read import cell, follow
from regen.tables.study import tables
from regen.tables.table import Cell, Column, Row, Source, Table, escape

SOURCE = Source("statistics", "variants.json", "/x")
NO_SEEDS = {"absent": "a frozen model has no seeds"}


def summary(mean: float, sd: Any, seeds: dict[str, float]) -> dict[str, Any]:
    interval = {"low": mean - 0.05, "high": mean + 0.05, "name": "Wilson"}
    return {"mean": mean, "sd": sd, "seeds_and_items": interval, "seeds": seeds}


def comparison(a: str, b: str, p_holm: Any) -> dict[str, Any]:
    g = {"value": 0.25, "low": 0.01, "high": 0.4}
    pair = {"seed_a": 1, "seed_b": "base", "both_right": 50, "a_only": 15, "b_only": 5}
    return {
        "family": "main", "metric": "accuracy", "a": a, "b": b, "estimate": 0.1, "low": 0.02,
        "high": 0.18, "p": 0.004, "p_holm": p_holm, "df": 12.3, "smallest_detectable": 0.07,
        "n_items": 100, "n_groups": 40,
        "per_seed": [{**pair, "both_wrong": 30, "exact_p": 0.041, "mid_p": 0.03, "cohens_g": g}],
    }  # fmt: skip


NOTHING_ELSE: dict[str, Any] = {
    "study": "toy", "selections": [], "calibrations": [], "thresholds": [], "searches": [],
    "agreements": [], "checkpoints": [], "agreement": [],
    "called": {"searches": {}, "trainings": {}, "axes": {}},
}  # fmt: skip
"""What a study without choices, calibration and trainings gives its tables."""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The tables of a study with nasty labels, one seed missing its SD, one p not computed."""
    folder = tmp_path / "statistics"
    write_json(folder / "variants.json", {
        "majority": {"accuracy": summary(0.5, NO_SEEDS, {"base": 0.5})},
        "base": {"accuracy": summary(0.651, NO_SEEDS, {"base": 0.651})},
        "one": {"accuracy": summary(0.8, 0.0125, {"1": 0.79, "2": 0.81})},
        "two": {"accuracy": summary(0.7, 0.02, {"1": 0.7, "2": 0.7})},
    })  # fmt: skip
    write_json(folder / "common.json", {})
    write_json(folder / "failures.json", {})
    write_json(folder / "comparisons.json", [
        comparison("one", "base", 0.0004), comparison("two", "base", {"absent": "two seeds"}),
        comparison("one", "two", 0.012),
    ])  # fmt: skip
    labels = {"model": "M&M_1 {x} 5% $~^\\", "method": "LoRA", "prompt": "#1 <a|b>"}
    variants = {
        name: {**labels, "spoken": f"the {name}", "trivial": name == "majority"}
        for name in ("majority", "base", "one", "two")
    }
    out = tmp_path / "tables"
    families = [{"metric": "accuracy"}]
    tables(
        statistics=folder,
        variants=variants,
        metrics={"accuracy": asdict(Metric("accuracy"))},
        comparisons=families,
        reference="base",
        out=out,
        **NOTHING_ELSE,
    )
    return out


def texts(folder: Path, table: str, column: str) -> dict[str, str]:
    content = read_json(folder / f"{table}.json")
    place = [c["name"] for c in content["columns"]].index(column)
    return {row["name"]: row["cells"][place]["text"] for row in content["rows"]}


def test_the_main_table_says_what_the_statistics_say(made: Path) -> None:
    assert texts(made, "comparison", "accuracy") == {
        "majority": "50.0", "base": "65.1", "one": "80.0 ± 1.2", "two": "70.0 ± 2.0",
    }  # fmt: skip
    assert texts(made, "comparison", "difference") == {
        "majority": "–", "base": "–", "one": "+10.0", "two": "+10.0",
    }  # fmt: skip
    assert texts(made, "comparison", "p")["one"] == "<0.001**"
    assert texts(made, "comparison", "p")["two"] == "n/a (two seeds)"
    assert texts(made, "comparison", "seeds") == {
        "majority": "–", "base": "–", "one": "2", "two": "2",
    }  # fmt: skip
    assert texts(made, "tests", "p_holm")["main/one-vs-two"] == "0.012*"


def test_only_the_best_is_bold(made: Path) -> None:
    rows = read_json(made / "comparison.json")["rows"]
    bold = {row["name"] for row in rows for c in row["cells"] if c["bold"]}
    assert bold == {"one"}


def study(folder: Path, metric: Metric, means: dict[str, float]) -> Path:
    """The tables of a study whose variants have these means, each of three seeds."""
    seeds = {"1": 0.0, "2": 0.0, "3": 0.0}
    summaries = {name: {"m": summary(mean, 0.25, seeds)} for name, mean in means.items()}
    write_json(folder / "statistics" / "variants.json", summaries)
    row = comparison("b", "a", 0.2) | {"metric": "m", "family": "f"}
    write_json(folder / "statistics" / "comparisons.json", [row])
    write_json(folder / "statistics" / "common.json", {})
    write_json(folder / "statistics" / "failures.json", {})
    labels = {"model": "M", "method": "L", "prompt": "P", "trivial": False}
    out = folder / "tables"
    tables(
        statistics=folder / "statistics",
        variants={name: {**labels, "spoken": name.upper()} for name in means},
        metrics={"m": asdict(metric)},
        comparisons=[{"metric": "m"}],
        reference="a",
        out=out,
        **NOTHING_ELSE,
    )
    return out


def bold(made: Path) -> set[str]:
    rows = read_json(made / "comparison.json")["rows"]
    return {row["name"] for row in rows for c in row["cells"] if c["bold"]}


def test_where_smaller_is_better_the_smallest_is_bold(tmp_path: Path) -> None:
    error = Metric("MSE", percent=False, larger_is_better=False, digits=2)
    made = study(tmp_path, error, {"a": 8.56, "b": 1.995, "c": 2.5})
    assert bold(made) == {"b"}
    assert texts(made, "comparison", "m")["a"] == "8.56 ± 0.25"
    assert texts(made, "comparison", "difference")["b"] == "+0.10"
    titles = [column["title"] for column in read_json(made / "comparison.json")["columns"]]
    assert "MSE" in titles
    assert "points" not in (made / "comparison.md").read_text()
    assert texts(made, "tests", "comparison") == {"f/b-vs-a": "B vs A"}


def test_all_that_tie_for_the_best_are_bold(tmp_path: Path) -> None:
    assert bold(study(tmp_path, Metric("hits"), {"a": 0.5, "b": 0.75, "c": 0.75})) == {"b", "c"}


@pytest.mark.parametrize("table", ["comparison", "tests", "per-seed"])
def test_every_value_stands_at_its_source(made: Path, table: str) -> None:
    checked = 0
    for row in read_json(made / f"{table}.json")["rows"]:
        for one in row["cells"]:
            for value, source in zip(one["values"], one["sources"], strict=True):
                document = read_json(made.parent / source["input"] / source["file"])
                assert follow(document, source["pointer"]) == value
                checked += 1
    assert checked > 10


def test_csv_has_full_precision(made: Path) -> None:
    rows = {r["row"]: r for r in csv.DictReader(io.StringIO((made / "comparison.csv").read_text()))}
    assert float(rows["base"]["accuracy.0"]) == 0.651
    assert rows["base"]["accuracy.1"] == "n/a (a frozen model has no seeds)"
    assert float(rows["one"]["accuracy.1"]) == 0.0125


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
def test_latex_sets_every_label(made: Path, tmp_path: Path) -> None:
    body = "".join((made / f"{t}.tex").read_text() for t in ("comparison", "tests", "per-seed"))
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{array,booktabs,graphicx}\\usepackage[T1]{fontenc}"
        "\\usepackage[utf8]{inputenc}\\begin{document}\n" + body + "\\end{document}"
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1500:]
    assert "M&M_1 {x} 5% $~^\\" in text_of(tmp_path / "t.pdf")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
def test_latex_sets_whatever_a_model_says(tmp_path: Path) -> None:
    """As the paper is set: every character of the first blocks, and some of later ones."""
    known = [chr(code) for code in range(0x2500) if not 0xD800 <= code < 0xE000]
    said = "你😀\u2028\ud83d" + "".join(known)
    head = (Path(__file__).parents[1] / "paper/main.tex").read_text().split("% Numbers")[0]
    lines = [escape(said[start : start + 40]) for start in range(0, len(said), 40)]
    (tmp_path / "t.tex").write_text(
        head + "\\begin{document}\\raggedright\n" + "\n\n".join(lines) + "\n\\end{document}\n"
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]
    assert "[U+4F60][U+1F600]" in text_of(tmp_path / "t.pdf")


def test_markdown_keeps_its_columns(made: Path) -> None:
    lines = [x for x in (made / "comparison.md").read_text().splitlines() if x.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {9}


def test_a_column_can_stand_above_its_rows() -> None:
    columns = (Column("a", "A", numeric=False, above=True), Column("b", "B"))
    rows = [Row(f"{name}{k}", (Cell(name), Cell(str(k))), block) for block, name in
            enumerate("xy") for k in (1, 2)]  # fmt: skip
    made = Table(name="t", study="s", caption="C", columns=columns, rows=tuple(rows))
    body = made.to_latex().partition(r"\midrule")[2].partition(r"\bottomrule")[0].split("\n")
    over = [r"\multicolumn{1}{@{}l}{\textit{x}} \\*", r"\multicolumn{1}{@{}l}{\textit{y}} \\*"]
    one, two = r"1 \\", r"2 \\"
    lines = [line.strip() for line in body if line.strip()]
    assert lines == [over[0], one, two, r"\midrule", over[1], one, two]
    assert "| x | 1 |" in made.to_markdown().splitlines()


def test_lines_of_a_cell_stay_in_the_cell() -> None:
    columns = (Column("a", "A", numeric=False), Column("b", "B", numeric=False, width=0.5))
    rows = (Row("r", (Cell("one\ntwo"), Cell("three\nfour | 5%"))),)
    made = Table(name="t", study="s", caption="C", columns=columns, rows=rows)
    assert "| one<br>two | three<br>four \\| 5% |" in made.to_markdown().splitlines()
    assert r"one two & three\newline four \textbar{} 5\% \\" in made.to_latex()


def test_escape_leaves_plain_words_alone() -> None:
    assert escape("LoRA + MLP, r = 16") == "LoRA + MLP, r = 16"


def table_of(*cells: Cell) -> Table:
    columns = tuple(Column(f"c{i}", "C") for i in range(len(cells)))
    return Table("t", "s", "caption", columns, (Row("r", cells),))


def test_measured_numbers_stand_apart() -> None:
    table_of(Cell("1", (1.0,), (SOURCE,), measured=True), Cell("words"))
    with pytest.raises(ValueError, match="measured"):
        table_of(Cell("1", (1.0,), (SOURCE,), measured=True), Cell("2", (2.0,), (SOURCE,)))


def test_a_ragged_or_doubled_row_is_refused() -> None:
    columns = (Column("a", "A"), Column("b", "B"))
    with pytest.raises(ValueError, match="row r has 1"):
        Table("t", "s", "c", columns, (Row("r", (Cell("1"),)),))
    with pytest.raises(ValueError, match="two rows"):
        Table("t", "s", "c", (), (Row("r", ()), Row("r", ())))


def test_absent_values_print_their_reason_or_end_the_text() -> None:
    absent = Absent("one seed")
    assert cell("{:.1f} ± {:.1f}", (absent, SOURCE), (0.1, SOURCE)).text == "n/a (one seed)"
    # A limit that was cut to what a share can be is a whole number in JSON.
    found = ((n, SOURCE) for n in (0.5, 0, 1, 3))
    whole = cell("{:.1f} [{:.1f}, {:.1f}] ({:d})", *found, scale=100)
    assert whole.text == "50.0 [0.0, 100.0] (3)"
    assert cell("{:.1f} ± {:.1f}", (0.5, SOURCE), (absent, SOURCE)).text == "0.5"
    assert cell("{:.1f} [{:.1f}, {:.1f}]", (0.5, SOURCE), (absent, SOURCE), (1.0, SOURCE)).text == (
        "0.5"
    )
