"""The qa benchmark: what is asked, what is recorded, what an answer is worth."""

import json
from pathlib import Path

import pytest

from regen.benchmarks.base import Item
from regen.benchmarks.qa import SYSTEM, Qa
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import Absent, read_json, read_jsonl
from regen.prediction import predict
from regen.records import Prediction, read_predictions
from regen.scoring import score
from regen.texts import ABSTENTION

SENTENCES = (
    "Tea of the north is drunk in 40 villages by the sea.",
    "The aim of this old work was to find out what it does to sleep.",
    "Sleep was longer by 3.5 minutes in those who had drunk it.",
)
TEXT = " ".join(SENTENCES)


def row(number: int, answer: str, kind: str = "aim") -> dict[str, str]:
    return {
        "item": f"i{number}",
        "group": f"g{number}",
        "kind": kind,
        "question": "What does {text} the study aim at?",
        "context": TEXT,
        "answer": answer,
    }


ROWS = [row(0, SENTENCES[1]), row(1, ABSTENTION, "detail"), row(2, SENTENCES[2], "outcome")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "test"):
        text = "".join(json.dumps(one) + "\n" for one in ROWS)
        (folder / f"{split}.jsonl").write_text(text)
    return folder


def items(data: Path) -> list[Item]:
    return Qa().load_dataset(data, "test")


def said(item: Item, *answers: str | None) -> list[Prediction]:
    return [
        Prediction(item.item, item.group, "v", "p", item.target, sample=n, output=a, prediction=a)
        for n, a in enumerate(answers)
    ]


def test_it_is_found_by_name_and_reads_its_items(data: Path) -> None:
    task = get_benchmark("qa")
    assert isinstance(task, Qa)
    first, second, _ = items(data)
    assert (first.target, first.facets) == (SENTENCES[1], {"kind": "aim", "answerable": "yes"})
    assert second.facets == {"kind": "detail", "answerable": "no"}


@pytest.mark.parametrize(("key", "value"), [("context", ""), ("answer", None), ("kind", "why")])
def test_a_bad_item_is_named(data: Path, key: str, value: str | None) -> None:
    with pytest.raises(InputError, match="item 'i0'"):
        Qa().read(ROWS[0] | {key: value}, data)


def test_the_question_has_the_text_whatever_stands_in_it(data: Path) -> None:
    task, item = Qa(), items(data)[0]
    for name in task.prompts:
        asked = task.prompt(item, task.template(name))
        assert asked.system == SYSTEM  # without one, a chat template may put in its own
        assert asked.text.count(TEXT) == asked.text.count(ROWS[0]["question"]) == 1
    found = task.prompt(item, "Answer briefly.")  # as a prompt search writes them
    assert found.text.endswith("\n\nAnswer briefly.") and TEXT in found.text


def test_each_metric_of_an_answer_by_hand(data: Path) -> None:
    task, (aim, detail, outcome) = Qa(), items(data)
    right = task.score(aim, said(aim, SENTENCES[1]))
    assert right["overlap"] == right["token_f1"] == right["rouge_l"] == 1
    assert right["length_ratio"] == right["abstention_right"] == 1
    assert right["abstained"] == 0
    assert right["unsupported"] == Absent("the answer has no number")
    whole = task.score(outcome, said(outcome, TEXT + " By 15 more."))
    assert whole["overlap"] == 1 and whole["token_f1"] < 0.6
    assert whole["unsupported"] == pytest.approx(1 / 3)
    wrong = task.score(detail, said(detail, SENTENCES[0]))
    assert (wrong["abstention_right"], wrong["overlap"]) == (0, 0)
    assert task.score(detail, said(detail, ABSTENTION))["abstention_right"] == 1
    assert task.score(aim, said(aim, ABSTENTION))["abstention_right"] == 0


def test_samples_are_averaged_and_an_empty_answer_is_a_wrong_one(data: Path) -> None:
    task, item = Qa(), items(data)[2]
    found = task.score(item, said(item, SENTENCES[2], None))
    assert found["overlap"] == found["length_ratio"] == 0.5
    assert found["unsupported"] == 0  # of the one that has a number
    assert task.score(item, said(item, None))["overlap"] == 0


def test_records_hold_nothing_of_the_text_and_scores_are_those_of_the_answers(
    data: Path, tmp_path: Path
) -> None:
    """From the data and back, through the files that are published."""
    for name, expected in (("lead", [0, 0, 0]), ("copy", [1, 0, 1]), ("abstain", [0, 1, 0])):
        out = tmp_path / name
        asked = {"data": data, "benchmark": "qa", "split": "test", "limit": 3}
        predict(**asked, variant=name, trivial=name, train_limit=3, out=out)
        score(predictions=out / "predictions.jsonl", **asked, out=out)
        published = (out / "predictions.jsonl").read_text() + (out / "items.jsonl").read_text()
        for sentence in SENTENCES:
            assert sentence[:30] not in published and sentence[-30:] not in published
        task = Qa()
        restored = [
            task.from_record(item, one)
            for item, one in zip(
                items(data), read_predictions(out / "predictions.jsonl"), strict=True
            )
        ]
        assert [one.target for one in restored] == [one["answer"] for one in ROWS]
        right = {"lead": SENTENCES[0], "copy": TEXT, "abstain": ABSTENTION}[name]
        assert {one.output for one in restored} == {one.prediction for one in restored} == {right}
        rows = read_jsonl(out / "items.jsonl")
        assert [round(one["metrics"]["overlap"] - 0.2) for one in rows] == expected
        assert rows[0]["metrics"]["similarity"] == {"absent": "the study has no encoder"}
        assert read_json(out / "summary.json")["n"] == 3


def test_answers_to_another_text_are_refused(data: Path, tmp_path: Path) -> None:
    asked = {"benchmark": "qa", "split": "test", "limit": 3}
    predict(data=data, **asked, variant="v", trivial="lead", train_limit=3, out=tmp_path)
    changed = [one | {"answer": SENTENCES[0]} for one in ROWS]
    (data / "test.jsonl").write_text("".join(json.dumps(one) + "\n" for one in changed))
    with pytest.raises(InputError, match="'i0' had another target"):
        score(predictions=tmp_path / "predictions.jsonl", data=data, **asked, out=tmp_path)


def test_shots_are_of_both_sorts(data: Path) -> None:
    assert [Qa().shot_class(item) for item in items(data)] == ["yes", "no", "yes"]
