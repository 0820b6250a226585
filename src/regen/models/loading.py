"""A model from a folder: which class it needs, on which device, with which adapter."""

import sys
import warnings
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import read_json, sha256
from regen.models.local import LocalModel

AUDIO_ARCHITECTURES = ("Qwen2AudioForConditionalGeneration",)


def load(base: Path, adapter: Path | None = None) -> LocalModel:
    """The model in `base`, with the LoRA adapter in `adapter` if there is one.

    On a GPU in bfloat16 if there is one, else on the processor in float32. Only safetensors are
    read, and no code comes with the weights. Raises InputError for a folder that is no model, and
    for an adapter that was trained on another base.
    """
    architecture = architecture_of(base)
    if adapter is not None:
        check_adapter(base, adapter)
    model = _open(base, architecture)
    if adapter is not None:
        from peft import PeftModel

        model.network = PeftModel.from_pretrained(model.network, str(adapter))
    model.network.eval()
    return model


def architecture_of(base: Path) -> str:
    if not (base / "config.json").exists():
        raise InputError(f"{base}: is no model (it has no config.json); build it with: regen base")
    found = read_json(base / "config.json").get("architectures") or ["none"]
    name = str(found[0])
    if name not in AUDIO_ARCHITECTURES and not name.endswith("ForCausalLM"):
        raise InputError(
            f"{base}: architecture {name} is not supported; "
            f"use one that ends in ForCausalLM, or {', '.join(AUDIO_ARCHITECTURES)}"
        )
    if not list(base.glob("*.safetensors")):
        raise InputError(f"{base}: has no weights in safetensors; other formats are not read")
    return name


def content_id(folder: Path) -> str:
    """What identifies a finished folder of the chain: "sha256:" and the hash of its file list."""
    path = folder / "outputs.sha256"
    if not path.exists():
        raise InputError(f"{folder}: was never finished (it has no outputs.sha256); build it again")
    return f"sha256:{sha256(path)}"


def check_adapter(base: Path, adapter: Path) -> None:
    """Raise InputError unless `adapter` was trained on exactly this `base`."""
    path = adapter / "adapter_config.json"
    if not path.exists():
        raise InputError(f"{adapter}: is no adapter (no adapter_config.json in it); train it again")
    trained_on = read_json(path).get("base_model_name_or_path")
    if trained_on != content_id(base):
        raise InputError(
            f"{adapter}: was trained on another base than {base} "
            f"({_short(trained_on)}, not {_short(content_id(base))}); train it again"
        )


def _short(identifier: str | None) -> str:
    return str(identifier)[:19]


def _open(base: Path, architecture: str) -> LocalModel:
    import torch
    import transformers
    from safetensors import SafetensorError

    kind = getattr(transformers, architecture, None)
    if kind is None:
        raise InputError(f"{base}: this version of transformers has no {architecture}")
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    # transformers calls its own deprecated method when peft wraps a model.
    warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
    cuda = torch.cuda.is_available()
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        network = kind.from_pretrained(
            str(base),
            use_safetensors=True,
            dtype=torch.bfloat16 if cuda else torch.float32,
            **options,
        )
        if architecture in AUDIO_ARCHITECTURES:
            from regen.models.audio import AudioModel

            processor = transformers.AutoProcessor.from_pretrained(str(base), **options)
            model: LocalModel = AudioModel(network, processor)
        else:
            from regen.models.text import CausalLM

            model = CausalLM(
                network, transformers.AutoTokenizer.from_pretrained(str(base), **options)
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{base}: cannot be loaded as {architecture} ({reason})") from None
    if cuda:
        model.network.to("cuda")
    return model
