"""General knowledge: true facts once each, and an answer that is right when it says the thing."""

from pathlib import Path

import pytest

from regen.benchmarks.registry import get_benchmark
from regen.data.retention import retention
from regen.errors import InputError
from regen.files import read_json, read_jsonl

SIZES = {"train": 20, "dev": 20, "test": 80}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("retention")
    retention(out=out, seed=1, sizes=SIZES)
    return out


def test_sums_are_right_and_no_fact_is_in_two_splits(made: Path, tmp_path: Path) -> None:
    rows = [row for split in SIZES for row in read_jsonl(made / f"{split}.jsonl")]
    assert len({row["group"] for row in rows}) == len({row["item"] for row in rows}) == 120
    signs = {"plus": "__add__", "minus": "__sub__", "times": "__mul__"}
    sums = [row for row in rows if row["kind"] == "arithmetic"]
    for row in sums:
        _, _, a, sign, b = row["question"].rstrip("?").split()
        assert getattr(int(a), signs[sign])(int(b)) == int(row["answer"])
    assert len(sums) == 30
    assert read_json(made / "card.json")["splits"]["test"]["kind"] == dict.fromkeys(
        ("capital", "element", "opposite", "arithmetic"), 20
    )
    retention(out=tmp_path, seed=1, sizes=SIZES)
    for name in ("train.jsonl", "test.jsonl", "card.json"):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()
    with pytest.raises(InputError, match="run out"):
        retention(out=tmp_path, seed=1, sizes=SIZES | {"test": 400})


@pytest.mark.parametrize(
    ("said", "target", "right"),
    [
        ("The capital is Mexico City.", "Mexico City", True),
        ("Mexico", "Mexico City", False),
        ("COLD!", "cold", True),
        ("It is colder.", "cold", False),
        ("aluminum", "aluminium", True),
        ("7 plus 5 is 12.", "12", True),
        ("12, or was it 13", "12", False),
        ("112", "12", False),
        ("The text does not include that detail.", "Paris", False),
    ],
)
def test_an_answer_is_right_if_it_says_the_thing(said: str, target: str, right: bool) -> None:
    assert get_benchmark("retention").check_answer(said, target) is right


def test_items_are_read_and_asked(made: Path) -> None:
    task = get_benchmark("retention")
    items = task.load_dataset(made, "test", 8)
    assert [item.facets["kind"] for item in items[:4]] == [
        "capital", "element", "opposite", "arithmetic",
    ]  # fmt: skip
    for name in task.prompts:
        asked = task.prompt(items[0], task.template(name))
        assert asked.text.startswith(items[0].inputs["question"]) and asked.system
    with pytest.raises(InputError, match="has no 'answer'"):
        task.read({"item": "i", "group": "g", "kind": "capital", "question": "?"}, made)
