"""Predictions: the records, the trivial way without torch, and independence of the batch."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import write_data

from regen.errors import InputError
from regen.files import read_json
from regen.prediction import (
    by_length,
    option_probabilities,
    predict,
    prompt_hash,
    read_prompt,
)
from regen.records import Prediction, read_predictions


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("toy") / "data")


@pytest.fixture(scope="module")
def base(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from regen.models.tiny_audio import tiny_audio

    out = tmp_path_factory.mktemp("base")
    course = {"steps": 25, "batch_size": 8}
    tiny_audio(data=data, benchmark="toy", architecture={}, pretraining=course, seed=1, out=out)
    (out / "outputs.sha256").write_text("base\n")
    return out


def answers(data: Path, out: Path, **arguments) -> list[Prediction]:
    out.mkdir(exist_ok=True)
    given = {"benchmark": "toy", "variant": "v", "split": "test", "limit": 33}
    predict(data=data, out=out, **(given | arguments))
    return read_predictions(out / "predictions.jsonl")


def test_records_of_a_model(data: Path, base: Path, tmp_path: Path) -> None:
    found = answers(data, tmp_path / "a", base=base, seed=42)
    assert [r.item for r in found] == [f"test-{n}" for n in range(33)]
    for r in found:
        assert r.seed == 42 and r.sample == 0 and r.variant == "v"
        assert r.prompt == prompt_hash("Is this TONE or NOISE?")
        assert set(r.options) == {"TONE", "NOISE"}
        assert sum(o["probability"] for o in r.options.values()) == pytest.approx(1)
        best = max(r.options, key=lambda o, r=r: r.options[o]["logit"])
        assert r.output == r.prediction == best
        assert all(o["logit"] < 0 for o in r.options.values())
    timing = read_json(tmp_path / "a" / "timing.json")
    assert timing["items"] == 33 and timing["seconds_per_item"] > 0


def test_the_result_does_not_depend_on_the_batch(data: Path, base: Path, tmp_path: Path) -> None:
    one = answers(data, tmp_path / "1", base=base, decoding={"batch_size": 1})
    many = answers(data, tmp_path / "16", base=base, decoding={"batch_size": 16})
    logits = [[o["logit"] for o in r.options.values()] for r in one]
    assert max(x for x, _ in logits) - min(x for x, _ in logits) > 1e-3  # items do differ
    for a, b in zip(one, many, strict=True):
        assert (a.item, a.prediction) == (b.item, b.prediction)
        for option in a.options:
            assert a.options[option]["logit"] == pytest.approx(b.options[option]["logit"], abs=1e-4)


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(1, 8))
def test_batches_hold_every_item_once_and_pad_as_little_as_they_can(
    lengths: list[int], size: int
) -> None:
    found = by_length(lengths, size)
    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    assert all(len(batch) == size for batch in found[:-1]) and 0 < len(found[-1]) <= size
    # Sorted from the longest on, the k-th batch is as wide as the (k x size)-th longest item, and
    # no division into batches of this size does better.
    widths = [max(lengths[i] for i in batch) for batch in found]
    assert widths == sorted(lengths, reverse=True)[::size]


def test_a_second_run_gives_the_same_bytes(data: Path, base: Path, tmp_path: Path) -> None:
    for name in "ab":
        answers(data, tmp_path / name, base=base)
    a, b = ((tmp_path / name / "predictions.jsonl").read_bytes() for name in "ab")
    assert a == b


def test_free_text_keeps_the_output_and_says_why_it_is_no_answer(
    data: Path, base: Path, tmp_path: Path
) -> None:
    limits = {"max_new_tokens": 3}
    found = answers(data, tmp_path / "a", base=base, benchmark="free-toy", decoding=limits)
    for r in found:
        assert r.options is None and r.output is not None
        assert 0 <= r.tokens <= 3 and r.finish in ("stop", "length")
        if r.output in ("TONE", "NOISE"):
            assert r.prediction == r.output and r.error is None
        else:
            assert r.prediction is None and r.error == "neither TONE nor NOISE"


def test_a_benchmark_with_options_can_be_asked_for_text(
    data: Path, base: Path, tmp_path: Path
) -> None:
    from regen.benchmarks.base import Prompt
    from regen.models.loading import load
    from regen.models.protocol import Decoding

    asked = {"mode": "generate", "max_new_tokens": 3, "batch_size": 5}
    found = answers(data, tmp_path / "a", base=base, decoding=asked, limit=11)
    model = load(base)
    for r in found:
        assert r.options is None and r.tokens is not None and r.finish in ("stop", "length")
        prompt = Prompt("Is this TONE or NOISE?", audio=(data / f"clips/{r.item}.wav",))
        assert r.output == model.generate(prompt, Decoding(max_new_tokens=3))
        assert (r.prediction is None) == (r.error is not None)
    assert read_json(tmp_path / "a/timing.json")["batch_size"] == 5


def test_a_temperature_changes_probabilities_and_no_answer(
    data: Path, base: Path, tmp_path: Path
) -> None:
    plain = answers(data, tmp_path / "1", base=base)
    hot = answers(data, tmp_path / "2", base=base, softmax_temperature=2.0)
    for a, b in zip(plain, hot, strict=True):
        assert a.prediction == b.prediction
        logits = [a.options[o]["logit"] for o in ("TONE", "NOISE")]
        assert logits == [b.options[o]["logit"] for o in ("TONE", "NOISE")]
        expected = 1 / (1 + math.exp((logits[1] - logits[0]) / 2))
        assert b.options["TONE"]["probability"] == pytest.approx(expected)
    assert any(a.options != b.options for a, b in zip(plain, hot, strict=True))


@pytest.mark.parametrize(
    ("name", "text"),
    [("p.txt", "What do you hear?\n"), ("p.json", '{"prompt": "What do you hear?"}')],
)
def test_a_prompt_from_a_file_is_the_named_one_with_the_same_words(
    data: Path, base: Path, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    named = answers(data, tmp_path / "a", base=base, prompt="other")
    from_file = answers(data, tmp_path / "b", base=base, prompt_file=tmp_path / name)
    assert from_file == named


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("p.txt", b"  \n", "holds no prompt"),
        ("p.json", b'{"text": "x"}', "holds no prompt"),
        ("p.json", b"[1]", "holds no prompt"),
        ("p.json", b"{", "is not JSON"),
        ("p.txt", b"\xff\xfe", "cannot be read as text"),
        ("p.txt", b"\xef\xbb\xbf\n", "holds no prompt"),
        ("p.json", b'{"prompt": "hi \\ud83d"}', r"holds U\+D83D, which is no text"),
        ("p.txt", b"hi \x00 there", r"holds U\+0000, which is no text"),
    ],
)
def test_a_bad_prompt_file_is_one_line(tmp_path: Path, name: str, content: bytes, reason: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=reason) as error:
        read_prompt(tmp_path / name)
    assert "\n" not in str(error.value) and name in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"), [("p.txt", b"A or B?\r\n"), ("p.json", b'{"prompt": "A or B?"}')]
)
def test_the_mark_at_the_beginning_of_a_prompt_file_is_not_asked(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content)
    assert read_prompt(tmp_path / name) == "A or B?"


def test_probabilities_are_the_softmax_over_the_options() -> None:
    found = option_probabilities(["a", "b", "c"], [-1000.0, -1000.0 + math.log(2), -2000.0])
    assert found["a"]["probability"] == pytest.approx(1 / 3)
    assert found["b"]["probability"] == pytest.approx(2 / 3)
    assert found["c"] == {"logit": -2000.0, "probability": 0.0}


def test_a_trivial_baseline_needs_no_torch(data: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
import toy
from regen.prediction import predict
predict(data=Path({str(data)!r}), benchmark="toy", variant="majority", split="test", limit=10,
        trivial="majority", train_limit=11, out=Path({str(tmp_path)!r}))
print([m for m in ("torch", "transformers", "peft") if m in sys.modules])
"""
    paths = [str(Path(__file__).parent), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.stdout.strip() == "[]", done.stderr
    found = read_predictions(tmp_path / "predictions.jsonl")
    assert {r.prediction for r in found} == {"TONE"}  # 6 of the first 11 training items
    assert {r.prompt for r in found} == {"none"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"trivial": "majorty"}, "no trivial baseline 'majorty'; there are: majority"),
        ({}, "neither a base model nor a trivial baseline"),
        (
            {"prompt": "basline", "base": Path("x")},
            "no prompt 'basline'; there are: baseline, other",
        ),
        ({"benchmark": "nope"}, "no benchmark 'nope'"),
        ({"limit": 41, "trivial": "majority"}, "41 items are asked for"),
    ],
)
def test_bad_input_is_one_line(data: Path, tmp_path: Path, arguments, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as error:
        answers(data, tmp_path / "a", **arguments)
    assert "\n" not in str(error.value)


def test_an_adapter_of_another_base(data: Path, base: Path, tmp_path: Path) -> None:
    adapter = {"base_model_name_or_path": "sha256:0000"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter))
    with pytest.raises(InputError, match="was trained on another base"):
        answers(data, tmp_path / "a", base=base, adapter=tmp_path)
