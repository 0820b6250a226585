"""Objectives in real trainings: one that cannot act, one that does, and after an interruption."""

import json
from pathlib import Path

import numpy as np
import pytest

from regen.benchmarks.base import Item
from regen.benchmarks.registry import register
from regen.benchmarks.replies import Replies
from regen.files import dumps, read_json, read_jsonl
from regen.set_training import SetObjective, ailments, health
from regen.training import train

WORDS = ("hello", "yes it is", "no", "well maybe", "i like tea", "good day", "oh", "so do i")
OPTIMISATION = {
    "epochs": 2,
    "max_steps": None,
    "batch_size": 4,
    "learning_rate": 5e-3,
    "warmup_fraction": 0.1,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "save_every": 2,
    "group_by_length": False,
    "keep_epochs": False,
    "dev_items": 4,
}
OBJECTIVE = {
    "n_generations": 3,
    "max_examples": 2,
    "every_n_steps": 2,
    "max_new_tokens": 5,
    "temperature": 1.0,
}


class Letters(Replies):
    """The same task, whose quality a model with random weights can have."""

    name = "reply-letters"

    def quality(self, item: Item, text: str) -> float:
        return sum(map(str.isalpha, text)) / max(len(text), 1)


register("reply-letters", Letters)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "dev", "test"):
        rows = [
            {"item": f"{split}-{n}", "group": f"{n}", "message": WORDS[n], "reply": WORDS[-1 - n]}
            for n in range(len(WORDS))
        ]
        (folder / f"{split}.jsonl").write_text("".join(dumps(row, None) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from regen.models.tiny_text import tiny_text

    out = tmp_path_factory.mktemp("base")
    shape = {"width": 16, "layers": 1, "heads": 2, "context": 128}
    tiny_text(architecture=shape, seed=1, out=out)
    (out / "outputs.sha256").write_text("base\n")
    return out


def run(base: Path, data: Path, out: Path, kind: str | None = None, weight: float = 1.0) -> bytes:
    """With dropout, so that a draw from the training's own generator would show."""
    objective = None if kind is None else OBJECTIVE | {"kind": kind, "weight": weight}
    train(
        base=base,
        data=data,
        benchmark="reply-letters",
        prompt="baseline",
        lora={"r": 2, "alpha": 4, "dropout": 0.2, "targets": "attention"},
        optimisation=OPTIMISATION,
        limit=8,
        seed=42,
        out=out,
        objective=objective,
    )
    return (out / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def plain(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    run(base, data, out)
    return out


@pytest.mark.parametrize("weight", [0.3, 1.0, 2.0])
def test_as_written_is_plain_fine_tuning_to_the_byte(
    base: Path, data: Path, plain: Path, tmp_path: Path, weight: float
) -> None:
    assert (
        run(base, data, tmp_path, "as_written", weight)
        == (plain / "adapter_model.safetensors").read_bytes()
    )
    rows, before = read_jsonl(tmp_path / "log.jsonl"), read_jsonl(plain / "log.jsonl")
    for row, other in zip(rows, before, strict=True):
        assert all(row[key] == other[key] for key in other)  # losses, norms, rates
    asked = [row for row in rows if "diversity" in row]
    assert [row["step"] for row in asked] == [1, 3]
    for row in asked:
        assert 0 < row["diversity"] <= 1 and row["share"] == 0
        assert row["combined"] == pytest.approx(row["loss"] - weight * row["diversity"])
    summary = read_json(tmp_path / "summary.json")
    assert summary["adapter"] == read_json(plain / "summary.json")["adapter"]
    assert summary["objective"]["combined_differs"] and not summary["objective"]["acts"]


def test_ours_acts_and_depends_on_lambda(
    base: Path, data: Path, plain: Path, tmp_path: Path
) -> None:
    adapters = {(plain / "adapter_model.safetensors").read_bytes()}
    shares = []
    for weight in (0.5, 2.0):
        out = tmp_path / str(weight)
        adapters.add(run(base, data, out, "set_diversity", weight))
        found = read_json(out / "summary.json")["objective"]
        shares.append(found["mean"]["share"])
        assert found["acts"] and found["asked"] == 2
    assert len(adapters) == 3
    assert 0 < shares[0] < shares[1] < 1


def test_a_weight_of_0_is_plain_fine_tuning(
    base: Path, data: Path, plain: Path, tmp_path: Path
) -> None:
    before = (plain / "adapter_model.safetensors").read_bytes()
    assert run(base, data, tmp_path, "set_diversity", 0.0) == before


def test_an_interrupted_training_ends_in_the_same_bytes(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(base, data, tmp_path / "whole", "set_diversity", 2.0)
    at = SetObjective.at

    def stops(self: SetObjective, step: int, chosen: list[int]):
        if step == 3:
            raise KeyboardInterrupt
        return at(self, step, chosen)

    monkeypatch.setattr(SetObjective, "at", stops)
    with pytest.raises(KeyboardInterrupt):
        run(base, data, tmp_path / "part", "set_diversity", 2.0)
    assert (tmp_path / "part" / ".state" / "state.pt").exists()
    monkeypatch.setattr(SetObjective, "at", at)
    assert run(base, data, tmp_path / "part", "set_diversity", 2.0) == whole
    for name in ("log.jsonl", "summary.json"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert read_json(tmp_path / "part" / "timing.json")["resumed_at"] == 2


def test_the_term_is_what_the_answers_are_paid(base: Path, data: Path) -> None:
    """Against log-probabilities of one answer at a time, and advantages of the same texts."""
    import torch

    from regen.benchmarks.registry import get_benchmark
    from regen.models.loading import load
    from regen.objectives import advantages

    task, model = get_benchmark("reply-letters"), load(base)
    items = task.load_dataset(data, "train", 2)
    questions = [task.prompt(item, "{message}") for item in items]
    settings = OBJECTIVE | {"kind": "set_diversity", "weight": 3.0, "every_n_steps": 1}
    objective = SetObjective(task, model, items, questions, settings, seed=7)
    asked = objective.at(0, [0, 1])
    total, rewards = 0.0, 0
    for i, drawn in zip((0, 1), objective._draw(0, [0, 1]), strict=True):
        texts = [one.text for one in drawn]
        paid = advantages(texts, [task.quality(items[i], text) for text in texts])
        rewards += len(texts)
        for one, worth in zip(drawn, paid, strict=True):
            with torch.no_grad():
                found, real = model.answer_log_probabilities(
                    [model.encode(questions[i])], [one.ids]
                )
            assert real.all() and len(one.ids) in (one.tokens, one.tokens + 1)
            total -= float(found.sum()) * worth * 3.0 / 2
    assert rewards == 6 and total != 0
    assert float(asked.term) == pytest.approx(total, rel=1e-4, abs=1e-5)


def test_the_loss_on_dev_is_taken_after_each_epoch(
    base: Path, data: Path, plain: Path, tmp_path: Path
) -> None:
    import torch

    from regen.benchmarks.registry import get_benchmark
    from regen.models.loading import load
    from regen.training import answer_loss

    rows = read_jsonl(plain / "log.jsonl")
    assert [row["step"] for row in rows if "dev_loss" in row] == [2, 4]
    task, model = get_benchmark("replies"), load(base, plain)
    items = task.load_dataset(data, "dev", 4)
    end = model.end_ids[:1]
    with torch.no_grad():
        loss = answer_loss(
            model,
            [model.encode(task.prompt(item, "{message}")) for item in items],
            [(*model.answer_ids(item.target), *end) for item in items],
        )
    assert rows[-1]["dev_loss"] == pytest.approx(float(loss), rel=1e-4)
    gap = read_json(plain / "summary.json")["gap"]
    assert gap["dev"] == rows[-1]["dev_loss"]
    assert gap["gap"] == pytest.approx(gap["dev"] - np.mean([row["loss"] for row in rows[2:]]))


def test_a_training_that_ends_before_an_epoch_has_no_loss_on_dev(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPTIMISATION, "max_steps", 1)
    run(base, data, tmp_path)
    assert len(read_jsonl(tmp_path / "log.jsonl")) == 1
    assert "gap" not in read_json(tmp_path / "summary.json")


def test_health_notices_a_diversity_that_went_to_0() -> None:
    row = {"loss": 3.0, "diversity": 0.2, "combined": 2.9, "share": 0.1}
    assert health([row, {"loss": 1.0}, row])["diversity_positive"]
    fallen = health([row, row | {"diversity": 0.0}])
    assert not fallen["diversity_positive"] and fallen["asked"] == 2
    assert ailments(health([row])) == []
    assert "fell to 0" in ailments(fallen)[0]
    assert "its weight does nothing" in ailments(health([row | {"share": 0.0}]))[0]
    assert not health([row | {"combined": 3.0}])["combined_differs"]
    assert json.loads(dumps(fallen))["mean"]["diversity"] == pytest.approx(0.1)
