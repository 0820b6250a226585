"""Weights laid out for a processor: a model that only answers does so in two thirds of the time.

A product with few rows, as a step of generation is, mostly rearranges its weights for the
processor. oneDNN, which PyTorch brings, can do that once.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from regen.models.loading import load
from regen.models.local import LocalModel


def load_packed(base: Path, adapter: Path | None = None) -> LocalModel:
    """`load`, for a model that only answers."""
    model = load(base, adapter)
    model.network = pack(model.network)
    return model


class PackedLinear(nn.Module):
    """A linear layer without gradient, its weights in oneDNN's own layout."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.bias = linear.bias
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.requires_grad:
            raise RuntimeError("packed weights have no gradient; train before `pack`")
        found: Tensor = torch.ops.mkldnn._linear_pointwise(
            inputs, self.weight, self.bias, "none", [], ""
        )
        return found


def pack(network: nn.Module) -> nn.Module:
    """`network` with its linear layers packed, where it lies on a processor in float32.

    It cannot be trained any more. Embeddings that are the head's weights, too, stay beside it.
    """
    if not torch.backends.mkldnn.is_available():
        return network
    # Names alone: a list of the layers would hold their weights beside the packed ones.
    names = [
        name
        for name, module in network.named_modules()
        if type(module) is nn.Linear and _fits(module.weight)
    ]
    for name in names:
        parent, _, own = name.rpartition(".")
        layer: Any = network.get_submodule(name)
        setattr(network.get_submodule(parent), own, PackedLinear(layer))
    return network


def _fits(weight: Any) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.float32
