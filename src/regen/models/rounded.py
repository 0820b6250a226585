"""Stage `models`: a language model whose weights are rounded to NF4 and kept as floats.

On a processor, bitsandbytes unpacks every weight in every pass, which takes several times as long
as the products themselves. What it computes with are the floats that the four bits stand for; here
these are written out once, and a training on them takes the steps of QLoRA (Dettmers et al. 2023,
arXiv 2305.14314) at the speed of plain LoRA. Memory is what is not saved: on a GPU, use
`quantised`.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch
import transformers

from regen.errors import InputError
from regen.files import write_json
from regen.models.cost import peak_memory_mib
from regen.models.quantised import nf4, why_not
from regen.models.source import content_id


def rounded(*, of: Path, out: Path) -> None:
    """Write config.json, model.safetensors (float32), the tokenizer, card.json and timing.json.

    of: folder of a base model that reads text, whose projections are rounded as transformers and
    bitsandbytes do it, with double quantisation; embeddings stay as they are. Raises InputError
    for an audio model, and where bitsandbytes cannot run: the paper says that weights are rounded.
    """
    started = time.monotonic()
    if reason := why_not():
        raise InputError(
            f"{of.name}: cannot be rounded to NF4, bitsandbytes does not run here ({reason}); for "
            f"plain LoRA name {of.name} itself as the study's base"
        )
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    common: dict[str, Any] = {"local_files_only": True, "dtype": torch.float32}
    try:
        network = transformers.AutoModelForCausalLM.from_pretrained(of, **common)
        tokenizer = transformers.AutoTokenizer.from_pretrained(of, local_files_only=True)
    except (OSError, ValueError) as error:
        problem = " ".join(str(error).split())[:160]
        raise InputError(f"{of}: is no language model that reads text ({problem})") from None
    others = network.load_state_dict(projections_in_nf4(of), strict=False).unexpected_keys
    if others:
        raise InputError(f"{of.name}: cannot be rounded, its weights have no {others[0]}")
    network.save_pretrained(str(out), max_shard_size="10GB")
    tokenizer.save_pretrained(str(out))
    card = {
        "of": of.name,
        "content": content_id(of),
        "quantisation": "rounded to NF4, kept as floats",
        "parameters": sum(weights.numel() for weights in network.parameters()),
    }
    write_json(out / "card.json", card)
    seconds = time.monotonic() - started
    write_json(out / "timing.json", {"seconds": seconds, "peak_memory_mib": peak_memory_mib()})


def projections_in_nf4(folder: Path) -> dict[str, torch.Tensor]:
    """{name: float32 weight} of what transformers holds in four bits, unpacked."""
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    network = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        local_files_only=True,
        dtype=torch.float32,
        quantization_config=nf4(torch.float32),
        device_map={"": "cpu"},
    )
    layers: dict[str, Any] = {
        name: layer for name, layer in network.named_modules() if isinstance(layer, Linear4bit)
    }
    return {
        f"{name}.weight": dequantize_4bit(layer.weight.data, layer.weight.quant_state)
        for name, layer in layers.items()
    }
