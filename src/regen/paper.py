"""Stage `paper`: the text with its generated numbers, checked and compiled to the PDF."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import write_json, write_text
from regen.metrics import Metric
from regen.numbers import Number, macros, numbers_across, numbers_of, numbers_of_selection
from regen.prose import check_prose
from regen.tables.table import escape

PACKAGES = "latexmk texlive-latex-base texlive-latex-recommended texlive-science lmodern"
EPOCH = "1767225600"
"""The time that the PDF bears, in seconds: any fixed one gives the same bytes every day."""
LOG = Path(".regen/latex.log")
PROBLEM = re.compile(r"^(?P<place>[^\s:]+:\d+): (?P<what>.+)$|^! (?P<words>.+)$", re.M)
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
    appendix: Path,
    appendix_tables: Path,
    simulation: Path,
    studies: list[str],
    title: str,
    scale: str,
    stamp: str | None,
    spoken: dict[str, dict[str, str]],
    metrics: dict[str, dict[str, dict[str, Any]]],
    out: Path,
) -> None:
    r"""Write numbers.tex, numbers.json (each with its source), and main.pdf.

    abstracts, sections, tables, statistics: aligned with `studies`;
    figures: results/<scale>/<study>/figures/<name>; selections: <study>/selection/<name>/*.json
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
        numbers += numbers_of_selection(selection, known[selection.parents[2].name])
    numbers += numbers_across(simulation, appendix_tables / "findings.json")
    check_prose([main, *abstracts, *sections, appendix], (number.key for number in numbers))
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
        for figure in figures:
            study = figure.parents[1].name
            copy(figure / f"{figure.name}.pdf", folder / "figures" / study / f"{figure.name}.pdf")
        for file, part in (("abstracts", "abstracts"), ("studies", "sections")):
            inputs = "".join(f"\\input{{{part}/{study}}}\n" for study in studies)
            write_text(folder / f"{file}.tex", inputs)
        settings = {"papertitle": title, "paperscale": scale, "paperstamp": stamp or ""}
        lines = (rf"\newcommand{{\{name}}}{{{escape(text)}}}" for name, text in settings.items())
        write_text(folder / "settings.tex", "\n".join(lines) + "\n")
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
        return
    write_text(LOG, text)
    raise InputError(f"LaTeX: {first_problem(text)} (the whole log: {LOG})")


def first_problem(log: str) -> str:
    if match := PROBLEM.search(log):
        place = (match["place"] or "main.tex").removeprefix("./")
        return f"paper/{place}: {match['what'] or match['words']}"
    if match := UNDEFINED.search(log):
        return f"{match[1]} is undefined"
    return "it failed without saying why"
