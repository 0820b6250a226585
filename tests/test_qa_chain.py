"""From abstracts to scores through the stages, with a tiny random model."""

from pathlib import Path
from typing import Any

import pytest
from qa_wheel import write_wheel

from regen.data.qa import qa
from regen.files import read_json, read_jsonl
from regen.models.tiny_text import tiny_text
from regen.prediction import predict
from regen.records import Prediction, read_predictions
from regen.scoring import score

DRAWN = {"max_new_tokens": 8, "batch_size": 4, "temperature": 1.0, "samples": 3}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    archives = write_wheel(folder / "archives")
    qa(
        sources=archives,
        out=folder / "data",
        seed=3,
        sizes={"train": 20, "dev": 20, "test": 20},
        words=60,
    )
    sizes = {"width": 32, "layers": 1, "heads": 4, "context": 4096}
    tiny_text(architecture=sizes, seed=1, out=folder / "model")
    (folder / "model" / "outputs.sha256").write_text("model\n")
    return folder


def said(home: Path, out: Path, decoding: dict[str, Any], **changes: Any) -> list[Prediction]:
    predict(
        data=home / "data",
        base=home / "model",
        benchmark="qa",
        split="test",
        limit=6,
        variant="v",
        decoding=decoding,
        out=out,
        **changes,
    )
    return read_predictions(out / "predictions.jsonl")


def test_samples_differ_and_come_again_with_the_same_seeds(home: Path, tmp_path: Path) -> None:
    first = said(home, tmp_path / "1", DRAWN)
    assert [record.sample for record in first] == [0, 1, 2] * 6
    assert len({(record.item, record.output) for record in first}) == 18
    assert said(home, tmp_path / "2", DRAWN) == first
    outputs = [record.output for record in first]
    of_another_draw = said(home, tmp_path / "3", DRAWN | {"seed": 1})
    of_another_training = said(home, tmp_path / "4", DRAWN, seed=7)
    for other in (of_another_draw, of_another_training):
        assert [record.output for record in other] != outputs
    greedy = said(home, tmp_path / "g", DRAWN | {"temperature": 0.0, "samples": 1})
    assert len(greedy) == 6


def test_of_the_likeliest_token_alone_a_draw_is_greedy(home: Path, tmp_path: Path) -> None:
    greedy = said(home, tmp_path / "g", DRAWN | {"temperature": 0.0, "samples": 1})
    one = said(home, tmp_path / "1", DRAWN | {"samples": 1, "top_k": 1})
    assert [record.output for record in one] == [record.output for record in greedy]
    every = said(home, tmp_path / "a", DRAWN | {"samples": 1})
    assert [record.output for record in every] != [record.output for record in greedy]


def test_another_batch_is_another_draw(home: Path, tmp_path: Path) -> None:
    """Batches that begin with the same state would draw alike, batch by batch."""
    one = said(home, tmp_path, DRAWN | {"batch_size": 1, "samples": 1, "temperature": 5.0})
    assert len({record.output for record in one}) == 6


def test_scores_are_means_over_the_samples(home: Path, tmp_path: Path) -> None:
    records = said(home, tmp_path, DRAWN)
    score(
        predictions=tmp_path / "predictions.jsonl",
        data=home / "data",
        benchmark="qa",
        split="test",
        limit=6,
        out=tmp_path,
    )
    rows = read_jsonl(tmp_path / "items.jsonl")
    assert len(rows) == 6 and "prediction" not in rows[0]
    assert read_json(tmp_path / "summary.json")["samples"] == 3
    assert all(record.target.startswith("sha256:") for record in records)


def test_shots_are_shown_with_their_answers(home: Path, tmp_path: Path) -> None:
    """Two of them, one without an answer in its text: the question is longer by both."""
    plain = said(home, tmp_path / "0", {"max_new_tokens": 4})
    shown = said(home, tmp_path / "2", {"max_new_tokens": 4}, shots=2, train_limit=20)
    assert [r.output for r in plain] != [r.output for r in shown]
