"""Decoding constrained to a JSON schema: at each step, only tokens that may still lead to it.

The grammar is llguidance's. What is drawn is then valid by construction, unless it ends for its
length; whether it is right is another question.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import llguidance.hf
import llguidance.torch
import torch
from llguidance import LLMatcher
from torch import Tensor
from transformers import LogitsProcessor

from regen.errors import InputError

COMPACT: Any = {"whitespace_flexible": False}
"""No blanks and lines between the parts: a small model would go on with them for ever."""


class OnlyJson(LogitsProcessor):
    """Masks a batch's logits, a row by its own schema.

    tokenizer: of transformers; end: the token that ends an answer
    schemas: JSON schemas as text, one a row; start: columns of the prompts
    Raises InputError for what is no schema.
    """

    def __init__(self, tokenizer: Any, end: int, schemas: Sequence[str], start: int) -> None:
        known = _tokens(tokenizer, end)
        self.matchers = [LLMatcher(known, _grammar(schema)) for schema in schemas]
        for schema, matcher in zip(schemas, self.matchers, strict=True):
            if matcher.is_error():
                reason = " ".join(matcher.get_error().split())[:120]
                raise InputError(f"{schema[:60]!r} cannot constrain an answer ({reason})")
        self.start = self.read = start
        self.width = known.vocab_size

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids: (rows, columns) so far; scores: (rows, vocabulary), masked in a copy."""
        allowed = llguidance.torch.allocate_token_bitmask(len(self.matchers), self.width)
        for number, matcher in enumerate(self.matchers):
            for token in input_ids[number, self.read :].tolist():
                if not matcher.is_stopped():  # what comes after the end is padding
                    matcher.consume_token(token)
            llguidance.torch.fill_next_token_bitmask(matcher, allowed, number)
        self.read = input_ids.shape[1]
        masked = scores.clone()
        llguidance.torch.apply_token_bitmask_inplace(masked, allowed.to(scores.device))
        if masked.shape[1] > self.width:  # columns that no token has
            masked[:, self.width :] = -torch.inf
        return masked


@cache
def _grammar(schema: str) -> str:
    return LLMatcher.grammar_from_json_schema(schema, defaults=COMPACT)


@cache
def _tokens(tokenizer: Any, end: int) -> Any:
    """Built once for a tokenizer: it walks the whole vocabulary."""
    return llguidance.hf.from_tokenizer(tokenizer, eos_token=end)
