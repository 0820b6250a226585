"""Few-shot prompts: which items, that no test item is among them, and that the model hears them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from toy import Toy, write_data

from regen.benchmarks.base import Item
from regen.errors import InputError
from regen.prediction import predict
from regen.records import read_predictions
from regen.shots import choose, with_shots

ITEMS = [Item(f"i{n}", f"g{n // 3}", "ab"[n % 2], {}) for n in range(30)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 10])
def test_shots_are_balanced_and_the_same_again(count: int) -> None:
    chosen = choose(ITEMS, count)
    counts = Counter(item.target for item in chosen)
    assert sum(counts.values()) == count
    assert counts["a"] - counts["b"] in (-1, 0, 1)
    assert len({item.item for item in chosen}) == count
    assert chosen == choose(list(ITEMS), count)


def test_no_two_shots_share_a_voice_while_there_are_others() -> None:
    assert len({item.group for item in choose(ITEMS, 8)}) == 8
    one_voice = [Item(i.item, "same", i.target) for i in ITEMS]
    assert len(choose(one_voice, 4)) == 4


def test_the_last_shot_is_not_always_of_the_same_class() -> None:
    assert {choose(ITEMS, count)[-1].target for count in range(2, 12)} == {"a", "b"}


def test_too_few_items_are_one_line() -> None:
    with pytest.raises(InputError, match="31 are asked for"):
        choose(ITEMS, 31)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("toy") / "data", items=12)


@pytest.fixture(scope="module")
def base(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from regen.models.tiny_audio import tiny_audio

    out = tmp_path_factory.mktemp("base")
    course = {"steps": 5, "batch_size": 8}
    tiny_audio(data=data, benchmark="toy", architecture={}, pretraining=course, seed=1, out=out)
    (out / "outputs.sha256").write_text("base\n")
    return out


def test_the_shots_reach_the_model(data: Path, base: Path) -> None:
    """One row of features a clip, the clips' tokens in the talk, and other logits."""
    from regen.models.loading import load

    task, model = Toy(), load(base)
    question = task.prompts["baseline"]
    training, asked = task.load_dataset(data, "train"), task.load_dataset(data, "test")[0]
    plain = task.prompt(asked, question)
    token = model.tokenizer.convert_tokens_to_ids(model.processor.audio_token)
    scores = []
    for count in (0, 1, 4):
        prompt = with_shots(task, plain, choose(training, count), question)
        row = model.encode(prompt)
        assert row.extra["input_features"].shape[0] == count + 1
        mask = row.extra["feature_attention_mask"]
        assert row.ids.count(token) == sum(model.audio_tokens(int(m.sum())) for m in mask)
        text = model.tokenizer.decode([i for i in row.ids if i != token])
        assert text.count("Is this TONE or NOISE?") == count + 1
        assert text.count("assistant\nTONE<|im_end|>") + text.count(
            "assistant\nNOISE<|im_end|>"
        ) == (count)
        # The question's own clip comes last.
        alone = model.encode(plain).extra["input_features"]
        np.testing.assert_array_equal(row.extra["input_features"][-1:], alone)
        scores.append(model.score_options([prompt], task.options)[0])
    assert np.abs(np.diff(scores, axis=0)).min() > 1e-4


def test_another_clip_or_answer_in_a_shot_changes_the_logits(data: Path, base: Path) -> None:
    from dataclasses import replace

    from regen.models.loading import load

    task, model = Toy(), load(base)
    training = task.load_dataset(data, "train")
    question = task.prompts["baseline"]
    plain = task.prompt(task.load_dataset(data, "test")[0], question)
    kept, other = choose(training, 2), training[5]
    assert other not in kept
    relabelled = replace(kept[0], target={"TONE": "NOISE", "NOISE": "TONE"}[kept[0].target])
    unlike = replace(kept[0], inputs=other.inputs)
    prompts = [
        with_shots(task, plain, shots, question)
        for shots in (kept, [relabelled, kept[1]], [unlike, kept[1]])
    ]
    scores = np.concatenate([model.score_options([p], task.options) for p in prompts])
    assert np.abs(scores[1:] - scores[0]).max(axis=1).min() > 1e-5


def test_predictions_with_shots_use_the_train_split_alone(
    data: Path, base: Path, tmp_path: Path
) -> None:
    import shutil

    def answers(folder: Path, name: str, shots: int) -> list[float]:
        out = tmp_path / name
        out.mkdir()
        predict(
            data=folder,
            base=base,
            benchmark="toy",
            variant="v",
            split="test",
            limit=5,
            shots=shots,
            train_limit=8,
            out=out,
        )
        found = read_predictions(out / "predictions.jsonl")
        return [r.options["TONE"]["logit"] for r in found if r.options]

    few = answers(data, "few", 4)
    assert np.abs(np.subtract(few, answers(data, "none", 0))).min() > 1e-5
    moved = Path(shutil.copytree(data, tmp_path / "moved"))
    rows = (moved / "test.jsonl").read_text().splitlines()
    (moved / "test.jsonl").write_text("\n".join(rows[:5]) + "\n")  # nothing else of it is read
    rows = (moved / "train.jsonl").read_text().splitlines()
    (moved / "train.jsonl").write_text("\n".join(rows[:8]) + "\n")  # nor of what is over the limit
    assert answers(moved, "less", 4) == few
