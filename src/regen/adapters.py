"""A LoRA adapter (Hu et al. 2021, arXiv 2106.09685), through peft: put in, counted, written."""

from enum import Enum
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import write_bytes, write_json
from regen.models.source import content_id

TARGETS = {
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "attention+mlp": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


def with_adapter(network: Any, lora: dict[str, Any]) -> Any:
    """`network` frozen, with fresh low-rank matrices at the language model's projections."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(
        network,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=lora["r"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=_target_pattern(network, lora["targets"]),
        ),
    )


def _target_pattern(network: Any, targets: str) -> str | list[str]:
    """The targeted projections, as peft takes them.

    A model that hears has projections of the same names in its encoder, which stays as it is: there
    a pattern of full names is needed.
    """
    if targets not in TARGETS:
        raise InputError(f"lora.targets: {targets!r} is none of {', '.join(TARGETS)}")
    names = TARGETS[targets]
    full = [name for name, _ in network.named_modules()]
    inside = "language_model" if any("language_model." in name for name in full) else ""
    if not any(inside in name and name.rpartition(".")[2] in names for name in full):
        raise InputError(f"lora.targets: the model has no {', '.join(names)}")
    return rf".*{inside}.*\.({'|'.join(names)})" if inside else names


def write_adapter(out: Path, base: Path, network: Any) -> None:
    """What `save_pretrained` writes, without paths, versions and a random order of sets."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    weights = get_peft_model_state_dict(network, save_embedding_layers=False)
    weights = {name: weights[name].cpu().contiguous() for name in sorted(weights)}
    write_bytes(out / "adapter_model.safetensors", save(weights, {"format": "pt"}))
    settings = network.peft_config["default"].to_dict()
    settings |= {"base_model_name_or_path": content_id(base), "inference_mode": True}
    del settings["peft_version"]  # stands in run.json with the rest of the environment
    settings = {key: v.value if isinstance(v, Enum) else v for key, v in settings.items()}
    write_json(out / "adapter_config.json", settings)


def count(network: Any, lora: dict[str, Any]) -> dict[str, Any]:
    """What is trained: the target modules, how many parameters of how many, held in which form."""
    trainable, everything = network.get_nb_trainable_parameters()
    return {
        "lora": lora,
        "target_modules": TARGETS[lora["targets"]],
        "trainable": trainable,
        "all": everything,
        "percent": 100 * trainable / everything,
        "quantisation": "nf4" if getattr(network, "is_loaded_in_4bit", False) else "none",
    }


def said_of(counts: dict[str, Any]) -> str:
    """The same in the words that peft uses."""
    return (
        f"target modules: {', '.join(counts['target_modules'])}\n"
        f"trainable params: {counts['trainable']:,} || all params: {counts['all']:,} "
        f"|| trainable%: {counts['percent']:.4f}"
    )
