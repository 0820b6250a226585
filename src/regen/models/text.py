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

    def encode(self, prompt: Prompt) -> Encoded:
        if prompt.audio:
            raise InputError(f"{prompt.audio[0]}: the model reads text only; choose an audio model")
        messages = [{"role": "user", "content": prompt.text}]
        if prompt.system is not None:
            messages.insert(0, {"role": "system", "content": prompt.system})
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        # The template writes the special tokens itself.
        return Encoded(ids=tuple(self.answer_ids(text)), extra={})

    def last_logits(self, inputs: dict[str, Tensor], keep: int) -> Tensor:
        output: Any = self.network(**inputs, logits_to_keep=keep, use_cache=False)
        return output.logits.float()
