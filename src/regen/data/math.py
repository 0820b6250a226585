"""Stage `data` for math: word problems from templates, with worked solutions, in three levels.

Level 1 takes one sum or difference of numbers up to nine; level 2 one step with numbers up to
twenty, or a product; level 3 two steps, money with cents, fractions and percentages.

A row: `item`, `group` (template and numbers: who has which things is dressing, and no group is in
two splits), `template`, `level`, `question`, `steps` (equations), `answer` (as a person writes it,
with its unit), `unit` ("apples", "dollars", or "" where the answer has none).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np

from regen.data.card import check_groups_apart, counts
from regen.errors import InputError
from regen.files import write_json, write_jsonl

SPLITS = ("test", "dev", "train")
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gita", "Hugo")
THINGS = ("apples", "books", "cards", "coins", "eggs", "pens", "rings", "shells")
REUSED = 100
"""So often the numbers of a template may come again in the train split."""

Numbers = tuple[int, ...]


@dataclass(frozen=True)
class Solved:
    """The equations that lead to the answer, the answer as it is written, and its unit."""

    steps: tuple[str, ...]
    answer: str
    unit: str


@dataclass(frozen=True)
class Template:
    """text: with {a}, {b}, {c} for the numbers, {name}, {other} and {things}

    numbers: all that it can be asked with; solve: takes the numbers and the things
    """

    level: int
    text: str
    numbers: Callable[[], Iterator[Numbers]]
    solve: Callable[[Numbers, str], Solved]


def _pairs(smallest: int, largest: int) -> Callable[[], Iterator[Numbers]]:
    """Two numbers of a range, both ends included."""
    return lambda: product(range(smallest, largest + 1), repeat=2)


def _larger_first(smallest: int, largest: int) -> Callable[[], Iterator[Numbers]]:
    return lambda: ((a, b) for a, b in _pairs(smallest, largest)() if a > b)


def _sum(numbers: Numbers, things: str) -> Solved:
    a, b = numbers
    return Solved((f"{a} + {b} = {a + b}",), f"{a + b} {things}", things)


def _difference(numbers: Numbers, things: str) -> Solved:
    a, b = numbers
    return Solved((f"{a} - {b} = {a - b}",), f"{a - b} {things}", things)


def _product(numbers: Numbers, things: str) -> Solved:
    a, b = numbers
    return Solved((f"{a} * {b} = {a * b}",), f"{a * b} {things}", things)


def _quotient(numbers: Numbers, things: str) -> Solved:
    a, b = numbers
    return Solved((f"{a} / {b} = {a // b}",), f"{a // b} {things}", things)


def _sum_and_difference(numbers: Numbers, things: str) -> Solved:
    a, b, c = numbers
    steps = f"{a} + {b} = {a + b}", f"{a + b} - {c} = {a + b - c}"
    return Solved(steps, f"{a + b - c} {things}", things)


def _product_and_difference(numbers: Numbers, things: str) -> Solved:
    a, b, c = numbers
    steps = f"{a} * {b} = {a * b}", f"{a * b} - {c} = {a * b - c}"
    return Solved(steps, f"{a * b - c} {things}", things)


def _price(numbers: Numbers, things: str) -> Solved:
    a, b = numbers
    return Solved((f"{b} * {a} = {a * b}",), f"${a * b}", "dollars")


def _price_with_cents(numbers: Numbers, things: str) -> Solved:
    cents, count = numbers
    total = cents * count
    step = f"{count} * {_money(cents)} = {_money(total)}"
    return Solved((step,), f"${_money(total)}", "dollars")


def _change(numbers: Numbers, things: str) -> Solved:
    a, b, c = numbers
    steps = f"{a} * {b} = {a * b}", f"{c} - {a * b} = {c - a * b}"
    return Solved(steps, f"${c - a * b}", "dollars")


def _percentage(numbers: Numbers, things: str) -> Solved:
    a, p = numbers
    steps = f"{a} * {p} = {a * p}", f"{a * p} / 100 = {a * p // 100}"
    return Solved(steps, f"{a * p // 100} {things}", things)


def _share(numbers: Numbers, things: str) -> Solved:
    a, b = numbers
    left = Fraction(a - b, a)
    steps = f"{a} - {b} = {a - b}", f"{a - b} / {a} = {left}"
    return Solved(steps, str(left), "")


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


TEMPLATES: Mapping[str, Template] = {
    "gain": Template(
        1, "{name} has {a} {things} and gets {b} more. How many now?", _pairs(1, 9), _sum
    ),
    "find": Template(
        1, "{name} finds {a} {things}, {other} finds {b}. How many together?", _pairs(1, 9), _sum
    ),
    "colours": Template(
        1, "{name} has {a} red {things} and {b} blue ones. How many in all?", _pairs(1, 9), _sum
    ),
    "loss": Template(
        1, "{name} has {a} {things} and loses {b}. How many are left?", _larger_first(1, 12),
        _difference,
    ),
    "fewer": Template(
        1, "{name} has {a} {things}, {other} has {b}. How many more has {name}?",
        _larger_first(1, 12), _difference,
    ),
    "bag": Template(
        1, "A bag holds {a} {things}, {name} adds {b}. How many now?", _pairs(1, 9), _sum
    ),
    "sell": Template(
        1, "{name} has {a} {things} and sells {b}. How many remain?", _larger_first(1, 12),
        _difference,
    ),
    "take": Template(
        1, "There are {a} {things}, {name} takes {b}. How many remain?", _larger_first(1, 12),
        _difference,
    ),
    "buy": Template(
        2, "{name} had {a} {things} and buys {b} more. How many now?", _pairs(6, 20), _sum
    ),
    "give": Template(
        2, "{name} had {a} {things} and gives {b} away. How many are left?", _larger_first(5, 20),
        _difference,
    ),
    "boxes": Template(
        2, "{name} has {a} boxes with {b} {things} each. How many in all?", _pairs(2, 9), _product
    ),
    "price": Template(
        2, "{name} sells {things} at ${a} each. How much are {b}?", _pairs(2, 9), _price
    ),
    "share": Template(
        2, "{name} shares {a} {things} among {b} friends. How many for each?",
        lambda: ((a * b, b) for a, b in _pairs(2, 9)()), _quotient,
    ),
    "gain-loss": Template(
        3, "{name} has {a} {things}, gets {b} more and loses {c}. How many are left?",
        lambda: (n for n in product(range(2, 13), repeat=3) if n[2] < n[0] + n[1]),
        _sum_and_difference,
    ),
    "boxes-loss": Template(
        3, "{name} has {a} boxes with {b} {things} each and loses {c}. How many are left?",
        lambda: (n for n in product(range(2, 10), repeat=3) if n[2] < n[0] * n[1]),
        _product_and_difference,
    ),
    "change": Template(
        3, "{name} buys {a} {things} at ${b} each and pays with ${c}. How much is the change?",
        lambda: (
            (a, b, c)
            for a, b, c in product(range(2, 10), range(2, 10), (20, 50, 100))
            if a * b < c
        ),
        _change,
    ),
    "percent": Template(
        3, "{name} has {a} {things}, and {b}% of them are red. How many are red?",
        lambda: (
            (a, p)
            for a, p in product(range(4, 101), (5, 10, 20, 25, 40, 50, 60, 75, 80, 90))
            if a * p % 100 == 0
        ),
        _percentage,
    ),
    "fraction": Template(
        3, "A cake has {a} pieces. {name} eats {b}. What fraction is left?",
        _larger_first(1, 24), _share,
    ),
    "cents": Template(
        3, "{name} sells {things} at ${a} each. How much are {b}?",
        lambda: product(range(25, 1000, 25), range(2, 10)), _price_with_cents,
    ),
}  # fmt: skip
LEVELS = tuple(sorted({template.level for template in TEMPLATES.values()}))


def math(*, out: Path, seed: int, sizes: Mapping[str, int], levels: Sequence[int]) -> None:
    """Write `train.jsonl`, `dev.jsonl`, `test.jsonl` and `card.json` to `out`.

    levels: in the order in which they take turns; one may stand there several times

    Within a level its templates take turns, so that every prefix of a split has about as many of
    each. An item of dev and test has a group of its own; items of train share some.
    Raises InputError for sizes that the templates' numbers do not suffice for.
    """
    generator = np.random.default_rng(seed)
    waiting = {}
    for name, template in TEMPLATES.items():
        every = list(template.numbers())
        waiting[name] = [every[i] for i in generator.permutation(len(every))]
    rows: dict[str, list[dict[str, Any]]] = {}
    for split in SPLITS:
        rows[split] = []
        asked: set[str] = set()
        reused: Counter[str] = Counter()
        first = {name: list(numbers) for name, numbers in waiting.items()}
        turns = {
            level: cycle([name for name, template in TEMPLATES.items() if template.level == level])
            for level in LEVELS
        }
        for number in range(sizes[split]):
            name = next(turns[levels[number % len(levels)]])
            row = None
            while row is None:
                if not waiting[name] and split == "train" and reused[name] < REUSED:
                    waiting[name] = list(first[name])  # again, in other dress
                    reused[name] += 1
                if not waiting[name]:
                    raise InputError(
                        f"data set math: template {name} runs out of problems; lower sizes.{split}"
                    )
                row = _row(name, waiting[name].pop(0), generator, asked)
            rows[split].append(row)
    _write(out, {split: rows[split] for split in ("train", "dev", "test")}, seed)


def _row(
    name: str, numbers: Numbers, generator: np.random.Generator, asked: set[str]
) -> dict[str, Any] | None:
    """One problem that is not in `asked` yet; None if the numbers seem to have no other dress."""
    template = TEMPLATES[name]
    for _ in range(50):
        person, other = (NAMES[i] for i in generator.choice(len(NAMES), 2, replace=False))
        things = THINGS[generator.integers(len(THINGS))]
        item = "-".join((name, *map(str, numbers), person, other, things)).lower()
        values: dict[str, int | str] = dict(zip("abc", numbers, strict=False))
        if name == "cents":
            values["a"] = _money(numbers[0])
        question = template.text.format(name=person, other=other, things=things, **values)
        if question in asked:
            continue
        asked.add(question)
        solved = template.solve(numbers, things)
        return {
            "item": item,
            "group": "-".join((name, *map(str, numbers))),
            "template": name,
            "level": template.level,
            "question": question,
            "steps": list(solved.steps),
            "answer": solved.answer,
            "unit": solved.unit,
        }
    return None


def _write(out: Path, rows: Mapping[str, list[dict[str, Any]]], seed: int) -> None:
    """The splits and their card."""
    apart = check_groups_apart(rows)
    for split, found in rows.items():
        write_jsonl(out / f"{split}.jsonl", found)
    write_json(
        out / "card.json",
        {
            "name": "math",
            "what": "word problems from templates, with worked solutions",
            "seed": seed,
            "sources": [
                {"package": "none", "file": "src/regen/data/math.py", "licence": "made here"}
            ],
            "splits": {
                split: {"items": len(of), **counts(of, ("level", "template"))}
                for split, of in rows.items()
            },
            "groups_apart": apart,
        },
    )
