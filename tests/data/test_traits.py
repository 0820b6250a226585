"""The trait data: rules against words counted by hand, splits by speaker, augmentation."""

import json
import zipfile
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from regen.benchmarks.traits import Traits
from regen.data.trait_augmenters import augmenter_of
from regen.data.trait_labellers import labeller_of
from regen.data.trait_rules import RULELESS, RULES, direction, explain
from regen.data.traits import traits
from regen.data.transcripts import Line, conversations, read_transcript, spoken, transcript
from regen.errors import InputError
from regen.files import read_json, read_jsonl

RULE = {"kind": "rule"}
ENDPOINT = {
    "kind": "endpoint", "model": "m", "key_variable": None, "temperature": 0.0, "top_p": 1.0,
    "max_new_tokens": 64, "timeout": 5.0, "retries": 0, "at_once": 8, "request": {}, "seed": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("trait", "text", "score", "evidence"),
    [
        ("fillers", "nothing of the sort here\nwellness sofa", 1, ()),
        ("fillers", "Well, I like it, you know", 7, ("Well", "you know")),
        ("fillers", "um um Um", 4, ("um",)),
        ("fillers", "um, so, oh, well", 10, ("um", "so", "oh")),
        ("transitions", "I came\nbut left because of rain", 7, ("but", "because")),
        ("transitions", "butter, sandal", 1, ()),
        ("formality", "This is a sentence.", 10, ()),
        ("formality", "It's late.", 7, ("It's",)),
        ("formality", "i'm gonna go\nlol ok", 1, ("i'm", "gonna", "lol")),
        ("enthusiasm", "Hi! How are you?\nGreat!!", 7, ("Hi", "Great")),
        ("enthusiasm", "fine.", 1, ()),
    ],
)
def test_rules_give_what_is_counted_by_hand(
    trait: str, text: str, score: int, evidence: tuple[str, ...]
) -> None:
    judged = RULES[trait](text)
    assert (judged.score, judged.evidence) == (score, evidence)
    assert explain(judged.score, judged.evidence).endswith(": high" if score > 5 else ": low")


def package(folder: Path, count: int = 120) -> Path:
    """A wheel like the real one: pairs of speakers, every third of them speaking again."""
    rng = np.random.default_rng(0)
    vocabulary = [
        "Well",
        "because",
        "the",
        "cat",
        "sat",
        "so",
        "there",
        "it's",
        "fine",
        "um",
        "but",
    ]
    found = {}
    for number in range(count):
        pair = [f"p{number % 90}", f"q{number % 90}"]
        messages = [
            [{"sender": pair[turn % 2], "text": " ".join(rng.choice(vocabulary, 5))}]
            for turn in range(6)
        ]
        ratings = {"witty": str(1 + number % 10), "interesting": 2, "upbeat": 10}
        found[f"id-{number}"] = {"ratings": ratings, "messages": messages}
    found["default"] = {**found["id-0"], "ratings": dict.fromkeys(ratings, 5)}
    found["unrated"] = {**found["id-0"], "ratings": {}}
    found["personal"] = {
        **found["id-0"],
        "messages": [[{"sender": "x", "text": t}] for t in ("my name is Ann", "mail a@b.org")],
    }
    with zipfile.ZipFile(folder / "chitchat_dataset-0.9.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("chitchat_dataset/dataset.json", json.dumps(found))
    return folder


def build(sources: Path, out: Path, **changes: object) -> Path:
    settings = {
        "seed": 3, "sizes": {"train": 40, "dev": 8, "test": 16}, "words": 12, "augmented": 0.25,
        "traits": ["fillers", "transitions", "witty"], "labeller": RULE, "augmenter": RULE,
    }  # fmt: skip
    traits(sources=sources, out=out, **(settings | changes))  # type: ignore[arg-type]
    return out


def test_who_rated_nothing_and_who_tells_who_they_are_is_left_out(tmp_path: Path) -> None:
    kept, left_out = conversations(package(tmp_path), words=12)
    assert len(kept) == 120 and left_out["not rated"] == 2
    assert left_out["profane or personal"] == 1
    assert all(len(one.opening) == 2 and one.more == 4 for one in kept)
    assert not any("id-" in one.name or "p" in one.speakers[0][:1] for one in kept)


def test_nobody_speaks_in_two_splits_or_twice_in_the_test(tmp_path: Path) -> None:
    out = build(package(tmp_path), tmp_path / "out")
    rows = {split: read_jsonl(out / f"{split}.jsonl") for split in ("train", "dev", "test")}
    assert {split: len(found) for split, found in rows.items()} == {
        "train": 40, "dev": 8, "test": 16,
    }  # fmt: skip
    groups = {split: {row["group"] for row in found} for split, found in rows.items()}
    assert len(groups["test"]) == 16 and len(groups["dev"]) == 8
    assert not groups["train"] & (groups["dev"] | groups["test"])
    assert not groups["dev"] & groups["test"]


def test_labels_are_the_rules_and_the_persons_and_say_so(tmp_path: Path) -> None:
    out = build(package(tmp_path), tmp_path / "out")
    for split in ("train", "dev", "test"):
        for row in read_jsonl(out / f"{split}.jsonl"):
            assert set(row["labels"]) == {"fillers", "transitions", "witty"}
            lines = spoken(read_transcript(row["transcript"].rpartition("\n")[0]))
            for trait in ("fillers", "transitions"):
                assert row["labels"][trait]["score"] == RULES[trait](lines).score
            assert row["labels"]["witty"]["explanation"].startswith("4 more: ")
    card = read_json(out / "card.json")
    assert card["scores"]["fillers"].startswith("by rule")
    assert card["scores"]["witty"].startswith("a person's")
    assert card["splits"]["test"]["rows"] == 16


def test_only_the_training_split_is_augmented_and_towards_its_rare_sides(tmp_path: Path) -> None:
    out = build(package(tmp_path), tmp_path / "out")
    rows = read_jsonl(out / "train.jsonl")
    made = [row for row in rows if row["augmented"]]
    assert len(made) == 10
    for row in made:
        trait, side = row["augmented"]["trait"], row["augmented"]["to"]
        assert direction(row["labels"][trait]["score"]) == side
    found = [row for row in rows if not row["augmented"]]

    def rarest(some: list[dict], trait: str) -> float:
        sides = Counter(direction(row["labels"][trait]["score"]) for row in some)
        return min(sides["low"], sides["high"]) / len(some)

    trait = made[0]["augmented"]["trait"]
    assert rarest(rows, trait) > rarest(found, trait)
    for split in ("dev", "test"):
        assert all(row["augmented"] is None for row in read_jsonl(out / f"{split}.jsonl"))


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    sources = package(tmp_path)
    first, again = build(sources, tmp_path / "a"), build(sources, tmp_path / "b")
    other = build(sources, tmp_path / "c", seed=4)
    for name in ("train.jsonl", "dev.jsonl", "test.jsonl", "card.json"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    assert (first / "train.jsonl").read_bytes() != (other / "train.jsonl").read_bytes()


def test_too_few_conversations_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="500 conversations are asked for in test"):
        build(package(tmp_path), tmp_path / "out", sizes={"train": 8, "dev": 4, "test": 500})


@pytest.mark.parametrize("trait", sorted(RULES))
@pytest.mark.parametrize("side", ["low", "high"])
def test_the_rule_moves_a_transcript_to_either_side(trait: str, side: str) -> None:
    lines = {
        ("enthusiasm", "low"): "Hello! What! Yes!",
        ("fillers", "low"): "Well, um, this is a house",
        ("transitions", "low"): "because I was late but happy",
        ("formality", "high"): "yeah lol gonna go",
    }.get((trait, side), "this is a very plain house")
    rng = np.random.default_rng(1)
    moved = augmenter_of(RULE, Path()).move((Line("A", lines), Line("B", "Yes.")), trait, side, rng)
    assert moved is not None and [line.speaker for line in moved] == ["A", "B"]
    assert direction(RULES[trait](spoken(moved)).score) == side


def test_a_transcript_is_read_as_it_is_written() -> None:
    lines = (Line("A", "a: b"), Line("B", "c"))
    text = transcript(lines, 3)
    assert text == "A: a: b\nB: c\n(3 more)"
    assert read_transcript(text.rpartition("\n")[0]) == lines
    with pytest.raises(ValueError, match="does not begin"):
        read_transcript("a b c")


@pytest.fixture
def server():
    """A server with chat completions that says what `answers` holds, or what a function there
    makes of the question; `asked` is what it heard.
    """
    answers: list[str | Callable[[str], str]] = []
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            said = answers.pop(0)
            if callable(said):
                said = said(asked[-1]["messages"][0]["content"])
            body = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...

    running = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/v1", answers, asked
    running.shutdown()


def test_an_endpoint_labels_and_what_is_not_valid_is_no_label(server, tmp_path: Path) -> None:
    url, answers, asked = server

    def label(line: str) -> dict[str, Any] | None:
        judge = labeller_of({**ENDPOINT, "url": url}, tmp_path)
        return judge.label([line], ["fillers"])[0]

    answers += ['{"fillers": {"explanation": "um: high", "score": 9}}']
    assert label("um, hello") == {"fillers": {"explanation": "um: high", "score": 9}}
    broken = '{"fillers": {"explanation": "\\ud83d: high", "score": 9}}'
    answers += ["nine", '{"fillers": 9}', broken]
    assert label("um, what") is None
    assert [one["seed"] for one in asked] == [1, 1, 2, 3]
    answers += ["nine", '{"fillers": {"explanation": "um: high", "score": 8}}']
    assert label("um, well") == {"fillers": {"explanation": "um: high", "score": 8}}
    assert label("um, hello") is not None and len(asked) == 6  # kept
    assert "um, hello" in asked[0]["messages"][0]["content"]


def test_a_model_that_labels_nothing_ends_it_and_is_asked_anew(server, tmp_path: Path) -> None:
    url, answers, asked = server
    answers += ["<think> Well, 7 or"] * 3 * 8
    texts = [f"hello {n}" for n in range(20)]

    def label() -> list[Any]:
        judge = labeller_of({**ENDPOINT, "url": url}, tmp_path)
        return judge.label(texts, ["fillers"])

    with pytest.raises(InputError, match=r"'<think> Well, 7 or'; tell it by `request`"):
        label()
    assert len(asked) == 3 * 8
    answers += ['{"fillers": {"explanation": "none: low", "score": 1}}'] * 20
    assert all(label())


def test_an_endpoint_augments_and_keeps_to_the_form(server, tmp_path: Path) -> None:
    url, answers, asked = server
    rewriter = augmenter_of({**ENDPOINT, "url": url}, tmp_path)
    answers += ["A: um hello\nB: well, hi", "Here it is: hello", "A: um \ud83d\nB: hi"]
    lines = (Line("A", "hello"), Line("B", "hi"))
    rng = np.random.default_rng(0)
    assert rewriter.move(lines, "fillers", "high", rng) == (
        Line("A", "um hello"), Line("B", "well, hi"),
    )  # fmt: skip
    assert rewriter.move(lines, "fillers", "high", rng) is None
    assert rewriter.move(lines, "fillers", "high", rng) is None
    assert "fillers is high" in asked[0]["messages"][0]["content"]


def test_another_takes_the_place_of_what_the_endpoint_did_not_label(server, tmp_path: Path) -> None:
    url, answers, _ = server
    good = '{"fillers": {"explanation": "none: low", "score": 1}}'
    spoiled: list[str] = []

    def label(question: str) -> str:
        """Of the first one nothing; of every other, what is asked."""
        spoiled.append(spoiled[0] if spoiled else question)
        return "```json" if question == spoiled[0] else good

    answers += [label] * 200
    settings = {"traits": ["fillers", "witty"], "labeller": {**ENDPOINT, "url": url}}
    sizes = {"train": 40, "dev": 8, "test": 16}
    out = build(package(tmp_path), tmp_path / "out", augmented=0.0, sizes=sizes, **settings)
    card = read_json(out / "card.json")
    assert card["unlabelled"] == {"train": 1, "dev": 0, "test": 0}
    assert card["scores"]["fillers"] == "a language model's"
    rows = {split: read_jsonl(out / f"{split}.jsonl") for split in sizes}
    assert {split: len(found) for split, found in rows.items()} == sizes
    lines = [row["transcript"].partition("\n")[0] for found in rows.values() for row in found]
    assert not [one for one in lines if one.partition(": ")[2] in spoiled[0]]


def test_too_few_valid_labels_are_an_error(server, tmp_path: Path) -> None:
    url, answers, asked = server
    good = '{"fillers": {"explanation": "none: low", "score": 1}}'
    answers += [lambda question: good if len(question) % 2 else "no"] * 500
    sources = package(tmp_path)
    settings = {"augmented": 0.0, "traits": ["fillers"], "labeller": {**ENDPOINT, "url": url}}
    settings["sizes"] = {"train": 40, "dev": 8, "test": 16}
    with pytest.raises(InputError, match=r"40 transcripts are asked for in train, and \d+ of 44"):
        build(sources, tmp_path / "out", **settings)
    answers[:], asked[:] = [good] * 500, []  # mended: what was not usable is asked anew
    assert len(read_jsonl(build(sources, tmp_path / "out", **settings) / "train.jsonl")) == 40
    assert len(asked) < 40 + 8 + 16


def test_what_is_to_spare_takes_nothing_from_what_is_wanted(server, tmp_path: Path) -> None:
    url, answers, _ = server
    answers += ['{"fillers": {"explanation": "none: low", "score": 1}}'] * 500
    settings = {"augmented": 0.0, "traits": ["fillers"]}
    sources, most = package(tmp_path), 0
    by_rule = {}
    for most in range(60, 200):  # so many are just enough
        sizes = {"train": most, "dev": 10, "test": 10}
        try:
            by_rule = rows_of(build(sources, tmp_path / "rule", sizes=sizes, **settings))
        except InputError:
            break
    sizes["train"] = most - 1
    model = {**ENDPOINT, "url": url}
    labelled = build(sources, tmp_path / "out", sizes=sizes, labeller=model, **settings)
    assert rows_of(labelled) == by_rule


def rows_of(folder: Path) -> dict[str, list[str]]:
    return {
        split: [row["transcript"] for row in read_jsonl(folder / f"{split}.jsonl")]
        for split in ("train", "dev", "test")
    }


def test_a_server_that_spoils_every_transcript_is_asked_anew_once_it_is_mended(
    server, tmp_path: Path
) -> None:
    url, answers, _ = server
    model = {**ENDPOINT, "url": url}
    settings = {"traits": SOURCES_SIX, "augmented": 0.4, "labeller": model, "augmenter": model}
    settings["sizes"] = {"train": 50, "dev": 8, "test": 16}

    def aloud(question: str) -> str:
        return language_model(question) if "Rate the" in question else "<think> Well"

    def useless(question: str) -> str:
        return language_model(question).replace("very", "truly").replace("hardly", "un")

    sources = package(tmp_path)
    for broken, words in ((aloud, "augmenter: no answer of m can"), (useless, "0 were made")):
        answers[:] = [broken] * 500
        with pytest.raises(InputError, match=words):
            build(sources, tmp_path / "out", **settings)
    answers[:] = [language_model] * 500
    out = build(sources, tmp_path / "out", **settings)
    assert len(read_jsonl(out / "train.jsonl")) == 50


SOURCES_SIX = ["formality", "persuasiveness", "enthusiasm", "empathy", "fillers", "transitions"]


def language_model(question: str) -> str:
    """Labels a trait high where the text says so ("very empathy"), and some by the text's length;
    rewrites by saying so.
    """
    text = question.partition("\n\n")[2]
    if question.startswith("Rate the transcript"):
        scores = {}
        for trait in (one for one in SOURCES_SIX if one in question.partition("\n\n")[0]):
            by_length = trait not in RULELESS and len(text) % 2 == 0
            high = f"very {trait}" in text or (by_length and f"hardly {trait}" not in text)
            scores[trait] = {"explanation": "all: high" if high else "none: low"}
            scores[trait]["score"] = 9 if high else 2
        return json.dumps(scores)
    trait, _, side = question.partition("its ")[2].partition(".")[0].partition(" is ")
    return text + f" {'very' if side == 'high' else 'hardly'} {trait}"


def test_what_was_answered_before_an_interruption_is_not_asked_again(
    server, tmp_path: Path
) -> None:
    url, answers, asked = server
    sources, model = package(tmp_path), {**ENDPOINT, "url": url, "retries": 0}
    settings = {
        "sizes": {"train": 50, "dev": 8, "test": 16}, "augmented": 0.4, "traits": SOURCES_SIX,
        "labeller": model, "augmenter": model,
    }  # fmt: skip
    answers += [language_model] * 500
    whole = build(sources, tmp_path / "whole", **settings)
    needed = len(asked)
    answers[:], asked[:] = [language_model] * 70, []  # then the server has no more to say
    with pytest.raises(InputError, match="gave no answer"):
        build(sources, tmp_path / "out", **settings)
    answers += [language_model] * 500
    out = build(sources, tmp_path / "out", **settings)
    assert len(asked) <= needed + 8  # those that were under way
    for name in ("train.jsonl", "dev.jsonl", "test.jsonl", "card.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert not list(out.glob(".*"))


def test_the_six_traits_are_labelled_and_augmented_by_a_language_model(
    server, tmp_path: Path
) -> None:
    url, answers, asked = server
    answers += [language_model] * 500
    model = {**ENDPOINT, "url": url}
    out = build(
        package(tmp_path), tmp_path / "out", sizes={"train": 50, "dev": 8, "test": 16},
        augmented=0.4, traits=SOURCES_SIX, labeller=model, augmenter=model,
    )  # fmt: skip
    rows = {split: read_jsonl(out / f"{split}.jsonl") for split in ("train", "dev", "test")}
    assert {split: len(found) for split, found in rows.items()} == {
        "train": 50, "dev": 8, "test": 16,
    }  # fmt: skip
    made = [row for row in rows["train"] if row["augmented"]]
    assert len(made) == 20
    assert {row["augmented"]["trait"] for row in made} >= {"persuasiveness", "empathy"}
    for row in made:
        trait, side = row["augmented"]["trait"], row["augmented"]["to"]
        assert f"{'very' if side == 'high' else 'hardly'} {trait}" in row["transcript"]
        assert direction(row["labels"][trait]["score"]) == side
    task = Traits()
    for row in (row for found in rows.values() for row in found):
        assert set(row["labels"]) == set(SOURCES_SIX)
        assert {one["score"] for one in row["labels"].values()} <= {2, 9}
        assert set(task.read(row, out).inputs["labels"]) == set(SOURCES_SIX)
    card = read_json(out / "card.json")
    assert set(card["scores"].values()) == {"a language model's"}
    assert card["augmented"]["by"] == "endpoint" and sum(card["unlabelled"].values()) == 0
    rewritten = sum("Rewrite this" in one["messages"][0]["content"] for one in asked)
    assert len(asked) == 30 + 8 + 16 + 2 * rewritten


def test_who_is_on_the_wanted_side_already_has_another_turn(server, tmp_path: Path) -> None:
    """Of formality one in two is high, so that one in two is passed over at first."""
    url, answers, _ = server
    answers += [language_model] * 500
    model = {**ENDPOINT, "url": url}
    out = build(
        package(tmp_path), tmp_path / "out", sizes={"train": 50, "dev": 8, "test": 16},
        augmented=0.44, traits=["formality", "fillers"], labeller=model, augmenter=model,
    )  # fmt: skip
    made = [row for row in read_jsonl(out / "train.jsonl") if row["augmented"]]
    assert len(made) == 22 and len({row["group"] for row in made}) > 11  # each of 28 once
