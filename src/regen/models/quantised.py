"""Base weights in four bits (NF4 with double quantisation), for adapters on top: QLoRA.

Dettmers et al. 2023, arXiv 2305.14314; the quantisation is bitsandbytes's.
"""

from pathlib import Path
from typing import Any

import torch

from regen.files import write_json
from regen.models.source import content_id


def quantised(*, of: Path, dtype: str, device: str, out: Path) -> None:
    """Write held.json, which stands for the base model in `of`, held in NF4.

    The weights are quantised whenever they are read, as transformers does it: a second file of
    them would have to be kept in step. dtype, device: see `Source`.
    """
    write_json(
        out / "held.json",
        {
            "of": of.name,
            "content": content_id(of),
            "dtype": dtype,
            "quantisation": "nf4",
            "device": device,
        },
    )


def why_not() -> str | None:
    """Why bitsandbytes cannot run on this machine; None if it can."""
    try:
        import bitsandbytes
    except Exception as error:  # whatever a library that was built for another machine raises
        return " ".join(f"{type(error).__name__}: {error}".split())[:120]
    try:
        weight = torch.zeros(64, 64)
        packed, state = bitsandbytes.functional.quantize_4bit(weight, quant_type="nf4")
        bitsandbytes.functional.dequantize_4bit(packed, state)
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:120]
    return None


def nf4(dtype: torch.dtype) -> Any:
    """What `from_pretrained` takes as quantization_config; products are computed in `dtype`."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def keep_trainable(network: Any) -> int:
    """Call before the first forward pass; returns how many layers are in four bits.

    On processors with AVX512-BF16 one forward pass in evaluation mode repacks a layer's weights
    for a kernel that has no gradient, and `train()` does not undo it: training goes flat with only
    a warning.
    """
    from bitsandbytes.nn import Linear4bit

    layers = [module for module in network.modules() if isinstance(module, Linear4bit)]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    return len(layers)
