"""Stage `tables`: what a study prints; .tex, .md, .csv, and .json with every cell's sources."""

from pathlib import Path
from typing import Any

from regen.files import Absent
from regen.tables.read import Found, Statistics, cell
from regen.tables.table import EMPTY, Cell, Column, Row, Table, write_table

PERCENT = 100
STARS = ((0.01, "**"), (0.05, "*"))
STARS_NOTE = "* p < 0.05, ** p < 0.01, Holm-adjusted within the declared family."


def tables(
    *,
    statistics: Path,
    study: str,
    variants: dict[str, dict[str, Any]],
    comparisons: list[dict[str, Any]],
    reference: str,
    out: Path,
) -> None:
    """Write comparison (the study's main table), tests, and per-seed.

    variants: {name: {model, method, prompt, trivial}}, in the order of the rows
    comparisons: the declared families; the first one's metric is the study's
    reference: the variant that the main table compares with
    """
    read = Statistics(statistics)
    metric = comparisons[0]["metric"] if comparisons else next(iter(first(read.variants)))
    for table in (
        comparison_table(read, study, variants, metric, reference),
        tests_table(read, study),
        per_seed_table(read, study),
    ):
        write_table(table, out)


def first(mapping: dict[str, Any]) -> Any:
    return next(iter(mapping.values()))


def comparison_table(
    read: Statistics,
    study: str,
    variants: dict[str, dict[str, Any]],
    metric: str,
    reference: str,
) -> Table:
    """A row a variant: the metric over seeds, its interval, and the test against the reference."""
    against = {
        c["a"]: number
        for number, c in enumerate(read.comparisons)
        if c["b"] == reference and c["metric"] == metric
    }
    best = best_variant(read, metric)
    rows = []
    for name, labels in variants.items():
        words = [Cell(labels[key]) for key in ("model", "method", "prompt")]
        mean, sd = read.variant(name, metric, "mean"), read.variant(name, metric, "sd")
        both = (name, metric, "seeds_and_items")
        low, high = read.variant(*both, "low"), read.variant(*both, "high")
        cells = [
            cell("{:.1f} ± {:.1f}", mean, sd, scale=PERCENT, bold=name == best),
            cell("[{:.1f}, {:.1f}]", low, high, scale=PERCENT),
            *test_cells(read, against.get(name)),
            Cell(str(seeds_of(read, name, metric) or "–")),
        ]
        rows.append(Row(name, (*words, *cells), block=0 if labels["trivial"] else 1))
    return Table(
        name="comparison",
        study=study,
        caption=f"{metric.capitalize()} on the test split. Differences are to "
        "{model} (fine-tuning: {method}, prompt: {prompt}).".format(**variants[reference]),
        columns=(
            Column("model", "Model", numeric=False),
            Column("method", "Fine-tuning", numeric=False),
            Column("prompt", "Prompt", numeric=False),
            Column(metric, f"{metric.capitalize()} (%)"),
            Column("interval", "95% CI"),
            Column("difference", "Difference"),
            Column("p", "p"),
            Column("seeds", "Seeds"),
        ),
        rows=tuple(rows),
        notes=(
            "Mean ± SD over seeds. Intervals are for new items, and new seeds where there are any "
            "(Wilson, at the effective number of independent items). Difference in points, with "
            "the seed-by-item test's p. Best in bold. " + STARS_NOTE,
        ),
    )


def tests_table(read: Statistics, study: str) -> Table:
    """A row a declared comparison: estimate, interval, raw and adjusted p, what it could detect."""
    rows = []
    for number, comparison in enumerate(read.comparisons):

        def at(key: str, number: int = number) -> Found:
            return read.comparison(number, key)

        difference = at("estimate"), at("low"), at("high")
        rows.append(
            Row(
                f"{comparison['family']}/{comparison['a']}-vs-{comparison['b']}",
                (
                    Cell(f"{comparison['a']} vs {comparison['b']}"),
                    Cell(comparison["family"]),
                    cell("{:+.1f} [{:+.1f}, {:+.1f}]", *difference, scale=PERCENT),
                    cell("{:.1f}", at("df")),
                    p_cell(at("p")),
                    p_cell(at("p_holm"), stars=True),
                    cell("{:.1f}", at("smallest_detectable"), scale=PERCENT),
                    cell("{:d}", at("n_items")),
                    cell("{:d}", at("n_groups")),
                ),
            )
        )
    return Table(
        name="tests",
        study=study,
        caption="The declared comparisons of methods, seeds and items both taken as samples.",
        columns=(
            Column("comparison", "Comparison", numeric=False),
            Column("family", "Family", numeric=False),
            Column("difference", "Difference [95% CI]"),
            Column("df", "df"),
            Column("p", "p"),
            Column("p_holm", "adjusted p"),
            Column("detectable", "Detectable"),
            Column("items", "Items"),
            Column("groups", "Groups"),
        ),
        rows=tuple(rows),
        notes=(
            "Differences in points. Detectable: the smallest true difference that would have been "
            "found with a power of 80%. " + STARS_NOTE,
        ),
    )


def per_seed_table(read: Statistics, study: str) -> Table:
    """A row a pair of runs: McNemar's test, which speaks of two checkpoints, not of methods."""
    rows = []
    for number, comparison in enumerate(read.comparisons):
        pairs = comparison["per_seed"]  # absent where the metric is not binary
        for k, pair in enumerate(pairs if isinstance(pairs, list) else ()):

            def at(*path: str, number: int = number, k: int = k) -> Found:
                return read.comparison(number, "per_seed", k, *path)

            seeds = f"{pair['seed_a']}-{pair['seed_b']}"
            g, low, high = at("cohens_g", "value"), at("cohens_g", "low"), at("cohens_g", "high")
            rows.append(
                Row(
                    f"{comparison['a']}-vs-{comparison['b']}/{seeds}",
                    (
                        Cell(f"{comparison['a']} vs {comparison['b']}"),
                        Cell(f"{pair['seed_a']} / {pair['seed_b']}"),
                        cell("{:d}", at("both_right")),
                        cell("{:d}", at("a_only")),
                        cell("{:d}", at("b_only")),
                        cell("{:d}", at("both_wrong")),
                        p_cell(at("exact_p")),
                        p_cell(at("mid_p")),
                        cell("{:.2f} [{:.2f}, {:.2f}]", g, low, high),
                    ),
                    block=number,
                )
            )
    return Table(
        name="per-seed",
        study=study,
        caption="McNemar's test for each pair of runs, with the items that both, only one, or "
        "neither answers correctly. It is about these checkpoints, not the methods.",
        columns=(
            Column("comparison", "Comparison", numeric=False),
            Column("seeds", "Seeds", numeric=False),
            Column("both_right", "Both"),
            Column("a_only", "First"),
            Column("b_only", "Second"),
            Column("both_wrong", "Neither"),
            Column("exact_p", "exact p"),
            Column("mid_p", "mid-p"),
            Column("g", "Cohen's g"),
        ),
        rows=tuple(rows),
        notes=(
            "Cohen's g is max(b, c)/(b + c) − 1/2 over the discordant pairs, with its "
            "Clopper-Pearson interval. These p are not adjusted.",
        ),
    )


def best_variant(read: Statistics, metric: str) -> str | None:
    """The variant with the highest mean, None if two share it."""
    means = {name: read.variant(name, metric, "mean")[0] for name in read.variants}
    known = {name: mean for name, mean in means.items() if isinstance(mean, float | int)}
    best = [name for name, mean in known.items() if mean == max(known.values())]
    return best[0] if len(best) == 1 else None


def test_cells(read: Statistics, number: int | None) -> tuple[Cell, Cell]:
    """Difference and adjusted p of a comparison; dashes where none was declared."""
    if number is None:
        return EMPTY, EMPTY
    difference = cell("{:+.1f}", read.comparison(number, "estimate"), scale=PERCENT)
    return difference, p_cell(read.comparison(number, "p_holm"), stars=True)


def p_cell(found: Found, stars: bool = False) -> Cell:
    value, source = found
    if isinstance(value, Absent) or value is None:
        return Cell(str(value) if value else "–", (value,), (source,))
    p = float(value)
    text = "<0.001" if p < 0.001 else f"{p:.3f}"
    if stars:
        text += next((mark for bound, mark in STARS if p < bound), "")
    return Cell(text, (value,), (source,))


def seeds_of(read: Statistics, variant: str, metric: str) -> int | None:
    """How many seeds a variant was trained with; None for one that was not trained."""
    seeds = set(read.variants[variant][metric]["seeds"])
    return None if seeds == {"base"} else len(seeds)
