"""The tiny base: what it is asked in pretraining, and a folder that is the same every time."""

import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from toy import Toy, write_data

from regen.benchmarks.base import Item
from regen.benchmarks.phrasing import family
from regen.errors import InputError
from regen.files import read_jsonl
from regen.models.loading import load
from regen.models.tiny_audio import parts, questions, tiny_audio, unambiguous

YES = {"S": "yes", "N": "no"}
PHRASINGS = [
    *family("yes", ["speech?", "a voice?"], YES),
    *family("no", ["silence?"], {"S": "no", "N": "yes"}),
    *family("words", ["speech or noise?"], {"S": "speech", "N": "noise"}),
    *family("length", ["long?"], {"long": "long", "short": "short"}, about="length", aside=True),
]
ITEMS = [Item(str(n), "g", "SN"[n % 2], {"audio": "a.wav", "length": "long"}) for n in range(6)]


def test_the_parts_of_the_mixture() -> None:
    names = {part: [f[0].family for f in found] for part, found in parts(PHRASINGS).items()}
    assert names == {"direct": ["yes", "words"], "contrary": ["no"], "other": ["length"]}
    assert [p.family for p in unambiguous(PHRASINGS)] == ["words"]


def test_the_mixture_keeps_its_shares_and_its_answers() -> None:
    shares = {"direct": 0.6, "contrary": 0.1, "other": 0.3}
    asked = list(islice(questions(ITEMS, PHRASINGS, shares, seed=1), 6000))
    counts = Counter(prompt.text for prompt, _ in asked)
    expected = {"speech?": 0.15, "a voice?": 0.15, "speech or noise?": 0.3}
    for text, share in (expected | {"silence?": 0.1, "long?": 0.3}).items():
        assert counts[text] / 6000 == pytest.approx(share, abs=0.03), text
    assert {answer for prompt, answer in asked if prompt.text == "long?"} == {"long"}
    answers = Counter(answer for prompt, answer in asked if prompt.text == "silence?")
    assert set(answers) == {"yes", "no"}


def test_every_epoch_asks_about_every_item() -> None:
    items = [Item(i.item, i.group, i.target, dict(i.inputs) | {"audio": i.item}) for i in ITEMS]
    shares = {"direct": 1.0, "contrary": 0.0, "other": 0.0}
    for epoch in range(2):
        stream = questions(items, PHRASINGS, shares, seed=epoch)
        asked = [prompt.audio[0] for prompt, _ in islice(stream, 6)]
        assert sorted(str(path) for path in asked) == [str(n) for n in range(6)]


def test_the_folder_is_the_same_again_and_needs_the_train_split_alone(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", items=8)
    for split in ("dev", "test"):
        (data / f"{split}.jsonl").unlink()
    for name in "ab":
        (tmp_path / name).mkdir()
        tiny_audio(
            data=data,
            benchmark="toy",
            architecture={},
            pretraining={"steps": 3, "batch_size": 4},
            seed=5,
            out=tmp_path / name,
        )
    names = {p.name for p in (tmp_path / "a").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "pretraining.jsonl"} <= names
    for name in names - {"timing.json"}:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert str(tmp_path).encode() not in b"".join(
        p.read_bytes() for p in (tmp_path / "a").iterdir()
    )
    assert [row["step"] for row in read_jsonl(tmp_path / "a" / "pretraining.jsonl")] == [1, 2, 3]
    model = load(tmp_path / "a")
    held_out = next(p.template for p in Toy().phrasings() if p.held_out)
    vocabulary = model.tokenizer.get_vocab()
    assert "zyx" in held_out and "zyx" not in vocabulary


def test_an_unknown_size_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown key 'widht'"):
        tiny_audio(
            data=tmp_path,
            benchmark="toy",
            architecture={"widht": 3},
            pretraining={},
            seed=1,
            out=tmp_path,
        )
