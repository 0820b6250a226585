"""Stage `tables`: what a study prints; .tex, .md, .csv, and .json with every cell's sources."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regen.metrics import Metric
from regen.tables.adapters import adapters_table, cost_table
from regen.tables.answers import (
    abstention_table,
    behaviour_table,
    by_level_table,
    measures_table,
    ranking_table,
    wins_table,
)
from regen.tables.choices import grid_table
from regen.tables.feedback import (
    common_table,
    explanations_table,
    traits_table,
    validity_table,
)
from regen.tables.paths import agreement_table, speed_table
from regen.tables.probabilities import calibration_table, confidence_table, thresholds_table
from regen.tables.prompts import prompts_table
from regen.tables.read import Found, Statistics, cell, p_cell
from regen.tables.sets import (
    changes_table,
    diversity_table,
    objectives_table,
    passing_table,
    quality_table,
)
from regen.tables.solutions import rubric_table
from regen.tables.spending import spending_table
from regen.tables.sweeps import sweeps_table
from regen.tables.table import EMPTY, Cell, Column, Row, Table, label_column, write_table

STARS_NOTE = "* p < 0.05, ** p < 0.01, Holm-adjusted within the declared family."


def tables(
    *,
    statistics: Path,
    selections: list[Path],
    agreements: list[Path],
    checkpoints: list[Path],
    calibrations: list[Path],
    thresholds: list[Path],
    searches: list[Path],
    study: str,
    variants: dict[str, dict[str, Any]],
    metrics: dict[str, dict[str, Any]],
    comparisons: list[dict[str, Any]],
    reference: str,
    agreement: list[tuple[str, str]],
    called: dict[str, dict[str, str]],
    out: Path,
    answers: Sequence[Path] = (),
    sets: Sequence[Path] = (),
    sweeps: Sequence[Path] = (),
    tried: dict[str, dict[str, float]] | None = None,
    broken_down: str | None = None,
    spending: dict[str, Any] | None = None,
) -> None:
    """Write comparison (the study's main table), tests, per-seed, grid, adapters, agreement,
    calibration, confidence, thresholds, prompts, kinds, wins, ranking, abstention, measures,
    behaviour, traits, common, validity, explanations, rubric, diversity, quality, passing, changes,
    objectives, sweeps, and the measured ones: cost, speed, spending.

    selections: selection.json files; agreements: folders;
    checkpoints: <recipe>/<seed>/summary.json files, with timing.json beside them;
    calibrations: calibration.json files; thresholds: thresholds.json, if there is one;
    searches: prompt.json files; answers: answers.json, sets: sets.json, if there is one;
    sweeps: outcome.json files

    variants: {name: {model, method, prompt, spoken, trivial}}, in the order of the rows
    metrics: {name: fields of `Metric`}, the study's own first
    comparisons: the declared families; the first one's metric is the main table's
    reference: the variant that the main table compares with
    agreement: [variant asked for logits, the same asked for text] each
    called: what each of the study's `searches`, `trainings` and `axes` is called
    tried: {"<sweep>/<point>": {r, learning_rate}}
    broken_down: facet by which the main metric stands in a table
    spending: what an hour costs, and more, see `spending_table`; None for no such table
    """
    read = Statistics(statistics)
    known = {name: Metric(**fields) for name, fields in metrics.items()}
    main = comparisons[0]["metric"] if comparisons else next(iter(known))
    spoken = {name: labels["spoken"] for name, labels in variants.items()}
    write_table(comparison_table(read, study, variants, main, known[main], reference), out)
    write_table(tests_table(read, study, spoken, known), out)
    write_table(per_seed_table(read, study, spoken), out)
    failures = statistics / "failures.json"
    write_table(traits_table(failures, read, study, spoken, known), out)
    write_table(common_table(statistics / "common.json", read, study, spoken, known), out)
    write_table(validity_table(failures, read, study, spoken), out)
    write_table(explanations_table(read, study, spoken, known), out)
    write_table(rubric_table(read, study, spoken, known), out)
    write_table(grid_table(selections, study, spoken, known), out)
    recipes: dict[str, list[Path]] = {}
    for summary in checkpoints:
        recipes.setdefault(summary.parents[1].name, []).append(summary.parent)
    write_table(adapters_table(recipes, study, called["trainings"]), out)
    write_table(cost_table(recipes, study, called["trainings"]), out)
    asked = {generated: spoken[options] for options, generated in agreement}
    write_table(agreement_table(agreements, study, asked), out)
    write_table(speed_table(agreements, study, asked), out)
    write_table(calibration_table(calibrations, study, spoken), out)
    write_table(confidence_table(calibrations, study, spoken), out)
    write_table(thresholds_table(thresholds, study, spoken, called["axes"]), out)
    write_table(prompts_table(searches, study, called["searches"], known), out)
    facets = statistics / "facets.json"
    write_table(by_level_table(facets, study, spoken, broken_down, main, known[main]), out)
    write_table(wins_table(answers, study, spoken, known), out)
    write_table(ranking_table(answers, study, known), out)
    write_table(abstention_table(answers, study, spoken), out)
    write_table(measures_table(read, answers, study, spoken, known), out)
    write_table(behaviour_table(read, answers, study, spoken, known), out)
    write_table(diversity_table(read, study, spoken, known), out)
    write_table(quality_table(read, study, spoken, known), out)
    write_table(passing_table(sets, study, spoken), out)
    write_table(changes_table(sets, study, spoken, known), out)
    write_table(objectives_table(sets, study, called["trainings"]), out)
    write_table(sweeps_table(sweeps, study, tried or {}, known), out)
    write_table(spending_table(recipes, study, spoken, spending), out)


def comparison_table(
    read: Statistics,
    study: str,
    variants: dict[str, dict[str, Any]],
    name: str,
    metric: Metric,
    reference: str,
) -> Table:
    """A row a variant: the metric over seeds, its interval, and the test against the reference."""
    against = {
        c["a"]: number
        for number, c in enumerate(read.comparisons)
        if c["b"] == reference and c["metric"] == name
    }
    best = best_variants(read, name, metric)
    number = metric.pattern()
    rows = []
    for variant, labels in variants.items():
        words = [Cell(labels[key]) for key in ("model", "method", "prompt")]
        mean, sd = read.variant(variant, name, "mean"), read.variant(variant, name, "sd")
        both = (variant, name, "seeds_and_items")
        low, high = read.variant(*both, "low"), read.variant(*both, "high")
        cells = [
            cell(f"{number} ± {number}", mean, sd, scale=metric.factor, bold=variant in best),
            cell(f"[{number}, {number}]", low, high, scale=metric.factor),
            *test_cells(read, against.get(variant), metric),
            Cell(str(seeds_of(read, variant, name) or "–")),
        ]
        rows.append(Row(variant, (*words, *cells), block=0 if labels["trivial"] else 1))
    better = "larger is better" if metric.larger_is_better else "smaller is better"
    return Table(
        name="comparison",
        study=study,
        caption=f"{metric.heading} on the test split; {better}. Differences are to "
        "{model} (fine-tuning: {method}, prompt: {prompt}).".format(**variants[reference]),
        columns=(
            label_column("model", "Model", (labels["model"] for labels in variants.values())),
            *(
                label_column(
                    key,
                    title,
                    (labels[key] for labels in variants.values()),
                    longest=15,
                    width=0.11,
                )
                for key, title in (("method", "Fine-tuning"), ("prompt", "Prompt"))
            ),
            Column(name, metric.heading),
            Column("interval", "95% CI"),
            Column("difference", "Difference"),
            Column("p", "p"),
            Column("seeds", "Seeds"),
        ),
        rows=tuple(rows),
        notes=(
            "Mean ± SD over seeds. Intervals are for new items, and new seeds where there are any "
            f"({interval_name(read, name)}). Difference{' in points' if metric.percent else ''}, "
            "with the seed-by-item test's p. Best in bold. " + STARS_NOTE,
        ),
    )


def tests_table(
    read: Statistics, study: str, spoken: dict[str, str], metrics: dict[str, Metric]
) -> Table:
    """A row a declared comparison: estimate, interval, raw and adjusted p, what it could detect."""
    rows = []
    several = len({comparison["metric"] for comparison in read.comparisons}) > 1
    families = list(dict.fromkeys(comparison["family"] for comparison in read.comparisons))
    named = len(families) > 1 and not several  # no room for both; rules part the families
    grouped = any(c["n_groups"] != c["n_items"] for c in read.comparisons)
    for number, comparison in enumerate(read.comparisons):

        def at(key: str, number: int = number) -> Found:
            return read.comparison(number, key)

        metric = metrics[comparison["metric"]]
        signed = metric.pattern(signed=True)
        difference = at("estimate"), at("low"), at("high")
        rows.append(
            Row(
                read.address(number),
                (
                    Cell(f"{spoken[comparison['a']]} vs {spoken[comparison['b']]}"),
                    *([Cell(comparison["family"])] if named else []),
                    *([Cell(metric.heading)] if several else []),
                    cell(f"{signed} [{signed}, {signed}]", *difference, scale=metric.factor),
                    cell("{:.1f}", at("df")),
                    p_cell(at("p")),
                    p_cell(at("p_holm"), stars=True),
                    cell(metric.pattern(), at("smallest_detectable"), scale=metric.factor),
                    cell("{:d}", at("n_items")),
                    *([cell("{:d}", at("n_groups"))] if grouped else []),
                ),
                block=families.index(comparison["family"]),
            )
        )
    shares = [metric.percent for metric in metrics.values()]
    longest = max((len(row.cells[0].text) for row in rows), default=0)
    return Table(
        name="tests",
        study=study,
        caption="The declared comparisons of methods, seeds and items both taken as samples.",
        columns=(
            Column(
                "comparison",
                "Comparison",
                numeric=False,
                width=0.24 if longest > 60 else 0.17 if several else 0.2,
            ),
            *([Column("family", "Family", numeric=False)] if named else []),
            *([Column("metric", "Metric", numeric=False, width=0.11)] if several else []),
            Column("difference", "Difference [95% CI]"),
            Column("df", "df"),
            Column("p", "p"),
            Column("p_holm", "adjusted p"),
            Column("detectable", "Detectable"),
            Column("items", "Items"),
            *([Column("groups", "Groups")] if grouped else []),
        ),
        rows=tuple(rows),
        notes=(
            f"Differences {'of shares ' if not all(shares) else ''}in points. Detectable: the "
            "smallest true difference that would have been found with a power of 80%. "
            + STARS_NOTE,
        ),
    )


def per_seed_table(read: Statistics, study: str, spoken: dict[str, str]) -> Table:
    """A row a pair of runs: McNemar's test, which speaks of two checkpoints, not of methods."""
    rows = []
    for number, comparison in enumerate(read.comparisons):
        pairs = comparison["per_seed"]  # absent where the metric is not binary
        sides = comparison["a"], comparison["b"]
        alike = sum((c["a"], c["b"]) == sides for c in read.comparisons)
        address = read.address(number) if alike > 1 else f"{sides[0]}-vs-{sides[1]}"
        for k, pair in enumerate(pairs if isinstance(pairs, list) else ()):

            def at(*path: str, number: int = number, k: int = k) -> Found:
                return read.comparison(number, "per_seed", k, *path)

            seeds = f"{pair['seed_a']}-{pair['seed_b']}"
            g, low, high = at("cohens_g", "value"), at("cohens_g", "low"), at("cohens_g", "high")
            rows.append(
                Row(
                    f"{address}/{seeds}",
                    (
                        Cell(f"{spoken[comparison['a']]} vs {spoken[comparison['b']]}"),
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
            Column("comparison", "Comparison", numeric=False, above=True),
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


def best_variants(read: Statistics, name: str, metric: Metric) -> set[str]:
    """The variants with the best mean; several where they tie."""
    means = {variant: read.variant(variant, name, "mean")[0] for variant in read.variants}
    known = {variant: mean for variant, mean in means.items() if isinstance(mean, float | int)}
    if not known:
        return set()
    best = (max if metric.larger_is_better else min)(known.values())
    return {variant for variant, mean in known.items() if mean == best}


def interval_name(read: Statistics, name: str) -> str:
    """How the intervals over seeds and items are computed: their names without figures."""
    found = [read.variants[variant][name]["seeds_and_items"] for variant in read.variants]
    names = [one["name"].partition(",")[0] for one in found if "name" in one]
    return "; ".join(dict.fromkeys(names))


def test_cells(read: Statistics, number: int | None, metric: Metric) -> tuple[Cell, Cell]:
    """Difference and adjusted p of a comparison; dashes where none was declared."""
    if number is None:
        return EMPTY, EMPTY
    estimate = read.comparison(number, "estimate")
    difference = cell(metric.pattern(signed=True), estimate, scale=metric.factor)
    return difference, p_cell(read.comparison(number, "p_holm"), stars=True)


def seeds_of(read: Statistics, variant: str, metric: str) -> int | None:
    """How many seeds a variant was trained with; None for one that was not trained."""
    seeds = set(read.variants[variant][metric]["seeds"])
    return None if seeds == {"base"} else len(seeds)
