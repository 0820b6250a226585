"""The reply benchmark: what is asked, how a reply is judged, and what is written down of it."""

import json
from pathlib import Path

import pytest

from regen.benchmarks.base import Item
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import Absent, dumps
from regen.records import Prediction

TRAIN = [
    ("how are you", "fine thanks and how is your old dog today"),
    ("how is the dog", "the dog is fine thanks"),
    ("do you like tea", "yes i like tea and you"),
]
TEST = [("how are you today", "i am fine and the cat is fine too")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replies")
    for split, pairs in {"train": TRAIN, "dev": TEST, "test": TEST}.items():
        rows = [
            {"item": f"{split}-{n}", "group": f"{split}-{n}", "message": m, "reply": r}
            for n, (m, r) in enumerate(pairs)
        ]
        (folder / f"{split}.jsonl").write_text("".join(dumps(row, None) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def item(folder: Path) -> Item:
    return get_benchmark("replies").load_dataset(folder, "test")[0]


def record(item: Item, text: str, sample: int = 0) -> Prediction:
    given = {"item": item.item, "group": item.group, "variant": "v", "prompt": "p"}
    return Prediction(**given, target=item.target, sample=sample, output=text, prediction=text)


def test_the_message_is_what_is_asked(item: Item) -> None:
    task = get_benchmark("replies")
    assert task.prompt(item, task.template("baseline")).text == "how are you today"
    assert task.prompt(item, "Be kind.").text == "Be kind.\nhow are you today"
    assert task.completion(item) == TEST[0][1]


@pytest.mark.parametrize(
    ("text", "quality"),
    [
        ("how are you", 2 / 3),  # "are" stands in the training split once
        ("fine xq", 1 / 2),
        ("the dog the dog", 1.0 * 2 / 3),  # three pairs, of which one is there twice
        ("Dog", 1.0),
        ("", 0.0),
        ("zz qq", 0.0),
    ],
)
def test_quality_is_what_is_counted_by_hand(item: Item, text: str, quality: float) -> None:
    assert get_benchmark("replies").quality(item, text) == pytest.approx(quality)


def test_the_metrics_are_of_the_set(item: Item) -> None:
    task = get_benchmark("replies")
    same = task.score(item, [record(item, "you like tea", n) for n in range(2)])
    assert same["self_bleu"] == pytest.approx(1.0, abs=0.2)
    assert same["distinct_1"] == 0.5 and same["distinct_2"] == 0.5
    one = task.score(item, [record(item, "you like tea")])
    assert isinstance(one["self_bleu"], Absent) and isinstance(one["distinct_1"], Absent)
    assert one["quality"] > 0


def test_retrieval_takes_the_reply_of_the_nearest_message(item: Item, folder: Path) -> None:
    task = get_benchmark("replies")
    baseline = task.trivial["retrieval"]()
    baseline.fit(task.load_dataset(folder, "train"))
    assert baseline.predict([item]) == [TRAIN[0][1]]
    other = Item("x", "x", "t", {"message": "tea", "folder": folder})
    assert baseline.predict([other]) == [TRAIN[2][1]]


def test_a_record_holds_no_words_of_others_and_comes_back(item: Item) -> None:
    task = get_benchmark("replies")
    said = f"well {TRAIN[0][1]} ⟦ and so on"
    written = task.to_record(item, record(item, said))
    text = json.dumps(written.output, ensure_ascii=False)
    assert "old dog" not in text and "cat" not in written.target
    assert text.startswith('"well ⟦') and "and so on" in text
    assert task.from_record(item, written) == record(item, said)
    short = record(item, "i like tea")  # four words in a row may stand
    assert task.to_record(item, short).output == "i like tea"


def test_a_reply_that_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="item 'a' has no 'reply'"):
        get_benchmark("replies").read({"item": "a", "group": "g", "message": "m"}, folder)
