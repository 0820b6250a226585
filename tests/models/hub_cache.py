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

OMNI_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>"
    "{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def lay_out(made: Path, cache: Path, name: str, revision: str = REVISION) -> None:
    """Move the files of a folder into a hub cache: blobs by hash, a snapshot of links to them."""
    repository = cache / f"models--{name.replace('/', '--')}"
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
