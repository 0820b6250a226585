"""Audio models: what they are given, against the real processor; scores, whatever the batch."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from regen.benchmarks.base import Prompt
from regen.errors import InputError
from regen.models.audio import read_clip
from regen.models.loading import load
from regen.models.protocol import Decoding

QUESTION = "Is there speech in the clip?"


def ask(clips: list[Path]) -> list[Prompt]:
    return [
        Prompt(QUESTION + " Answer yes or no." * (n % 3), audio=(c,)) for n, c in enumerate(clips)
    ]


def test_a_row_is_what_the_processor_makes_of_it(hearing: Path, clips: list[Path]) -> None:
    model = load(hearing)
    for prompt in ask(clips):
        content = [{"type": "audio", "audio_url": ""}, {"type": "text", "text": prompt.text}]
        text = model.processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        samples, rate = soundfile.read(prompt.audio[0], dtype="float32")
        expected = model.processor(
            text=[text], audio=[samples], sampling_rate=rate, return_tensors="pt"
        )
        found = model.encode(prompt)
        assert list(found.ids) == expected["input_ids"][0].tolist()
        for key in ("input_features", "feature_attention_mask"):
            assert torch.equal(found.extra[key], expected[key])


@pytest.mark.parametrize("options", [("yes", "no"), ("speech", "other sounds", "zebra")])
def test_scores_do_not_depend_on_the_batch(hearing: Path, clips: list[Path], options) -> None:
    model = load(hearing)
    prompts = ask(clips)
    alone = np.concatenate([model.score_options([p], options) for p in prompts])
    batches = [prompts[i : i + 16] for i in range(0, len(prompts), 16)]
    together = np.concatenate([model.score_options(b, options) for b in batches])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert (together.argmax(1) == alone.argmax(1)).all()
    assert np.ptp(alone, axis=0).min() > 1e-2  # the clips matter: else this shows nothing


def test_scores_are_those_of_the_full_forward_pass(hearing: Path, clips: list[Path]) -> None:
    model = load(hearing)
    prompt, option = ask(clips)[7], "other sounds"
    row, answer = model.encode(prompt), model.answer_ids(option)
    with torch.no_grad():
        logits = (
            model.network(
                input_ids=torch.tensor([[*row.ids, *answer]]),
                attention_mask=torch.ones(1, len(row.ids) + len(answer), dtype=torch.long),
                **row.extra,
            )
            .logits[0]
            .log_softmax(-1)
        )
    expected = sum(float(logits[len(row.ids) + n - 1, token]) for n, token in enumerate(answer))
    assert model.score_options([prompt], [option])[0, 0] == pytest.approx(expected, abs=1e-4)


def test_the_prompts_are_padded_on_the_left_and_counted_from_their_start(
    hearing: Path, clips: list[Path]
) -> None:
    model = load(hearing)
    rows = [model.encode(prompt) for prompt in ask(clips)[:5]]
    answers = [[7], [7, 8, 9], [], [7, 8], [9]]
    batch = model.collate(rows, answers)
    for number, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        length = len(row.ids) + len(answer)
        assert batch["attention_mask"][number].sum() == length
        assert batch["input_ids"][number, -length:].tolist() == [*row.ids, *answer]
        assert batch["position_ids"][number, -length:].tolist() == list(range(length))


def test_text_does_not_depend_on_the_batch(hearing: Path, clips: list[Path]) -> None:
    model = load(hearing)
    prompts = ask(clips)[:6]
    decoding = Decoding(max_new_tokens=5)
    alone = [model.generate(p, decoding) for p in prompts]
    assert [g.text for g in model.generate_batch(prompts, decoding)] == alone


def test_the_end_of_an_answer_is_the_templates(hearing: Path) -> None:
    model = load(hearing)
    assert model.end_ids == [model.tokenizer.convert_tokens_to_ids("<|im_end|>")]


def test_a_new_tokenizer_in_a_new_process_is_the_same(hearing: Path) -> None:
    from regen.models.tiny_audio import ARCHITECTURE, build_processor

    texts = ["Is there speech in the clip? Answer yes or no.", "speech", "other sounds"] * 2
    again = build_processor(texts, ARCHITECTURE).tokenizer.backend_tokenizer.to_str()
    saved = load(hearing).tokenizer.backend_tokenizer
    assert again == saved.to_str()


def bad_clip(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "clip.wav"
    if kind == "text":
        path.write_text("this is no sound")
    elif kind == "stereo":
        soundfile.write(path, np.zeros((16000, 2)), 16000)
    elif kind == "rate":
        soundfile.write(path, np.zeros(8000), 8000)
    elif kind == "long":
        soundfile.write(path, np.zeros(16000 * 3), 16000)
    elif kind == "empty":
        soundfile.write(path, np.zeros(0), 16000)
    elif kind == "short":
        soundfile.write(path, np.zeros(200), 16000)
    elif kind == "nan":
        soundfile.write(path, np.full(16000, np.nan), 16000, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "missing"),
        ("text", "is not audio"),
        ("stereo", "one channel"),
        ("rate", "8000 Hz"),
        ("long", "lasts 3.00 s"),
        ("empty", "one channel"),
        ("short", "too short"),
        ("nan", "no numbers"),
    ],
)
def test_a_bad_clip_is_one_line_that_names_it(
    hearing: Path, tmp_path: Path, kind: str, reason: str
) -> None:
    path = bad_clip(tmp_path, kind)
    with pytest.raises(InputError, match=reason) as error:
        load(hearing).encode(Prompt(QUESTION, audio=(path,)))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_good_clip_is_read_as_it_is(tmp_path: Path) -> None:
    samples = np.linspace(-0.5, 0.5, 4000).astype("float32")
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    np.testing.assert_array_equal(read_clip(tmp_path / "a.wav", 16000, 2), samples)
