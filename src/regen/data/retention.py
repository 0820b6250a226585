"""Stage `data` for retention: short questions of general knowledge, written here from plain facts.

They ask whether a model that learned something else still knows what it knew. A row: `item`,
`group` (the fact), `kind`, `question`, `answer`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from regen.data.card import check_groups_apart, counts
from regen.errors import InputError
from regen.files import write_json, write_jsonl

SPLITS = ("train", "dev", "test")
CAPITALS = {
    "Afghanistan": "Kabul", "Albania": "Tirana", "Algeria": "Algiers", "Argentina": "Buenos Aires",
    "Austria": "Vienna", "Bangladesh": "Dhaka", "Belgium": "Brussels", "Brazil": "Brasilia",
    "Bulgaria": "Sofia", "Canada": "Ottawa", "Chile": "Santiago", "China": "Beijing",
    "Colombia": "Bogota", "Croatia": "Zagreb", "Cuba": "Havana", "Czechia": "Prague",
    "Denmark": "Copenhagen", "Ecuador": "Quito", "Egypt": "Cairo", "Estonia": "Tallinn",
    "Ethiopia": "Addis Ababa", "Finland": "Helsinki", "France": "Paris", "Germany": "Berlin",
    "Ghana": "Accra", "Greece": "Athens", "Hungary": "Budapest", "Iceland": "Reykjavik",
    "India": "New Delhi", "Indonesia": "Jakarta", "Iran": "Tehran", "Iraq": "Baghdad",
    "Ireland": "Dublin", "Italy": "Rome", "Jamaica": "Kingston", "Japan": "Tokyo",
    "Kenya": "Nairobi", "Latvia": "Riga", "Lebanon": "Beirut", "Lithuania": "Vilnius",
    "Mexico": "Mexico City", "Mongolia": "Ulaanbaatar", "Morocco": "Rabat", "Nepal": "Kathmandu",
    "New Zealand": "Wellington", "Norway": "Oslo", "Pakistan": "Islamabad", "Peru": "Lima",
    "Poland": "Warsaw", "Portugal": "Lisbon", "Romania": "Bucharest", "Russia": "Moscow",
    "Saudi Arabia": "Riyadh", "Senegal": "Dakar", "Serbia": "Belgrade", "South Korea": "Seoul",
    "Spain": "Madrid", "Sweden": "Stockholm", "Thailand": "Bangkok", "Tunisia": "Tunis",
    "Turkey": "Ankara", "Ukraine": "Kyiv", "Uruguay": "Montevideo", "Vietnam": "Hanoi",
}  # fmt: skip
ELEMENTS = {
    "H": "hydrogen", "He": "helium", "Li": "lithium", "B": "boron", "C": "carbon", "N": "nitrogen",
    "O": "oxygen", "F": "fluorine", "Ne": "neon", "Na": "sodium", "Mg": "magnesium",
    "Al": "aluminium", "Si": "silicon", "P": "phosphorus", "S": "sulfur", "Cl": "chlorine",
    "Ar": "argon", "K": "potassium", "Ca": "calcium", "Ti": "titanium", "Cr": "chromium",
    "Mn": "manganese", "Fe": "iron", "Co": "cobalt", "Ni": "nickel", "Cu": "copper", "Zn": "zinc",
    "As": "arsenic", "Br": "bromine", "Kr": "krypton", "Ag": "silver", "Cd": "cadmium",
    "Sn": "tin", "I": "iodine", "Xe": "xenon", "Ba": "barium", "W": "tungsten", "Pt": "platinum",
    "Au": "gold", "Hg": "mercury", "Pb": "lead", "Bi": "bismuth", "Ra": "radium", "U": "uranium",
}  # fmt: skip
OPPOSITES = {
    "hot": "cold", "big": "small", "early": "late", "fast": "slow", "high": "low", "open": "closed",
    "rich": "poor", "strong": "weak", "tall": "short", "wet": "dry", "young": "old",
    "light": "dark", "full": "empty", "hard": "soft", "loud": "quiet", "north": "south",
    "east": "west", "left": "right", "up": "down", "win": "lose", "buy": "sell", "push": "pull",
    "day": "night", "love": "hate", "true": "false", "first": "last", "above": "below",
    "inside": "outside", "front": "back", "good": "bad", "clean": "dirty", "cheap": "expensive",
    "safe": "dangerous", "wide": "narrow", "thick": "thin", "deep": "shallow", "rough": "smooth",
    "success": "failure", "arrive": "leave", "remember": "forget",
}  # fmt: skip
LARGEST = 20
"""Of the numbers in sums and differences; products are of numbers up to ten."""


def retention(*, out: Path, seed: int, sizes: dict[str, int]) -> None:
    """Write `train.jsonl`, `dev.jsonl`, `test.jsonl` and `card.json` to `out`.

    Kinds take turns, so that every prefix of a split has about as many of each. Raises InputError
    for sizes that the facts do not suffice for.
    """
    rng = np.random.default_rng(seed)
    kinds = {
        "capital": [
            (name, f"What is the capital of {name}?", city) for name, city in CAPITALS.items()
        ],
        "element": [
            (symbol, f"Which chemical element has the symbol {symbol}?", name)
            for symbol, name in ELEMENTS.items()
        ],
        "opposite": [
            (word, f'What is the opposite of the word "{word}"?', other)
            for word, other in OPPOSITES.items()
        ],
        "arithmetic": list(_sums()),
    }
    orders = {kind: iter(rng.permutation(len(facts))) for kind, facts in kinds.items()}
    rows: dict[str, list[dict[str, str]]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        for number in range(sizes[split]):
            kind = list(kinds)[number % len(kinds)]
            place = next(orders[kind], None)
            if place is None:
                raise InputError(f"data set retention: facts of kind {kind} run out; lower sizes")
            name, question, answer = kinds[kind][place]
            fact = f"{kind}-{name}".replace(" ", "-")
            rows[split].append(
                {"item": fact, "group": fact, "kind": kind, "question": question, "answer": answer}
            )
    check_groups_apart(rows)
    for split in SPLITS:
        write_jsonl(out / f"{split}.jsonl", rows[split])
    write_json(
        out / "card.json",
        {
            "name": "retention",
            "what": "short questions of general knowledge and arithmetic",
            "seed": seed,
            "sources": [
                {"package": "none", "file": "src/regen/data/retention.py", "licence": "made here"}
            ],
            "splits": {
                split: {"items": len(of), **counts(of, ("kind",))} for split, of in rows.items()
            },
            "groups_apart": check_groups_apart(rows),
        },
    )


def _sums() -> Iterator[tuple[str, str, str]]:
    """Sums, differences and products of small numbers."""
    for a in range(2, LARGEST + 1):
        for b in range(2, a + 1):
            yield f"{a}+{b}", f"What is {a} plus {b}?", str(a + b)
            if a > b:
                yield f"{a}-{b}", f"What is {a} minus {b}?", str(a - b)
            if a <= 10:
                yield f"{a}x{b}", f"What is {a} times {b}?", str(a * b)
