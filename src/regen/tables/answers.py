"""What a study of free text prints beside its means: by kind, wins, ranking, abstention, habits."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from regen.metrics import Metric
from regen.tables.read import Document, Statistics, cell, p_cell
from regen.tables.table import Cell, Column, Row, Table, label_column

UNSUPPORTED = "unsupported"
HABITS = {"length_ratio": "Length", "on_topic": "On topic", UNSUPPORTED: "Unsupported (%)"}
"""Metrics of the benchmark that say how, not how well, it was answered, and their headings."""


def by_level_table(
    facets: Path,
    study: str,
    spoken: Mapping[str, str],
    facet: str | None,
    name: str,
    metric: Metric,
) -> Table:
    """A row a variant, a column a level of the facet. facets: facets.json of the statistics.

    facet: None for a study that names none; the table then has no rows
    """
    rows: list[Row] = []
    levels: list[str] = []
    number = metric.pattern()
    for variant, words in spoken.items() if facet else ():
        read = Document(facets, "statistics")
        found = read.content[variant][facet]
        here = [k for k, row in enumerate(found) if row["metric"] == name]
        levels = [f"{found[k]['level']} (n = {found[k]['n_items']})" for k in here]
        cells = (
            read.cells(
                f"{number} [{number}, {number}]",
                *((variant, str(facet), k, part) for part in ("mean", "low", "high")),
                scale=metric.factor,
            )
            for k in here
        )
        rows.append(Row(variant, (Cell(words), *cells)))
    return Table(
        name="kinds",
        study=study,
        caption=f"{metric.heading} on the test split by {facet or 'facet'}, with 95% intervals.",
        columns=(
            label_column("variant", "Variant", spoken.values()),
            *(Column(level.partition(" ")[0], level) for level in levels),
        ),
        rows=tuple(rows),
        notes=("Intervals are for new items, and new seeds where there are any.",),
    )


def wins_table(
    answers: Sequence[Path], study: str, spoken: Mapping[str, str], metrics: Mapping[str, Metric]
) -> Table:
    """A row a pair and metric. answers: answers.json, if there is one."""
    rows = []
    for read in _documents(answers):
        for k, row in enumerate(read.content["wins"]):
            rows.append(
                Row(
                    f"{row['a']}-vs-{row['b']}/{row['metric']}",
                    (
                        Cell(f"{spoken[row['a']]} vs {spoken[row['b']]}"),
                        read.cell(
                            *("wins", k, "tolerance"),
                            pattern=f"{metrics[row['metric']].label}, {{:.2f}}",
                        ),
                        *(
                            read.cell("wins", k, key, pattern="{:d}")
                            for key in ("wins", "ties", "losses")
                        ),
                        p_cell(read.found("wins", k, "p")),
                        read.cells(
                            "{:.1f} [{:.1f}, {:.1f}]",
                            *(("wins", k, key) for key in ("share", "low", "high")),
                            scale=100,
                        ),
                    ),
                )
            )
    return Table(
        name="wins",
        study=study,
        caption="Wins, ties and losses item by item, with means over seeds. Scores no farther "
        "apart than the tolerance tie.",
        columns=(
            Column("pair", "Pair", numeric=False, width=0.2),
            Column("metric", "Metric, tolerance", numeric=False),
            Column("wins", "Wins"),
            Column("ties", "Ties"),
            Column("losses", "Losses"),
            Column("p", "p"),
            Column("share", "Share won (%) [CI]"),
        ),
        rows=tuple(rows),
        notes=(
            "The sign test is exact, on the items that are no ties; it is not adjusted and speaks "
            "of these checkpoints together. Share: (wins + ties/2)/n, with Wilson's interval as a "
            "description.",
        ),
    )


def ranking_table(answers: Sequence[Path], study: str, metrics: Mapping[str, Metric]) -> Table:
    """A row two metrics: do they order the variants, and the items, alike?"""
    rows = []
    for read in _documents(answers):
        for k, row in enumerate(read.content["ranking"]):
            one, other = row["metrics"]
            at = ("ranking", k)
            rows.append(
                Row(
                    f"{one}/{other}",
                    (
                        Cell(metrics[one].label),
                        Cell(metrics[other].label),
                        read.cell(*at, "variants", pattern="{:+.2f}"),
                        read.cell(*at, "n_variants", pattern="{:d}"),
                        read.cell(*at, "items", pattern="{:+.2f}"),
                        read.cell(*at, "n_items", pattern="{:d}"),
                    ),
                )
            )
    return Table(
        name="ranking",
        study=study,
        caption="Do two metrics rank alike: the variants by their means (Kendall's tau-b), and the "
        "items by the difference of the first compared pair (Spearman's rho)?",
        columns=(
            Column("one", "Metric", numeric=False),
            Column("other", "and", numeric=False),
            Column("variants", "tau", head="variants"),
            Column("n_variants", "n", head="variants"),
            Column("items", "rho", head="items"),
            Column("n_items", "n", head="items"),
        ),
        rows=tuple(rows),
    )


def abstention_table(answers: Sequence[Path], study: str, spoken: Mapping[str, str]) -> Table:
    """A row a variant: of its abstentions, how many were right; of those called for, how many."""
    rows = []
    for read in _documents(answers):
        for variant, words in spoken.items():
            cells = []
            for name in ("precision", "recall"):
                at = ("abstention", variant, name)
                shares = ((*at, key) for key in ("value", "low", "high"))
                cells += [
                    read.cells("{:.1f} [{:.1f}, {:.1f}]", *shares, scale=100),
                    read.cell(*at, "n_answers", pattern="{:d}"),
                ]
            rows.append(Row(variant, (Cell(words), *cells)))
    return Table(
        name="abstention",
        study=study,
        caption="Saying that the text does not tell: how often that is right (precision), and how "
        "often it is said where it is right (recall).",
        columns=(
            label_column("variant", "Variant", spoken.values()),
            Column("precision", "% [95% CI]", head="precision"),
            Column("precision_n", "answers", head="precision"),
            Column("recall", "% [95% CI]", head="recall"),
            Column("recall_n", "answers", head="recall"),
        ),
        rows=tuple(rows),
        notes=("Shares over all runs; Wilson intervals at the number of different items.",),
    )


def measures_table(
    read: Statistics,
    answers: Sequence[Path],
    study: str,
    spoken: Mapping[str, str],
    metrics: Mapping[str, Metric],
) -> Table:
    """A row a variant: its mean in each of the metrics whose rankings are compared."""
    documents = _documents(answers)
    rankings = [row["metrics"] for document in documents for row in document.content["ranking"]]
    names = list(dict.fromkeys(name for pair in rankings for name in pair))
    ranked = {name: metrics[name] for name in names}
    rows = [
        Row(variant, (Cell(words), *read.means(variant, ranked)))
        for variant, words in spoken.items()
        if ranked
    ]
    return Table(
        name="measures",
        study=study,
        caption="Means of several measures on the test split; the baselines show what each is "
        "worth by itself.",
        columns=(
            label_column("variant", "Variant", spoken.values()),
            *(Column(name, metric.heading, width=0.12) for name, metric in ranked.items()),
        ),
        rows=tuple(rows),
    )


def behaviour_table(
    read: Statistics,
    answers: Sequence[Path],
    study: str,
    spoken: Mapping[str, str],
    metrics: Mapping[str, Metric],
) -> Table:
    """A row a variant: length, closeness to what was asked, numbers made up, openings."""
    rows = []
    habits = {name: metrics[name] for name in HABITS if name in metrics}
    for document in _documents(answers):
        for variant, words in spoken.items():
            at = ("openings", variant)
            rows.append(
                Row(
                    variant,
                    (
                        Cell(words),
                        *read.means(variant, habits),
                        *(
                            cell("{:.1f}", read.variant(variant, name, "coverage"), scale=100)
                            for name in habits
                            if name == UNSUPPORTED
                        ),
                        document.cell(*at, "n_answers", pattern="{:d}"),
                        document.cell(*at, "concentration", pattern="{:.1f}", scale=100),
                        document.cell(*at, "share", pattern="{:.1f}", scale=100),
                    ),
                )
            )
    return Table(
        name="behaviour",
        study=study,
        caption="How the test split's questions were answered.",
        columns=(
            label_column("variant", "Variant", spoken.values()),
            *(Column(name, HABITS[name]) for name in habits),
            *(Column(f"{name}_answers", "answers (%)") for name in habits if name == UNSUPPORTED),
            Column("openings_answers", "answers", head="openings (%)"),
            Column("concentration", "alike", head="openings (%)"),
            Column("share", "most frequent", head="openings (%)"),
        ),
        rows=tuple(rows),
        notes=(
            "Length: words by words of the expected answer. On topic: similarity to question and "
            "text. Abstentions count in both, and are short. Unsupported: the share of an answer's "
            "numbers that neither text nor question has, a mean over the answers that have "
            "numbers, and how many of all have some. Openings: of the answers that do not abstain "
            "how many there are, the chance that two begin with the same three words, and the "
            "share with the most frequent such beginning, 0 where no two are alike.",
        ),
    )


def _documents(answers: Sequence[Path]) -> list[Document]:
    return [Document(file, "answers") for file in answers]
