"""Stage `paper`: the text with its generated numbers, checked and compiled to the PDF."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regen.described import questions
from regen.errors import InputError
from regen.files import write_json, write_text
from regen.metrics import Metric
from regen.numbers import (
    Number,
    macros,
    numbers_across,
    numbers_of,
    numbers_of_search,
    numbers_of_selection,
)
from regen.numbers_of_answers import numbers_of_answers
from regen.numbers_of_sets import numbers_of_sets
from regen.prose import check_prose
from regen.tables.table import escape

PACKAGES = "latexmk texlive-latex-base texlive-latex-recommended texlive-science lmodern"
EPOCH = "1767225600"
"""The time that the PDF bears, in seconds: any fixed one gives the same bytes every day."""
LOG = Path(".regen/latex.log")
PROBLEM = re.compile(r"^(?P<place>[^\s:]+:\d+): (?P<what>.+)$|^! (?P<words>.+)$", re.M)
OPENED = re.compile(r"\((?:\./)?([^\s()]+\.tex)")
WIDE = re.compile(r"^Overfull \\hbox \((\d+)\S*pt too wide\).* at lines? (\d+)", re.M)
TALL = re.compile(r"^LaTeX Warning: Float too large for page by (\d+)\S*pt .* line (\d+)", re.M)
TOLERATED = 5
"""Points that a line may stick out: two millimetres are not seen."""
UNDEFINED = re.compile(r"LaTeX Warning: ((?:Reference|Citation) `[^']+').*undefined")


def paper(
    *,
    main: Path,
    abstracts: list[Path],
    sections: list[Path],
    tables: list[Path],
    figures: list[Path],
    statistics: list[Path],
    selections: list[Path],
    searches: list[Path],
    appendix: Path,
    appendix_tables: Path,
    simulation: Path,
    studies: list[str],
    title: str,
    scale: str,
    stamp: str | None,
    described: dict[str, str],
    holds: list[str],
    spoken: dict[str, dict[str, str]],
    metrics: dict[str, dict[str, dict[str, Any]]],
    out: Path,
    answers: Sequence[Path] = (),
    sets: Sequence[Path] = (),
    outcomes: dict[str, dict[str, dict[str, Any]]] | None = None,
) -> None:
    r"""Write numbers.tex, numbers.json (each with its source), and main.pdf.

    abstracts, sections, tables, statistics: aligned with `studies`;
    figures: results/<scale>/<study>/figures/<name>; selections: <study>/selection/<name>/*.json;
    searches: <study>/prompts/<name>/prompt.json; answers: <study>/answers;
    sets: <study>/sets/sets.json; outcomes: by study, those of its rule
    described, holds: what the text says of models and data sets, see `regen.described`
    spoken: by study, what a sentence calls each variant; metrics: by study, fields of `Metric`
    appendix: its text; appendix_tables, simulation: of what spans the studies
    The text takes numbers as \result{speech/lora/accuracy/mean}, and conclusions, written from the
    test's outcome, as \verdict{speech/main/lora-vs-base}. Raises InputError, in one line, for a
    number typed by hand, an unknown key, a LaTeX error, and where there is no LaTeX.
    """
    numbers: list[Number] = []
    known = {
        study: {name: Metric(**fields) for name, fields in metrics[study].items()}
        for study in studies
    }
    for study, folder in zip(studies, statistics, strict=True):
        numbers += numbers_of(study, folder, spoken[study], known[study])
    for selection in selections:
        study = selection.parents[2].name
        numbers += numbers_of_selection(selection, spoken[study], known[study])
    for search in searches:
        numbers += numbers_of_search(search, known[search.parents[2].name])
    for made in answers:
        study = made.parent.name
        numbers += numbers_of_answers(study, made / "answers.json", spoken[study], known[study])
    for found in sets:
        study = found.parents[1].name
        rule = (outcomes or {})[study]
        numbers += numbers_of_sets(study, found, spoken[study], known[study], rule)
    numbers += numbers_across(simulation, appendix_tables / "findings.json")
    keys = [*(number.key for number in numbers), *described]
    check_prose([main, *abstracts, *sections, appendix], keys, questions(studies))
    write_text(out / "numbers.tex", macros(numbers))
    write_json(
        out / "numbers.json",
        {
            n.key: {"text": n.text, "value": n.value, "sources": [vars(s) for s in n.sources]}
            for n in numbers
        },
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copy(main, folder / "main.tex")
        shutil.copy(out / "numbers.tex", folder)
        shutil.copy(appendix, folder / "appendix.tex")
        for study, abstract, section, made in zip(
            studies, abstracts, sections, tables, strict=True
        ):
            copy(abstract, folder / "abstracts" / f"{study}.tex")
            copy(section, folder / "sections" / f"{study}.tex")
            copy_tables(made, folder / "tables" / study)
        copy_tables(appendix_tables, folder / "tables" / "across")
        for made in answers:
            copy_tables(made, folder / "tables" / made.parent.name)
        for figure in figures:
            study = figure.parents[1].name
            copy(figure / f"{figure.name}.pdf", folder / "figures" / study / f"{figure.name}.pdf")
        for file, part in (("abstracts", "abstracts"), ("studies", "sections")):
            # A file ends with a line of its own; another one would be a second space.
            inputs = "".join(f"\\input{{{part}/{study}}}%\n" for study in studies)
            write_text(folder / f"{file}.tex", inputs)
        settings = {"papertitle": title, "paperscale": scale, "paperstamp": stamp or ""}
        lines = (rf"\newcommand{{\{name}}}{{{escape(text)}}}" for name, text in settings.items())
        said = (rf"\regendefine{{{key}}}{{{escape(text)}}}" for key, text in described.items())
        asked = (rf"\regendefine{{where/{key}}}{{}}" for key in holds)
        write_text(folder / "settings.tex", "\n".join([*lines, *said, *asked]) + "\n")
        compile_pdf(folder)
        copy(folder / "main.pdf", out / "main.pdf")


def copy_tables(made: Path, target: Path) -> None:
    for table in sorted(made.glob("*.tex")):
        copy(table, target / table.name)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def compile_pdf(folder: Path) -> None:
    """Run latexmk on main.tex. Raises InputError for its first error, or an undefined reference."""
    if shutil.which("latexmk") is None or shutil.which("pdflatex") is None:
        raise InputError(f"LaTeX is missing; install it: sudo apt-get install {PACKAGES}")
    command = ["latexmk", "-pdf", "-halt-on-error", "-file-line-error", "-interaction=nonstopmode"]
    # Fixed times, and no user's latexmkrc: the same bytes in any folder, on any day.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "FORCE_SOURCE_DATE": "1"}
    environment["openin_any"] = "p"  # nothing from outside this folder, whose text was not checked
    environment["max_print_line"] = "1000"  # else TeX breaks its messages in two
    done = subprocess.run(
        [*command, "-norc", "main.tex"],
        cwd=folder,
        env=environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    log = folder / "main.log"
    text = log.read_text(errors="replace") if log.exists() else done.stderr.decode(errors="replace")
    undefined = UNDEFINED.search(text)
    if done.returncode == 0 and undefined is None:
        for line in sticking_out(text):
            print(line, file=sys.stderr)
        return
    write_text(LOG, text)
    raise InputError(f"LaTeX: {first_problem(text)} (the whole log: {LOG})")


def sticking_out(log: str) -> list[str]:
    """A line for each table or line of text that sticks out of the page."""
    said = {}
    for pattern, how, mend in (
        (WIDE, "wider", "give a text column of it a width"),
        (TALL, "taller", "take rows out of it, or set it apart"),
    ):
        for match in pattern.finditer(log):
            file = OPENED.findall(log, 0, match.start())[-1]
            if int(match[1]) > TOLERATED:
                place = f"paper/{file}:{match[2]}"
                said[place] = f"{place}: {match[1]} pt {how} than the page; {mend}"
    return list(said.values())


def first_problem(log: str) -> str:
    if match := PROBLEM.search(log):
        place = (match["place"] or "main.tex").removeprefix("./")
        return f"paper/{place}: {match['what'] or match['words']}"
    if match := UNDEFINED.search(log):
        return f"{match[1]} is undefined"
    return "it failed without saying why"
