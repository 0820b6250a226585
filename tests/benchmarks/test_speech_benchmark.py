"""The speech benchmark: what is asked, what counts as an answer, and what costs no model."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regen.benchmarks.base import AnswerError, BaseBenchmark, Item
from regen.benchmarks.speech import Energy, Majority, Speech
from regen.data.audio import RATE, level, read_clip, write_clip
from regen.errors import InputError
from regen.evaluation import BenchmarkRegistry
from regen.files import write_jsonl
from regen.prediction import predict
from regen.records import read_predictions

TASK = Speech()


def hiss(seed: int, seconds: float, gated: bool) -> np.ndarray:
    """Steady noise, or noise that comes and goes four times a second; both equally loud."""
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return level((noise * (np.sin(8 * np.pi * time) > 0 if gated else 1)).astype(np.float32))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Speech comes and goes, everything else is steady: energy's variation tells them apart."""
    for split, count in (("train", 20), ("test", 10)):
        rows: list[dict[str, Any]] = []
        for number in range(count):
            name = f"{split}-{number}"
            gated, seconds = number % 2 == 0, 0.3 + 0.15 * (number % 10)
            seed = 100 * number + len(split)
            write_clip(tmp_path / f"clips/{name}.wav", hiss(seed, seconds, gated))
            rows.append(
                {
                    "item": name,
                    "group": f"g{number // 2}",
                    "label": "SPEECH" if gated else "NONSPEECH",
                    "audio": f"clips/{name}.wav",
                    "seconds": seconds,
                    "snr_db": "clean" if number % 3 else -10,
                    "kind": "made up",
                }
            )
        write_jsonl(tmp_path / f"{split}.jsonl", rows)
    return tmp_path


def row(folder: Path, **changes: Any) -> dict[str, Any]:
    write_clip(folder / "a.wav", hiss(1, 0.5, True))
    base = {"item": "i", "group": "g", "label": "SPEECH", "audio": "a.wav", "seconds": 0.5}
    return {**base, "snr_db": 5, "kind": "k", **changes}


@pytest.mark.parametrize(
    ("seconds", "name"),
    [(0.2, "0.2-0.5"), (0.49, "0.2-0.5"), (0.5, "0.5-1"), (0.99, "0.5-1"), (1, "1-2"), (2, "1-2")],
)
def test_seconds_fall_into_named_levels(tmp_path: Path, seconds: float, name: str) -> None:
    item = TASK.read(row(tmp_path, seconds=seconds), tmp_path)
    assert item.facets == {"seconds": name, "snr_db": 5, "kind": "k"}


def test_an_item_knows_its_clip_and_what_else_can_be_asked(tmp_path: Path) -> None:
    item = TASK.read(row(tmp_path, seconds=1.5, snr_db=-5), tmp_path)
    assert (item.target, item.group, TASK.completion(item)) == ("SPEECH", "g", "A")
    assert item.inputs["audio"] == (tmp_path / "a.wav").resolve()
    assert (item.inputs["length"], item.inputs["noise"]) == ("long", "noisy")
    assert TASK.prompt(item, "What?").audio == (item.inputs["audio"],)
    other = TASK.read(row(tmp_path, label="NONSPEECH", snr_db="clean"), tmp_path)
    assert (TASK.completion(other), other.inputs["noise"]) == ("B", "clear")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label": "MUSIC"}, "item 'i': label 'MUSIC' is not SPEECH or NONSPEECH"),
        ({"audio": "b.wav"}, "the clip of item 'i' is missing"),
        ({"audio": "../../etc/passwd"}, "item 'i': its clip ../../etc/passwd lies outside"),
        ({"audio": 17}, "the clip of item 'i' is missing"),
        ({"audio": "\0"}, "item 'i': has a bad field"),
        ({"audio": "a" * 300}, "the clip of item 'i' is missing"),
        ({"label": ["SPEECH"]}, "item 'i': label ['SPEECH'] is not"),
        *(({"seconds": bad}, "item 'i': has a bad field") for bad in ("long", "nan", "inf", None)),
        *(({"snr_db": bad}, "item 'i': has a bad field") for bad in ("loud", "", "inf", [5])),
    ],
)
def test_a_bad_row_is_one_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        TASK.read(row(tmp_path, **changes), tmp_path)


def test_numbers_may_be_texts(tmp_path: Path) -> None:
    item = TASK.read(row(tmp_path, seconds="0.7", snr_db="-5"), tmp_path)
    assert item.facets == {"seconds": "0.5-1", "snr_db": -5, "kind": "k"}
    assert item.inputs["noise"] == "noisy"


def test_a_row_without_a_label_is_one_line(tmp_path: Path) -> None:
    bad = row(tmp_path)
    del bad["label"]
    with pytest.raises(InputError, match=r"item 'i': lacks 'label'"):
        TASK.read(bad, tmp_path)


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        *(("A", "SPEECH"), ("B", "NONSPEECH"), (" a.", "SPEECH"), ("(B) no speech", "NONSPEECH")),
        *(("A) speech", "SPEECH"), ("SPEECH", "SPEECH"), ("NONSPEECH", "NONSPEECH")),
        *(("non-speech", "NONSPEECH"), ("no speech", "NONSPEECH"), ("Speech.", "SPEECH")),
    ],
)
def test_answers_are_read(output: str, answer: str) -> None:
    assert TASK.extract_answer(output) == answer


@pytest.mark.parametrize("output", ["", "  ", "C", "Beats", "Apparently music", "I do not know"])
def test_what_is_no_answer_has_a_reason(output: str) -> None:
    with pytest.raises(AnswerError):
        TASK.extract_answer(output)


def test_in_every_prompt_a_is_speech_and_b_is_not() -> None:
    assert "baseline" in TASK.prompts and len(TASK.prompts) >= 5
    for text in TASK.prompts.values():
        first = re.search(r"^A\. (.*)$", text, re.MULTILINE)
        second = re.search(r"^B\. (.*)$", text, re.MULTILINE)
        assert first and second
        assert re.search("speech|speaks", first[1]) and re.search("no|another", second[1])


def test_phrasings_are_many_and_their_answers_fit() -> None:
    phrasings = TASK.phrasings()
    assert len(phrasings) >= 50
    assert len({p.template for p in phrasings}) == len(phrasings)
    held_out = {p.family for p in phrasings if p.held_out}
    assert len(held_out) >= 3
    assert not held_out & {p.family for p in phrasings if not p.held_out}
    assert set(TASK.prompts.values()) <= {p.template for p in phrasings if p.held_out}
    for phrasing in phrasings:
        first, second = phrasing.answers.values()
        assert first != second
        # What is to be answered stands in the question.
        for answer in (first, second):
            assert re.search(rf"\b{answer}\b", phrasing.template, re.IGNORECASE), phrasing


def test_an_option_means_what_the_question_says() -> None:
    """The answer A or B, looked up in the question's own options."""
    for phrasing in TASK.phrasings():
        options = dict(re.findall(r"^([AB12CD])\. (.*)$", phrasing.template, re.MULTILINE))
        if not phrasing.aside and options:
            speech, other = (options[phrasing.answers[t]] for t in ("SPEECH", "NONSPEECH"))
            assert not re.match(r"(no|not|nobody|another)\b", speech), phrasing
            assert re.match(r"(no|not|nobody|another)\b", other), phrasing


def test_letters_tell_nothing_about_the_answer_by_themselves() -> None:
    """A means speech as often as not, or the base would learn to answer without the question."""
    letters = Counter(
        p.answers["SPEECH"]
        for p in TASK.phrasings()
        if not p.aside and not p.held_out and p.answers["SPEECH"] in ("A", "B")
    )
    assert letters["A"] == letters["B"]


def test_a_phrasing_about_something_else_is_answered_from_it() -> None:
    inputs = {"length": "short", "noise": "noisy", "clear speech": "SPEECH"}
    item = Item("i", "g", "SPEECH", inputs)
    said = {p.family: p.answer(item) for p in TASK.phrasings()}
    assert said["length"] == "short" and said["length, letters"] == "B"
    assert said["length, letters swapped"] == "A" and said["noise, letters"] == "A"
    assert said["letters"] == "A" and said["letters swapped"] == "B"
    assert said["yes or no"] == "yes" and said["yes or no, negated"] == "no"


def test_most_phrasings_count_only_speech_that_is_heard_well(tmp_path: Path) -> None:
    (tmp_path / "c.wav").touch()
    row = {"item": "i", "group": "g", "audio": "c.wav", "seconds": 1.0, "kind": "synthetic voice"}

    def said(label: str, ratio: int | str) -> dict[str, str]:
        item = TASK.read({**row, "label": label, "snr_db": ratio}, tmp_path)
        return {p.family: p.answer(item) for p in TASK.phrasings()}

    for ratio in (5, 20, "clean"):
        assert said("SPEECH", ratio)["letters"] == "A"
    for ratio in (-10, 0):
        assert said("SPEECH", ratio)["letters"] == "B"
        assert said("SPEECH", ratio)["labels"] == "SPEECH"
        assert said("SPEECH", ratio)["the benchmark's prompts"] == "A"
    assert said("NONSPEECH", "clean")["letters"] == "B"


def test_energy_tells_gated_from_steady_whichever_is_speech(data: Path) -> None:
    train, test = TASK.load_dataset(data, "train"), TASK.load_dataset(data, "test")
    baseline = Energy()
    baseline.fit(train)
    assert baseline.predict(test) == [item.target for item in test]
    opposite = {"SPEECH": "NONSPEECH", "NONSPEECH": "SPEECH"}
    turned = [Item(i.item, i.group, opposite[i.target], i.inputs) for i in train]
    baseline.fit(turned)
    assert baseline.predict(test) == [opposite[item.target] for item in test]


def test_energy_does_not_see_the_level(data: Path, tmp_path: Path) -> None:
    """All clips are equally loud, and a baseline of the mean level would be at chance."""
    test = TASK.load_dataset(data, "test")
    for item in test:
        assert np.sqrt(np.mean(read_clip(item.inputs["audio"]) ** 2)) == pytest.approx(0.05, 0.01)


def test_majority_follows_the_training_items() -> None:
    items = [Item(str(i), "g", "NONSPEECH" if i < 2 else "SPEECH") for i in range(3)]
    baseline = Majority()
    baseline.fit(items)
    assert baseline.predict(items) == ["NONSPEECH"] * 3
    baseline.fit(items[1:])
    assert baseline.predict(items[:2]) == ["SPEECH"] * 2


def test_trivial_predictions_are_records_that_say_speech_or_not(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    predict(
        data=data,
        benchmark="speech",
        variant="energy",
        trivial="energy",
        split="test",
        limit=6,
        out=out,
    )
    records = read_predictions(out / "predictions.jsonl")
    assert [(r.target, r.prediction) for r in records] == [("SPEECH",) * 2, ("NONSPEECH",) * 2] * 3


def test_a_clip_that_is_not_audio_is_named_before_any_answer(data: Path) -> None:
    (data / "clips/train-3.wav").write_text("words")
    with pytest.raises(InputError, match=r"train-3\.wav: is not a WAV file"):
        Energy().fit(TASK.load_dataset(data, "train"))


def test_benchmarks_are_found_by_name() -> None:
    assert isinstance(BenchmarkRegistry.get("speech"), Speech)
    names = BenchmarkRegistry.list_benchmarks()
    assert "speech" in names and not {"base", "phrasing", "registry"} & set(names)
    with pytest.raises(InputError, match=r"'spech'; did you mean 'speech'"):
        BenchmarkRegistry.get("spech")


def test_a_benchmark_of_ones_own_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Speech):
        name = "own"

    monkeypatch.setattr("regen.benchmarks.registry._registered", {})
    BenchmarkRegistry.register("own", Own)
    assert type(BenchmarkRegistry.get("own")) is Own
    assert "own" in BenchmarkRegistry.list_benchmarks()
    assert issubclass(Own, BaseBenchmark)
