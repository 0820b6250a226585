"""Reinforcement: an adapter trained on rewards for what the model says itself, by GRPO.

Group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300), through TRL's
`GRPOTrainer`. For each question several outputs are drawn; an output's advantage is its weighted
reward against those of the same question, in their standard deviations. The benchmark gives the
rewards. The divergence is counted from the adapter that the training starts with.

An interrupted training goes on from the last state that was written whole, and comes to the same
bytes: the order of the items is laid down beforehand, since TRL's own begins anew in a new process.
"""

import hashlib
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from regen.adapters import count, said_of, with_adapter, write_adapter
from regen.benchmarks.base import BaseBenchmark, Item
from regen.benchmarks.registry import get_benchmark
from regen.code import code_of
from regen.errors import InputError
from regen.files import dumps, read_json, write_json, write_jsonl
from regen.interrupts import Interrupts
from regen.judge import Judge
from regen.models.cost import timing
from regen.models.loading import check_adapter, load
from regen.models.local import ANSWER_AT_ONCE, LocalModel
from regen.models.source import content_id
from regen.processes import Processes, in_processes
from regen.progress import track
from regen.seeding import seed_everything

LOGGED = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "lr",
    "reward": "reward",
    "reward_std": "reward_sd",
    "kl": "kl",
    "entropy": "entropy",
    "completions/mean_length": "tokens",
    "completions/clipped_ratio": "cut_short",
}
"""What of TRL's log is kept, and its name in log.jsonl; each reward is reward_<name>."""
JUDGED, UNJUDGED = "judged_{}", "unjudged"
"""In the log, by step: the mean of each of a judge's checks, and the share it did not judge."""


@in_processes
def reinforce(
    *,
    base: Path,
    data: Path,
    benchmark: str,
    prompt: str,
    lora: dict[str, Any],
    optimisation: dict[str, Any],
    reinforcement: dict[str, Any],
    limit: int,
    seed: int,
    out: Path,
    start: Path | None = None,
    selection: Path | None = None,
) -> None:
    """Train an adapter on the first `limit` items of the train split.

    base, data: folders of a base model and a data set
    prompt: the named prompt that the items are asked with
    lora: {r, alpha, dropout, targets}, of a fresh adapter
    optimisation: {batch_size (outputs a step), learning_rate, warmup_fraction, weight_decay,
        max_grad_norm, save_every, processes}; AdamW, linear warm-up, then linear decay to 0
    reinforcement: {num_steps, num_generations, num_iterations, beta, epsilon, temperature, top_k,
        top_p, max_prompt_length, max_new_tokens, weights: {reward: weight}, judge: None or {reward:
        which one it pays, checks: {name: {weight, asks}}, and what `Judge` takes}}
    seed: of the order of the items, the draws, and a fresh adapter's initialisation
    start: a training's folder, whose adapter goes on to be trained
    selection: selection.json of a grid, whose winner gives r and alpha

    Writes adapter_model.safetensors, adapter_config.json, log.jsonl (a row a step, with every
    reward), summary.json (parameter counts, means of the rewards at the end) and timing.json.
    Raises InputError for a benchmark without rewards, and for weights of other rewards than its.
    """
    started = time.monotonic()
    if selection is not None:
        winner = read_json(selection)["winner"]
        lora = lora | {"r": winner["r"], "alpha": winner["alpha"]}
    task = get_benchmark(benchmark)
    template = task.template(prompt)
    items = task.load_dataset(data, "train", limit)
    weights = reinforcement["weights"]
    check_rewards(task, items[0], weights)

    seed_everything(seed)
    model = load(base)
    if start is None:
        model.network = with_adapter(model.network, lora)
    else:
        from peft import PeftModel

        check_adapter(base, start)
        model.network = PeftModel.from_pretrained(model.network, str(start), is_trainable=True)
    counts = count(model.network, lora)
    together = Processes.here()
    if together.first:
        print(said_of(counts), file=sys.stderr)
    asked = [
        {"prompt": model.talk(question), "number": number}
        for number, question in enumerate(task.prompt(item, template) for item in items)
        if len(model.encode(question).ids) <= reinforcement["max_prompt_length"]
    ]
    if not asked:
        raise InputError(
            f"reinforcement.max_prompt_length: every item is asked in more than "
            f"{reinforcement['max_prompt_length']} tokens; raise it"
        )

    # All that decides the adapter, so that a state is only used for the same work.
    described = {
        "base": content_id(base),
        "start": None if start is None else content_id(start),
        "asked": asked,
        "lora": lora,
        "optimisation": optimisation,
        "reinforcement": reinforcement,
        "seed": seed,
        "code": code_of(("regen.reinforcement", f"regen.benchmarks.{benchmark.replace('-', '_')}")),
    }
    identity = hashlib.sha256(dumps(described).encode()).hexdigest()
    begun = time.monotonic()
    states = States(out / ".state", identity, together)
    log = _run(model, task, template, items, asked, optimisation, reinforcement, seed, states)
    if not together.first:
        return
    states.remove()
    write_adapter(out, base, model.network)
    write_jsonl(out / "log.jsonl", log)
    rewards = ["reward", *(f"reward_{name}" for name in weights)]
    last = log[-max(10, reinforcement["num_iterations"]) :]
    done = {
        "items": len(asked),
        "steps": len(log),
        "loss_of_last_steps": sum(row["loss"] for row in last) / len(last),
        "rewards_of_last_steps": {name: mean_of(name, last) for name in rewards},
    }
    write_json(out / "summary.json", counts | done)
    resumed_at = states.resumed_at
    write_json(out / "timing.json", timing(started, begun, len(log) - resumed_at, resumed_at))


def mean_of(name: str, rows: Sequence[dict[str, float]]) -> float:
    """Over the rows that have it: an update on outputs that were paid before has no rewards."""
    values = [row[name] for row in rows if name in row]
    return sum(values) / len(values)


def check_rewards(task: BaseBenchmark, item: Item, weights: dict[str, float]) -> None:
    """Raise InputError unless the benchmark has exactly the rewards that `weights` names."""
    there = set(task.rewards(item, task.completion(item)))
    if odd := sorted(there ^ set(weights)):
        said = "has no weight" if odd[0] in there else f"is no reward of benchmark {task.name}"
        names = ", ".join(sorted(there))
        raise InputError(f"reinforcement.weights: {odd[0]!r} {said}; there are: {names}")


def _run(
    model: LocalModel,
    task: BaseBenchmark,
    template: str,
    items: Sequence[Item],
    asked: list[dict[str, Any]],
    optimisation: dict[str, Any],
    settings: dict[str, Any],
    seed: int,
    states: "States",
) -> list[dict[str, float]]:
    """Train `model.network` in place; returns a row a step."""
    import datasets
    import torch
    from transformers import PrinterCallback
    from trl import GRPOConfig, GRPOTrainer

    weights, steps, often = settings["weights"], settings["num_steps"], settings["num_iterations"]
    # A state between two updates on the same outputs would lack them.
    every = -(-optimisation["save_every"] // often) * often
    questions = optimisation["batch_size"] // settings["num_generations"]
    order = order_of_items(len(asked), questions, -(-steps // often), seed)
    judge = judge_of(settings["judge"])
    cuda = model.device.type == "cuda"
    together = states.together
    model.network.generation_config.eos_token_id = model.end_ids
    trainer = GRPOTrainer(
        model=model.network,
        processing_class=model.tokenizer,
        reward_funcs=[
            _judged(judge, task, template, items, name)
            if judge is not None and name == settings["judge"]["reward"]
            else _paid(task, items, name)
            for name in weights
        ],
        train_dataset=datasets.Dataset.from_list([asked[n] for n in order]),
        args=GRPOConfig(
            output_dir=str(states.folder),
            max_steps=steps,
            per_device_train_batch_size=optimisation["batch_size"] // together.count,
            learning_rate=optimisation["learning_rate"],
            lr_scheduler_type="linear",
            warmup_steps=round(optimisation["warmup_fraction"] * steps),
            weight_decay=optimisation["weight_decay"],
            max_grad_norm=optimisation["max_grad_norm"],
            optim="adamw_torch",
            num_generations=settings["num_generations"],
            num_iterations=settings["num_iterations"],
            beta=settings["beta"],
            epsilon=settings["epsilon"],
            temperature=settings["temperature"],
            top_k=settings["top_k"],
            top_p=settings["top_p"],
            max_completion_length=settings["max_new_tokens"],
            reward_weights=list(weights.values()),
            loss_type="grpo",
            chat_template_kwargs=ANSWER_AT_ONCE,
            seed=seed,
            bf16=cuda and next(model.network.parameters()).dtype == torch.bfloat16,
            use_cpu=not cuda,
            activation_checkpointing=cuda,
            dataloader_pin_memory=cuda,
            logging_steps=1,
            save_steps=every,
            save_total_limit=2,
            ddp_find_unused_parameters=False,
            shuffle_dataset=False,
            report_to=[],
            disable_tqdm=True,
        ),
    )
    trainer.remove_callback(PrinterCallback)
    narrow = nullcontext() if cuda else tiles_as_wide_as(len(model.tokenizer))
    with Interrupts() as interrupts, narrow:
        trainer.add_callback(_callback(steps, seed, states, interrupts, often))
        trainer.train(resume_from_checkpoint=states.last())
        if trainer.state.global_step < steps:
            done = trainer.state.global_step
            raise KeyboardInterrupt(f"after step {done} of {steps}; the state is saved")
    kept = LOGGED | {f"rewards/{name}/mean": f"reward_{name}" for name in weights}
    if judge is not None:
        kept |= {name: name for name in (UNJUDGED, *map(JUDGED.format, judge.checks))}
    rows = [row for row in trainer.state.log_history if "loss" in row]
    return [
        {"step": row["step"]} | {new: row[old] for old, new in kept.items() if old in row}
        for row in rows
    ]


@contextmanager
def tiles_as_wide_as(vocabulary: int) -> Iterator[None]:
    """TRL's log-probabilities in tiles of a vocabulary's width, where they are wider.

    On a processor a tile is written to the first columns of a buffer whose rows are 128 KiB apart,
    newly got from the system each time: most of a step, if the vocabulary is small.
    """
    from trl.trainer import utils

    before = utils._CHUNKED_LOGPROB_CHUNK_SIZE
    utils._CHUNKED_LOGPROB_CHUNK_SIZE = min(before, vocabulary)
    try:
        yield
    finally:
        utils._CHUNKED_LOGPROB_CHUNK_SIZE = before


def _paid(task: BaseBenchmark, items: Sequence[Item], name: str) -> Any:
    """One reward of the benchmark as TRL asks for it: a number for each output."""

    def paid(completions: list[Any], number: list[int], **_: Any) -> list[float]:
        said = [turns[0]["content"] for turns in completions]
        return [task.rewards(items[n], text)[name] for n, text in zip(number, said, strict=True)]

    paid.__name__ = name
    return paid


def judge_of(settings: dict[str, Any] | None) -> Judge | None:
    """The judge of the configuration. Raises InputError for an address or a key that is none."""
    if settings is None:
        return None
    return Judge({k: v for k, v in settings.items() if k not in ("kind", "reward")})


def _judged(
    judge: Judge, task: BaseBenchmark, template: str, items: Sequence[Item], name: str
) -> Any:
    """As `_paid`, by the judge; each check's mean goes to the log."""

    def judged(completions: list[Any], number: list[int], log_metric: Any, **_: Any) -> list[float]:
        asked = [
            (task.prompt(items[n], template).text, items[n].target, turns[0]["content"])
            for n, turns in zip(number, completions, strict=True)
        ]
        found = judge.judge(asked)
        log_metric(UNJUDGED, found.count(None) / len(found))
        for check in judge.checks:
            values = [one[check] for one in found if one is not None]
            log_metric(JUDGED.format(check), sum(values) / len(values) if values else 0.0)
        return [judge.weighted(one) for one in found]

    judged.__name__ = name
    return judged


def order_of_items(items: int, a_step: int, steps: int, seed: int) -> list[int]:
    """Which items are asked, `a_step` in each of `steps`: pass after pass in new random orders.

    As TRL's RepeatSampler draws them; what of a pass does not fill a step is left out.
    """
    import torch

    generator = torch.Generator()
    generator.manual_seed(seed)
    order: list[int] = []
    while len(order) < a_step * steps:
        drawn = torch.randperm(items, generator=generator).tolist()
        order += drawn[: items // a_step * a_step]
    return order[: a_step * steps]


class States:
    """What an interrupted training goes on from: `.state/` with the trainer's own checkpoints.

    `whole` names the work and the last checkpoint that was written to its end.
    """

    def __init__(self, folder: Path, identity: str, together: Processes) -> None:
        self.folder, self.identity, self.together = folder, identity, together
        self.resumed_at = 0
        self._whole = folder / "whole.json"

    def last(self) -> str | None:
        """The checkpoint to go on from; without one of this very work, what is there is removed."""
        try:
            found = read_json(self._whole)
            folder = self.folder / f"checkpoint-{int(found['step'])}"
            if found["work"] == self.identity and folder.is_dir():
                self.resumed_at = int(found["step"])
                if self.together.first:
                    print(f"going on from step {self.resumed_at}", file=sys.stderr)
                return str(folder)
        except (InputError, KeyError, TypeError, ValueError, OSError):
            pass
        self.remove()
        return None

    def written(self, step: int) -> None:
        if self.together.first:
            write_json(self._whole, {"work": self.identity, "step": step})

    def remove(self) -> None:
        if self.together.first:
            shutil.rmtree(self.folder, ignore_errors=True)


def _callback(steps: int, seed: int, states: States, interrupts: Interrupts, often: int) -> Any:
    """Shows the progress, says when a state is whole, and stops where that was asked for."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            done = state.global_step
            remaining: Iterable[int] = range(done, steps)
            if states.together.first:
                remaining = track(remaining, steps, f"reinforcement, seed {seed}", done=done)
            self.shown = iter(remaining)

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            next(self.shown, None)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            asked_to_stop = any(states.together.gather(interrupts.asked))
            if asked_to_stop and state.global_step % often == 0:
                control.should_save = control.should_training_stop = True

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            states.written(state.global_step)

    return Callback()
