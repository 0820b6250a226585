"""The tiny random text model: the same bytes every time, any text, and all that a stage asks."""

from pathlib import Path

import numpy as np
import pytest

from regen.benchmarks.base import Prompt
from regen.chain import Chain
from regen.config import check, read
from regen.models.loading import load
from regen.models.protocol import Decoding
from regen.models.tiny_text import tiny_text

SIZES = {"width": 32, "layers": 2, "heads": 4, "context": 2048}
HOSTILE = "50 % of $x_1$ & é 汉 \\ 🙂\n\ttab"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tiny-text")
    tiny_text(architecture=SIZES, seed=1, out=made)
    return made


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    for seed in (1, 2):
        tiny_text(architecture=SIZES, seed=seed, out=tmp_path / str(seed))
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == names
    for name in names:
        if name != "timing.json":
            assert (tmp_path / "1" / name).read_bytes() == (folder / name).read_bytes()
    weights = "model.safetensors"
    assert (tmp_path / "2" / weights).read_bytes() != (folder / weights).read_bytes()


def test_any_text_comes_back_from_its_tokens(folder: Path) -> None:
    model = load(folder)
    ids = model.answer_ids(HOSTILE)
    assert len(ids) == len(HOSTILE.encode())
    assert model.tokenizer.decode(ids) == HOSTILE


def test_a_talk_ends_where_the_answer_starts(folder: Path) -> None:
    model = load(folder)
    text = model.render(Prompt("why?", system="be brief"))
    assert text.endswith("<|im_end|>\n<|im_start|>assistant\n")
    assert text.count("<|im_start|>") == 3
    assert model.tokenizer.convert_ids_to_tokens(model.end_ids) == ["<|im_end|>"]


def test_it_answers_in_words_and_from_logits(folder: Path) -> None:
    model = load(folder)
    prompts = [Prompt(HOSTILE), Prompt("a question " * 20)]
    said = model.generate_batch(prompts, Decoding(max_new_tokens=24))
    assert all(one.tokens for one in said)
    assert len({one.text for one in said}) == 2
    assert len(set(said[1].text)) > 3  # not one token again and again
    scores = model.score_options(prompts, ["yes", "no"])
    assert scores.shape == (2, 2)
    assert np.isfinite(scores).all()


def test_a_configuration_asks_for_it_by_its_builder(project: Path) -> None:
    change = "models.tiny={builder: tiny_text, architecture: {width: 64}, seed: 3}"
    job = Chain(check(read([project / "config.yaml"], [change]))).job("models", base="tiny")
    assert job.function == "regen.models.tiny_text:tiny_text"
    assert job.params["seed"] == 3
    assert job.params["architecture"] == {"width": 64, "layers": 2, "heads": 4, "context": 8192}
    assert not job.inputs
