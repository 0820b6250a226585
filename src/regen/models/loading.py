"""A model from a folder: which class it needs, on which device, with which adapter."""

import sys
import warnings
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import read_json
from regen.models.local import LocalModel
from regen.models.quantised import keep_trainable, nf4, why_not
from regen.models.source import Source, content_id, source_of

AUDIO_ARCHITECTURES = ("Qwen2AudioForConditionalGeneration",)
OMNI_ARCHITECTURES = (
    "Qwen3OmniMoeForConditionalGeneration",
    "Qwen3OmniMoeThinkerForConditionalGeneration",
)
"""Of both the thinker alone is loaded: it hears and answers in text."""


def load(base: Path, adapter: Path | None = None) -> LocalModel:
    """The model in `base`, with the LoRA adapter in `adapter` if there is one.

    `base` holds the model or stands for one, see `source_of`. On a GPU in bfloat16 if there is
    one, else on the processor in float32, unless it says otherwise. Only safetensors are read, and
    no code comes with the weights. An adapter on float32 weights is added to them. How text is
    drawn is `Decoding`'s alone: what a model brings of its own, as Qwen2.5 a penalty on
    repetitions, does not act. Raises InputError for a folder that is no model, and for an adapter
    that was trained on another base.
    """
    source = source_of(base)
    architecture = architecture_of(source.folder)
    if adapter is not None:
        check_adapter(base, adapter)
    model = _open(source, architecture)
    if adapter is not None:
        import torch
        from peft import PeftModel

        adapted = PeftModel.from_pretrained(model.network, str(adapter))
        in_four_bits = getattr(model.network, "is_loaded_in_4bit", False)
        exact = model.network.dtype == torch.float32 and not in_four_bits
        # One product a projection instead of three; in fewer bits the sum would be rounded.
        model.network = adapted.merge_and_unload() if exact else adapted
    model.network.eval()
    return model


def architecture_of(base: Path) -> str:
    if not (base / "config.json").exists():
        raise InputError(f"{base}: is no model (it has no config.json); build it with: regen base")
    found = read_json(base / "config.json").get("architectures") or ["none"]
    name = str(found[0])
    hearing = (*AUDIO_ARCHITECTURES, *OMNI_ARCHITECTURES)
    if name not in hearing and not name.endswith("ForCausalLM"):
        raise InputError(
            f"{base}: architecture {name} is not supported; "
            f"use one that ends in ForCausalLM, or {', '.join(hearing)}"
        )
    if not list(base.glob("*.safetensors")):
        raise InputError(f"{base}: has no weights in safetensors; other formats are not read")
    return name


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


def _open(source: Source, architecture: str) -> LocalModel:
    import torch
    import transformers
    from safetensors import SafetensorError

    omni = architecture in OMNI_ARCHITECTURES
    kind = getattr(transformers, OMNI_ARCHITECTURES[1] if omni else architecture, None)
    if kind is None:
        raise InputError(f"{source.name}: this version of transformers has no {architecture}")
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    # transformers calls its own deprecated method when peft wraps a model.
    warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
    cuda = torch.cuda.is_available() if source.device == "auto" else source.device == "cuda"
    if cuda and not torch.cuda.is_available():
        raise InputError(f"{source.name}: device is cuda, and there is no GPU; set device to auto")
    named = ("bfloat16" if cuda else "float32") if source.dtype == "auto" else source.dtype
    dtype = getattr(torch, named)
    folder = str(source.folder)
    common: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    options = common | {"use_safetensors": True, "dtype": dtype, "output_loading_info": True}
    quantised = source.quantisation == "nf4" and _can_quantise(source, named)
    if quantised:
        place = f"cuda:{torch.cuda.current_device()}" if cuda else "cpu"
        options |= {"quantization_config": nf4(dtype), "device_map": {"": place}}
    try:
        if omni:
            config = transformers.AutoConfig.from_pretrained(folder, **common)
            options["config"] = getattr(config, "thinker_config", config)
        network, report = kind.from_pretrained(folder, **options)
        if report["missing_keys"]:  # they would be drawn at random
            raise ValueError(f"the weights lack {sorted(report['missing_keys'])[0]}")
        network.generation_config = transformers.GenerationConfig()
        model = _wrapped(network, folder, architecture, common)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source.name}: cannot be loaded as {architecture} ({reason})") from None
    if quantised:
        keep_trainable(network)
    elif cuda:
        model.network.to("cuda")
    return model


def _can_quantise(source: Source, dtype: str) -> bool:
    reason = why_not()
    if reason is not None:
        print(
            f"{source.name}: held in {dtype}, not in NF4: bitsandbytes cannot run here ({reason})",
            file=sys.stderr,
        )
    return reason is None


def _wrapped(network: Any, folder: str, architecture: str, options: dict[str, Any]) -> LocalModel:
    """The network with its tokenizer or processor, as what the rest of the product asks."""
    import transformers

    from regen.models.audio import AudioModel, OmniModel
    from regen.models.text import CausalLM

    if architecture in AUDIO_ARCHITECTURES:
        processor = transformers.AutoProcessor.from_pretrained(folder, **options)
        return AudioModel(network, processor)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
    if architecture not in OMNI_ARCHITECTURES:
        return CausalLM(network, tokenizer)
    template = Path(folder, "chat_template.json")  # where only the whole processor looks for it
    if tokenizer.chat_template is None and template.exists():
        tokenizer.chat_template = read_json(template)["chat_template"]
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder, **options)
    return OmniModel(network, tokenizer, extractor)
