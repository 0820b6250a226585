"""What a model is to the rest of the product. Whatever has `generate` can be evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from regen.benchmarks.base import Prompt


@dataclass(frozen=True)
class Decoding:
    """How text is drawn. temperature 0 is greedy; `seed` makes sampling repeatable.

    constrained: only text of the form that the prompt names, a JSON schema
    """

    max_new_tokens: int = 16
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    constrained: bool = False


@dataclass(frozen=True)
class Generation:
    """Generated text, its length in tokens, and why it ended: by itself ("stop") or "length".

    ids: the tokens as they were drawn, with the one that ended the text, if one did
    """

    text: str
    tokens: int
    finish: str
    ids: tuple[int, ...] = ()


@runtime_checkable
class Generates(Protocol):
    """The least that can be evaluated."""

    def generate(self, question: str) -> str: ...


class Model(Protocol):
    """A local language model."""

    def generate(self, question: str | Prompt, decoding: Decoding = ...) -> str: ...

    def generate_batch(self, prompts: Sequence[Prompt], decoding: Decoding) -> list[Generation]: ...

    def score_options(self, prompts: Sequence[Prompt], options: Sequence[str]) -> np.ndarray:
        """Log-probability of each option as the start of the answer, summed over its tokens.

        Returns float32 of shape (prompts, options). Options may have one or several tokens.
        """
        ...
