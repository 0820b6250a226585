"""A tiny Qwen2-Audio: the real classes, sizes that two processor cores can train, own tokenizer.

It is pretrained on questions about sounds, put in many ways with many sets of answers. Families of
phrasings are held out, so that how well it does on a new question depends on how that is put.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    WhisperFeatureExtractor,
    get_cosine_schedule_with_warmup,
)

from regen.benchmarks.base import Item, Prompt
from regen.benchmarks.phrasing import Phrasing
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import write_json, write_jsonl
from regen.models.audio import AudioModel
from regen.models.cost import peak_memory_mib
from regen.progress import track
from regen.seeding import seed_everything

ARCHITECTURE: dict[str, int | float] = {
    "mel_bins": 64,
    "window_seconds": 2,
    "audio_width": 96,
    "audio_layers": 1,
    "text_width": 64,
    "text_layers": 2,
    "heads": 4,
    "vocabulary": 512,
}
"""Sizes. The window is the longest clip; feed-forward layers are twice as wide as their input."""

PRETRAINING: dict[str, int | float] = {
    "steps": 500,
    "batch_size": 32,
    "learning_rate": 2e-3,
    "warmup_fraction": 0.1,
    "plain_fraction": 0.6,
    "contrary_share": 0.25,
    "other_share": 0.1,
    "items": 0,
}
"""AdamW with warm-up and cosine decay.

plain_fraction: share of the steps, at the start, that ask only questions about the target whose
    answer words belong to one family. A network that does not hear yet learns nothing from
    questions that it also cannot tell apart (measured: all at once, it stays at chance).
contrary_share: later, of questions whose answer words mean the opposite in another family (options
    swapped, negations); other_share: of questions about something else than the target
items: the first so many training items, 0 for all
"""

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|audio_bos|>",
    "<|AUDIO|>",
    "<|audio_eos|>",
)


def tiny_audio(
    *,
    data: Path,
    benchmark: str,
    architecture: dict[str, int | float],
    pretraining: dict[str, int | float],
    seed: int,
    out: Path,
) -> None:
    """Build and pretrain the model; write a folder that `from_pretrained` loads.

    data: data set, of which only the train split is read
    benchmark: has `phrasings()`, the questions of the pretraining
    architecture, pretraining: changes to ARCHITECTURE and PRETRAINING
    seed: of the initialisation, the mixture and its order

    Also writes pretraining.jsonl (step, loss, learning rate) and timing.json.
    """
    started = time.monotonic()
    sizes = _with_defaults("architecture", ARCHITECTURE, architecture)
    course = _with_defaults("pretraining", PRETRAINING, pretraining)
    task = get_benchmark(benchmark)
    if not hasattr(task, "phrasings"):
        raise InputError(f"benchmark {benchmark}: has no phrasings() to pretrain a model on")
    phrasings = [p for p in task.phrasings() if not p.held_out]
    items = task.load_dataset(data, "train", int(course["items"]) or None)

    seed_everything(seed)
    texts = [p.template for p in phrasings] + [a for p in phrasings for a in p.answers.values()]
    processor = build_processor(texts, sizes)
    network = build_network(processor, sizes)
    model = AudioModel(network, processor)
    log = pretrain(model, items, phrasings, course, seed)

    network.save_pretrained(str(out), max_shard_size="10GB")
    processor.save_pretrained(str(out))
    write_jsonl(out / "pretraining.jsonl", log)
    seconds = time.monotonic() - started
    write_json(out / "timing.json", {"seconds": seconds, "peak_memory_mib": peak_memory_mib()})


def build_processor(texts: Sequence[str], sizes: dict[str, int | float]) -> Qwen2AudioProcessor:
    """Byte-level BPE trained on `texts`, and log-mel features as Whisper has them."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=int(sizes["vocabulary"]),
        min_frequency=2,
        special_tokens=[AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    chat = ("system\nYou are a helpful assistant.\n", "user\nAudio 1: \n", "assistant\n")
    bpe.train_from_iterator([*texts, *chat * 2], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"],
        padding_side="left",
    )
    extractor = WhisperFeatureExtractor(
        feature_size=int(sizes["mel_bins"]), chunk_length=int(sizes["window_seconds"])
    )
    return Qwen2AudioProcessor(feature_extractor=extractor, tokenizer=tokenizer)


def build_network(
    processor: Qwen2AudioProcessor, sizes: dict[str, int | float]
) -> Qwen2AudioForConditionalGeneration:
    """The network with Xavier weights (Glorot and Bengio 2010).

    With the classes' own normal(0, 0.02), a network this narrow stays at chance.
    """
    tokenizer = processor.tokenizer
    audio, text, heads = int(sizes["audio_width"]), int(sizes["text_width"]), int(sizes["heads"])
    extractor = processor.feature_extractor
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "num_mel_bins": extractor.feature_size,
            "encoder_layers": int(sizes["audio_layers"]),
            "encoder_attention_heads": heads,
            "encoder_ffn_dim": 2 * audio,
            "d_model": audio,
            # Two mel frames become one position: the encoder refuses any other length.
            "max_source_positions": extractor.nb_max_frames // 2,
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "hidden_size": text,
            "intermediate_size": 2 * text,
            "num_hidden_layers": int(sizes["text_layers"]),
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "max_position_embeddings": 1024,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    network = Qwen2AudioForConditionalGeneration(config)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv1d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    encoder = network.model.audio_tower
    with torch.no_grad():
        encoder.embed_positions.weight.copy_(sinusoids(*encoder.embed_positions.weight.shape))
        # Token embeddings of unit variance: sounds, whose projection has it, do not drown them.
        nn.init.normal_(network.model.language_model.embed_tokens.weight)
    return network


def sinusoids(length: int, width: int) -> Tensor:
    """Fixed positions of shape (length, width), as Whisper's encoder has them."""
    steps = torch.exp(-math.log(10000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * steps[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def pretrain(
    model: AudioModel,
    items: Sequence[Item],
    phrasings: Sequence[Phrasing],
    course: dict[str, int | float],
    seed: int,
) -> list[dict[str, float]]:
    """Train all weights on the mixture; returns a row a step."""
    steps = int(course["steps"])
    network = model.network
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=course["learning_rate"], weight_decay=0.01)
    warmup = round(course["warmup_fraction"] * steps)
    schedule = get_cosine_schedule_with_warmup(optimizer, warmup, steps)
    contrary, other = course["contrary_share"], course["other_share"]
    shares = {"direct": 1 - contrary - other, "contrary": contrary, "other": other}
    first = round(course["plain_fraction"] * steps)
    plain = questions(items, unambiguous(phrasings) or phrasings, {"direct": 1.0}, seed)
    mixture = questions(items, phrasings, shares, seed + 1)
    log = []
    network.train()
    for step in track(range(1, steps + 1), steps, "pretraining"):
        source = plain if step <= first else mixture
        batch = [next(source) for _ in range(int(course["batch_size"]))]
        rows = [model.encode(prompt) for prompt, _ in batch]
        answers = [(*model.answer_ids(answer), model.end_ids[0]) for _, answer in batch]
        found, real = model.answer_log_probabilities(rows, answers)
        loss = -(found * real).sum() / real.sum()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        log.append({"step": step, "loss": loss.item(), "lr": schedule.get_last_lr()[0]})
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
    network.eval()
    return log


def questions(
    items: Sequence[Item], phrasings: Sequence[Phrasing], shares: Mapping[str, float], seed: int
) -> Iterator[tuple[Prompt, str]]:
    """Endless (question, answer): items in a new order every epoch, each with a random phrasing.

    shares: of the parts of the mixture (see `parts`); within one, families have equal shares.
    """
    generator = np.random.default_rng(seed)
    mixture = parts(phrasings)
    names = [name for name in shares if mixture[name]]
    weights = np.array([shares[name] for name in names])
    while True:
        for number in generator.permutation(len(items)).tolist():
            families = mixture[names[generator.choice(len(names), p=weights / weights.sum())]]
            family = families[generator.integers(len(families))]
            phrasing = family[generator.integers(len(family))]
            audio = (Path(items[number].inputs["audio"]),)
            yield Prompt(text=phrasing.template, audio=audio), phrasing.answer(items[number])


def parts(phrasings: Sequence[Phrasing]) -> dict[str, list[list[Phrasing]]]:
    """Families in three parts: direct and contrary questions about the target, and other ones.

    A family is contrary if an earlier one answers the other way round with the same words.
    """
    families: dict[str, list[Phrasing]] = defaultdict(list)
    for phrasing in phrasings:
        families[phrasing.family].append(phrasing)
    found: dict[str, list[list[Phrasing]]] = {"direct": [], "contrary": [], "other": []}
    meanings: dict[str, str] = {}
    for family in families.values():
        if family[0].aside:
            found["other"].append(family)
            continue
        said = [(word, truth) for truth, word in family[0].answers.items()]
        contrary = any(meanings.setdefault(word, truth) != truth for word, truth in said)
        found["contrary" if contrary else "direct"].append(family)
    return found


def unambiguous(phrasings: Sequence[Phrasing]) -> list[Phrasing]:
    """Those about the target whose answer words belong to one family and so say what is asked."""
    families: dict[str, set[str]] = defaultdict(set)
    for phrasing in phrasings:
        for answer in phrasing.answers.values():
            families[answer].add(phrasing.family)
    own = [p for p in phrasings if all(len(families[a]) == 1 for a in p.answers.values())]
    return [p for p in own if not p.aside]


def _with_defaults(
    name: str, defaults: dict[str, int | float], changes: dict[str, int | float]
) -> dict[str, int | float]:
    if unknown := sorted(set(changes) - set(defaults)):
        raise InputError(f"{name}: unknown key {unknown[0]!r}; there are: {', '.join(defaults)}")
    return defaults | changes
