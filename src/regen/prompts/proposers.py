"""Who proposes prompts: a language model that reads past ones with their scores, or chance.

Optimisation by prompting (OPRO): Yang et al. 2023, arXiv 2309.03409. The model is shown the best
prompts so far in ascending order of their scores, and a few examples of the task, and is asked for
a new prompt that scores higher. A proposal is raw text; a well-made one holds its prompt between
<PROMPT> and </PROMPT>.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from regen.benchmarks.base import BaseBenchmark, Item
from regen.endpoint import DOUBTED, Endpoint
from regen.metrics import Metric

OPEN, CLOSE = "<PROMPT>", "</PROMPT>"


@dataclass(frozen=True)
class Scored:
    """A prompt and its score on the dev split, in the metric's own unit."""

    prompt: str
    score: float


class Proposer(Protocol):
    def propose(self, history: Sequence[Scored], n: int, rng: np.random.Generator) -> list[str]:
        """`n` raw texts. history: all that was scored, in that order."""
        ...


@dataclass(frozen=True)
class Task:
    """What the proposer is told of the task.

    options: what the model may answer, empty for free text; examples: an item and its answer each
    shown: so many of the best prompts stand in the meta-prompt
    """

    metric: Metric
    options: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    shown: int = 4


def meta_prompt(task: Task, history: Sequence[Scored]) -> str:
    """The question to the proposing model: the best prompts, the best of all last; examples."""
    sign = 1 if task.metric.larger_is_better else -1
    best = sorted(history, key=lambda one: sign * one.score)[-task.shown :]
    which = "higher" if task.metric.larger_is_better else "lower"
    lines = [
        f"These are prompts for a model, each with its {task.metric.label}; {which} is better."
    ]
    for one in best:
        value = task.metric.pattern().format(task.metric.factor * one.score)
        lines.append(f"\n{OPEN}\n{one.prompt}\n{CLOSE}\n{task.metric.label}: {value}")
    if task.examples:
        lines += ["\nExamples of what the model is given, and the right answer:", *task.examples]
    offered = f" It must offer the answers {' and '.join(task.options)}." if task.options else ""
    lines.append(
        f"\nWrite a new prompt that differs from these and has a {which} {task.metric.label}."
        f"{offered} Write only the prompt, between {OPEN} and {CLOSE}."
    )
    return "\n".join(lines)


def examples_of(task: BaseBenchmark, items: Sequence[Item]) -> tuple[str, ...]:
    """Items in words, by their facets: a proposer reads text, whatever the task is about."""
    return tuple(
        f"{', '.join(f'{name}: {value}' for name, value in item.facets.items())} -> "
        f"{task.completion(item)}"
        for item in items
    )


class LocalProposer:
    """A causal language model on this machine, whose answer begins with <PROMPT>.

    A small model then goes on in the manner of the prompts that it was shown, instead of talking
    about them. All proposals of a step are drawn as one batch, with a generator of their own.
    """

    def __init__(
        self, folder: Path, task: Task, *, temperature: float, top_p: float, max_new_tokens: int
    ) -> None:
        from regen.models.packed import load_packed

        self.model = load_packed(folder)
        self.task = task
        self.sampling: dict[str, Any] = {
            "do_sample": True,
            "temperature": temperature,
            "top_p": top_p,
            "top_k": 0,
            "max_new_tokens": max_new_tokens,
        }

    def propose(self, history: Sequence[Scored], n: int, rng: np.random.Generator) -> list[str]:
        import torch

        from regen.benchmarks.base import Prompt

        model = self.model
        text = model.render(Prompt(meta_prompt(self.task, history))) + f"{OPEN}\n"
        ids = torch.tensor([model.answer_ids(text)], device=model.device)
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**63)))
            # The question is read once for all: most of the time would go into it.
            read = model.network(input_ids=ids[:, :-1], use_cache=True).past_key_values
            read.batch_repeat_interleave(n)
            output = model.network.generate(
                input_ids=ids.repeat(n, 1),
                attention_mask=torch.ones_like(ids).repeat(n, 1),
                past_key_values=read,
                pad_token_id=model.pad,
                eos_token_id=model.end_ids,
                stop_strings=[CLOSE, OPEN],
                tokenizer=model.tokenizer,
                **self.sampling,
            )
        return [_finished(one) for one in self._texts(output[:, ids.shape[1] :].tolist())]

    def _texts(self, rows: list[list[int]]) -> list[str]:
        """Drawn tokens as text; where the model ended its turn, that ends the prompt."""
        ends = set(self.model.end_ids)
        found = []
        for ids in rows:
            end = next((n for n, token in enumerate(ids) if token in ends), None)
            text = self.model.tokenizer.decode(ids[:end], skip_special_tokens=True)
            found.append(text if end is None else f"{text}{CLOSE}")
        return found


def _finished(text: str) -> str:
    """A proposal as one prompt: a tag of either kind ends it, as a small model mixes them up."""
    ends = [place for place in (text.find(CLOSE), text.find(OPEN)) if place >= 0]
    return f"{OPEN}\n{text[: min(ends)]}\n{CLOSE}" if ends else f"{OPEN}\n{text}"


def between_tags(raw: str) -> str | None:
    """The first prompt in a raw proposal, lines stripped; None if it does not end."""
    match = re.search(f"{OPEN}(.*?){CLOSE}", raw, re.DOTALL)
    if match is None:
        return None
    return "\n".join(line.strip() for line in match[1].strip().splitlines())


class EndpointProposer:
    """A server proposes: one request a proposal. settings: what `Endpoint` takes.

    Raises InputError as `Endpoint` does.
    """

    def __init__(self, task: Task, **settings: Any) -> None:
        self.task, self.endpoint = task, Endpoint("proposer", **settings)
        self.in_vain = 0.0
        """answers without a prompt, unless there was one with"""

    def propose(self, history: Sequence[Scored], n: int, rng: np.random.Generator) -> list[str]:
        content = meta_prompt(self.task, history)
        seeds = [int(rng.integers(2**31)) for _ in range(n)]
        said = self.endpoint.all(lambda seed: self.endpoint.ask(content, seed), seeds)
        useless = [seed for seed, one in zip(seeds, said, strict=True) if not between_tags(one)]
        for seed in useless:
            self.endpoint.forget(content, seed)
        self.in_vain = self.in_vain + n if len(useless) == n else -math.inf
        if self.in_vain >= DOUBTED:
            raise self.endpoint.useless(f"a prompt between {OPEN} and {CLOSE}", said[-1])
        return said


class RandomProposer:
    """The control: parts of known prompts put together by chance, whatever their scores.

    The space: a beginning, the lines with the options, and an ending, each from one of the
    benchmark's named prompts or of its phrasings that take the options for the same answers.
    """

    def __init__(self, task: BaseBenchmark, items: Sequence[Item]) -> None:
        known = [
            *task.prompts.values(),
            *(p.template for p in task.phrasings() if _same(task, p, items)),
        ]
        split = [parts(text, task.options) for text in dict.fromkeys(known)]
        self.space = [list(dict.fromkeys(column)) for column in zip(*split, strict=True)]

    def propose(self, history: Sequence[Scored], n: int, rng: np.random.Generator) -> list[str]:
        return [f"{OPEN}\n{self._draw(rng)}\n{CLOSE}" for _ in range(n)]

    def _draw(self, rng: np.random.Generator) -> str:
        chosen = [column[rng.integers(len(column))] for column in self.space]
        return "\n".join(part for part in chosen if part)


def _same(task: BaseBenchmark, phrasing: Any, items: Sequence[Item]) -> bool:
    """Whether a phrasing has the benchmark's own answers, an option each with the same meaning."""
    return not phrasing.aside and all(
        phrasing.answers.get(item.target) == task.completion(item) for item in items
    )


def parts(text: str, options: Sequence[str]) -> tuple[str, str, str]:
    """A prompt's beginning, lines that start with an option ("A. yes"), and ending.

    All of it is the beginning if there is no such line.
    """
    lines = text.splitlines()
    marked = [
        number
        for number, line in enumerate(lines)
        if any(line.startswith((f"{option}.", f"{option})", f"{option}:")) for option in options)
    ]
    if not marked:
        return text, "", ""
    first, last = marked[0], marked[-1] + 1
    return "\n".join(lines[:first]), "\n".join(lines[first:last]), "\n".join(lines[last:])
