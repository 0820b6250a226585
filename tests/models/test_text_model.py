"""Text models: scores and text against the plainest computation, one row at a time, no padding."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from regen.benchmarks.base import Prompt, Shot
from regen.errors import InputError
from regen.models.loading import load
from regen.models.protocol import Decoding, Generates
from regen.models.text import CausalLM

PROMPTS = [Prompt("the cat " * n + "?", system="s" if n % 2 else None) for n in range(1, 8)]


def plain_log_probability(model, prompt: Prompt, answer: str) -> float:
    """The sum over the answer's tokens, from one unpadded row and a hand-written softmax."""
    system = f"<|turn|>system:{prompt.system}<|end|>" if prompt.system else ""
    text = f"{system}<|turn|>user:{prompt.text}<|end|><|turn|>assistant:"
    question = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    answer_ids = model.tokenizer(answer, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model.network(torch.tensor([question + answer_ids])).logits[0].double().numpy()
    total = 0.0
    for number, token in enumerate(answer_ids):
        row = logits[len(question) + number - 1]
        total += row[token] - row.max() - np.log(np.exp(row - row.max()).sum())
    return total


@pytest.mark.parametrize("options", [("yes", "no"), ("the cat sat", "a", "no mat at all")])
def test_scores_are_the_log_probabilities_of_each_row_alone(reading: Path, options) -> None:
    model = load(reading)
    expected = [[plain_log_probability(model, p, o) for o in options] for p in PROMPTS]
    found = model.score_options(PROMPTS, options)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_one_token_options_are_one_token(reading: Path) -> None:
    model = load(reading)
    assert [len(model.answer_ids(o)) for o in ("yes", "no")] == [1, 1]
    assert len(model.answer_ids("no mat at all")) > 1


@pytest.mark.parametrize("size", [1, 3, 7])
def test_text_does_not_depend_on_the_batch(reading: Path, size: int) -> None:
    model = load(reading)
    decoding = Decoding(max_new_tokens=12)
    alone = [model.generate(p, decoding) for p in PROMPTS]
    batches = [PROMPTS[i : i + size] for i in range(0, len(PROMPTS), size)]
    together = [g.text for b in batches for g in model.generate_batch(b, decoding)]
    assert together == alone
    assert len(set(alone)) > 1


def test_what_all_prompts_begin_with_is_read_once(reading: Path) -> None:
    model = load(reading)
    shots = tuple(Shot(Prompt("the cat sat " * n), "on a mat") for n in (1, 2, 3))
    prompts = [replace(p, shots=shots, system="s") for p in PROMPTS]
    decoding = Decoding(max_new_tokens=12)
    alone = [model.generate_batch([p], decoding)[0] for p in prompts]
    rows = [model.encode(p) for p in prompts]
    columns = []
    model.network.register_forward_pre_hook(
        lambda _, __, given: columns.append(given["input_ids"].numel()), with_kwargs=True
    )
    assert model.generate_batch(prompts, decoding) == alone
    longest = max(len(row.ids) for row in rows)
    assert columns[0] > 20 and columns[0] + columns[1] / len(rows) == longest
    # Of prompts that are the same, all but the last token is shared.
    columns.clear()
    ids = model.generate_batch([prompts[0], prompts[0]], decoding)
    assert ids == [alone[0], alone[0]] and columns[:2] == [len(rows[0].ids) - 1, 2]


def test_greedy_text_is_the_best_token_again_and_again(reading: Path) -> None:
    model = load(reading)
    ids = list(model.encode(PROMPTS[2]).ids)
    said = []
    for _ in range(6):
        with torch.no_grad():
            best = int(model.network(torch.tensor([ids])).logits[0, -1].argmax())
        if best in model.end_ids:
            break
        ids.append(best)
        said.append(best)
    found = model.generate_batch([PROMPTS[2]], Decoding(max_new_tokens=6))[0]
    assert found.text == model.tokenizer.decode(said, skip_special_tokens=True)
    assert found.tokens == len(said)
    assert found.finish == ("length" if len(said) == 6 else "stop")


def test_an_answer_that_ends_by_itself_stops_there(reading: Path) -> None:
    model = load(reading)
    end = model.end_ids[0]
    assert end == model.tokenizer.eos_token_id
    found = model._generation([5, 6, end, 7])
    assert (found.tokens, found.finish) == (2, "stop")
    assert model._generation([5, 6]).finish == "length"


def test_sampling_repeats_with_its_seed_and_leaves_the_global_generator_alone(
    reading: Path,
) -> None:
    model = load(reading)
    before = torch.get_rng_state()
    draws = [
        [g.text for g in model.generate_batch(PROMPTS, Decoding(8, temperature=1.0, seed=seed))]
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]
    assert torch.equal(before, torch.get_rng_state())


def test_a_text_model_refuses_sound(reading: Path) -> None:
    with pytest.raises(InputError, match="reads text only"):
        load(reading).encode(Prompt("what is this?", audio=(Path("a.wav"),)))


def test_a_model_answers_a_plain_question(reading: Path) -> None:
    model = load(reading)
    assert isinstance(model, Generates)
    assert isinstance(model.generate("the cat?"), str)


def chunked() -> Any:
    """Llama 4: three layers of four attend to the chunk of text that they are in."""
    kinds = ["chunked_attention", "full_attention"]
    more = {"attention_chunk_size": 64, "layer_types": kinds, "num_local_experts": 2}
    return transformers.Llama4ForCausalLM(transformers.Llama4TextConfig(**SIZES, **more))


def recurrent() -> Any:
    """Qwen3-Next: a layer without attention, whose state is that of all tokens before."""
    kinds = ["linear_attention", "full_attention"]
    more = {"layer_types": kinds, "num_experts": 2, "num_experts_per_tok": 1}
    return transformers.Qwen3NextForCausalLM(transformers.Qwen3NextConfig(**SIZES, **more))


SIZES = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "initializer_range": 0.3,
}


@pytest.mark.parametrize("made", [chunked, recurrent])
def test_a_common_beginning_is_read_apart_only_where_padding_does_not_matter(
    reading: Path, made: Callable[[], Any]
) -> None:
    """Answers are those of each row alone, though the layers are not all of the usual kind."""
    torch.manual_seed(3)
    model = CausalLM(made().eval(), load(reading).tokenizer)
    prompts = [Prompt("the cat " * n, system="sat on the mat " * 9) for n in (1, 4, 30)]
    together = model.score_options(prompts, ("yes", "no"))
    alone = [model.score_options([prompt], ("yes", "no"))[0] for prompt in prompts]
    np.testing.assert_allclose(together, alone, atol=2e-3)
