"""Tables of a study whose answers are scores with explanations, and may not be valid at all."""

from pathlib import Path

from regen.metrics import Metric
from regen.tables.read import Document, Statistics, cell
from regen.tables.table import Cell, Column, Row, Table

ERROR, BOUND, VALID = "error", "bound", "valid"
FEW = 4
"""So many traits have room for their names in a line beside the first column."""
EXPLANATIONS = ("explained", "explanation-words", "agrees", "grounded")


def traits_of(read: Statistics) -> list[str]:
    """The traits that some variant was scored on, none in a study without such scores."""
    prefix = f"{ERROR}-"
    return [
        name.removeprefix(prefix)
        for name in next(iter(read.variants.values()), {})
        if name.startswith(prefix)
        and any(isinstance(found[name]["mean"], float) for found in read.variants.values())
    ]


def traits_table(
    file: Path, read: Statistics, study: str, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Table:
    """Two rows a variant: errors of its own valid answers, and with failures at their worst.

    file: failures.json of the statistics
    """
    traits = traits_of(read)
    failures = Document(file, "statistics")
    rows = []
    kinds = {ERROR: ("own", "valid"), BOUND: ("worst", "answers")}
    for block, (kind, (words, counted)) in enumerate(kinds.items()):
        for variant in spoken if traits else ():
            names = (kind, *(f"{kind}-{trait}" for trait in traits))
            cells = read.means(variant, {name: metrics[name] for name in names})
            coverage = cell("{:.1f}", read.variant(variant, ERROR, "coverage"), scale=100)
            answers = failures.cell(variant, counted, pattern="{:d}")
            label = (Cell(words), Cell(spoken[variant]))
            rows.append(Row(f"{words}/{variant}", (*label, answers, coverage, *cells), block=block))
    return Table(
        name="traits",
        study=study,
        caption="Mean squared error by trait on the test split: of each model's own valid answers, "
        "and with each failure at its worst, the score that is farthest from the target; smaller "
        "is better.",
        columns=(
            Column("failures", "Failures", numeric=False, above=len(traits) > FEW),
            Column("variant", "Variant", numeric=False, width=0.26),
            Column("answers", "Answers"),
            Column("coverage", "Valid (%)"),
            *_columns(traits),
        ),
        rows=tuple(rows),
        notes=(
            "Errors of different models' own answers are of different items and cannot be "
            "compared; those with failures at their worst are of all items. Answers: that count, "
            "of all runs together; an error is the mean of the runs' means over theirs.",
        ),
    )


def _columns(traits: list[str]) -> list[Column]:
    """Of the error over all traits and of each; headings of many traits are broken."""
    width = 0.07 if len(traits) > FEW else None
    return [Column("all", "all"), *(Column(trait, trait, width=width) for trait in traits)]


def common_table(
    file: Path, read: Statistics, study: str, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Table:
    """A row a subset and variant: squared errors where all of the subset's answers are valid."""
    common = Document(file, "statistics")
    traits = traits_of(read)
    names = (ERROR, *(f"{ERROR}-{trait}" for trait in traits))
    rows = []
    for block, subset in enumerate(common.content if traits else ()):
        for variant in common.content[subset]["variants"]:
            at = (subset, "metrics", ERROR)
            values = [
                common.cell(
                    *(subset, "metrics", name, "variants", variant, "mean"),
                    pattern=metrics[name].pattern(),
                )
                for name in names
            ]
            rows.append(
                Row(
                    f"{subset}/{variant}",
                    (
                        Cell(subset),
                        Cell(spoken[variant]),
                        common.cell(*at, "n_items", pattern="{:d}"),
                        common.cell(*at, "coverage", pattern="{:.1f}", scale=100),
                        *values,
                    ),
                    block=block,
                )
            )
    return Table(
        name="common",
        study=study,
        caption="Mean squared error by trait on the test items to which every run of every variant "
        "of a subset gave a valid answer; smaller is better.",
        columns=(
            Column("subset", "Subset", numeric=False, above=len(traits) > FEW),
            Column("variant", "Variant", numeric=False, width=0.26),
            Column("items", "Items"),
            Column("coverage", "Of all (%)"),
            *_columns(traits),
        ),
        rows=tuple(rows),
        notes=("Which items these are was decided by all variants of the subset together.",),
    )


def validity_table(file: Path, read: Statistics, study: str, spoken: dict[str, str]) -> Table:
    """A row a variant: share of valid answers with its interval, and why the others are not."""
    failures = Document(file, "statistics")
    reasons = sorted({reason for one in failures.content.values() for reason in one["reasons"]})
    has_it = all(VALID in found for found in read.variants.values())
    rows = []
    for variant in (name for name in spoken if has_it and name in failures.content):
        both = (variant, VALID, "seeds_and_items")
        share = cell(
            "{:.1f} [{:.1f}, {:.1f}]",
            read.variant(variant, VALID, "mean"),
            read.variant(*both, "low"),
            read.variant(*both, "high"),
            scale=100,
        )
        counts = [
            failures.cell(variant, "reasons", reason, pattern="{:d}")
            if reason in failures.content[variant]["reasons"]
            else Cell("–")
            for reason in reasons
        ]
        answers = failures.cell(variant, "answers", pattern="{:d}")
        rows.append(Row(variant, (Cell(spoken[variant]), share, answers, *counts)))
    letters = [chr(ord("A") + number) for number in range(len(reasons))]
    legend = "; ".join(f"{a}: {b}" for a, b in zip(letters, reasons, strict=True))
    return Table(
        name="validity",
        study=study,
        caption="Valid answers on the test split, and how many are not, by reason.",
        columns=(
            Column("variant", "Variant", numeric=False, width=0.3),
            Column("valid", "Valid (%) [95% CI]"),
            Column("answers", "Answers"),
            *(
                Column(reason.replace(" ", "-").lower(), letter, head="not valid")
                for reason, letter in zip(reasons, letters, strict=True)
            ),
        ),
        rows=tuple(rows),
        notes=(f"Wilson intervals, over items and, where there are any, seeds. {legend}.",)
        if rows
        else (),
    )


def explanations_table(
    read: Statistics, study: str, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Table:
    """A row a variant: are there explanations, how long, do they fit score and text?"""
    rows = []
    has_them = all(name in found for found in read.variants.values() for name in EXPLANATIONS)
    for variant in spoken if has_them else ():
        cells = read.means(variant, {name: metrics[name] for name in EXPLANATIONS})
        coverage = cell("{:.1f}", read.variant(variant, "explained", "coverage"), scale=100)
        rows.append(Row(variant, (Cell(spoken[variant]), coverage, *cells)))
    return Table(
        name="explanations",
        study=study,
        caption="Explanations of the valid answers on the test split.",
        columns=(
            Column("variant", "Variant", numeric=False, width=0.34),
            Column("coverage", "Valid (%)"),
            Column("explained", "Present (%)"),
            Column("explanation-words", "Words"),
            Column("agrees", "Agree (%)"),
            Column("grounded", "Grounded (%)"),
        ),
        rows=tuple(rows),
        notes=(
            "Agree: the last word of the explanation that says high or low, or the like, is on "
            "the side of the middle on which the score is. Grounded: share of the pieces of "
            "evidence that stand in the lines of the transcript; the number of lines that come "
            "after, which it prints, is none. Means over each run's own valid answers.",
        ),
    )
