"""Tiny models and clips, made here: nothing is downloaded."""

from pathlib import Path

import pytest

pytest.importorskip("torch")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty-four noises of 0.2 to 2 s: as many lengths as rows, so that every batch is padded."""
    import numpy as np
    import soundfile

    folder = tmp_path_factory.mktemp("clips")
    generator = np.random.default_rng(5)
    paths = []
    for number in range(24):
        samples = generator.normal(0, 0.1, 3200 + number * 1250).astype("float32")
        path = folder / f"{number}.wav"
        soundfile.write(path, samples, 16000)
        paths.append(path)
    return paths


@pytest.fixture(scope="session")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained tiny Qwen2-Audio in a folder, as `from_pretrained` reads it."""
    from regen.models.tiny_audio import ARCHITECTURE, build_network, build_processor
    from regen.seeding import seed_everything

    seed_everything(3)
    sizes = ARCHITECTURE | {"audio_width": 32, "text_width": 32}
    texts = ["Is there speech in the clip? Answer yes or no.", "speech", "other sounds"] * 2
    processor = build_processor(texts, sizes)
    folder = tmp_path_factory.mktemp("hearing")
    build_network(processor, sizes).save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "outputs.sha256").write_text("hearing\n")
    return folder


@pytest.fixture(scope="session")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained tiny Llama in a folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<pad>", "<|turn|>", "<|end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet)
    bpe.train_from_iterator(["the cat sat on the mat", "yes", "no"] * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|end|>", pad_token="<pad>", padding_side="left"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn|>"]})
    tokenizer.chat_template = (
        "{% for m in messages %}<|turn|>{{ m.role }}:{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|turn|>assistant:{% endif %}"
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        initializer_range=0.5,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    folder = tmp_path_factory.mktemp("reading")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "outputs.sha256").write_text("reading\n")
    return folder
