"""Text models of the hub: Qwen2.5, Qwen3 and Gemma 3, tiny ones of the real classes."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from hub_cache import GEMMA_ID, QWEN2_IDS, QWEN3_ID, REVISION, TEXT_MODELS, lay_out

from regen.adapters import with_adapter
from regen.benchmarks.base import Prompt, Shot
from regen.models.hub import hub
from regen.models.loading import load
from regen.models.packed import PackedLinear, pack
from regen.models.protocol import Decoding
from regen.training import answer_loss

SHOTS = (Shot(Prompt("What is 2 + 2?"), "4"), Shot(Prompt("What is 3 + 3?"), "6"))
PROMPTS = [
    Prompt("What is 1 + 1?"),
    Prompt("What is 5 + 5, and why is it so?", system="Be brief."),
    Prompt("What is 4 + 4?", system="Be brief.", shots=SHOTS),
]
NAMES = [QWEN2_IDS[0], QWEN3_ID, GEMMA_ID]


@pytest.fixture(scope="module")
def full_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    for name in NAMES:
        made = folder / "made" / name
        made.mkdir(parents=True)
        TEXT_MODELS[name](made)
        lay_out(made, folder / "cache", name)
    return folder / "cache"


@pytest.fixture
def fetched(full_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """models/<base>/ as the stage makes it from the cache, with no net."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(full_cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def fetch(name: str, **changes: Any) -> Path:
        out = tmp_path / f"base-{len(list(tmp_path.iterdir()))}"
        out.mkdir()
        settings = {"revision": REVISION, "dtype": "auto", "quantisation": "none", "device": "auto"}
        hub(id=name, out=out, **(settings | changes))
        (out / "outputs.sha256").write_text((out / "hub.json").read_text())
        return out

    return fetch


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_the_classes_own_forward_pass(fetched: Any, name: str) -> None:
    """Together in a padded batch, though a sliding window or a first token may mind the padding."""
    model = load(fetched(name))
    found = model.score_options(PROMPTS, ("4", "8", "10, as I said"))
    for prompt, row in zip(PROMPTS, found, strict=True):
        asked = list(model.encode(prompt).ids)
        for option, score in zip(("4", "8", "10, as I said"), row, strict=True):
            answer = model.answer_ids(option)
            with torch.no_grad():
                logits = model.network(torch.tensor([asked + answer])).logits[0].float()
            rows = logits.log_softmax(-1)[len(asked) - 1 : -1]
            expected = sum(float(one[token]) for one, token in zip(rows, answer, strict=True))
            assert score == pytest.approx(expected, abs=2e-3)
    said = [one.text for one in model.generate_batch(PROMPTS, Decoding(max_new_tokens=4))]
    assert said == [model.generate(prompt, Decoding(max_new_tokens=4)) for prompt in PROMPTS]


@pytest.mark.parametrize("name", NAMES)
def test_greedy_text_is_the_likeliest_token_each_time(fetched: Any, name: str) -> None:
    """Whatever a model's own settings are: Qwen2.5 comes with a penalty on repetitions."""
    model = load(fetched(name))
    ids = list(model.encode(PROMPTS[1]).ids)
    expected: list[int] = []
    while len(expected) < 12 and not set(expected) & set(model.end_ids):
        with torch.no_grad():
            logits = model.network(torch.tensor([ids + expected])).logits[0, -1]
        expected.append(int(logits.argmax()))
    (said,) = model.generate_batch(PROMPTS[1:2], Decoding(max_new_tokens=12))
    assert list(said.ids) == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [1, 3])
def test_packed_weights_say_the_same(fetched: Any, name: str, rows: int) -> None:
    """Biases included, which a fresh model has at 0, and the head that is the embedding, too."""
    model = load(fetched(name, dtype="float32", device="cpu"))
    generator = torch.Generator().manual_seed(1)
    for weight_name, weight in model.network.named_parameters():
        if weight_name.endswith("bias"):
            weight.data.normal_(generator=generator)
    expected = model.score_options(PROMPTS[:rows], ("4", "10, as I said"))
    said = model.generate_batch(PROMPTS[:rows], Decoding(max_new_tokens=4))
    linear = [m for m in model.network.modules() if type(m) is torch.nn.Linear]
    model.network = pack(model.network)
    packed = [m for m in model.network.modules() if isinstance(m, PackedLinear)]
    assert len(packed) == len(linear) > 10
    assert not [m for m in model.network.modules() if type(m) is torch.nn.Linear]
    found = model.score_options(PROMPTS[:rows], ("4", "10, as I said"))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert model.generate_batch(PROMPTS[:rows], Decoding(max_new_tokens=4)) == said


def test_packed_weights_refuse_to_be_trained(fetched: Any) -> None:
    model = load(fetched(QWEN2_IDS[0], dtype="float32", device="cpu"))
    model.network = pack(model.network)
    rows = [model.encode(prompt) for prompt in PROMPTS]
    with pytest.raises(RuntimeError, match="packed weights have no gradient"):
        answer_loss(model, rows, [model.answer_ids("4")] * 3)


def test_weights_in_fewer_bits_stay_as_they_are(fetched: Any) -> None:
    model = load(fetched(QWEN2_IDS[0], dtype="bfloat16", device="cpu"))
    before = model.score_options(PROMPTS, ("4", "8"))
    assert not [m for m in pack(model.network).modules() if isinstance(m, PackedLinear)]
    np.testing.assert_array_equal(model.score_options(PROMPTS, ("4", "8")), before)


def alike(long: int) -> list[Prompt]:
    """With a common beginning; with 1 within Gemma's sliding window, with 30 beyond it.

    Beyond it the rows differ in length by as much, too.
    """
    return [Prompt("1? " * n * long, system="What is it? " * long) for n in (1, 2, 4)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("long", [1, 30])
@pytest.mark.parametrize("quantisation", ["none", "nf4"])
def test_a_common_beginning_changes_no_logit(
    fetched: Any, name: str, long: int, quantisation: str
) -> None:
    model = load(fetched(name, quantisation=quantisation))
    prompts = alike(long)
    seen: list[Any] = []
    model.network.register_forward_hook(lambda _, __, given: seen.append(given.logits[:, -1]))

    def first_logits(asked: list[Prompt]) -> Any:
        seen.clear()
        model.generate_batch(asked, Decoding(max_new_tokens=1))
        return seen[-1].numpy()

    alone = np.concatenate([first_logits([prompt]) for prompt in prompts])
    np.testing.assert_allclose(first_logits(prompts), alone, atol=2e-3)
    for options in (("4", "8"), ("4", "10, as I said")):  # a pass for all, and one an option
        each = [model.score_options([prompt], options)[0] for prompt in prompts]
        np.testing.assert_allclose(model.score_options(prompts, options), each, atol=5e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("long", [1, 30])
def test_a_common_beginning_is_learned_from_as_in_rows_alone(
    fetched: Any, name: str, long: int
) -> None:
    """The gradient of a batch's loss is that of its rows, each weighted by its answer's tokens."""
    model = load(fetched(name))
    lora = {"r": 4, "alpha": 8, "dropout": 0.0, "targets": "attention+mlp"}
    model.network = with_adapter(model.network, lora)
    weights = [p for p in model.network.parameters() if p.requires_grad]
    generator = torch.Generator().manual_seed(1)
    for weight in weights:  # a fresh adapter has one half at 0, and no gradient in the other
        weight.data.normal_(std=0.1, generator=generator)
    rows = [model.encode(prompt) for prompt in alike(long)]
    answers = [[*model.answer_ids(text), model.end_ids[0]] for text in ("5", "10, or", "20")]
    total = sum(map(len, answers))
    for row, answer in zip(rows, answers, strict=True):
        (answer_loss(model, [row], [answer]) * len(answer) / total).backward()
    alone = [weight.grad.clone() for weight in weights]
    model.network.zero_grad()
    read = []
    model.network.register_forward_pre_hook(
        lambda _, __, given: read.append(given["input_ids"].numel()), with_kwargs=True
    )
    answer_loss(model, rows, answers).backward()
    for weight, expected in zip(weights, alone, strict=True):
        scale = float(expected.abs().max())
        assert scale > 0
        torch.testing.assert_close(weight.grad, expected, atol=2e-3 * scale, rtol=0)
    beyond_the_window = name == GEMMA_ID and long > 1
    assert len(read) == (1 if beyond_the_window else 2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quantisation", ["none", "nf4"])
def test_an_adapter_lowers_the_loss(fetched: Any, name: str, quantisation: str) -> None:
    model = load(fetched(name, quantisation=quantisation))
    torch.manual_seed(1)
    lora = {"r": 4, "alpha": 8, "dropout": 0.0, "targets": "attention+mlp"}
    model.network = with_adapter(model.network, lora)
    rows = [model.encode(prompt) for prompt in PROMPTS]
    answers = [[*model.answer_ids(text), model.end_ids[0]] for text in ("2", "10", "8")]
    weights = [p for p in model.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=2e-2)
    losses = []
    for _ in range(8):
        loss = answer_loss(model, rows, answers)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0], losses
    assert np.isfinite(losses).all()


def test_the_system_is_heard_where_the_template_has_no_turn_for_it(fetched: Any) -> None:
    model = load(fetched(GEMMA_ID))
    said = model.render(PROMPTS[2])
    assert said.startswith("<bos><start_of_turn>user\nBe brief.\n\nWhat is 2 + 2?<end_of_turn>\n")
    assert said.endswith("What is 4 + 4?<end_of_turn>\n<start_of_turn>model\n")
    ids = model.encode(PROMPTS[2]).ids
    assert ids.count(model.tokenizer.bos_token_id) == 1 and ids[0] == model.tokenizer.bos_token_id


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_ends_where_the_turn_does(fetched: Any, name: str) -> None:
    """Gemma's end of a turn is special in its tokenizer, and is not its eos_token."""
    model = load(fetched(name))
    end = "<end_of_turn>" if name == GEMMA_ID else "<|im_end|>"
    number = model.tokenizer.convert_tokens_to_ids(end)
    assert model.end_ids[0] == number
    ids = [*model.answer_ids("4"), number, *model.answer_ids("and more")]
    found = model._generation(ids)
    assert (found.text, found.finish, found.tokens) == ("4", "stop", 1)


def test_a_model_that_can_think_first_is_asked_for_the_answer(fetched: Any) -> None:
    """Thoughts would take all the tokens that an answer has, and are in no reference answer."""
    said = load(fetched(QWEN3_ID)).render(PROMPTS[0])
    assert said.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
