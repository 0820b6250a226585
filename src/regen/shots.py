"""Few-shot prompts: answered training items before the question."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from regen.benchmarks.base import BaseBenchmark, Item, Prompt, Shot
from regen.errors import InputError

SEED = 0
"""Of the choice. A base model has no seed of its own, and every item is shown the same shots."""


def choose(
    items: Sequence[Item],
    count: int,
    class_of: Callable[[Item], str] = lambda item: item.target,
) -> list[Item]:
    """`count` training items, as many of each class as can be, from different groups.

    The rule: classes take turns in the order of a seeded shuffle; each takes its next item, in
    another seeded shuffle, whose group (voice, source) was not taken yet, or any if all were. The
    chosen are shuffled once more. Raises InputError if a class has too few items.
    """
    generator = np.random.default_rng([SEED, count])
    classes = sorted({class_of(item) for item in items})
    turns = [classes[i] for i in generator.permutation(len(classes))]
    waiting = {name: [i for i in items if class_of(i) == name] for name in turns}
    for name, found in waiting.items():
        waiting[name] = [found[i] for i in generator.permutation(len(found))]
    chosen: list[Item] = []
    for number in range(count):
        found = waiting[turns[number % len(turns)]]
        if not found:
            raise InputError(f"shots: {count} are asked for, the training items have too few")
        groups = {item.group for item in chosen}
        fresh = (item for item in found if item.group not in groups)
        chosen.append(next(fresh, found[0]))
        found.remove(chosen[-1])
    return [chosen[i] for i in generator.permutation(count)]


def with_shots(
    task: BaseBenchmark, prompt: Prompt, chosen: Sequence[Item], template: str
) -> Prompt:
    """`prompt` after the chosen items, asked in the same words and answered as in training."""
    shots = tuple(Shot(task.prompt(i, template), task.completion(i)) for i in chosen)
    return replace(prompt, shots=shots)
