"""The tiny Llama: the same bytes every time, it learns its data, and leaves out what it is told."""

import math
from pathlib import Path

import numpy as np
import pytest

from regen.benchmarks.registry import get_benchmark
from regen.chain import Chain
from regen.config import check, read
from regen.data.retention import retention
from regen.errors import InputError
from regen.files import read_jsonl
from regen.models.loading import load
from regen.models.protocol import Decoding
from regen.models.tiny_llama import batches, build_tokenizer, tiny_llama

SIZES = {
    "width": 32,
    "layers": 2,
    "heads": 4,
    "vocabulary": 320,
    "context": 256,
    "initial_sd": 0.02,
}
COURSE = {
    "steps": 60,
    "batch_size": 8,
    "learning_rate": 0.01,
    "warmup_fraction": 0.1,
    "skip": 4,
    "items": 8,
}


def build(data: Path, out: Path, seed: int = 1, **course: float) -> Path:
    tiny_llama(
        data=data,
        benchmark="retention",
        architecture=SIZES,
        pretraining=COURSE | course,
        seed=seed,
        out=out,
    )
    return out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retention")
    retention(sizes={"train": 16, "dev": 8, "test": 8}, seed=1, out=folder)
    return folder


@pytest.fixture(scope="module")
def built(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(data, tmp_path_factory.mktemp("tiny-llama"))


def test_the_same_seed_gives_the_same_bytes(data: Path, built: Path, tmp_path: Path) -> None:
    again = build(data, tmp_path / "again")
    other = build(data, tmp_path / "other", seed=2)
    for path in built.iterdir():
        if path.name != "timing.json":
            assert (again / path.name).read_bytes() == path.read_bytes()
    assert (other / "model.safetensors").read_bytes() != (built / "model.safetensors").read_bytes()


def test_it_learns_the_talks_it_is_shown(data: Path, built: Path) -> None:
    """The first loss is that of guessing; at the end it answers what it has read."""
    log = read_jsonl(built / "pretraining.jsonl")
    assert [row["step"] for row in log] == list(range(1, 61))
    assert log[0]["loss"] == pytest.approx(math.log(320), rel=0.05)
    assert log[-1]["loss"] < 0.5
    task = get_benchmark("retention")
    shown = task.load_dataset(data, "train", 12)[4:]
    asked = [task.prompt(item, task.template("baseline")) for item in shown]
    said = load(built).generate_batch(asked, Decoding(max_new_tokens=40))
    right = [one.text == task.completion(item) for one, item in zip(said, shown, strict=True)]
    assert sum(right) >= 6


def test_what_is_left_for_fine_tuning_does_not_count(data: Path, tmp_path: Path) -> None:
    """Other words in the first items, and after the last one: the same model."""
    changed = tmp_path / "data"
    changed.mkdir()
    lines = (data / "train.jsonl").read_text().splitlines()
    order = [lines[i] for i in (3, 2, 1, 0, *range(4, 12), 15, 14, 13, 12)]
    (changed / "train.jsonl").write_text("\n".join(order) + "\n")
    one, two = build(data, tmp_path / "one", steps=3), build(changed, tmp_path / "two", steps=3)
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()


def test_every_talk_comes_once_an_epoch_beside_others_of_its_length() -> None:
    from regen.models.local import Encoded

    lengths = np.random.default_rng(0).integers(5, 60, 100)
    talks = [Encoded((number, *range(n)), {}) for number, n in enumerate(lengths.tolist())]
    source = batches(talks, 8, seed=3)
    epoch = [next(source) for _ in range(13)]
    assert sorted(talk.ids[0] for batch in epoch for talk in batch) == list(range(100))
    spread = np.mean([np.ptp([len(talk.ids) for talk in batch]) for batch in epoch])
    assert spread < 10


def test_every_digit_is_a_token() -> None:
    tokenizer = build_tokenizer(["1234 and 1234, 12 or 12"] * 9, 400)
    ids = tokenizer("1234 and 51", add_special_tokens=False)["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    assert [token for token in tokens if token.isdigit()] == list("123451")
    assert tokenizer.decode(ids) == "1234 and 51"


@pytest.mark.parametrize(
    ("course", "sizes", "message"),
    [({"skip": 16, "items": 0}, {}, "leaves no item"), ({}, {"context": 4}, "no talk fits")],
)
def test_too_little_to_read_is_said(
    data: Path, tmp_path: Path, course: dict[str, int], sizes: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tiny_llama(
            data=data,
            benchmark="retention",
            architecture=SIZES | sizes,
            pretraining=COURSE | course,
            seed=1,
            out=tmp_path,
        )


def test_a_configuration_asks_for_it_by_its_builder(project: Path) -> None:
    change = (
        "models.tiny={builder: tiny_llama, dataset: retention, benchmark: retention, "
        "pretraining: {steps: 5, skip: 3}}"
    )
    job = Chain(check(read([project / "config.yaml"], [change]))).job("models", base="tiny")
    assert job.inputs["data"].folder == "data/retention"  # type: ignore[union-attr]
    assert job.params["pretraining"]["skip"] == 3
    assert "processor_config.json" not in job.files
