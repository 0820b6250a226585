"""Models of the hub: tiny random ones of the real classes, from a cache, with no net."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hub_cache import AUDIO_ID, OMNI_ID, REVISION, lay_out, make_audio, make_omni
from toy import write_data

from regen.benchmarks.base import Prompt, Shot
from regen.errors import InputError
from regen.files import read_json, read_jsonl
from regen.models import quantised
from regen.models.audio import AudioModel, OmniModel
from regen.models.hub import hub
from regen.models.loading import load
from regen.models.protocol import Decoding
from regen.training import answer_loss, train

MODELS = {AUDIO_ID: make_audio, OMNI_ID: make_omni}
LORA = {"r": 4, "alpha": 8, "dropout": 0.0, "targets": "attention+mlp"}
OPTIMISATION = {
    "epochs": 2,
    "max_steps": 3,
    "batch_size": 4,
    "learning_rate": 1e-2,
    "warmup_fraction": 0.0,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "save_every": 50,
    "group_by_length": False,
    "keep_epochs": False,
}


@pytest.fixture(scope="module")
def full_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    for name, make in MODELS.items():
        made = folder / "made" / name
        made.mkdir(parents=True)
        make(made)
        lay_out(made, folder / "cache", name)
    return folder / "cache"


@pytest.fixture
def cache(full_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache as this process's own, and no net: what HF_HUB_CACHE and HF_HUB_OFFLINE set."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(full_cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return full_cache


def fetched(out: Path, name: str, **changes: Any) -> Path:
    """models/<base>/ as the stage makes it, closed as the chain closes it."""
    out.mkdir()
    settings = {"revision": REVISION, "dtype": "auto", "quantisation": "none", "device": "auto"}
    hub(id=name, out=out, **(settings | changes))
    (out / "outputs.sha256").write_text((out / "hub.json").read_text())
    return out


def ask(clips: list[Path]) -> list[Prompt]:
    questions = [Prompt("A or B?" * (n % 3 + 1), audio=(c,)) for n, c in enumerate(clips[:6])]
    shots = (Shot(questions[0], "A"), Shot(questions[1], "B"))
    return [*questions[:4], Prompt("A or B?", audio=(clips[4],), shots=shots)]


@pytest.mark.parametrize(("name", "kind"), [(AUDIO_ID, AudioModel), (OMNI_ID, OmniModel)])
def test_a_model_of_the_hub_scores_and_speaks(
    cache: Path, tmp_path: Path, clips: list[Path], name: str, kind: type
) -> None:
    model = load(fetched(tmp_path / "base", name))
    assert type(model) is kind
    prompts = ask(clips)
    for options in (("A", "B"), ("A", "speech, or what")):
        alone = np.concatenate([model.score_options([p], options) for p in prompts])
        together = model.score_options(prompts, options)
        np.testing.assert_allclose(together, alone, atol=1e-3)
        assert np.ptp(alone, axis=0).min() > 1e-2  # clips and shots matter
    decoding = Decoding(max_new_tokens=4)
    said = [g.text for g in model.generate_batch(prompts, decoding)]
    assert said == [model.generate(p, decoding) for p in prompts]
    assert len(set(said)) > 1


@pytest.mark.parametrize("name", [AUDIO_ID, OMNI_ID])
def test_scores_are_those_of_the_classes_own_forward_pass(
    cache: Path, tmp_path: Path, clips: list[Path], name: str
) -> None:
    model = load(fetched(tmp_path / "base", name))
    prompt = ask(clips)[-1]
    row = model.encode(prompt)
    ids = torch.tensor([row.ids])
    with torch.no_grad():
        output = model.network(input_ids=ids, attention_mask=torch.ones_like(ids), **row.extra)
    last = output.logits[0, -1].log_softmax(-1)
    expected = [float(last[model.answer_ids(option)[0]]) for option in "AB"]
    np.testing.assert_allclose(model.score_options([prompt], "AB")[0], expected, atol=1e-4)


@pytest.mark.parametrize("name", [AUDIO_ID, OMNI_ID])
def test_in_half_precision_the_scores_are_nearly_the_same(
    cache: Path, tmp_path: Path, clips: list[Path], name: str
) -> None:
    """As on a GPU: bfloat16 weights, and features that come in float32."""
    prompts = ask(clips)
    exact = load(fetched(tmp_path / "a", name)).score_options(prompts, ("A", "B"))
    half = load(fetched(tmp_path / "b", name, dtype="bfloat16"))
    assert next(half.network.parameters()).dtype == torch.bfloat16
    found = half.score_options(prompts, ("A", "B"))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, atol=0.5)
    assert len(half.generate_batch(prompts, Decoding(max_new_tokens=2))) == len(prompts)


@pytest.mark.parametrize("quantisation", ["none", "nf4"])
def test_a_base_in_half_precision_trains(cache: Path, tmp_path: Path, quantisation: str) -> None:
    data = write_data(tmp_path / "data", items=8)
    held = {"dtype": "bfloat16", "quantisation": quantisation}
    base = fetched(tmp_path / "base", AUDIO_ID, **held)
    adapter = trained(base, data, tmp_path / "adapter", max_steps=12, epochs=6)
    losses = [row["loss"] for row in read_jsonl(adapter / "log.jsonl")]
    assert np.mean(losses[-2:]) < 0.9 * losses[0]
    load(base, adapter)


@pytest.mark.parametrize("name", [AUDIO_ID, OMNI_ID])
def test_every_clip_has_the_tokens_that_its_encoder_makes(
    cache: Path, tmp_path: Path, clips: list[Path], name: str
) -> None:
    model = load(fetched(tmp_path / "base", name))
    token = model.tokenizer.convert_tokens_to_ids(model.processor.audio_token)
    for clip in clips[:8]:
        row = model.encode(Prompt("What is it?", audio=(clip,)))
        mask = row.extra["feature_attention_mask"]
        with torch.no_grad():
            if name == OMNI_ID:
                heard = model.network.get_audio_features(**row.extra).last_hidden_state.shape[0]
            else:
                tower = model.network.model.audio_tower
                heard = int(tower._get_feat_extract_output_lengths(mask.sum(-1))[1])
        assert row.ids.count(token) == heard


def test_an_adapter_of_qwen2_audio_trains_and_is_loaded_again(cache: Path, tmp_path: Path) -> None:
    data, base = write_data(tmp_path / "data", items=8), fetched(tmp_path / "base", AUDIO_ID)
    before = load(base)
    adapter = trained(base, data, tmp_path / "adapter")
    summary = read_json(adapter / "summary.json")
    assert summary["quantisation"] == "none" and summary["steps"] == 3
    prompt = Prompt("Is this TONE or NOISE?", audio=(data / "clips/train-0.wav",))
    options = ("TONE", "NOISE")
    with_it = load(base, adapter).score_options([prompt], options)
    assert np.abs(with_it - before.score_options([prompt], options)).max() > 0.1


def trained(base: Path, data: Path, out: Path, **changes: Any) -> Path:
    out.mkdir()
    train(
        base=base,
        data=data,
        benchmark="toy",
        prompt="baseline",
        lora=LORA,
        optimisation=OPTIMISATION | changes,
        limit=8,
        seed=1,
        out=out,
    )
    return out


def test_a_base_in_four_bits_trains_and_answers(cache: Path, tmp_path: Path) -> None:
    from bitsandbytes.nn import Linear4bit

    data = write_data(tmp_path / "data", items=8)
    base = fetched(tmp_path / "base", AUDIO_ID, quantisation="nf4")
    network = load(base).network
    layers = [module for module in network.modules() if isinstance(module, Linear4bit)]
    assert len(layers) >= 14
    assert not any(layer.support_avx512bf16_for_cpu for layer in layers)
    state = layers[0].weight.quant_state
    assert state.quant_type == "nf4" and state.nested
    adapter = trained(base, data, tmp_path / "adapter")
    assert read_json(adapter / "summary.json")["quantisation"] == "nf4"
    again = trained(base, data, tmp_path / "again")
    for name in ("adapter_model.safetensors", "log.jsonl", "summary.json"):
        assert (adapter / name).read_bytes() == (again / name).read_bytes()
    with pytest.raises(InputError, match="was trained on another base"):
        load(fetched(tmp_path / "plain", AUDIO_ID), adapter)


def test_a_step_in_four_bits_after_an_evaluation_still_lowers_the_loss(
    cache: Path, tmp_path: Path, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every layer is told that the processor has the kernel without a gradient, as some have."""
    import bitsandbytes.nn.modules as modules

    from regen.adapters import with_adapter

    monkeypatch.setattr(modules, "has_avx512bf16", lambda: True)
    repacked = []
    monkeypatch.setattr(
        modules,
        "_convert_weight_packed_for_cpu",
        lambda weight, state: repacked.append(1) or (weight, state),
    )
    model = load(fetched(tmp_path / "base", AUDIO_ID, quantisation="nf4"))
    model.network = with_adapter(model.network, LORA)
    prompts = [Prompt("A or B?", audio=(clip,)) for clip in clips[:4]]
    model.score_options(prompts, ("A", "B"))
    assert not repacked
    rows = [model.encode(prompt) for prompt in prompts]
    answers = [model.answer_ids("AB"[n % 2]) for n in range(4)]
    weights = [p for p in model.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2)
    losses = []
    for _ in range(6):
        model.network.train()
        loss = answer_loss(model, rows, answers)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        model.score_options(prompts, ("A", "B"))
    assert losses[-1] < 0.8 * losses[0], losses


def test_without_bitsandbytes_it_is_plain_lora_and_one_line_says_so(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import regen.models.loading as loading

    monkeypatch.setattr(loading, "why_not", lambda: "ImportError: no such library")
    data = write_data(tmp_path / "data", items=8)
    base = fetched(tmp_path / "base", AUDIO_ID, quantisation="nf4")
    adapter = trained(base, data, tmp_path / "adapter")
    said = [line for line in capsys.readouterr().err.splitlines() if "bitsandbytes" in line]
    assert len(said) == 1 and "held in float32, not in NF4" in said[0]
    assert read_json(adapter / "summary.json")["quantisation"] == "none"


def test_bitsandbytes_runs_here_or_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quantised.why_not() is None
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    assert "ModuleNotFoundError" in str(quantised.why_not())


def test_what_stands_for_the_model_names_every_file(cache: Path, tmp_path: Path) -> None:
    found = read_json(fetched(tmp_path / "base", AUDIO_ID) / "hub.json")
    assert (found["id"], found["revision"]) == (AUDIO_ID, REVISION)
    weights = [name for name in found["files"] if name.endswith(".safetensors")]
    assert len(weights) > 1 and "config.json" in found["files"]
    for name, known in found["files"].items():
        blob = cache / f"models--{AUDIO_ID.replace('/', '--')}/blobs" / known["sha256"]
        assert blob.stat().st_size == known["bytes"], name
    assert sum(p.stat().st_size for p in (tmp_path / "base").iterdir()) < 20_000


def test_an_unpinned_model_is_not_run(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"models.base: revision is null; set it to the commit"):
        fetched(tmp_path / "base", AUDIO_ID, revision=None)


@pytest.mark.parametrize("name", ["Qwen/Qwen2-Audio-9B", AUDIO_ID])
def test_a_model_that_cannot_be_had_is_one_line(cache: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is not in the cache and cannot be fetched") as error:
        fetched(tmp_path / "base", name, revision="f" * 40)
    assert "\n" not in str(error.value)


def test_a_damaged_cache_is_one_line(
    full_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as constants

    copy = shutil.copytree(full_cache, tmp_path / "cache", symlinks=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(copy))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    base = fetched(tmp_path / "base", AUDIO_ID)
    weights = next(copy.glob("models--Qwen--Qwen2*/snapshots/*/*.safetensors"))
    weights.resolve().write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"missing or not what was fetched.*regen base") as error:
        load(base)
    assert "\n" not in str(error.value)


def test_only_safetensors_and_no_code(full_cache: Path, tmp_path: Path, monkeypatch: Any) -> None:
    import huggingface_hub.constants as constants

    made = tmp_path / "made"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    (made / "pytorch_model.bin").write_bytes(b"pickled")
    (made / "modeling_own.py").write_text("raise SystemExit('ran')")
    lay_out(made, tmp_path / "cache", "some/body")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="no weights in safetensors"):
        fetched(tmp_path / "base", "some/body")


def test_missing_weights_are_not_drawn_at_random(cache: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    snapshot = cache / f"models--{OMNI_ID.replace('/', '--')}" / "snapshots" / REVISION
    base = Path(shutil.copytree(snapshot, tmp_path / "base"))
    weights = load_file(base / "model.safetensors")
    del weights["thinker.lm_head.weight"]
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="the weights lack lm_head"):
        load(base)


def test_the_environment_alone_names_the_cache(full_cache: Path, tmp_path: Path) -> None:
    """As a user has it: HF_HUB_CACHE and HF_HUB_OFFLINE=1, in a process of its own."""
    code = (
        "from pathlib import Path; from regen.models.hub import hub; "
        "from regen.models.source import source_of; "
        f"out = Path({str(tmp_path)!r}); "
        f"hub(id={AUDIO_ID!r}, revision={REVISION!r}, dtype='auto', quantisation='none', "
        "device='auto', out=out); print(source_of(out).folder)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HUB_CACHE": str(full_cache), "HF_HUB_OFFLINE": "1"},
    )
    assert Path(done.stdout.strip()).is_relative_to(full_cache), done.stderr


def test_what_is_trained_is_said(cache: Path, tmp_path: Path, capsys: Any) -> None:
    data, base = write_data(tmp_path / "data", items=8), fetched(tmp_path / "base", AUDIO_ID)
    adapter = trained(base, data, tmp_path / "adapter")
    said = capsys.readouterr().err
    summary = read_json(adapter / "summary.json")
    assert "target modules: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj" in said
    line = f"trainable params: {summary['trainable']:,} || all params: {summary['all']:,} ||"
    assert line in said
    assert read_json(adapter / "timing.json")["peak_memory_mib"] > 50
    assert len(read_jsonl(adapter / "log.jsonl")) == 3
