"""A tiny Llama with random weights, for tests and the smoke scale: its answers mean nothing.

Its tokens are bytes, so that it needs no data and reads any text.
"""

import time
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from regen.files import write_json
from regen.models.cost import peak_memory_mib
from regen.seeding import seed_everything

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INITIAL_SD = 0.5
"""Of the weights: with the class's own 0.02 every answer is one token again and again."""


def tiny_text(*, architecture: dict[str, int], seed: int, out: Path) -> None:
    """Write a folder that `from_pretrained` loads, and timing.json.

    architecture: {width, layers, heads, context}; feed-forward layers are twice as wide as the
    others, and context is the longest text in bytes, the answer included
    """
    started = time.monotonic()
    seed_everything(seed)
    tokenizer = build_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=architecture["width"],
        intermediate_size=2 * architecture["width"],
        num_hidden_layers=architecture["layers"],
        num_attention_heads=architecture["heads"],
        max_position_embeddings=architecture["context"],
        initializer_range=INITIAL_SD,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    network = LlamaForCausalLM(config)
    network.save_pretrained(str(out), max_shard_size="10GB")
    tokenizer.save_pretrained(str(out))
    seconds = time.monotonic() - started
    write_json(out / "timing.json", {"seconds": seconds, "peak_memory_mib": peak_memory_mib()})


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte, three special ones, and a chat template of the usual form."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate((*SPECIAL_TOKENS, *alphabet))}
    tokens = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    tokens.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    return chat_tokenizer(tokens)


def chat_tokenizer(tokens: Tokenizer) -> PreTrainedTokenizerFast:
    """`tokens`, which knows SPECIAL_TOKENS, as transformers wants it, with the chat template."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
