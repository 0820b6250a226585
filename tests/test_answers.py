"""Free text read closer: counts by hand, cases by their rule, and any text in a table of LaTeX."""

import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from regen.answers import answers, openings
from regen.benchmarks.qa import Qa
from regen.errors import InputError
from regen.files import Absent, read_json, write_jsonl
from regen.metrics import Metric
from regen.numbers_of_answers import numbers_of_answers, won_text
from regen.paper import sticking_out
from regen.records import Prediction
from regen.statistics.stage import statistics
from regen.tables.cases import cases_table, printable
from regen.tables.read import follow
from regen.tables.study import tables
from regen.tables.table import Cell, Column, Row, Table
from regen.texts import ABSTENTION

WORDS = ["tea", "sleep", "north", "villages", "morning", "nurse", "spring", "evening"]
HOSTILE = (
    "50 % & $x_1$ #2 {a} \\alpha ~^ <b> |c| é α β ≥ µ 汉字 🙂 \x00\x1b[0m\n\ttab ﬁ ʻ ⟦1:2⟧ ο ς"
)


def item_row(number: int) -> dict[str, Any]:
    """Eight items; the last two have no answer. The expected one has four keywords."""
    answer = f"{WORDS[number]} alpha beta gamma." if number < 6 else ABSTENTION
    return {
        "item": f"i{number}",
        "group": f"g{number}",
        "kind": "aim" if number % 2 else "detail",
        "question": f"What of {number}?",
        "context": f"First {WORDS[number]} words. {answer} Nothing else.",
        "answer": answer,
    }


SAID = {
    ("a", 1): ["tea alpha beta gamma", "sleep", "x", "villages alpha beta", "", "nurse alpha beta",
               ABSTENTION, "the tea was hot"],
    ("a", 2): ["tea alpha beta gamma", "sleep", "x", "villages alpha beta", "morning", "nurse",
               ABSTENTION, "the tea was cold"],
    ("b", None): ["tea", "sleep", "north alpha beta", "villages alpha beta", "morning", "x",
                  "the tea was hot", ABSTENTION],
}  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Any]:
    """The stage's arguments, on scores made by the benchmark itself."""
    data = tmp_path / "data"
    data.mkdir()
    text = "".join(json.dumps(item_row(n)) + "\n" for n in range(8))
    (data / "test.jsonl").write_text(text)
    task = Qa()
    items = task.load_dataset(data, "test")
    scores = []
    for (variant, seed), said in SAID.items():
        rows = []
        for item, answer in zip(items, said, strict=True):
            record = Prediction(
                item.item, item.group, variant, "p", item.target, seed=seed, prediction=answer
            )
            kept = task.to_record(item, record)
            row = {"item": item.item, "group": item.group, "variant": variant, "seed": seed}
            row |= {"target": kept.target, "prediction": kept.prediction, "facets": item.facets}
            none = dict.fromkeys(("similarity", "on_topic"), Absent("no encoder"))
            rows.append(row | {"metrics": task.score(item, [record]) | none})
        path = tmp_path / f"{variant}-{seed}.jsonl"
        write_jsonl(path, [{k: v for k, v in row.items() if v is not None} for row in rows])
        scores.append(path)
    return {
        "scores": scores,
        "data": data,
        "study": "qa",
        "benchmark": "qa",
        "split": "test",
        "limit": 8,
        "variants": {"a": "Tuned", "b": "Base"},
        "pairs": [("a", "b")],
        "tolerances": {"overlap": 0.1, "token_f1": 0.1},
        "ranking": ["overlap", "token_f1", "unsupported"],
        "cases": 2,
        "out": tmp_path / "out",
    }


def test_wins_ties_and_losses_are_those_of_the_means_over_seeds(made: dict[str, Any]) -> None:
    answers(**made)
    row = read_json(made["out"] / "answers.json")["wins"][0]
    # Overlap of a minus b, of four keywords (three of the abstention), by hand:
    a = [1, 0.25, 0, 0.75, (0 + 0.25) / 2, (0.75 + 0.25) / 2, 1, 0]
    b = [0.25, 0.25, 0.75, 0.75, 0.25, 0, 0, 1]
    d = np.subtract(a, b)
    assert (row["wins"], row["ties"], row["losses"]) == (
        (d > 0.1).sum(), (abs(d) <= 0.1).sum(), (d < -0.1).sum()
    ) == (3, 2, 3)  # fmt: skip
    assert row["p"] == 1
    assert row["share"] == 0.5
    assert 0 < row["low"] < 0.5 < row["high"] < 1


def test_the_rule_picks_the_largest_the_smallest_and_the_most_negative(
    made: dict[str, Any],
) -> None:
    answers(**made)
    picked = read_json(made["out"] / "answers.json")["cases"]
    assert [(case["head"], case["item"]) for case in picked] == [
        ("win", "i6"), ("win", "i0"), ("tie", "i3"), ("tie", "i1"), ("loss", "i7"), ("loss", "i2"),
    ]  # fmt: skip
    table = (made["out"] / "cases.csv").read_text()
    assert "tea alpha beta gamma" in table
    found = read_json(made["out"] / "cases.json")["rows"][0]["cells"]
    assert found[-1]["sources"] == [
        {"input": "answers", "file": "answers.json", "pointer": "/cases/0/score_b"}
    ]


def test_abstentions_are_counted_at_the_number_of_items(made: dict[str, Any]) -> None:
    answers(**made)
    found = read_json(made["out"] / "answers.json")["abstention"]
    a = found["a"]
    assert (a["precision"]["value"], a["precision"]["n_items"], a["precision"]["n_answers"]) == (
        1, 1, 2,
    )  # fmt: skip
    assert (a["recall"]["value"], a["recall"]["n_items"], a["recall"]["n_answers"]) == (0.5, 2, 4)
    assert a["precision"]["low"] == pytest.approx(1 / (1 + 1.959964**2), abs=1e-4)  # Wilson, 1 of 1
    assert found["b"]["recall"]["value"] == 0.5


def test_openings_are_alike_as_often_as_two_drawn_answers_are() -> None:
    run = {"1": "We show a new tea", "2": "we show a cup", "3": "We show that", "4": ABSTENTION}
    found = openings([run, {"1": "So it is", "2": "We show a tea"}])
    assert found["concentration"] == pytest.approx((2 * 1 / (3 * 2) + 0) / 2)
    assert found["share"] == pytest.approx((2 / 3 + 0) / 2)  # no two of the second run are alike
    assert (found["most"], found["n_answers"]) == ("we show a", 5)
    assert "no abstentions" in openings([{"1": ABSTENTION}])["share"].reason


def test_metrics_are_ranked_against_each_other(made: dict[str, Any]) -> None:
    answers(**made)
    rows = {tuple(r["metrics"]): r for r in read_json(made["out"] / "answers.json")["ranking"]}
    row = rows["overlap", "token_f1"]
    assert row["n_items"] == 8
    assert row["variants"] == {"absent": "fewer than three have both metrics"}
    task, differences = Qa(), []
    items = task.load_dataset(made["data"], "test")
    for metric in ("overlap", "token_f1"):
        values = []
        for n, item in enumerate(items):
            scored = []
            for said in SAID.values():
                one = Prediction(item.item, item.group, "v", "p", item.target, prediction=said[n])
                scored.append(task.score(item, [one])[metric])
            values.append((scored[0] + scored[1]) / 2 - scored[2])
        differences.append(values)
    assert row["items"] == pytest.approx(spearmanr(*differences).statistic)
    assert rows["overlap", "unsupported"]["items"] == {
        "absent": "fewer than three have both metrics"
    }


TABLES = ("kinds", "wins", "ranking", "abstention", "measures", "behaviour")


@pytest.fixture
def printed(made: dict[str, Any], tmp_path: Path) -> Path:
    """The study's tables beside its statistics and answers."""
    stats, out = tmp_path / "statistics", tmp_path / "answers"
    names = {"variants": dict.fromkeys("ab"), "facets": ["kind", "answerable"]}
    statistics(scores=made["scores"], ranges={}, comparisons=[], common={}, **names, out=stats)
    answers(**made | {"out": out})
    labels = {"model": "M & 1", "method": "QLoRA", "prompt": "none", "trivial": False}
    tables(
        statistics=stats, selections=[], agreements=[], checkpoints=[], calibrations=[],
        thresholds=[], searches=[], study="qa", comparisons=[], reference="b", agreement=[],
        variants={name: labels | {"spoken": name.upper()} for name in "ab"},
        called={"searches": {}, "trainings": {}, "axes": {}},
        metrics={name: asdict(metric) for name, metric in Qa.metrics.items()},
        answers=[out / "answers.json"], broken_down="kind", out=tmp_path / "tables",
    )  # fmt: skip
    return tmp_path


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_stands_at_its_source(printed: Path, name: str) -> None:
    found = 0
    for row in read_json(printed / "tables" / f"{name}.json")["rows"]:
        for cell in row["cells"]:
            for value, source in zip(cell["values"], cell["sources"], strict=True):
                document = read_json(printed / source["input"] / source["file"])
                assert follow(document, source["pointer"]) == value
                found += 1
    assert found > 3


def test_tables_say_what_was_counted(made: dict[str, Any], printed: Path) -> None:
    def row(table: str, name: str) -> list[str]:
        rows = read_json(printed / "tables" / f"{table}.json")["rows"]
        return [c["text"] for one in rows if one["name"] == name for c in one["cells"]]

    assert row("wins", "a-vs-b/overlap")[:6] == [
        "A vs B", "keyword overlap, 0.10", "3", "2", "3", "1.000",
    ]  # fmt: skip
    assert row("abstention", "a")[1].startswith("100.0 [")
    assert row("abstention", "a")[3:] == ["50.0 [9.5, 90.5]", "4"]
    means = read_json(printed / "statistics" / "variants.json")
    measured = [column["name"] for column in read_json(printed / "tables/measures.json")["columns"]]
    assert set(measured) == {"variant", *made["ranking"]}
    shown = dict(zip(measured, row("measures", "b"), strict=True))
    assert shown["overlap"] == f"{100 * means['b']['overlap']['mean']:.1f}"
    assert len(row("kinds", "b")) == 3
    # Overlaps of b's four items of kind aim (i1, i3, i5, i7): 0.25, 0.75, 0, 1.
    assert row("kinds", "b")[1].startswith("50.0 [")


def test_the_text_has_the_counts_and_a_sentence_from_the_test(printed: Path) -> None:
    spoken = {"a": "Tuned", "b": "Base"}
    found = numbers_of_answers("qa", printed / "answers/answers.json", spoken, dict(Qa.metrics))
    texts = {number.key: number.text for number in found}
    assert texts["qa/wins/a-vs-b/overlap/wins"] == "3"
    assert texts["qa/wins/a-vs-b/overlap/verdict"] == (
        "Item by item, keyword overlap is no evidence that Tuned or Base is the better one "
        "(exact sign test, p = 1.000)."
    )
    assert texts["qa/abstention/a/recall/value"] == "50.0"


def test_a_sentence_says_which_way_is_better() -> None:
    longer = Metric("length ratio", larger_is_better=False)
    assert won_text("A", "B", longer, 0.001, 9, 0).startswith("Item by item, A is worse than B on")
    assert "A is better than B" in won_text("A", "B", longer, 0.001, 0, 9)
    assert "A is better than B" in won_text("A", "B", Metric("overlap"), 0.001, 9, 0)
    assert "cannot be compared" in won_text("A", "B", Metric("m"), Absent("none"), 0, 0)


def test_what_has_no_scores_is_named(made: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="'c' has no scores"):
        answers(**made | {"pairs": [("a", "c")]})
    with pytest.raises(InputError, match="no scores of 'blue'"):
        answers(**made | {"tolerances": {"blue": 0.1}})


def test_any_text_is_one_line_that_latex_sets() -> None:
    assert printable("a\n b\x00c") == "a b?c"
    assert printable("naïve ﬁt α 汉") == "naïve fit α ?"
    assert printable(" \n") == "–"
    # A word that is longer than its column may be broken, and is the same word.
    assert all(len(part) <= 15 for part in printable("x" * 100).split("\u00ad"))
    assert printable("x" * 100).replace("\u00ad", "") == "x" * 100
    assert len(printable("word " * 500)) < 330


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_a_table_of_hostile_texts_compiles(made: dict[str, Any], tmp_path: Path) -> None:
    item = Qa().read(item_row(0) | {"answer": HOSTILE, "question": HOSTILE}, tmp_path)
    case = {"head": "win", "item": "i_0", "a": "a", "b": "b", "score_a": 1.0, "score_b": 0.5}
    every = "".join(chr(n) for n in range(1, 0x2500) if not 0xD800 <= n < 0xE000)
    said = [every[start : start + 250] for start in range(0, len(every), 250)]
    shown = [(case | {"item": f"i_{n}"}, item, (HOSTILE, text)) for n, text in enumerate(said[:8])]
    table = cases_table(shown, "qa", {"a": "A & B_1 100%", "b": "B #2"}, "overlap_x")
    rest = "\n\n".join(escape_all(text) for text in said)
    typeset(table.to_latex() + rest, tmp_path)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_long_words_and_wide_tables_stay_on_the_page(tmp_path: Path) -> None:
    item = Qa().read(item_row(0) | {"question": "Is " + "x" * 70 + " " + "7" * 40}, tmp_path)
    case = {"head": "win", "item": "i_0", "a": "a", "b": "b", "score_a": 1.0, "score_b": 0.5}
    said = (
        "pneumonoultramicroscopicsilicovolcanoconiosis",
        "???Oc??<Z|???[?????l????l??}??T???[<???U?[??",
    )
    table = cases_table([(case, item, said)], "qa", {"a": "A", "b": "B"}, "overlap")
    assert sticking_out(typeset(table.to_latex(), tmp_path)) == []
    for letters, fits in ((7, True), (8, True), (10, False)):
        wide = Table(
            name="wide", study="qa", caption="Wide.",
            columns=tuple(Column(f"c{n}", "n" * letters) for n in range(8)),
            rows=(Row("one", tuple(Cell("1") for _ in range(8))),), notes=(),
        )  # fmt: skip
        log = typeset(wide.to_latex(), tmp_path)
        assert ("Overfull" not in log) == fits, letters


def typeset(text: str, folder: Path) -> str:
    """LaTeX's log of a document with the text."""
    (folder / "t.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage[utf8]{inputenc}"
        "\\usepackage{lmodern,amsmath,amssymb,array,booktabs,graphicx}\\begin{document}"
        + text + "\\end{document}"
    )  # fmt: skip
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]
    return (folder / "t.log").read_text(errors="replace")


def escape_all(text: str) -> str:
    from regen.tables.table import escape

    return escape(printable(text))
