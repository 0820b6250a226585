"""Fine-tuning: one LoRA adapter, trained on the benchmark's own question and answer.

The loop is written out instead of handed to `Trainer`. An interrupted training has to end in the
bytes of an uninterrupted one, the log must hold no times and no paths, and a reader has to see
which tokens the loss counts; all that is shorter here than switched off there. The adapter, the
optimiser and the schedule are peft's, torch's and transformers'.
"""

import hashlib
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from regen.benchmarks.registry import get_benchmark
from regen.code import code_of
from regen.errors import InputError
from regen.files import dumps, read_json, sha256, write_bytes, write_json, write_jsonl
from regen.models.loading import content_id, load
from regen.progress import track
from regen.seeding import seed_everything

TARGETS = {
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "attention+mlp": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}
STATE = ".state/state.pt"


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
) -> None:
    """Train an adapter on the first `limit` items of the train split.

    base, data: folders of a base model and a data set
    prompt: the named prompt that the items are asked with
    lora: {r, alpha, dropout, targets: "attention" | "attention+mlp"}; of the language model only
    optimisation: {epochs, max_steps or None, batch_size, learning_rate, warmup_fraction,
        weight_decay, max_grad_norm, save_every}; AdamW, linear warm-up, then linear decay to 0
    seed: of the adapter's initialisation, dropout and the order of the items
    selection: selection.json of a grid, whose winner gives r and alpha

    Writes adapter_model.safetensors and adapter_config.json (which peft loads; in place of the
    base's name they hold its content id), log.jsonl (a row a step), summary.json (parameter
    counts), timing.json (seconds, peak memory). Every `save_every` steps, and when interrupted,
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
    model.network = _with_adapter(model.network, lora)
    counts = count(model.network, lora)
    print(said_of(counts), file=sys.stderr)
    end = model.end_ids[:1]
    questions = [task.prompt(item, template) for item in items]
    answers = [(*model.answer_ids(task.completion(item)), *end) for item in items]
    batch_size = optimisation["batch_size"]
    steps = optimisation["epochs"] * -(-len(items) // batch_size)
    steps = min(steps, optimisation.get("max_steps") or steps)
    loop = _Loop(model.network, optimisation, steps)
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
    )
    state = out / STATE
    loop.restore(state, identity)
    resumed_at = loop.step
    begun = time.monotonic()
    with _Interrupts() as interrupts:
        remaining = range(loop.step, steps)
        for step in track(remaining, steps, f"training, seed {seed}", done=loop.step):
            chosen = batch_of_step(step, len(items), batch_size, seed)
            rows = [model.encode(questions[i]) for i in chosen]
            loop.take(answer_loss(model, rows, [answers[i] for i in chosen]))
            if interrupts.asked or loop.step % optimisation["save_every"] == 0:
                loop.save(state, identity)
            if interrupts.asked:
                raise KeyboardInterrupt(f"after step {loop.step} of {steps}; the state is saved")
    write_adapter(out, base, model.network)
    write_jsonl(out / "log.jsonl", loop.log)
    last = [row["loss"] for row in loop.log[-10:]]
    done = {"items": len(items), "steps": steps, "loss_of_last_steps": sum(last) / len(last)}
    write_json(out / "summary.json", counts | done)
    write_json(out / "timing.json", timing(started, begun, steps - resumed_at, resumed_at))
    shutil.rmtree(state.parent, ignore_errors=True)


def batch_of_step(step: int, items: int, batch_size: int, seed: int) -> list[int]:
    """Which items step `step` (from 0) takes: an order an epoch, from seed and epoch alone."""
    per_epoch = -(-items // batch_size)
    epoch, number = divmod(step, per_epoch)
    order = np.random.default_rng([seed, epoch]).permutation(items)
    return order[number * batch_size : (number + 1) * batch_size].tolist()


def answer_loss(model: Any, rows: Sequence[Any], answers: Sequence[Sequence[int]]) -> Any:
    """Mean negative log-likelihood of the answers' tokens; the question is not learned."""
    found, real = model.answer_log_probabilities(rows, answers)
    return -(found * real).sum() / real.sum()


def _with_adapter(network: Any, lora: dict[str, Any]) -> Any:
    """`network` frozen, with fresh low-rank matrices at the language model's projections."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(
        network,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=lora["r"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=_target_pattern(network, lora["targets"]),
        ),
    )


def _target_pattern(network: Any, targets: str) -> str | list[str]:
    """The targeted projections, as peft takes them.

    A model that hears has projections of the same names in its encoder, which stays as it is: there
    a pattern of full names is needed.
    """
    if targets not in TARGETS:
        raise InputError(f"lora.targets: {targets!r} is none of {', '.join(TARGETS)}")
    names = TARGETS[targets]
    full = [name for name, _ in network.named_modules()]
    inside = "language_model" if any("language_model." in name for name in full) else ""
    if not any(inside in name and name.rpartition(".")[2] in names for name in full):
        raise InputError(f"lora.targets: the model has no {', '.join(names)}")
    return rf".*{inside}.*\.({'|'.join(names)})" if inside else names


class _Loop:
    """Optimiser, schedule, log and step: all that has to survive an interruption."""

    def __init__(self, network: Any, optimisation: dict[str, Any], steps: int) -> None:
        import torch
        from transformers import get_linear_schedule_with_warmup

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

    def take(self, loss: Any) -> None:
        """One step down `loss`; the log gets a row."""
        import torch

        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trainable.values(), self.max_grad_norm)
        rate = self.schedule.get_last_lr()[0]
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        row = {"step": self.step, "loss": loss.item(), "grad_norm": norm.item(), "lr": rate}
        if not np.isfinite([row["loss"], row["grad_norm"]]).all():
            raise InputError(
                f"training: the loss is {row['loss']} at step {self.step}; lower learning_rate"
            )
        self.log.append(row)

    def save(self, path: Path, task_id: str) -> None:
        import torch

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
                "random": _random_states(),
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
        _set_random_states(state["random"])
        print(f"going on from step {self.step}", file=sys.stderr)


def _random_states() -> dict[str, Any]:
    """Torch's generators. Nothing in the loop draws from Python's or NumPy's global ones."""
    import torch

    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _set_random_states(states: dict[str, Any]) -> None:
    import torch

    torch.set_rng_state(states["cpu"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])


class _Interrupts:
    """Ctrl-C and SIGTERM are remembered until the step is done; a second Ctrl-C ends at once."""

    asked = False

    def __enter__(self) -> "_Interrupts":
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def _identity(base: Path, data: Path, **parameters: Any) -> str:
    """A hash of all that decides the adapter, so that a state is only used for the same work."""
    import torch

    benchmark = f"regen.benchmarks.{parameters['benchmark'].replace('-', '_')}"
    described = {
        "base": content_id(base),
        "train": sha256(data / "train.jsonl"),
        "parameters": parameters,
        "code": code_of(("regen.training", benchmark)),
        "torch": str(torch.__version__),
    }
    return hashlib.sha256(dumps(described).encode()).hexdigest()


def write_adapter(out: Path, base: Path, network: Any) -> None:
    """What `save_pretrained` writes, without paths, versions and a random order of sets."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    weights = get_peft_model_state_dict(network, save_embedding_layers=False)
    weights = {name: weights[name].cpu().contiguous() for name in sorted(weights)}
    write_bytes(out / "adapter_model.safetensors", save(weights, {"format": "pt"}))
    settings = network.peft_config["default"].to_dict()
    settings |= {"base_model_name_or_path": content_id(base), "inference_mode": True}
    del settings["peft_version"]  # stands in run.json with the rest of the environment
    settings = {key: v.value if isinstance(v, Enum) else v for key, v in settings.items()}
    write_json(out / "adapter_config.json", settings)


def count(network: Any, lora: dict[str, Any]) -> dict[str, Any]:
    """What is trained: the target modules, how many parameters of how many, held in which form."""
    trainable, everything = network.get_nb_trainable_parameters()
    return {
        "lora": lora,
        "target_modules": TARGETS[lora["targets"]],
        "trainable": trainable,
        "all": everything,
        "percent": 100 * trainable / everything,
        "quantisation": "nf4" if getattr(network, "is_loaded_in_4bit", False) else "none",
    }


def said_of(counts: dict[str, Any]) -> str:
    """The same in the words that peft uses."""
    return (
        f"target modules: {', '.join(counts['target_modules'])}\n"
        f"trainable params: {counts['trainable']:,} || all params: {counts['all']:,} "
        f"|| trainable%: {counts['percent']:.4f}"
    )


def timing(started: float, begun: float, steps: int, resumed_at: int) -> dict[str, float]:
    """Of this process: a resumed training counts only the steps that it took itself."""
    from regen.models.local import peak_memory_mib

    now = time.monotonic()
    return {
        "seconds": now - started,
        "steps": steps,
        "resumed_at": resumed_at,
        "seconds_per_step": (now - begun) / max(steps, 1),
        "peak_memory_mib": peak_memory_mib(),
    }
