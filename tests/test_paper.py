"""The paper: its numbers are the results', the same bytes everywhere, and mistakes are one line."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pdf import text_of

from regen.errors import InputError
from regen.files import read_json, write_json, write_text
from regen.metrics import Metric
from regen.paper import paper
from regen.prose import check_prose, typed_numbers
from regen.tables.read import follow

MAIN = r"""\pdfsuppressptexinfo=-1 \pdftrailerid{} \pdfinfoomitdate=1
\documentclass{article}\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}
\newcommand{\regendefine}[2]{\expandafter\def\csname regen@#1\endcsname{#2}}
\newcommand{\result}[1]{\ifcsname regen@#1\endcsname\csname regen@#1\endcsname
  \else\PackageError{regen}{no result #1}{}\fi}
\newcommand{\verdict}[1]{\result{#1/verdict}}
\newcommand{\literal}[1]{#1}
\newcommand{\model}[1]{\result{model/#1}}\newcommand{\data}[1]{\result{data/#1}}
\newcommand{\where}[3]{\ifcsname regen@where/#1\endcsname#2\else#3\fi}
\input{numbers}\input{settings}
\begin{document}\papertitle. \paperstamp
\input{abstracts}\input{studies}\input{appendix}\end{document}
"""
SECTION = r"""Mean \result{toy/lora/accuracy/mean}, \verdict{toy/main/lora-vs-base}
Table~\ref{tab:toy}. \input{tables/toy/comparison}
"""
TABLE = r"\begin{table}\caption{C}\label{tab:toy}x\end{table}"
needs_latex = pytest.mark.skipif(shutil.which("latexmk") is None, reason="needs LaTeX")


def summary(mean: float, seeds: list[str]) -> dict[str, Any]:
    no_sd = {"absent": "one run"}
    return {
        "mean": mean, "sd": 0.01 if len(seeds) > 1 else no_sd, "low": mean - 0.02,
        "high": mean + 0.02, "n_items": 200, "n_groups": 50, "seeds": dict.fromkeys(seeds, mean),
        "coverage": 1.0, "per_class": {"YES": {"mean": mean}},
    }  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    """Everything the stage takes, for a study called toy."""
    statistics = tmp_path / "results" / "toy" / "statistics"
    write_json(statistics / "variants.json", {
        "base": {"accuracy": summary(0.5, ["base"])},
        "lora": {"accuracy": summary(0.7125, ["1", "2"])},
    })  # fmt: skip
    write_json(statistics / "common.json", {})
    write_json(statistics / "facets.json", {})
    write_json(statistics / "failures.json", {})
    write_json(statistics / "comparisons.json", [{
        "family": "main", "metric": "accuracy", "a": "lora", "b": "base", "estimate": 0.2125,
        "low": 0.1, "high": -0.3, "p": 0.0001, "p_holm": 0.0002, "df": 8.25, "n_items": 200,
        "n_groups": 50, "smallest_detectable": 0.1, "test": "t", "reason": "r", "limits": [],
        "verdict": "lora beats base.", "seeds_a": 3, "seeds_b": 0, "per_seed": [],
    }])  # fmt: skip
    selection = tmp_path / "results" / "toy" / "selection" / "rank" / "selection.json"
    winner = {
        "name": "rank-r8-alpha16", "r": 8, "alpha": 16, "targets": "attention", "trainable": 4096,
        "value": 0.8125,
    }  # fmt: skip
    chosen = {"winner": winner, "why": "the best", "n_items": 100, "points": [winner]}
    chosen["metric"] = "accuracy"
    write_json(selection, chosen)
    search = tmp_path / "results" / "toy" / "prompts" / "opro" / "prompt.json"
    write_json(search, {
        "metric": "accuracy", "evaluated": 12, "asked": 5, "proposed": 30, "dropped_in_all": 20,
        "found_at": 7, "dev_items": 100, "dev_score": 0.75, "baseline_dev_score": 0.5,
    })  # fmt: skip
    across = tmp_path / "results" / "across"
    write_json(across / "simulation" / "simulation.json", {
        "grid": {"replications": 40, "seeds": [1, 3]},
        "ranges": {"errors": {"t over items / both / no": {"low": 0.031, "high": 0.553}}},
    })  # fmt: skip
    write_json(across / "tables" / "findings.json", {"counts": {"all": 15, "cannot be": 2}})
    write_text(tmp_path / "appendix.tex", r"\result{across/audit/cannot-be} of them cannot be.")
    tables = tmp_path / "results" / "toy" / "tables"
    write_text(tables / "comparison.tex", TABLE)
    write_text(tmp_path / "main.tex", MAIN)
    write_text(tmp_path / "toy.tex", SECTION)
    write_text(tmp_path / "abstract.tex", r"We got \result{toy/base/accuracy/mean}. ")
    return {
        "main": tmp_path / "main.tex", "sections": [tmp_path / "toy.tex"],
        "abstracts": [tmp_path / "abstract.tex"], "tables": [tables],
        "figures": [], "statistics": [statistics],
        "selections": [selection], "searches": [search], "appendix": tmp_path / "appendix.tex",
        "appendix_tables": across / "tables",
        "simulation": across / "simulation" / "simulation.json",
        "studies": ["toy"], "title": "A & B_1 50% {x} α",
        "scale": "embedded", "stamp": "stamped: no #1",
        "described": {"model/toy": "Qwen_3 (a/b)", "data/toy": "the data set d"},
        "holds": ["toy/base/hub"],
        "spoken": {"toy": {"base": "the base_1", "lora": "LoRA & MLP"}},
        "metrics": {"toy": {"accuracy": asdict(Metric("accuracy"))}},
    }  # fmt: skip


def make(place: dict[str, Any], out: Path, **changes: Any) -> Path:
    out.mkdir(exist_ok=True)
    paper(**(place | changes), out=out)
    return out


@needs_latex
def test_the_text_has_the_results_and_the_verdict(place: dict[str, Any], tmp_path: Path) -> None:
    text = text_of(make(place, tmp_path / "out") / "main.pdf")
    assert "Mean 71.2," in text or "Mean 71.3," in text
    assert "LoRA & MLP scores higher than the base_1 in accuracy (+21.2 points, 95% " in text
    assert "interval +10.0 to −30.0 points, Holm-adjusted p < 0.001)." in text
    assert "We got 50.0." in text
    assert "2 of them cannot be." in text
    assert "A & B_1 50% {x} α. stamped: no #1" in text


@needs_latex
def test_the_text_is_that_of_the_models_that_are_configured(
    place: dict[str, Any], tmp_path: Path
) -> None:
    said = r"""We took \model{toy} and \data{toy}; \where{toy/base/hub}{it is public}{we built it},
        \where{toy/base/tiny_llama}{a tiny one}{no tiny one}\where{scale/paper}{, at last}{}."""
    write_text(place["sections"][0], said)
    text = text_of(make(place, tmp_path / "out") / "main.pdf")
    assert "We took Qwen_3 (a/b) and the data set d; it is public, no tiny one." in text


@needs_latex
def test_the_section_on_traits_says_who_labelled(
    place: dict[str, Any], tmp_path: Path, project: Path
) -> None:
    """Its first paragraph, where rules did, a language model did, and the rows are one's own."""
    section = (project / "paper" / "sections" / "traits.tex").read_text(encoding="utf-8")
    paragraph = section.partition(r"\paragraph{What counts.}")[0].replace("{traits/", "{toy/")
    write_text(place["sections"][0], paragraph.replace(r"\data{traits}", r"\data{toy}"))
    said = {}
    for kind in ("rule", "endpoint"):
        holds = ["toy/data/traits", f"toy/labels/{kind}", f"toy/augmented/{kind}"]
        said[kind] = text_of(make(place, tmp_path / kind, holds=holds) / "main.pdf")
    said["own"] = text_of(make(place, tmp_path / "own", holds=["toy/data/own"]) / "main.pdf")
    words = {
        "rule": ("Two kinds of score are asked for.", "by putting in or taking out words"),
        "endpoint": ("The task is that of the data set d.", "a language model rewrote each"),
        "own": ("The transcripts and scores are those of the data set d.",),
    }
    for kind, text in said.items():
        for other, those in words.items():
            assert all((one in text) == (kind == other) for one in those), (kind, other)


@needs_latex
def test_the_papers_own_text_sets_absent_numbers_and_further_tables(
    place: dict[str, Any], tmp_path: Path
) -> None:
    said = r"""\section{Toy study}\label{sec:toy} Of \result{toy/base/accuracy/mean}\,\% and
        \result{toy/base/accuracy/sd}\,\% of them. See Table~\ref{tab:toy}.
        \further{toy}{\input{tables/toy/comparison}}"""
    write_text(place["sections"][0], said)
    write_text(place["appendix"], r"\section{S}\label{sec:simulation}")
    main = Path(__file__).parents[1] / "paper" / "main.tex"
    text = text_of(make(place, tmp_path / "out", main=main) / "main.pdf")
    assert "Of 50.0% and n/a (one run) of them. See Table 1." in text
    assert "Section 2: Toy study" in text.partition("Further tables")[2].partition("Table 1")[0]


@needs_latex
def test_two_folders_give_the_same_bytes(place: dict[str, Any], tmp_path: Path) -> None:
    first, second = make(place, tmp_path / "one"), make(place, tmp_path / "other folder")
    assert (first / "main.pdf").read_bytes() == (second / "main.pdf").read_bytes()


@needs_latex
def test_what_sticks_out_of_the_page_is_named(
    place: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make(place, tmp_path / "fits")
    assert "wider" not in capfd.readouterr().err
    wide = TABLE.replace("x\\end", "\n\\begin{tabular}{l}" + "m" * 200 + "\\end{tabular}\\end")
    write_text(place["tables"][0] / "comparison.tex", wide)
    make(place, tmp_path / "wide")
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    tall = TABLE.replace("x\\end", "\n\\begin{tabular}{l}" + "m\\\\" * 90 + "\\end{tabular}\\end")
    write_text(place["tables"][0] / "comparison.tex", tall)
    make(place, tmp_path / "tall")
    assert "pt taller than the page" in capfd.readouterr().err
    assert said[0].startswith("paper/tables/toy/comparison.tex:2: ")
    assert "pt wider than the page" in said[0]


@needs_latex
def test_every_number_stands_at_its_source(place: dict[str, Any], tmp_path: Path) -> None:
    numbers = read_json(make(place, tmp_path / "out") / "numbers.json")
    assert numbers["toy/main/lora-vs-base/p_holm"]["text"] == "p < 0.001"
    assert numbers["toy/lora/accuracy/seeds"]["value"] == 2
    assert numbers["across/errors/t-over-items/both/no/high"]["text"] == "55.3"
    assert numbers["across/grid/replications"]["text"] == "40"
    assert numbers["toy/selection/rank/r"]["text"] == "8"
    assert numbers["toy/selection/rank/value"]["text"] in ("81.2", "81.3")
    assert numbers["toy/prompts/opro/dropped_in_all"]["text"] == "20"
    assert numbers["toy/prompts/opro/dev_score"]["text"] == "75.0"
    assert numbers["toy/base/accuracy/seeds"]["value"] == 0
    assert numbers["toy/base/accuracy/sd"]["text"] == "n/a (one run)"
    assert numbers["toy/main/lora-vs-base/high"]["text"] == "−30.0"
    assert len(numbers["toy/family/main/verdict"]["sources"]) == 1
    for key, number in numbers.items():
        if key.endswith(("/seeds", "/limits", "/points")) or "/family/" in key:
            continue  # counts of what stands there, or several values in one
        for source in number["sources"]:
            home = place["statistics"][0].parents[1] / key.split("/")[0]
            document = read_json(home / source["input"] / source["file"])
            assert follow(document, source["pointer"]) == number["value"], key


@pytest.mark.parametrize(
    ("prose", "words"),
    [
        (r"It reaches 71.2\,\%.", r"toy\.tex: line 1: the number '71\.2'"),
        ("Fine.\n\nBut 3 seeds.", r"line 3: the number '3'"),
        (r"\result{toy/lorra/accuracy/mean}", r"line 1: no result .*did you mean 'toy/lora/acc"),
        (r"\model{tioy}", r"no model 'tioy'; did you mean 'model/toy'"),
        (
            r"\where{toy/base/tiny_lama}{a}{b}",
            r"no where .*did you mean .*/tiny_llama",
        ),
        (r"\where{toy/base/hub}{93 of them}{b}", r"the number '93' is typed by hand"),
        (r"\verdict{toy/main/base-vs-lora}", r"no verdict 'toy/main/base-vs-lora'"),
        (r"\result {toy/lorra/accuracy/mean}", r"line 1: no result 'toy/lorra"),
        ("\n\\renewcommand{\\result}[1]{good}", r"line 2: \\result is the paper's own"),
        (r"\def\verdict#1{good}", r"line 1: \\verdict is the paper's own"),
    ],
)
def test_a_mistake_in_the_prose_is_one_line(
    place: dict[str, Any], tmp_path: Path, prose: str, words: str
) -> None:
    write_text(tmp_path / "toy.tex", prose)
    with pytest.raises(InputError, match=words) as caught:
        make(place, tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "prose",
    [
        r"at $p < \literal{0.05}$ and \literal{95\,\%}",
        r"Table~\ref{tab:1} \cite{hu2021} \input{tables/2}",
        "Qwen2-Audio, F1, wav2vec % 12 in a comment",
        "\\begin{equation} c = 1 + 2 / s_1^2 \\end{equation} and $i = 1, \\dots, n$",
        r"\includegraphics[width=0.5\linewidth]{figures/1.pdf}",
    ],
)
def test_what_is_no_result_may_stand(prose: str) -> None:
    assert typed_numbers(prose) == []


@pytest.mark.parametrize(
    "prose",
    [
        "$71.2$",
        r"\(71.2\)",
        "at .712",
        "LoRA-71.2",
        r"\texttt{71.2}",
        "\\begin{align} x = 71.2 \\end{align}",
        "of 300 clips",
        r"\newcommand{\best}{93.4}",
        r"\renewcommand{\best}[1]{\textbf{#1 is 93.4}}",
        r"\def\best{93.4}",
        r"\newcommand{\best}{93.4} \begin{document} It reaches \best. \end{document}",
        "rises by ten points",
        "ninety-three percent",
        r"ninety-three\,\%",
        "two and a half percentage points",
        "a tenfold gain",
        "twice as accurate",
        "the error is halved",
        r"\newcommand{\best}[1][93.4]{#1}",
        "${9}{3}$",
        "$9$$3$",
        r"\author{93.4 percent} \begin{document}",
        "ninety-three per~cent",
        "two thirds of them",
        r"\char57 percent",
        "½ of them",
        "nought point nine",
    ],
)
def test_a_result_cannot_hide(prose: str) -> None:
    assert len(typed_numbers(prose)) == 1


@pytest.mark.parametrize(
    "prose",
    [
        "two methods, at one point in time",
        r"repeated \literal{three} times as often",
        r"\renewcommand{\headrulewidth}{0pt}",
        r"\newcommand{\result}[1]{\csname regen@#1\endcsname}",
        r"\newcommand{\wide}{\hspace{2em}\vspace{3ex}}",
        r"$\frac{1}{2}$ and $x_{1}^{2}$",
        r"\date{} \begin{document}",
    ],
)
def test_words_arguments_and_lengths_are_no_results(prose: str) -> None:
    assert typed_numbers(prose) == []


def test_the_papers_own_prose_has_no_typed_number(project: Path) -> None:
    for file in (project / "paper").rglob("*.tex"):
        assert typed_numbers(file.read_text()) == [], file


@needs_latex
@pytest.mark.parametrize(
    ("prose", "words"),
    [
        ("line\n\\nosuchmacro", r"sections/toy\.tex:2: Undefined control sequence"),
        (r"\ref{tab:nothing}", r"Reference `tab:nothing' is undefined"),
        (r"\ref{tab:" + 50 * "x" + "}", r"Reference `tab:x+' is undefined"),
        (r"\input{tables/toy/none}", r"none"),
        (r"\input{/etc/hostname}", r"/etc/hostname"),
    ],
)
def test_a_latex_error_is_one_line(
    place: dict[str, Any], workdir: Path, prose: str, words: str
) -> None:
    write_text(place["sections"][0], prose)
    with pytest.raises(InputError, match=words) as caught:
        make(place, workdir / "out")
    assert "\n" not in str(caught.value)
    assert (workdir / ".regen/latex.log").exists()


def test_no_latex_says_what_to_install(
    place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get install latexmk"):
        make(place, tmp_path / "out")


def test_a_comment_is_not_read(tmp_path: Path) -> None:
    write_text(tmp_path / "a.tex", "% \\result{nothing} 12\nwords")
    check_prose([tmp_path / "a.tex"], [])


def test_a_text_that_is_not_utf8_is_one_line(place: dict[str, Any], tmp_path: Path) -> None:
    place["sections"][0].write_bytes("Größe".encode("latin-1"))
    with pytest.raises(InputError, match=r"toy\.tex: byte 2 is not UTF-8"):
        make(place, tmp_path / "out")
