"""The reply data: pairs read by hand, and nobody who speaks on both sides of a split."""

import json
import zipfile
from pathlib import Path

import pytest

from regen.data.replies import pairs, replies
from regen.data.transcripts import short
from regen.errors import InputError
from regen.files import read_json, read_jsonl

SIZES = {"train": 20, "dev": 4, "test": 6}


def package(folder: Path, conversations: dict[str, list[tuple[str, list[str]]]]) -> Path:
    """A wheel like the real one: {identifier: [(who, the lines of a turn)]}."""
    content = {
        name: {
            "messages": [[{"sender": who, "text": text} for text in said] for who, said in turns]
        }
        for name, turns in conversations.items()
    }
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "chitchat_dataset-0.9.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("chitchat_dataset/dataset.json", json.dumps(content))
    return folder


def many(folder: Path, count: int = 40) -> Path:
    """Every speaker in one conversation, but the first one in all of those that are odd."""
    talks = {}
    for n in range(count):
        first = "often" if n % 2 else f"a{n}"
        turns = [(first, [f"what about number {n}"]), (f"b{n}", [f"it is {n}", "as it was"])]
        talks[f"c{n}"] = [*turns, (first, [f"good that it is {n}"])]
    return package(folder, talks)


def test_pairs_are_turns_one_after_the_other(tmp_path: Path) -> None:
    turns = [
        ("x", ["Hello", " how are  you?"]),
        ("y", ["fine"]),
        ("y", ["and you"]),  # the same person again: no reply
        ("x", ["one two three four five six seven"]),  # too long
        ("y", ["call me at home"]),  # personal, and what it answers is too long
        ("x", ["5!"]),  # no letters
        ("y", ["ok then"]),
        ("x", ["Fine"]),
        ("y", ["fine"]),  # repeats its message
    ]
    found, left_out = pairs(package(tmp_path, {"c": turns}), 5)
    assert [(one.message, one.reply) for one in found] == [
        ("Hello how are you?", "fine"),
        ("ok then", "Fine"),
    ]
    assert {one.name for one in found} == {short("c")}
    assert left_out == {
        "too long or short": 5,
        "profane or personal": 0,
        "not plain": 0,
        "twice": 1,
    }


def test_profane_and_personal_pairs_are_left_out(tmp_path: Path) -> None:
    turns = [("x", ["hi there"]), ("y", ["my name is z"]), ("x", ["oh hell"]), ("y", ["well é"])]
    found, left_out = pairs(package(tmp_path, {"c": turns}), 9)
    assert found == [] and left_out["profane or personal"] == 3


def test_speakers_are_apart_and_items_of_dev_and_test_independent(tmp_path: Path) -> None:
    sources = many(tmp_path / "s")
    replies(sources=sources, out=tmp_path / "d", seed=1, sizes=SIZES, words=9)
    card = read_json(tmp_path / "d" / "card.json")
    assert card["speakers_apart"]["dev"] == 8 and card["speakers_apart"]["test"] == 12
    by_split = {split: read_jsonl(tmp_path / "d" / f"{split}.jsonl") for split in SIZES}
    assert {split: len(rows) for split, rows in by_split.items()} == SIZES
    for split in ("dev", "test"):
        assert len({row["group"] for row in by_split[split]}) == SIZES[split]
    # The one who speaks in half of the conversations is in the training split alone.
    numbers = {
        split: {int(row["message"].split()[-1]) for row in rows if "number" in row["message"]}
        for split, rows in by_split.items()
    }
    assert not any(n % 2 for split in ("dev", "test") for n in numbers[split])
    assert any(n % 2 for n in numbers["train"])
    texts = (tmp_path / "d" / "train.jsonl").read_text()
    assert "often" not in texts and '"c1"' not in texts


def test_the_same_seed_gives_the_same_bytes_and_another_another_order(tmp_path: Path) -> None:
    sources = many(tmp_path / "s")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        replies(sources=sources, out=tmp_path / name, seed=seed, sizes=SIZES, words=9)
    first, again, other = ((tmp_path / n / "train.jsonl").read_bytes() for n in "abc")
    assert first == again != other


def test_too_few_pairs_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"20 pairs are asked for in train, and there are 0"):
        replies(sources=many(tmp_path, 6), out=tmp_path, seed=1, sizes=SIZES, words=9)
