"""Agreement of two paths to an answer, on records with known counts."""

from pathlib import Path
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from regen.agreement import agreement
from regen.errors import InputError
from regen.files import read_json, read_jsonl, write_json
from regen.records import Prediction, write_predictions

OPTIONS = {"A": {"logit": -1.0, "probability": 0.6}, "B": {"logit": -1.4, "probability": 0.4}}


def folder(path: Path, answers: str, seed: int | None = None, **timing: Any) -> Path:
    """An answer a letter; small letters come from text, "-" is text that holds no answer."""
    records = []
    for number, letter in enumerate(answers):
        text = not letter.isupper()
        records.append(
            Prediction(
                item=f"i{number}",
                group="g",
                variant=path.name,
                prompt="p",
                target="AB"[number % 2],
                seed=seed,
                output=letter,
                prediction=None if letter == "-" else letter.upper(),
                error="neither" if letter == "-" else None,
                options=None if text else OPTIONS,
            )
        )
    write_predictions(path / "predictions.jsonl", records)
    measured = {"seconds_per_item": 0.1, "batch_size": 16} | timing
    write_json(path / "timing.json", measured)
    return path


def test_counts_intervals_and_ratio(tmp_path: Path) -> None:
    options = folder(tmp_path / "a", "ABABABABBB", seconds_per_item=0.02)
    generated = folder(tmp_path / "b", "abab-bbbba", seconds_per_item=0.1)
    agreement(options=[options], generated=[generated], out=tmp_path / "out")
    found = read_json(tmp_path / "out/agreement.json")
    # Alike: 0-3, 5, 7, 8. Right by logits: 0-7, 9. Right by text: 0-3, 5, 7.
    assert found["n"] == 10 and found["answers"] == 10 and found["unparsed"] == 1
    expected = {"agreement": 7, "accuracy_options": 9, "accuracy_generated": 6}
    for name, count in expected.items():
        low, high = proportion_confint(count, 10, method="wilson")
        assert found[name]["mean"] == pytest.approx(count / 10)
        assert (found[name]["low"], found[name]["high"]) == (
            pytest.approx(low),
            pytest.approx(high),
        )
    assert read_json(tmp_path / "out/timing.json")["ratio"] == pytest.approx(5)
    rows = read_jsonl(tmp_path / "out/items.jsonl")
    assert [row["agree"] for row in rows].count(True) == 7
    assert rows[4]["error"] == "neither" and "generated" not in rows[4]


def test_several_seeds_are_matched_by_run_and_averaged(tmp_path: Path) -> None:
    options = [folder(tmp_path / f"a{s}", "ABAB", seed=s) for s in (1, 2)]
    generated = [folder(tmp_path / "b1", "abab", seed=1), folder(tmp_path / "b2", "aabb", seed=2)]
    agreement(options=options, generated=generated, out=tmp_path / "out")
    found = read_json(tmp_path / "out/agreement.json")
    assert [run["agreement"] for run in found["by_run"]] == [1.0, 0.5]
    assert [run["seed"] for run in found["by_run"]] == [1, 2]
    assert found["agreement"]["mean"] == 0.75 and found["runs"] == 2
    low, _ = proportion_confint(3, 4, method="wilson")  # 4 items, not 8 answers
    assert found["agreement"]["low"] == pytest.approx(low)


def test_times_that_were_not_measured_are_absent(tmp_path: Path) -> None:
    a, b = folder(tmp_path / "a", "AB"), folder(tmp_path / "b", "ab")
    (b / "timing.json").unlink()
    agreement(options=[a], generated=[b], out=tmp_path / "out")
    assert "not here" in read_json(tmp_path / "out/timing.json")["ratio"]["absent"]


@pytest.mark.parametrize(
    ("first", "second", "changes", "reason"),
    [
        ("AB", "aba", {}, "has other items"),
        ("AB", "AB", {}, "must come from logits"),
        ("ab", "ab", {}, "must come from logits"),
        ("AB", "ab", {"seed": 3}, "differs from"),
        ("AB", "ab", {"batch_size": 1}, "use one size"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    tmp_path: Path, first: str, second: str, changes: dict[str, Any], reason: str
) -> None:
    a, b = folder(tmp_path / "a", first), folder(tmp_path / "b", second, **changes)
    with pytest.raises(InputError, match=reason) as error:
        agreement(options=[a], generated=[b], out=tmp_path / "out")
    assert "\n" not in str(error.value)
