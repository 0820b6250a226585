"""Fine-tuning: one LoRA adapter, trained on the benchmark's own question and answer.

The loop is written out instead of handed to `Trainer`. An interrupted training has to end in the
bytes of an uninterrupted one, the log must hold no times and no paths, and a reader has to see
which tokens the loss counts; all that is shorter here than switched off there. The adapter, the
optimiser and the schedule are peft's, torch's and transformers'.
"""

import hashlib
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regen.adapters import count, said_of, with_adapter, write_adapter
from regen.benchmarks.registry import get_benchmark
from regen.code import code_of
from regen.errors import InputError
from regen.files import dumps, read_json, sha256, write_json, write_jsonl
from regen.interrupts import Interrupts, random_states, set_random_states
from regen.models.cost import timing
from regen.models.loading import load
from regen.models.source import content_id
from regen.processes import Processes, in_processes
from regen.progress import track
from regen.seeding import seed_dropout, seed_everything
from regen.set_training import Asked, SetObjective, ailments, health

STATE = ".state/state.pt"
GROUPED = 16
"""So many batches are drawn together and then sorted by length."""
EPOCHS = ".state/epochs"
"""Adapters after earlier epochs, until the training is done."""


@in_processes
def train(
    *,
    base: Path,
    data: Path,
    benchmark: str,
    prompt: str,
    lora: dict[str, Any],
    optimisation: dict[str, Any],
    limit: int,
    seed: int,
    out: Path,
    selection: Path | None = None,
    objective: dict[str, Any] | None = None,
) -> None:
    """Train an adapter on the first `limit` items of the train split.

    base, data: folders of a base model and a data set
    prompt: the named prompt that the items are asked with
    lora: {r, alpha, dropout, targets: "attention" | "attention+mlp"}; of the language model only
    optimisation: {epochs, max_steps or None, batch_size, learning_rate, warmup_fraction,
        weight_decay, max_grad_norm, save_every, group_by_length, keep_epochs, dev_items,
        processes}; AdamW, linear warm-up, then linear decay to 0
    seed: of the adapter's initialisation, dropout and the order of the items
    selection: selection.json of a grid, whose winner gives r and alpha
    objective: what is asked for beside the likelihood, see `regen.set_training`

    Writes adapter_model.safetensors and adapter_config.json (which peft loads; in place of the
    base's name they hold its content id), log.jsonl (a row a step: the loss is that of the
    likelihood; where an objective is asked, also its diversity, loss - weight x diversity as
    `combined`, and its `share` of the gradient norms; after an epoch the `dev_loss`), summary.json
    (parameter counts, last losses, the adapter's sha256, the objective's health), timing.json
    (seconds, peak memory); with keep_epochs also an adapter in epoch-<n>/ after each epoch but the
    last. Every `save_every` steps, and when interrupted,
    the state goes to `.state/` in `out`; the same call then goes on from there.
    """
    started = time.monotonic()
    if selection is not None:
        winner = read_json(selection)["winner"]
        lora = lora | {"r": winner["r"], "alpha": winner["alpha"]}
    task = get_benchmark(benchmark)
    template = task.template(prompt)
    items = task.load_dataset(data, "train", limit)

    seed_everything(seed)
    model = load(base)
    model.network = with_adapter(model.network, lora)
    together = Processes.here()
    seed_dropout(seed, together.number)
    counts = count(model.network, lora)
    if together.first:
        print(said_of(counts), file=sys.stderr)
    end = model.end_ids[:1]
    questions = [task.prompt(item, template) for item in items]
    answers = [(*model.answer_ids(task.completion(item)), *end) for item in items]
    batch_size = optimisation["batch_size"]
    lengths = None
    if optimisation["group_by_length"]:
        asked = [len(model.encode(question).ids) for question in questions]
        lengths = [n + len(answer) for n, answer in zip(asked, answers, strict=True)]
    per_epoch = -(-len(items) // batch_size)
    steps = optimisation["epochs"] * per_epoch
    steps = min(steps, optimisation.get("max_steps") or steps)
    loop = _Loop(model.network, optimisation, steps, together)
    wanted = None
    if objective is not None:
        wanted = SetObjective(task, model, items, questions, objective, seed)
    unseen = []
    if dev_items := optimisation.get("dev_items"):
        unseen = [
            (
                model.encode(task.prompt(item, template)),
                (*model.answer_ids(task.completion(item)), *end),
            )
            for item in task.load_dataset(data, "dev", dev_items)
        ]
    model.network.train()

    identity = _identity(
        base,
        data,
        benchmark=benchmark,
        prompt=prompt,
        lora=lora,
        optimisation=optimisation,
        limit=limit,
        seed=seed,
        objective=objective,
    )
    state = out / STATE
    loop.restore(state, identity)
    resumed_at, epochs = loop.step, out / EPOCHS
    if resumed_at == 0:
        shutil.rmtree(epochs, ignore_errors=True)  # of other work
    begun = time.monotonic()
    with Interrupts() as interrupts:
        left: Iterable[int] = range(loop.step, steps)
        if together.first:
            left = track(left, steps, f"training, seed {seed}", done=loop.step)
        for step in left:
            chosen = batch_of_step(step, len(items), batch_size, seed, lengths)
            loss = None
            if own := together.share(chosen):
                rows = [model.encode(questions[i]) for i in own]
                loss = answer_loss(model, rows, [answers[i] for i in own])
                # Its part of the mean over all tokens of the batch: all of it, if it is alone.
                loss *= sum(len(answers[i]) for i in own) / sum(len(answers[i]) for i in chosen)
            loop.take(loss, wanted.at(step, chosen) if wanted else None)
            if unseen and loop.step % per_epoch == 0:
                loop.log[-1]["dev_loss"] = loss_on(model, unseen)
            kept = optimisation["keep_epochs"] and loop.step % per_epoch == 0 and loop.step < steps
            if kept and together.first:
                write_adapter(epochs / f"epoch-{loop.step // per_epoch}", base, model.network)
            asked_to_stop = any(together.gather(interrupts.asked))
            if asked_to_stop or loop.step % optimisation["save_every"] == 0:
                loop.save(state, identity)
            if asked_to_stop:
                raise KeyboardInterrupt(f"after step {loop.step} of {steps}; the state is saved")
    if not together.first:
        return
    for folder in sorted(epochs.glob("epoch-*")):
        shutil.rmtree(out / folder.name, ignore_errors=True)
        folder.rename(out / folder.name)
    write_adapter(out, base, model.network)
    write_jsonl(out / "log.jsonl", loop.log)
    last = [row["loss"] for row in loop.log[-10:]]
    done: dict[str, Any] = {"items": len(items), "steps": steps}
    done["loss_of_last_steps"] = sum(last) / len(last)
    done["adapter"] = sha256(out / "adapter_model.safetensors")
    if objective is not None:
        found = health(loop.log)
        done["objective"] = objective | found
        for line in ailments(found):
            print(line, file=sys.stderr)
    if any("dev_loss" in row for row in loop.log):  # not if it ends before an epoch does
        done["gap"] = gap(loop.log, per_epoch)
    write_json(out / "summary.json", counts | done)
    write_json(out / "timing.json", timing(started, begun, steps - resumed_at, resumed_at))
    shutil.rmtree(state.parent, ignore_errors=True)


def batch_of_step(
    step: int, items: int, batch_size: int, seed: int, lengths: Sequence[int] | None = None
) -> list[int]:
    """Which items step `step` (from 0) takes: an order an epoch, from seed and epoch alone.

    lengths: of the items; batches are then of items of about the same length, and still come in a
    random order.
    """
    per_epoch = -(-items // batch_size)
    epoch, number = divmod(step, per_epoch)
    draw = np.random.default_rng([seed, epoch])
    order = draw.permutation(items)
    if lengths is not None:
        pool = GROUPED * batch_size
        pools = [order[start : start + pool] for start in range(0, items, pool)]
        order = np.concatenate([p[np.argsort(np.take(lengths, p), kind="stable")] for p in pools])
        number = int(draw.permutation(per_epoch)[number])
    return order[number * batch_size : (number + 1) * batch_size].tolist()


def answer_loss(model: Any, rows: Sequence[Any], answers: Sequence[Sequence[int]]) -> Any:
    """Mean negative log-likelihood of the answers' tokens; the question is not learned."""
    found, real = model.answer_log_probabilities(rows, answers)
    return -(found * real).sum() / real.sum()


def loss_on(model: Any, unseen: Sequence[tuple[Any, Sequence[int]]]) -> float:
    """The same on question and answer pairs that are not learned, all of them at once."""
    import torch

    model.network.eval()
    with torch.no_grad():
        loss = answer_loss(model, *zip(*unseen, strict=True))
    model.network.train()
    return float(loss)


def gap(log: Sequence[dict[str, float]], per_epoch: int) -> dict[str, float]:
    """The loss of the last epoch, as it went, and on dev items after it: is it learned by heart?"""
    train = sum(row["loss"] for row in log[-per_epoch:]) / len(log[-per_epoch:])
    dev = [row["dev_loss"] for row in log if "dev_loss" in row]
    return {"train": train, "dev": dev[-1], "dev_lowest": min(dev), "gap": dev[-1] - train}


class _Loop:
    """Optimiser, schedule, log and step: all that has to survive an interruption."""

    def __init__(
        self, network: Any, optimisation: dict[str, Any], steps: int, together: Processes
    ) -> None:
        import torch
        from transformers import get_linear_schedule_with_warmup

        self.together = together
        self.network = network
        self.trainable = {n: p for n, p in network.named_parameters() if p.requires_grad}
        self.max_grad_norm = optimisation["max_grad_norm"]
        self.optimizer = torch.optim.AdamW(
            self.trainable.values(),
            lr=optimisation["learning_rate"],
            weight_decay=optimisation["weight_decay"],
        )
        warmup = round(optimisation["warmup_fraction"] * steps)
        self.schedule = get_linear_schedule_with_warmup(self.optimizer, warmup, steps)
        self.step = 0
        self.log: list[dict[str, float]] = []

    def take(self, loss: Any | None, asked: Asked | None = None) -> None:
        """One step down the sum of the processes' losses, and what the objective asks beside it.

        loss: None if nothing of the batch is this process's. The log gets a row.
        """
        import torch

        if loss is not None:
            loss.backward()
        self.together.add_gradients(self.trainable.values())
        value = sum(self.together.gather(0.0 if loss is None else loss.item()))
        beside = {} if asked is None else asked.add(value, self.trainable.values())
        norm = torch.nn.utils.clip_grad_norm_(self.trainable.values(), self.max_grad_norm)
        rate = self.schedule.get_last_lr()[0]
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        row = {"step": self.step, "loss": value, "grad_norm": norm.item(), "lr": rate}
        row |= beside
        if not np.isfinite([row["loss"], row["grad_norm"]]).all():
            raise InputError(
                f"training: the loss is {row['loss']} at step {self.step}; lower learning_rate"
            )
        self.log.append(row)

    def save(self, path: Path, task_id: str) -> None:
        import torch

        random = self.together.gather(random_states())
        if not self.together.first:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        torch.save(
            {
                "task": task_id,
                "step": self.step,
                "log": self.log,
                "weights": {n: p.detach().cpu() for n, p in self.trainable.items()},
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "random": random,
            },
            temporary,
        )
        temporary.replace(path)

    def restore(self, path: Path, task_id: str) -> None:
        """Go on from `path` if there is a state of this very work; else begin at step 0."""
        import torch

        if not path.exists():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # whatever a damaged file makes of itself
            state = {"task": None}
        if state["task"] != task_id:
            print(f"{path}: is the state of other work; training from the start", file=sys.stderr)
            return
        with torch.no_grad():
            for name, parameter in self.trainable.items():
                parameter.copy_(state["weights"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.log = state["step"], state["log"]
        set_random_states(state["random"][self.together.number])
        if self.together.first:
            print(f"going on from step {self.step}", file=sys.stderr)


def _identity(base: Path, data: Path, **parameters: Any) -> str:
    """A hash of all that decides the adapter, so that a state is only used for the same work."""
    import torch

    benchmark = f"regen.benchmarks.{parameters['benchmark'].replace('-', '_')}"
    described = {
        "base": content_id(base),
        "train": sha256(data / "train.jsonl"),
        "dev": sha256(data / "dev.jsonl"),
        "parameters": parameters,
        "code": code_of(("regen.training", benchmark)),
        "torch": str(torch.__version__),
    }
    return hashlib.sha256(dumps(described).encode()).hexdigest()
