"""Weights laid out for a processor: a model that only answers does so in two thirds of the time.

A product with few rows, as a step of generation is, mostly rearranges its weights for the
processor. oneDNN, which PyTorch brings, can do that once.
"""

from typing import Any

import torch
from torch import Tensor, nn


class PackedLinear(nn.Module):
    """A linear layer without gradient, its weights in oneDNN's own layout."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.bias = linear.bias
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())

    def forward(self, inputs: Tensor) -> Tensor:
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
    for name, module in list(network.named_modules()):
        if type(module) is nn.Linear and _fits(module.weight):
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, PackedLinear(module))
    return network


def _fits(weight: Any) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.float32
