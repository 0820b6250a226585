"""Yes, no or maybe: abstracts that nobody trained on, whole sentences of them, answers as said."""

import json
import re
from pathlib import Path

import pytest
from qa_wheel import PLANTS, passage, write_wheel

from regen.benchmarks.registry import get_benchmark
from regen.chain import Chain
from regen.config import check, read
from regen.data.decisions import decisions, ending
from regen.errors import InputError
from regen.files import read_json, read_jsonl

SIZES = {"train": 10, "dev": 5, "test": 20}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheel(tmp_path_factory.mktemp("archives"))


def make(archives: Path, out: Path, taken: range = range(0), **changes: object) -> list[dict]:
    out.mkdir(exist_ok=True)
    rows = [{"group": f"pubmedqa-pqal-{number:03d}"} for number in taken]
    (out / "other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    usual = {"seed": 1, "sizes": SIZES, "words": 60, "apart_from": out / "other.jsonl"}
    decisions(sources=archives, out=out, **(usual | changes))
    return [row for split in SIZES for row in read_jsonl(out / f"{split}.jsonl")]


def test_rows_are_the_abstracts_questions_and_answers(archives: Path, tmp_path: Path) -> None:
    rows = make(archives, tmp_path / "one", taken=range(0, 20))
    assert len({row["group"] for row in rows}) == len(rows) == 35
    for row in rows:
        number = int(row["item"].rpartition("-")[2])
        assert number >= 20  # those before were trained on
        written = passage(2 * number)  # the package's first part has every other one
        assert row["question"] == f"D{written['question'][1:]}"
        assert row["context"].endswith("in the end.") and len(row["context"].split()) <= 60
        assert row["context"] in re.sub(r"\s*Context \(\d\): ", " ", written["passage"])
        assert row["answer"] == ("yes", "yes", "no", "maybe")[number % 4]
        assert PLANTS[2 * number % len(PLANTS)] in row["question"]
    assert rows == make(archives, tmp_path / "two", taken=range(0, 20))
    assert rows != make(archives, tmp_path / "three", taken=range(0, 20), seed=2)
    card = read_json(tmp_path / "one" / "card.json")
    assert sum(card["splits"]["test"]["answer"].values()) == card["groups_apart"]["test"] == 20
    with pytest.raises(InputError, match="there are 30 passages, 35 are asked for"):
        make(archives, tmp_path / "few", taken=range(30))


def test_an_excerpt_is_of_whole_sentences() -> None:
    text = "Context (1): One two three. Four five.\nContext (2): Six seven eight."
    assert ending(text, 5) == "Four five. Six seven eight."
    assert ending(text, 7) == "Four five. Six seven eight."
    assert ending(text, 2) == ""


@pytest.mark.parametrize(
    ("said", "answer"),
    [("Yes, it does.", "yes"), ("I say NO.", "no"), ("maybe", "maybe"), ("not known", None)],
)
def test_an_answer_in_words(said: str, answer: str | None) -> None:
    from regen.benchmarks.base import AnswerError

    task = get_benchmark("decisions")
    if answer is None:
        with pytest.raises(AnswerError):
            task.extract_answer(said)
    else:
        assert task.extract_answer(said) == answer


def test_items_are_read_and_asked(archives: Path, tmp_path: Path) -> None:
    row = make(archives, tmp_path)[0]
    task = get_benchmark("decisions")
    item = task.load_dataset(tmp_path, "train")[0]
    prompt = task.prompt(item, task.template("baseline"))
    assert prompt.text == f"{row['context']}\n\n{row['question']} Answer yes, no or maybe."
    assert task.prompt(item, "Decide.").text.endswith(f"{row['question']} Decide.")
    for key in ("question", "context", "answer", "group"):
        with pytest.raises(InputError, match=f"has no '{key}'"):
            task.read(row | {key: " "}, tmp_path)
    with pytest.raises(InputError, match="is answered 'perhaps', none of yes, no, maybe"):
        task.read(row | {"answer": "perhaps"}, tmp_path)


def test_it_comes_after_the_data_set_that_it_keeps_apart_from(project: Path) -> None:
    merged = read([project / "config.yaml"])
    merged["datasets"] = {"decisions": merged["datasets"].pop("decisions"), **merged["datasets"]}
    order = list(Chain(check(merged)).jobs)
    assert order.index("data/qa") < order.index("data/decisions")
    for bad in ("decisions", "nothing"):
        change = f"datasets.decisions.apart_from={bad}"
        with pytest.raises(InputError, match="there is no other data set"):
            check(read([project / "config.yaml"], [change]))
