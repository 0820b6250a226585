"""The table of worked solutions: each cell is the mean that stands at its source."""

from pathlib import Path

from regen.benchmarks.registry import get_benchmark
from regen.files import write_json
from regen.tables.read import Statistics, follow
from regen.tables.solutions import COLUMNS, rubric_table


def statistics(folder: Path, found: dict[str, dict[str, float]]) -> Statistics:
    variants = {
        variant: {name: {"mean": value} for name, value in means.items()}
        for variant, means in found.items()
    }
    write_json(folder / "variants.json", variants)
    write_json(folder / "comparisons.json", [])
    return Statistics(folder)


def test_every_mean_stands_in_its_column_and_at_its_source(tmp_path: Path) -> None:
    metrics = dict(get_benchmark("math").metrics)
    means = {
        variant: {name: (number + shift) / 100 for number, name in enumerate(COLUMNS)}
        for variant, shift in (("base", 10), ("grpo", 60))
    }
    read = statistics(tmp_path, means)
    table = rubric_table(read, "math", {"base": "Base", "grpo": "GRPO"}, metrics)
    assert [row.name for row in table.rows] == ["base", "grpo"]
    for row in table.rows:
        for column, cell in zip(COLUMNS, row.cells[1:], strict=True):
            assert cell.values == (means[row.name][column],)
            assert follow(read.variants, cell.sources[0].pointer) == cell.values[0]
            assert cell.text == f"{100 * means[row.name][column]:.1f}"


def test_a_study_without_a_rubric_has_no_rows(tmp_path: Path) -> None:
    read = statistics(tmp_path, {"base": {"accuracy": 0.5}})
    assert not rubric_table(read, "speech", {"base": "Base"}, {}).rows
