"""A base that stands for another one, held in four bits."""

import shutil
import sys
from pathlib import Path

import pytest

from regen.benchmarks.base import Prompt
from regen.errors import InputError
from regen.files import read_json
from regen.models.loading import load
from regen.models.quantised import quantised, why_not
from regen.models.rounded import rounded
from regen.models.source import content_id


@pytest.fixture
def pair(reading: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A finished base, and beside it the one that stands for it."""
    whole = Path(shutil.copytree(reading, tmp_path / "whole"))
    (whole / "outputs.sha256").write_text("whole\n")
    quantised(of=whole, dtype="auto", device="cpu", out=tmp_path / "four")
    return whole, tmp_path / "four"


@pytest.mark.skipif(why_not() is not None, reason="bitsandbytes cannot run here")
def test_it_is_the_other_ones_weights_in_four_bits(pair: tuple[Path, Path]) -> None:
    """Scores are those of weights that went through NF4 and back one by one."""
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    whole, four = (load(folder) for folder in pair)
    for name, weight in whole.network.named_parameters():
        if name.endswith("_proj.weight"):
            packed, state = quantize_4bit(
                weight.data, quant_type="nf4", compress_statistics=True, blocksize=64
            )
            weight.data = dequantize_4bit(packed, state).to(torch.float32)
    asked = [Prompt("the cat"), Prompt("on the mat")]
    a, b = (model.score_options(asked, ("yes", "no")) for model in (whole, four))
    assert a == pytest.approx(b, abs=1e-3)


def test_its_content_names_the_other_ones(pair: tuple[Path, Path]) -> None:
    whole, four = pair
    assert read_json(four / "held.json")["content"] == content_id(whole)
    assert sorted(path.name for path in four.iterdir()) == ["held.json"]


def test_other_weights_than_it_was_made_for_are_refused(pair: tuple[Path, Path]) -> None:
    whole, four = pair
    (whole / "outputs.sha256").write_text("others\n")
    with pytest.raises(InputError, match=r"other weights than.*make it again: regen base --model"):
        load(four)
    (whole / "outputs.sha256").unlink()
    with pytest.raises(InputError, match="was never finished"):
        load(four)


@pytest.mark.skipif(why_not() is not None, reason="bitsandbytes cannot run here")
def test_rounded_weights_score_and_learn_as_those_in_four_bits(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """A step of QLoRA on either gives the same adapter."""
    import torch
    from peft import LoraConfig, get_peft_model

    whole, four = pair
    rounded(of=whole, out=tmp_path / "rounded")
    assert read_json(tmp_path / "rounded" / "card.json")["quantisation"].startswith("rounded")
    asked = [Prompt("the cat"), Prompt("on the mat")]
    scores, adapters = [], []
    for folder in (four, tmp_path / "rounded"):
        model = load(folder)
        scores.append(model.score_options(asked, ("yes", "no")))
        torch.manual_seed(0)
        targets = ["q_proj", "v_proj", "down_proj"]
        model.network = get_peft_model(
            model.network, LoraConfig(r=2, target_modules=targets, task_type="CAUSAL_LM")
        )
        weights = {n: p for n, p in model.network.named_parameters() if p.requires_grad}
        optimiser = torch.optim.AdamW(weights.values(), lr=0.01)
        for _ in range(3):
            rows = [model.encode(prompt) for prompt in asked]
            found, real = model.answer_log_probabilities(rows, [model.answer_ids("yes")] * 2)
            (-(found * real).sum()).backward()
            optimiser.step()
            optimiser.zero_grad()
        adapters.append({n: p.detach().clone() for n, p in weights.items()})
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    for name, weight in adapters[0].items():
        assert torch.allclose(weight, adapters[1][name], atol=1e-4), name
    plain = load(whole).score_options(asked, ("yes", "no"))
    assert abs(plain - scores[1]).max() > 0.01


def test_without_bitsandbytes_nothing_is_called_rounded(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(InputError, match=r"whole: cannot be rounded.*name whole itself"):
        rounded(of=pair[0], out=tmp_path / "rounded")
    assert not (tmp_path / "rounded").exists()


def test_only_a_language_model_is_rounded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no language model that reads text"):
        rounded(of=tmp_path, out=tmp_path / "out")
