"""The appendix: simulated error rates and audited figures as tables, each cell at its source."""

from pathlib import Path
from typing import Any

import pytest

from regen.files import read_json
from regen.statistics.simulation import simulation
from regen.tables.appendix import appendix
from regen.tables.read import follow

GRID = {
    "items": [30, 60],
    "seeds": [1, 3],
    "seed_sd": [0.0, 0.1],
    "groups": [False, True],
    "accuracy": 0.85,
    "replications": 300,
    "interval_replications": 20,
    "resamples": 50,
    "seed": 3,
}
TABLES = ("type-i-error", "tests-to-avoid", "mcnemar", "coverage", "audit")


@pytest.fixture(scope="module")
def made(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("across")
    for name in ("simulation", "tables"):
        (home / name).mkdir()
    simulation(grid=GRID, out=home / "simulation")
    appendix(
        simulation=home / "simulation" / "simulation.json",
        reported=project / "paper" / "reported.yaml",
        out=home / "tables",
    )
    return home


def table(made: Path, name: str) -> dict[str, dict[str, Any]]:
    content = read_json(made / "tables" / f"{name}.json")
    columns = [column["name"] for column in content["columns"]]
    return {row["name"]: dict(zip(columns, row["cells"], strict=True)) for row in content["rows"]}


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_stands_at_its_source(made: Path, name: str) -> None:
    found = 0
    for row in table(made, name).values():
        for cell in row.values():
            for value, source in zip(cell["values"], cell["sources"], strict=True):
                document = read_json(made / source["input"] / source["file"])
                assert follow(document, source["pointer"]) == value
                found += 1
    assert found >= len(table(made, name))


def test_a_cell_is_the_point_of_the_grid_that_its_row_and_column_say(made: Path) -> None:
    cells = table(made, "type-i-error")
    errors = read_json(made / "simulation" / "simulation.json")["errors"]
    (row,) = [
        row for row in errors
        if (row["test"], row["design"], row["items"]) == ("seed-by-item t test", "B frozen", 60)
        and (row["seeds_a"], row["seed_sd"], row["grouped"]) == (3, 0.1, True)
    ]  # fmt: skip
    assert cells["3/0.1/groups"]["B-frozen/60"]["values"] == [row["error"]]
    assert cells["1/0.1/groups"]["B-frozen/60"]["values"] == []
    assert cells["3-10/0.1/items"]["both/30"]["values"]


def test_what_is_off_is_bold_and_nothing_else(made: Path) -> None:
    """300 replications at .05: a standard error of .0126, so beyond .0877."""
    for name in ("type-i-error", "tests-to-avoid", "mcnemar"):
        for row in table(made, name).values():
            for cell in row.values():
                if cell["values"]:
                    assert cell["bold"] == (cell["values"][0] > 0.08775), (name, cell)
    bold = [c["bold"] for row in table(made, "tests-to-avoid").values() for c in row.values()]
    assert any(bold)


def test_coverage_is_the_least_over_the_seeds(made: Path) -> None:
    rows = read_json(made / "simulation" / "simulation.json")["coverage"]
    of = "these checkpoints, new items"
    least = min(
        row["coverage"] for row in rows
        if (row["interval"], row["of"]) == ("bootstrap (BCa)", of)
        and (row["items"], row["seed_sd"], row["grouped"]) == (30, 0.0, False)
    )  # fmt: skip
    cells = table(made, "coverage")["bootstrap-(BCa)/these-checkpoints-new-items"]
    assert cells["items/0/30"]["values"] == [least]


def test_the_audit_has_the_first_cases(made: Path) -> None:
    cells = table(made, "audit")
    assert cells["five-runs/SD"]["status"]["text"] == "cannot be"
    assert cells["five-runs/SD"]["recomputed"]["text"] == "1.71 or 2.80"
    assert cells["trait-mse-base/average"]["recomputed"]["text"] == "8.477"
    counts = read_json(made / "tables" / "findings.json")["counts"]
    assert counts["all"] == len(cells) == sum(n for name, n in counts.items() if name != "all")
