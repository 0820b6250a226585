"""A tiny Llama: the real class, a size that two processor cores can train, its own tokenizer.

It is pretrained as a plain language model on the talks of a data set: questions and answers, both
learned. What is left for fine-tuning are the items that `skip` keeps from it.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    get_cosine_schedule_with_warmup,
)

from regen.benchmarks.base import BaseBenchmark, Item
from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.files import write_json, write_jsonl
from regen.models.cost import peak_memory_mib
from regen.models.local import Encoded
from regen.models.text import CausalLM
from regen.models.tiny_text import SPECIAL_TOKENS, chat_tokenizer
from regen.progress import track
from regen.seeding import seed_everything

POOLED = 32
"""So many batches are drawn together and sorted by length, so that little of one is padding."""


def tiny_llama(
    *,
    data: Path,
    benchmark: str,
    architecture: dict[str, Any],
    pretraining: dict[str, int | float],
    seed: int,
    out: Path,
) -> None:
    """Build and pretrain the model; write a folder that `from_pretrained` loads.

    data: data set, of which only the train split is read
    benchmark: says how an item is asked and answered (its `pretraining`)
    architecture: {width, layers, heads, vocabulary, context, initial_sd}; feed-forward layers are
        four times as wide as the others, context is the longest talk in tokens, initial_sd that
        of the weights
    pretraining: {steps, batch_size, learning_rate, warmup_fraction, skip, items}; AdamW with
        warm-up and cosine decay; the first `skip` items are left out, `items` (0: all) taken
    seed: of the initialisation and the order

    Also writes pretraining.jsonl (step, loss, learning rate) and timing.json. Raises InputError if
    too few items are left.
    """
    started = time.monotonic()
    task = get_benchmark(benchmark)
    skip, wanted = int(pretraining["skip"]), int(pretraining["items"])
    items = task.load_dataset(data, "train", skip + wanted if wanted else None)[skip:]
    if not items:
        raise InputError(f"{data}: pretraining.skip leaves no item of the train split; lower it")

    seed_everything(seed)
    prompts, answers = zip(*(task.pretraining(item) for item in items), strict=True)
    asked = [text for prompt in prompts for text in (prompt.system or "", prompt.text)]
    later = later_texts(task, items, {*asked, *answers})
    tokenizer = build_tokenizer([*asked, *answers, *later], architecture["vocabulary"])
    network = build_network(tokenizer, architecture)
    model = CausalLM(network, tokenizer)
    talks = [
        Encoded((*model.encode(prompt).ids, *model.answer_ids(answer), model.end_ids[0]), {})
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    fitting = [talk for talk in talks if len(talk.ids) <= architecture["context"]]
    if not fitting:
        raise InputError(f"{data}: no talk fits architecture.context; make it longer")
    log = pretrain(model, fitting, pretraining, seed)

    network.save_pretrained(str(out), max_shard_size="10GB")
    tokenizer.save_pretrained(str(out))
    write_jsonl(out / "pretraining.jsonl", log)
    seconds = time.monotonic() - started
    write_json(out / "timing.json", {"seconds": seconds, "peak_memory_mib": peak_memory_mib()})


def later_texts(task: BaseBenchmark, items: Sequence[Item], known: set[str]) -> list[str]:
    """What fine-tuning will ask and answer that is not in `known`: the tokenizer has to fit it."""
    template = task.template("baseline")
    prompts = [task.prompt(item, template) for item in items]
    asked = [text for prompt in prompts for text in (prompt.system or "", prompt.text)]
    return [text for text in (*asked, *map(task.completion, items)) if text not in known]


def build_tokenizer(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE trained on `texts`, at most `vocabulary` tokens; every digit is its own."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([*texts, *("system\n", "user\n", "assistant\n") * 2], trainer)
    return chat_tokenizer(bpe)


def build_network(
    tokenizer: PreTrainedTokenizerFast, architecture: dict[str, Any]
) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=architecture["width"],
        intermediate_size=4 * architecture["width"],
        num_hidden_layers=architecture["layers"],
        num_attention_heads=architecture["heads"],
        max_position_embeddings=architecture["context"],
        initializer_range=architecture["initial_sd"],
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def pretrain(
    model: CausalLM, talks: Sequence[Encoded], course: dict[str, int | float], seed: int
) -> list[dict[str, float]]:
    """Train all weights on whole talks; returns a row a step."""
    steps = int(course["steps"])
    network = model.network
    optimizer = torch.optim.AdamW(network.parameters(), lr=course["learning_rate"])
    warmup = round(course["warmup_fraction"] * steps)
    schedule = get_cosine_schedule_with_warmup(optimizer, warmup, steps)
    source = batches(talks, int(course["batch_size"]), seed)
    log = []
    network.train()
    for step in track(range(1, steps + 1), steps, "pretraining"):
        inputs = model.collate(next(source))
        targets = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
        loss = network(**inputs, labels=targets, use_cache=False).loss
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        log.append({"step": step, "loss": loss.item(), "lr": schedule.get_last_lr()[0]})
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
    network.eval()
    return log


def batches(talks: Sequence[Encoded], size: int, seed: int) -> Iterator[list[Encoded]]:
    """Endless batches of talks of about one length, all talks in a new order every epoch."""
    generator = np.random.default_rng(seed)
    while True:
        order = generator.permutation(len(talks)).tolist()
        for start in range(0, len(order), POOLED * size):
            pool = sorted(order[start : start + POOLED * size], key=lambda i: len(talks[i].ids))
            cut = [pool[at : at + size] for at in range(0, len(pool), size)]
            for number in generator.permutation(len(cut)).tolist():
                yield [talks[i] for i in cut[number]]
