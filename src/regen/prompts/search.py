"""Stage `prompts`: a search for a better prompt on the dev split.

The model that is asked is frozen: a base, or one checkpoint on it. Of a training over several seeds
the search sees the checkpoint of one; the found prompt is then put to all of them.

The best of many prompts on dev is better there than it will be elsewhere: dev scores choose, they
are no result. What the found prompt is worth is said by its variant's answers on the test split.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from regen.benchmarks.base import BaseBenchmark, Item
from regen.benchmarks.registry import get_benchmark
from regen.code import code_of
from regen.endpoint import KEPT
from regen.errors import InputError
from regen.files import read_json, sha256, write_json, write_jsonl
from regen.prediction import answer, odd_character, prompt_hash
from regen.progress import track
from regen.prompts.items import files_of, items_of_csv
from regen.prompts.proposers import (
    CLOSE,
    OPEN,
    EndpointProposer,
    LocalProposer,
    Proposer,
    RandomProposer,
    Scored,
    Task,
    between_tags,
    examples_of,
)
from regen.prompts.state import STATE, State
from regen.scoring import mean
from regen.shots import choose

START = 0
"""Step of the benchmark's own prompts in the history."""


@dataclass(frozen=True)
class Limits:
    """When a search ends, whichever comes first, and what it takes.

    evaluations: prompts that are scored, the benchmark's own among them; iterations: times that
    the proposer is asked, for `per_step` proposals each; patience: end after so many iterations
    without a better prompt, None for never; longest: characters of a prompt
    """

    evaluations: int
    iterations: int
    per_step: int
    patience: int | None
    longest: int


@dataclass
class Found:
    """A finished search. history: a row an evaluation; dropped: {reason: proposals}.

    asked: times that the proposer was asked; proposed: what it came up with, in all
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    proposed: int = 0
    stopped: str = ""

    def best(self, larger_is_better: bool) -> dict[str, Any]:
        """Ties go to the shorter prompt, then to the earlier one."""
        sign = -1 if larger_is_better else 1
        rows = self.history
        return min(rows, key=lambda r: (sign * r["dev_score"], len(r["prompt"]), r["number"]))


def optimise(
    *,
    data: Path,
    base: Path,
    benchmark: str,
    limit: int,
    train_limit: int,
    proposer: dict[str, Any],
    evaluations: int,
    iterations: int,
    per_step: int,
    patience: int | None,
    longest: int,
    batch_size: int,
    seed: int,
    out: Path,
    adapter: Path | None = None,
    proposer_model: Path | None = None,
    budget_of: Path | None = None,
    dev_csv: Path | None = None,
    dev_files: Sequence[Path] = (),
) -> None:
    """Search from the benchmark's named prompts; write prompt.json, history.jsonl, timing.json.

    base, adapter: the frozen model that answers; its score is the benchmark's first metric on the
    first `limit` dev items, from the logits where the benchmark has options
    proposer: {"kind": "local" | "endpoint" | "random", ...settings}; proposer_model: the folder
    of a local one's model; examples for it are among the first `train_limit` training items
    dev_csv: items in place of the dev split's, see `items_of_csv`; dev_files: what they name, for
    the manifest alone
    budget_of: another search's prompt.json; this one then scores as many prompts as that did
    evaluations, iterations, per_step, patience, longest: see `Limits`; seed: of the proposals

    prompt.json: {prompt, hash, dev_score, dev_items, metric, found_at, evaluated, strategy,
    asked, proposed, dropped: {reason: n}, dropped_in_all, stopped, baseline_dev_score}.
    history.jsonl, a row an evaluation: {number, step, prompt, hash, dev_score, best_dev_score};
    step 0 are the named prompts.

    Every score and every proposal is kept in a hidden file until the end, so that the same call
    after an interruption goes on where it was and comes to the same bytes.
    """
    started = time.monotonic()
    task = get_benchmark(benchmark)
    limits = Limits(evaluations, iterations, per_step, patience, longest)
    if budget_of is not None:
        spent = int(read_json(budget_of)["evaluated"])
        # As many, whatever it takes: drawing is free, and a draw may repeat an earlier one.
        limits = Limits(spent, max(iterations, 50 * spent), per_step, None, longest)
    training = task.load_dataset(data, "train", train_limit)
    items = (
        items_of_csv(task, dev_csv)[:limit] if dev_csv else task.load_dataset(data, "dev", limit)
    )
    scorer = DevScore(task, items, base, adapter, batch_size)
    proposing = _proposer(task, training, proposer, proposer_model, out)
    metric = next(iter(task.metrics))
    state = State(
        out / STATE,
        {
            "models": [_content(folder) for folder in (base, adapter, proposer_model)],
            "data": [
                sha256(file)
                for file in (
                    data / "train.jsonl",
                    dev_csv or data / "dev.jsonl",
                    *(files_of(items) if dev_csv else ()),
                )
            ],
            "settings": [benchmark, limit, train_limit, proposer, per_step, seed, batch_size],
            "code": code_of(("regen.prompts.search", type(task).__module__)),
        },
    )
    found = search(
        task,
        state.remember_scores(scorer),
        state.remember_proposals(proposing),
        limits,
        seed,
        larger_is_better=task.metrics[metric].larger_is_better,
    )
    best = found.best(task.metrics[metric].larger_is_better)
    write_jsonl(out / "history.jsonl", found.history)
    write_json(
        out / "prompt.json",
        {
            "prompt": best["prompt"],
            "hash": best["hash"],
            "dev_score": best["dev_score"],
            "dev_items": len(items),
            "metric": metric,
            "found_at": best["number"],
            "evaluated": len(found.history),
            "strategy": "random" if proposer["kind"] == "random" else "opro",
            "asked": found.asked,
            "proposed": found.proposed,
            "dropped": dict(found.dropped),
            "dropped_in_all": found.dropped.total(),
            "stopped": found.stopped,
            "baseline_dev_score": found.history[0]["dev_score"],
        },
    )
    write_json(
        out / "timing.json",
        {
            "seconds": time.monotonic() - started,
            "seconds_scoring": state.seconds["scores"],
            "seconds_proposing": state.seconds["proposals"],
            "evaluations": len(found.history),
            "resumed_at": state.resumed_at,
        },
    )
    state.path.unlink(missing_ok=True)
    (out / KEPT.format("proposer")).unlink(missing_ok=True)


def search(
    task: BaseBenchmark,
    score: Callable[[str], float],
    proposer: Proposer,
    limits: Limits,
    seed: int,
    *,
    larger_is_better: bool = True,
) -> Found:
    """Score the named prompts, "baseline" first, then what is proposed, until a limit is met."""
    found = Found()
    sign = 1 if larger_is_better else -1
    best = -np.inf

    def evaluate(prompt: str, step: int) -> bool:
        """Score a prompt; whether it is better than all before."""
        nonlocal best
        value = score(prompt)
        better = sign * value > best
        best = max(best, sign * value)
        found.history.append(
            {
                "number": len(found.history) + 1,
                "step": step,
                "prompt": prompt,
                "hash": prompt_hash(prompt),
                "dev_score": value,
                "best_dev_score": sign * best,
            }
        )
        return better

    for name in sorted(task.prompts, key=lambda name: name != "baseline"):
        evaluate(task.prompts[name], START)
    waited = 0
    for step in track(range(1, limits.iterations + 1), limits.iterations, "search for a prompt"):
        if len(found.history) >= limits.evaluations:
            break
        if limits.patience is not None and waited >= limits.patience:
            found.stopped = f"no better prompt in {waited} iterations"
            break
        past = [Scored(row["prompt"], row["dev_score"]) for row in found.history]
        proposals = proposer.propose(past, limits.per_step, np.random.default_rng([seed, step]))
        found.asked += 1
        waited += 1
        for raw in proposals:
            if len(found.history) >= limits.evaluations:
                break
            found.proposed += 1
            prompt = between_tags(raw)
            reason = why_malformed(prompt, task, limits.longest)
            if reason is None and prompt in (row["prompt"] for row in found.history):
                reason = "scored before"
            if reason is not None:
                found.dropped[reason] += 1
            elif evaluate(str(prompt), step):
                waited = 0
    if not found.stopped:
        spent = len(found.history) >= limits.evaluations
        found.stopped = "all evaluations were spent" if spent else "all iterations were spent"
    return found


def why_malformed(prompt: str | None, task: BaseBenchmark, longest: int) -> str | None:
    """The reason why a proposal is not scored, in the words in which it is counted."""
    if prompt is None:
        return f"no {OPEN} that ends with {CLOSE}"
    if not prompt:
        return "empty"
    if odd_character(prompt) is not None:
        return "holds what is no text"
    if len(prompt) > longest:
        return "too long"
    if OPEN in prompt or re.search(r"<\|.*?\|>", prompt):
        return "holds markup"
    if any(not re.search(rf"(?<!\w){re.escape(o)}(?!\w)", prompt) for o in task.options):
        return "lacks an answer option"
    wanted = set(re.findall(r"\{\w+\}", task.prompts["baseline"]))
    if set(re.findall(r"\{\w+\}", prompt)) != wanted:
        return "has other placeholders"
    return None


class DevScore:
    """A prompt's mean on the dev split. The model is loaded, and the clips are read, only once."""

    def __init__(
        self,
        task: BaseBenchmark,
        items: Sequence[Item],
        base: Path,
        adapter: Path | None,
        batch_size: int,
    ) -> None:
        self.task = task
        self.items = items
        self.folders = base, adapter
        self.size = batch_size
        self._model: Any = None

    def __call__(self, prompt: str) -> float:
        from regen.models.packed import load_packed
        from regen.models.protocol import Decoding

        if self._model is None:
            self._model = load_packed(*self.folders)
        drawing = None if self.task.options else Decoding()
        common = {"variant": "search", "prompt": prompt_hash(prompt)}
        asked = [(item, self.task.prompt(item, prompt)) for item in self.items]
        values = []
        for start in range(0, len(asked), self.size):
            batch = asked[start : start + self.size]
            records = answer(self.task, self._model, batch, common, drawing)
            for (item, _), record in zip(batch, records, strict=True):
                values.append(next(iter(self.task.score(item, [record]).values())))
        found = mean(values)["mean"]
        if not isinstance(found, float):
            raise InputError(f"{self.task.name}: no dev item has the metric; choose another task")
        return found


def _proposer(
    task: BaseBenchmark,
    training: Sequence[Any],
    settings: dict[str, Any],
    folder: Path | None,
    kept: Path,
) -> Proposer:
    kind = settings["kind"]
    if kind == "random":
        return RandomProposer(task, training)
    shown = examples_of(task, choose(training, settings["examples"]))
    metric = next(iter(task.metrics.values()))
    told = Task(metric, tuple(task.options), shown, settings["shown"])
    own = {k: v for k, v in settings.items() if k not in ("kind", "model", "examples", "shown")}
    if kind == "endpoint":
        return EndpointProposer(told, model=settings["model"], kept=kept, **own)
    if folder is None:
        raise InputError("proposer: a local one needs a model; name one of `models`")
    return LocalProposer(folder, told, **own)


def _content(folder: Path | None) -> str:
    return sha256(folder / "outputs.sha256") if folder is not None else "none"
