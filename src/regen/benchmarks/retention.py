"""General knowledge in short answers: what a model still knows that was trained on something else.

Answers are text, not letters of options, because the answers that the model was trained on are
text: what may be lost is also that it answers the question at all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from regen.baselines import MostFrequent
from regen.benchmarks.base import BaseBenchmark, Item, Prompt, Trivial
from regen.errors import InputError
from regen.metrics import Metric
from regen.texts import words

KINDS = ("capital", "element", "opposite", "arithmetic")
SPELLINGS = {"aluminium": "aluminum", "sulfur": "sulphur", "kyiv": "kiev"}
"""Answers that are as right, by the one that is expected."""


class Retention(BaseBenchmark):
    name = "retention"
    builders = ("retention",)
    prompts: ClassVar[Mapping[str, str]] = {"baseline": "{question} Answer in a few words."}
    metrics: ClassVar[Mapping[str, Metric]] = {"accuracy": Metric("accuracy")}
    facets: ClassVar[tuple[str, ...]] = ("kind",)
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {"most-frequent": MostFrequent}

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        where = f"{folder}: item {row.get('item', '?')!r}"
        for key in ("item", "group", "kind", "question", "answer"):
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise InputError(f"{where} has no {key!r}; rebuild the data set")
        if row["kind"] not in KINDS:
            raise InputError(f"{where} is of kind {row['kind']!r}, none of {', '.join(KINDS)}")
        return Item(
            item=row["item"],
            group=row["group"],
            target=row["answer"],
            inputs={"question": row["question"]},
            facets={"kind": row["kind"]},
        )

    def prompt(self, item: Item, template: str) -> Prompt:
        question = str(item.inputs["question"])
        if "{question}" not in template:
            template = f"{{question}} {template}"
        return Prompt(template.replace("{question}", question), system="You answer questions.")

    def check_answer(self, prediction: str, target: str) -> bool:
        """Does the answer say the target, word by word?

        A number is only right if it is the last one said: "7 plus 5 is 12".
        """
        said, wanted = words(prediction), words(target)
        if target.isdigit():
            return [word for word in said if word[0].isdigit()][-1:] == wanted
        other = words(SPELLINGS.get(target.casefold(), target))
        return any(
            said[start : start + len(right)] == right
            for right in (wanted, other)
            for start in range(len(said))
        )
