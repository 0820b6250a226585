"""`regen audit`: the first cases, and the arithmetic of counts by brute force."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regen.errors import InputError
from regen.statistics.audit import audit_case, audit_file, render
from regen.statistics.granularity import attainable_sds, attainable_totals


@pytest.fixture
def findings(project: Path) -> dict:
    return {(f.case, f.figure): f for f in audit_file(project / "paper/reported.yaml")}


def test_the_first_cases(findings: dict) -> None:
    expected = {
        ("paired-comparison", "p"): ("another quantity", "0.2188"),
        ("paired-comparison", "Cohen's g"): ("cannot be", "0.3333"),
        ("disagreements", "percentage"): ("consistent", "18.75%"),
        ("five-runs", "SD"): ("cannot be", "1.71 or 2.80"),
        ("comparison-interval-lora", "95% interval"): ("another quantity", "91.2 ± 1.86"),
        ("improvement-over-others", "improvement"): ("another quantity", "4.35"),
        ("trait-mse-base", "average"): ("does not follow", "8.477"),
        ("trait-mse-tuned", "average"): ("does not follow", "2.045"),
        ("better-and-worse", "conclusion"): ("no evidence", "p = 0.727"),
        ("diversity-share-0.3", "share"): ("does not follow", "0%"),
    }
    assert {k: (findings[k].status, findings[k].recomputed) for k in expected} == expected
    assert "without correction" in findings["paired-comparison", "statistic"].sentence
    assert "asymptotic" in findings["paired-comparison", "p"].sentence
    assert "best of the others" in findings["improvement-over-others", "improvement"].sentence


@settings(max_examples=40)
@given(st.integers(2, 7), st.integers(2, 4), st.data())
def test_attainable_sds_by_brute_force(n: int, runs: int, data: st.DataObject) -> None:
    total = data.draw(st.integers(0, n * runs))
    low = data.draw(st.floats(0, 0.6))
    high = low + data.draw(st.floats(0.001, 0.1))
    sds = [np.std(k, ddof=1) / n for k in product(range(n + 1), repeat=runs) if sum(k) == total]
    below, within, above = attainable_sds([total], n, runs, low, high)
    assert (within is not None) == any(low + 1e-9 < sd < high - 1e-9 for sd in sds) or any(
        min(abs(sd - low), abs(sd - high)) < 1e-8 for sd in sds
    )
    smaller = [sd for sd in sds if sd < low - 1e-8]
    if smaller:
        assert below == pytest.approx(max(smaller), abs=1e-7)
    larger = [sd for sd in sds if sd > high + 1e-8]
    if above is not None:
        assert above == pytest.approx(min(larger), abs=1e-7)


@given(st.integers(1, 80), st.integers(0, 1000))
def test_attainable_totals_round_to_the_percentage(n: int, permille: int) -> None:
    low, high = permille / 1000 - 0.0005, permille / 1000 + 0.0005
    brute = [k for k in range(n + 1) if low <= k / n <= high]
    assert attainable_totals(low, high, n) == brute


def one(case: dict, figure: str | None = None):
    found = audit_case({"id": "x", **case})
    return next(f for f in found if figure in (None, f.figure))


def test_figures_that_hold_are_called_consistent() -> None:
    assert one({"kind": "mcnemar", "a_only": 1, "b_only": 5, "p": "0.219"}).status == "consistent"
    assert (
        one({"kind": "mcnemar", "a_only": 1, "b_only": 5, "cohens_g": 0.33}).status == "consistent"
    )
    runs = {"kind": "runs", "mean": 91.9, "sd": "1.7", "n": 32, "runs": 5}
    assert one(runs, "SD").status == "consistent"
    interval = {"kind": "interval", "mean": 91.2, "sd": 1.5, "runs": 5, "low": 89.3, "high": 93.1}
    assert one(interval).status == "consistent"
    assert one({"kind": "average", "values": [1, 2], "average": "1.50"}).status == "consistent"
    assert one({"kind": "sign-test", "wins": 9, "ties": 0, "losses": 1, "p": 0.021}).status == (
        "consistent"
    )


def test_figures_that_cannot_be() -> None:
    assert one({"kind": "proportion", "percent": 85.0, "n": 32}).status == "cannot be"
    assert (
        one({"kind": "proportion", "percent": 19, "n": 32, "count": 7}).status == "does not follow"
    )
    assert one({"kind": "runs", "mean": 91.8, "n": 32, "runs": 5}).status == "cannot be"
    moments = {"kind": "moments", "mean": 0.9, "sd": 0.35, "count": 5, "lowest": 0, "highest": 1}
    assert one(moments).status == "cannot be"  # four of 1 and one of 0.5 is far below: at most .335
    outside = {"kind": "interval", "mean": 5, "sd": 1, "runs": 3, "low": 6, "high": 7}
    assert one(outside).status == "cannot be"
    two_sd = {"kind": "interval", "mean": 91.2, "sd": 1.5, "runs": 5, "low": 88.2, "high": 94.2}
    assert "mean ± 2 SD" in one(two_sd).sentence


def test_the_papers_cases_are_printed(project: Path) -> None:
    assert "paired-comparison, p: reported 0.1025" in render(
        audit_file(project / "paper/reported.yaml")
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1", "must be a list"),
        ("- {id: x, kind: guess}", "one of"),
        ("- {id: x, kind: mcnemar, a_only: 1}", "lacks 'b_only'"),
        ("- {id: x, kind: proportion, percent: most, n: 3}", "cannot be computed"),
        ("- {id: [", "is not YAML"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        audit_file(path)
