"""`regen compare`: two systems on the same items, from their prediction files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from regen.errors import InputError, nearest
from regen.files import Absent
from regen.metrics import undescribed
from regen.statistics.comparisons import Comparison, SeedPair, compare_runs, table_row
from regen.statistics.mcnemar import TestName
from regen.statistics.reading import read_groups, read_side
from regen.statistics.runs import Runs
from regen.statistics.wins import Wins, count_wins
from regen.statistics.words import amount, interval_text, p_text

Value = float | Absent


@dataclass(frozen=True)
class Report:
    """A comparison, wins item by item (means over seeds), and notes on what was read."""

    comparison: Comparison
    wins: Wins
    notes: tuple[str, ...]


def compare_files(
    a: Sequence[Path],
    b: Sequence[Path],
    *,
    name_a: str = "A",
    name_b: str = "B",
    metric: str | None = None,
    benchmark: str | None = None,
    groups: Path | None = None,
    paired_seeds: bool = False,
    intersect: bool = False,
    test: str = "auto",
) -> Report:
    """Compare two systems, one file a seed on each side (see `reading.read_rows` for the kinds).

    metric: which, if the files hold several. benchmark: see `reading.read_rows`. groups: a CSV
    with columns item and group. intersect: compare on the items that both sides have, and say how
    many. test: the version of McNemar's test, where that is the right one. Raises InputError.
    """
    if test not in get_args(TestName):
        raise InputError(f"--test {test}: there is no such test{nearest(test, get_args(TestName))}")
    by_item = read_groups(groups) if groups else None
    runs_a = read_side(a, name_a, by_item, benchmark)
    runs_b = read_side(b, name_b, by_item, benchmark)
    notes = []
    if intersect:
        runs_a, runs_b, coverage = common_items(runs_a, runs_b)
        notes.append(coverage)
    _check_targets(runs_a, runs_b)
    metric = metric or _only_metric(runs_a, runs_b)
    comparison = compare_runs(
        runs_a, runs_b, metric, paired_seeds=paired_seeds, test=cast(TestName, test)
    )
    if test != "auto" and not comparison.result.test.startswith("McNemar"):
        raise InputError(
            f"--test {test}: McNemar's test is for one run against one, right or wrong, on items "
            f"without groups; here it is the {comparison.result.test} "
            f"({comparison.result.reason}); leave --test out"
        )
    for runs, paths in ((runs_a, a), (runs_b, b)):
        if runs.frozen:
            notes.append(
                f"{runs.name} is one file ({paths[0].name}) that names no seed and is taken for a "
                "frozen model; if it was trained, this is about that checkpoint"
            )
    x, y = (runs.scores[metric].mean(0) for runs in (runs_a, runs_b))
    both = np.isfinite(x) & np.isfinite(y)
    wins = count_wins(x[both], y[both], tolerance=1e-12)
    return Report(comparison, wins, tuple(notes))


def _check_targets(a: Runs, b: Runs) -> None:
    """Items that have the same name and other targets are not the same items."""
    if a.items != b.items:
        return  # `compare_runs` names what is missing
    for item, one, other in zip(a.items, a.targets, b.targets, strict=True):
        if one is not None and other is not None and one != other:
            raise InputError(
                f"item {item!r} has the target {one!r} in {a.name} and {other!r} in {b.name}: "
                "these are not the same items; predict both on the same data"
            )


def common_items(a: Runs, b: Runs) -> tuple[Runs, Runs, str]:
    """Both on the items that both have, and a sentence on how many those are."""
    shared = set(a.items) & set(b.items)
    if not shared:
        raise InputError(f"{a.name} and {b.name} have no item in common")
    total = len(set(a.items) | set(b.items))
    kept = [runs.take(np.array([item in shared for item in runs.items])) for runs in (a, b)]
    coverage = (
        f"compared on the {len(shared)} items that both have, of {len(a.items)} of {a.name} and "
        f"{len(b.items)} of {b.name} ({len(shared) / total:.1%} of all)"
    )
    return kept[0], kept[1], coverage


def _only_metric(a: Runs, b: Runs) -> str:
    shared = sorted(a.scores.keys() & b.scores.keys())
    if len(shared) == 1:
        return shared[0]
    if not shared:
        raise InputError(f"no metric is on both sides: {sorted(a.scores)} and {sorted(b.scores)}")
    raise InputError(f"the files hold several metrics, choose one of {shared}")


def as_json(report: Report) -> dict[str, Any]:
    """The report as it is written by --json."""
    c = report.comparison
    grouped = c.result.n_groups < c.result.n_items
    pairs = c.per_seed
    rows = pairs if isinstance(pairs, Absent) else [table_row(pair, grouped) for pair in pairs]
    return {
        "a": c.a,
        "b": c.b,
        "metric": c.metric,
        "binary": c.binary,
        "mean_a": c.mean_a,
        "mean_b": c.mean_b,
        **{**vars(c.result), "limits": list(c.result.limits)},
        "smallest_detectable": c.smallest_detectable,
        "per_seed": rows,
        "wins": {**vars(report.wins), "interval": vars(report.wins.interval)},
        "notes": list(report.notes),
    }


def render(report: Report) -> str:
    """The report as text for a terminal."""
    c, r = report.comparison, report.comparison.result
    metric = undescribed(c.metric, c.binary)
    units = f"{r.n_items} items"
    if r.n_groups < r.n_items:
        units += f" in {r.n_groups} groups"
    lines = [
        f"{c.a} ({_runs(r.seeds_a)}) against {c.b} ({_runs(r.seeds_b)}) on {units}, {c.metric}",
        f"  {c.a}: {_level(c.mean_a, c.binary)}",
        f"  {c.b}: {_level(c.mean_b, c.binary)}",
        "",
    ]
    pairs = c.per_seed
    if isinstance(pairs, Absent):
        w = report.wins
        lines += [f"Items: {c.a} higher on {w.wins}, {c.b} higher on {w.losses}, {w.ties} ties"]
        lines += [f"  sign test {p_text(w.p)}, share of wins {_level(w.share, True)}"]
    elif len(pairs) == 1:
        lines += _one_table(c, pairs[0])
    elif pairs:
        lines += _many_tables(c, pairs)
    lines += [
        "",
        f"Test: {r.test}",
        f"  because: {r.reason}",
        f"  {_statistic(c)}{p_text(r.p)}",
        f"Difference: {amount(r.estimate, metric)}, {interval_text(r.low, r.high, metric)}",
        f"Smallest detectable difference (80% power): "
        f"{amount(c.smallest_detectable, metric, signed=False)}",
    ]
    lines += [f"Limit: {limit}" for limit in r.limits]
    lines += [f"Note: {note}" for note in report.notes]
    lines += ["", f"Verdict: {r.verdict}"]
    return "\n".join(lines) + "\n"


def _one_table(c: Comparison, pair: SeedPair) -> list[str]:
    t = pair.table
    n = t.both_right + t.a_only + t.b_only + t.both_wrong
    apart = t.a_only + t.b_only
    rows = [
        ("both right", t.both_right),
        (f"{c.a} right, {c.b} wrong", t.a_only),
        (f"{c.a} wrong, {c.b} right", t.b_only),
        ("both wrong", t.both_wrong),
    ]
    width = max(len(label) for label, _ in rows)
    lines = [f"  {label:<{width}}  {count:>6}" for label, count in rows]
    lines.append(f"Total disagreements: {apart}/{n} ({apart / n:.1%})")
    if apart:
        lines.append(f"  the smallest exact p that {apart} can give: {t.smallest_p:.2g}")
    lines.append(f"Exact p {t.exact_p:.4g}, mid-p {t.mid_p:.4g}")
    return [*lines, f"Effect size: {_g(pair)}"]


def _many_tables(c: Comparison, pairs: Sequence[SeedPair]) -> list[str]:
    head = ("seed of A", "seed of B", "both right", "A only", "B only", "both wrong", "exact p")
    lines = [f"Checkpoint by checkpoint (A: {c.a}, B: {c.b}); none of these is about the method:"]
    lines.append("  " + "  ".join(head))
    for pair in pairs:
        t = pair.table
        seeds = ["base" if s is None else str(s) for s in (pair.seed_a, pair.seed_b)]
        cells = [*seeds, t.both_right, t.a_only, t.b_only, t.both_wrong, f"{t.exact_p:.3g}"]
        lines.append("  " + "  ".join(f"{x!s:>{len(h)}}" for x, h in zip(cells, head, strict=True)))
    return lines


def _g(pair: SeedPair) -> str:
    t = pair.table
    if isinstance(t.cohens_g, Absent):
        return f"Cohen's g {t.cohens_g}"
    return f"Cohen's g {t.cohens_g:.3f} ({t.g_size}), 95% interval {t.g_low:.3f} to {t.g_high:.3f}"


def _statistic(c: Comparison) -> str:
    if isinstance(c.per_seed, Absent) or not c.result.test.startswith("McNemar"):
        t = _t_value(c)
        return f"t = {t:.3g} on {c.result.df:.3g} df, " if t is not None else ""
    statistic = c.per_seed[0].table.statistic
    return "" if isinstance(statistic, Absent) else f"chi-squared = {statistic:.4f} on 1 df, "


def _t_value(c: Comparison) -> float | None:
    r = c.result
    if isinstance(r.estimate, Absent) or isinstance(r.se, Absent) or r.se == 0:
        return None
    return r.estimate / r.se


def _runs(seeds: int) -> str:
    return "one run" if seeds == 0 else "one seed" if seeds == 1 else f"{seeds} seeds"


def _level(value: Value, binary: bool) -> str:
    if isinstance(value, Absent):
        return str(value)
    return f"{value:.1%}" if binary else f"{value:.4g}"
