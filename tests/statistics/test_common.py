"""Means on the items that several variants share, and the reasons why answers are not valid."""

from pathlib import Path

import numpy as np
import pytest

from regen.errors import InputError
from regen.files import Absent, write_jsonl
from regen.statistics.common import common_subsets, failures
from regen.statistics.comparisons import compare_runs
from regen.statistics.runs import Runs, read_runs

X = np.nan
ERRORS = {
    "base": {None: [1.0, X, 3.0, X, 5.0, 9.0]},
    "tuned": {1: [2.0, 2.0, X, 2.0, 4.0, 6.0], 2: [4.0, 8.0, 1.0, X, 2.0, 0.0]},
    "mean": {None: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]},
}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = []
    for variant, by_seed in ERRORS.items():
        for seed, values in by_seed.items():
            rows = []
            for number, value in enumerate(values):
                valid = np.isfinite(value)
                row = {
                    "item": f"i{number}", "group": f"g{number}", "variant": variant, "target": "t",
                    "metrics": {"error": value if valid else Absent("truncated")},
                    **({"prediction": "{}"} if valid else {"error": "truncated"}),
                }  # fmt: skip
                rows.append(row | ({} if seed is None else {"seed": seed}))
            paths.append(tmp_path / f"{variant}-{seed}.jsonl")
            write_jsonl(paths[-1], rows)
    return paths


def runs(files: list[Path]) -> dict[str, Runs]:
    return read_runs(files)


def test_an_item_counts_where_every_run_of_every_variant_has_it(files: list[Path]) -> None:
    found = common_subsets(runs(files), {"all": ["base", "tuned"], "one": ["mean"]})
    error = found["all"]["metrics"]["error"]
    assert (error["n_items"], error["coverage"]) == (3, 0.5)  # i0, i4, i5
    assert error["variants"]["base"]["mean"] == (1 + 5 + 9) / 3
    tuned = error["variants"]["tuned"]
    assert tuned["mean"] == pytest.approx((2 + 4 + 6 + 4 + 2 + 0) / 6)
    assert tuned["sd"] == pytest.approx(np.std([4, 2], ddof=1))
    assert error["variants"]["base"]["sd"] == Absent("a frozen model has no seeds")
    assert found["one"]["metrics"]["error"]["n_items"] == 6


def test_a_comparison_is_on_the_same_items_and_says_so(files: list[Path]) -> None:
    """Oracle: the common subset of the two, computed above by another function."""
    read = runs(files)
    common = common_subsets(read, {"both": ["tuned", "base"]})["both"]["metrics"]["error"]
    compared = compare_runs(read["tuned"], read["base"], "error")
    assert compared.result.n_items == common["n_items"]
    assert compared.mean_a == pytest.approx(common["variants"]["tuned"]["mean"])
    assert compared.mean_b == pytest.approx(common["variants"]["base"]["mean"])
    assert any("3 of 6 items" in limit for limit in compared.result.limits)


def test_where_no_item_is_shared_the_means_are_absent(tmp_path: Path) -> None:
    paths = []
    for variant, values in (("a", [1.0, X]), ("b", [X, 1.0])):
        rows = [
            {
                "item": f"i{n}", "group": f"g{n}", "variant": variant,
                "metrics": {"error": v if np.isfinite(v) else Absent("no")},
            }
            for n, v in enumerate(values)
        ]  # fmt: skip
        paths.append(tmp_path / f"{variant}.jsonl")
        write_jsonl(paths[-1], rows)
    error = common_subsets(read_runs(paths), {"s": ["a", "b"]})["s"]["metrics"]["error"]
    assert error["n_items"] == 0 and isinstance(error["variants"]["a"]["mean"], Absent)


def test_a_subset_of_an_unknown_variant_is_an_error(files: list[Path]) -> None:
    with pytest.raises(InputError, match="'nobody': no scores"):
        common_subsets(runs(files), {"all": ["base", "nobody"]})


def test_failures_are_counted_by_reason_over_all_runs(files: list[Path]) -> None:
    found = failures(files)
    assert found["tuned"] == {
        "answers": 12, "failed": 2, "valid": 10, "reasons": {"truncated": 2}, "most": "truncated",
    }  # fmt: skip
    assert found["mean"]["failed"] == 0 and found["mean"]["most"] == Absent("nothing failed")
