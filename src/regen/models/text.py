"""Decoder-only language models that read text."""

from typing import Any

from torch import Tensor

from regen.benchmarks.base import Prompt
from regen.errors import InputError
from regen.models.local import Encoded, LocalModel


class CausalLM(LocalModel):
    """Llama, Qwen, Gemma and the like, as transformers loads them."""

    def __init__(self, network: Any, tokenizer: Any) -> None:
        super().__init__(network, tokenizer, renderer=tokenizer)

    def content(self, prompt: Prompt) -> str:
        return prompt.text

    def encode(self, prompt: Prompt) -> Encoded:
        if prompt.heard:
            raise InputError(f"{prompt.heard[0]}: the model reads text only; choose an audio model")
        # The template writes the special tokens itself.
        return Encoded(ids=tuple(self.answer_ids(self.render(prompt))), extra={})

    def last_logits(self, inputs: dict[str, Tensor], keep: int) -> Tensor:
        output: Any = self.network(**inputs, logits_to_keep=keep, use_cache=False)
        return output.logits.float()
