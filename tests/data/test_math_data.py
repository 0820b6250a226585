"""The word problems: right answers, levels in turn, groups apart, the same bytes again."""

import json
from pathlib import Path

import pytest

from regen.data.math import TEMPLATES, math
from regen.errors import InputError
from regen.numbers_said import answer_said, numbers_said
from regen.rubric import checks, weighted

SIZES = {"train": 300, "dev": 40, "test": 60}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("math")
    math(out=folder, seed=3, sizes=SIZES, levels=[1, 2, 3])
    return folder


def rows(folder: Path, split: str) -> list[dict]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]


def test_solutions_are_right(made: Path) -> None:
    for split in SIZES:
        for row in rows(made, split):
            found = checks(
                question=row["question"],
                steps=len(row["steps"]),
                unit=row["unit"],
                reasoning="; ".join(row["steps"]),
                answer=row["answer"],
            )
            assert weighted(found) == pytest.approx(1), row
            given = {said.value for said in numbers_said(row["question"])}
            assert {int(n) for n in row["group"].split("-") if n.isdigit()} <= {
                100 * value if row["template"] == "cents" and value.denominator > 0 else value
                for value in given
            } | given


@pytest.mark.parametrize(
    ("template", "numbers", "answer"),
    [
        ("gain", (3, 4), "7 pens"),
        ("loss", (9, 4), "5 pens"),
        ("share", (12, 3), "4 pens"),
        ("price", (3, 4), "$12"),
        ("change", (3, 4, 20), "$8"),
        ("percent", (40, 25), "10 pens"),
        ("fraction", (24, 10), "7/12"),
        ("cents", (125, 4), "$5.00"),
        ("boxes-loss", (5, 8, 13), "27 pens"),
        ("gain-loss", (6, 13, 2), "17 pens"),
    ],
)
def test_answers(template: str, numbers: tuple[int, ...], answer: str) -> None:
    assert TEMPLATES[template].solve(numbers, "pens").answer == answer


def test_levels_take_turns_and_groups_stay_apart(made: Path) -> None:
    seen: dict[str, str] = {}
    for split, size in SIZES.items():
        found = rows(made, split)
        assert len(found) == size
        assert [row["level"] for row in found] == [1 + n % 3 for n in range(size)]
        assert len({row["question"] for row in found}) == size
        assert all(answer_said(row["answer"]) for row in found)
        for row in found:
            assert seen.setdefault(row["group"], split) == split
    for split in ("dev", "test"):
        assert len({row["group"] for row in rows(made, split)}) == SIZES[split]


def test_the_seed_decides(made: Path, tmp_path: Path) -> None:
    for name, seed in (("same", 3), ("other", 4)):
        math(out=tmp_path / name, seed=seed, sizes=SIZES, levels=[1, 2, 3])
    for file in ("train.jsonl", "test.jsonl", "card.json"):
        assert (tmp_path / "same" / file).read_bytes() == (made / file).read_bytes()
        assert (tmp_path / "other" / file).read_bytes() != (made / file).read_bytes()


def test_levels_of_the_configuration(tmp_path: Path) -> None:
    math(out=tmp_path, seed=1, sizes={"train": 10, "dev": 3, "test": 4}, levels=[2, 2, 1])
    assert [row["level"] for row in rows(tmp_path, "train")] == [2, 2, 1, 2, 2, 1, 2, 2, 1, 2]


def test_too_many_problems_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"runs out of problems; lower sizes\.test"):
        math(out=tmp_path, seed=1, sizes={"train": 1, "dev": 1, "test": 5000}, levels=[1])
