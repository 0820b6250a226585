"""Random models of the real classes, a few thousand weights each, laid out as the hub's cache.

Processors and tokenizers are of the real classes too; what they read is made here.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

REVISION = "0123456789abcdef0123456789abcdef01234567"
AUDIO_ID = "Qwen/Qwen2-Audio-7B-Instruct"
OMNI_ID = "Qwen/Qwen3-Omni-30B-A3B-Instruct"
QWEN2_IDS = ("Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-3B-Instruct")
QWEN3_ID = "Qwen/Qwen3-8B"
GEMMA_ID = "google/gemma-3-1b-it"

OMNI_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>"
    "{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Qwen2.5's form."""
THINKING_TEMPLATE = CHAT_TEMPLATE.replace(
    "assistant\n{% endif %}",
    "assistant\n{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}",
)
"""Qwen3's: unless it is told not to, the model thinks before it answers."""
GEMMA_TEMPLATE = (
    "{{ bos_token }}"
    "{% set first = messages[0].content + '\n\n' if messages[0].role == 'system' else '' %}"
    "{% for m in (messages[1:] if first else messages) %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('user and assistant take turns') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ first if loop.first else '' }}{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
"""Gemma's: the system's words stand in the first question, turns alternate."""


def lay_out(
    made: Path, cache: Path, name: str, revision: str = REVISION, kind: str = "models"
) -> None:
    """Copy the files of a folder into a hub cache: blobs by hash, a snapshot of links to them."""
    repository = cache / f"{kind}--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / revision
    for path in sorted(p for p in made.rglob("*") if p.is_file()):
        blob = repository / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        link = snapshot / path.relative_to(made)
        blob.parent.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, blob)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)


def qwen_tokenizer(special: list[str], **named: str) -> Any:
    """A Qwen2Tokenizer over bytes and a few merges; `named` tokens become attributes."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(["user assistant system speech answer A or B"] * 3, trainer)
    state = json.loads(bpe.to_str())["model"]
    merges = [tuple(pair) for pair in state["merges"]]
    tokenizer = Qwen2Tokenizer(
        vocab=state["vocab"],
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        extra_special_tokens=named or None,
    )
    tokenizer.add_special_tokens({"additional_special_tokens": special}, False)
    return tokenizer


def make_audio(folder: Path) -> None:
    """Qwen2-Audio: a window of two seconds, two layers wide enough for four-bit blocks."""
    from transformers import Qwen2AudioProcessor, WhisperFeatureExtractor

    from regen.models.tiny_audio import ARCHITECTURE, build_network
    from regen.seeding import seed_everything

    seed_everything(5)
    tokenizer = qwen_tokenizer(["<|im_start|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"])
    extractor = WhisperFeatureExtractor(feature_size=64, chunk_length=2)
    processor = Qwen2AudioProcessor(feature_extractor=extractor, tokenizer=tokenizer)
    network = build_network(processor, ARCHITECTURE | {"audio_width": 32, "text_width": 64})
    network.save_pretrained(folder, max_shard_size="150KB")  # several files, as the real one has
    processor.save_pretrained(folder)


def make_omni(folder: Path) -> None:
    """Qwen3-Omni as its repository has it: the whole model's configuration, `thinker.` weights."""
    import torch
    from transformers import (
        Qwen3OmniMoeConfig,
        Qwen3OmniMoeForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    tokenizer = qwen_tokenizer(
        ["<|im_start|>", "<|vision_start|>"],
        audio_token="<|audio_pad|>",
        audio_bos_token="<|audio_start|>",
        audio_eos_token="<|audio_end|>",
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
    )
    tokenizer.chat_template = OMNI_TEMPLATE
    number = tokenizer.convert_tokens_to_ids
    thinker: dict[str, Any] = {
        "audio_config": {
            "num_mel_bins": 32,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "d_model": 32,
            "output_dim": 32,
            "downsample_hidden_size": 16,
            "max_source_positions": 100,
        },
        "vision_config": {
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        "text_config": {
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 32,
            "moe_intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "max_position_embeddings": 2048,
            "head_dim": 16,
            "initializer_range": 0.3,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [4, 2, 2],
                "interleaved": True,
            },
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        "audio_token_id": number("<|audio_pad|>"),
        "audio_start_token_id": number("<|audio_start|>"),
        "vision_start_token_id": number("<|vision_start|>"),
        "image_token_id": number("<|image_pad|>"),
        "video_token_id": number("<|video_pad|>"),
        "initializer_range": 0.3,
    }
    torch.manual_seed(5)
    config = Qwen3OmniMoeConfig(thinker_config=thinker, enable_audio_output=False)
    network = Qwen3OmniMoeForConditionalGeneration(config)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=32, chunk_length=300).save_pretrained(folder)


def make_qwen2(folder: Path) -> None:
    """Qwen2.5: biases in the attention, tied embeddings, and settings of its own for drawing."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = qwen_tokenizer(["<|im_start|>"])
    tokenizer.chat_template = CHAT_TEMPLATE
    config = Qwen2Config(**_sizes(tokenizer), tie_word_embeddings=True)
    _save(Qwen2ForCausalLM, config, tokenizer, folder)
    drawing = {"do_sample": True, "repetition_penalty": 5.0, "temperature": 0.7, "top_k": 20}
    (folder / "generation_config.json").write_text(json.dumps(drawing))


def make_qwen3(folder: Path) -> None:
    """Qwen3: heads of a size of their own, normalised queries and keys, thoughts."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = qwen_tokenizer(["<|im_start|>"])
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.chat_template = THINKING_TEMPLATE
    config = Qwen3Config(**_sizes(tokenizer), head_dim=32)
    _save(Qwen3ForCausalLM, config, tokenizer, folder)


def make_gemma(folder: Path) -> None:
    """Gemma 3's text model: a sliding window in all layers but one, a bos token, turns' own end."""
    from tokenizers import AddedToken
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, GemmaTokenizer

    named = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    pieces = [*named, *(f"<0x{n:02X}>" for n in range(256)), "▁", *map(chr, range(33, 127)), "\n"]
    tokenizer = GemmaTokenizer(vocab={piece: n for n, piece in enumerate(pieces)}, merges=[])
    # Special in the tokenizer, and named by no attribute: as in the model's own.
    turns = [AddedToken(t, special=True) for t in ("<start_of_turn>", "<end_of_turn>")]
    tokenizer._tokenizer.add_special_tokens(turns)
    tokenizer.chat_template = GEMMA_TEMPLATE
    sizes = _sizes(tokenizer) | {"num_key_value_heads": 1}
    config = Gemma3TextConfig(
        **sizes,
        head_dim=32,
        sliding_window=64,
        layer_types=["sliding_attention", "full_attention"],
        query_pre_attn_scalar=32,
        bos_token_id=tokenizer.bos_token_id,
    )
    _save(Gemma3ForCausalLM, config, tokenizer, folder)


TEXT_MODELS = {**dict.fromkeys(QWEN2_IDS, make_qwen2), QWEN3_ID: make_qwen3, GEMMA_ID: make_gemma}


def _sizes(tokenizer: Any) -> dict[str, Any]:
    """Two layers, wide enough for four-bit blocks."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "initializer_range": 0.3,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _save(kind: Any, config: Any, tokenizer: Any, folder: Path) -> None:
    import torch

    torch.manual_seed(5)
    kind(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
