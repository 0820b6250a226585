"""Yes, no or maybe: what does an abstract say of its own question? Options, scored from logits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from regen.baselines import MostFrequent
from regen.benchmarks.base import AnswerError, BaseBenchmark, Item, Prompt, Trivial
from regen.errors import InputError
from regen.texts import words


class Decisions(BaseBenchmark):
    name = "decisions"
    builders = ("decisions",)
    options = ("yes", "no", "maybe")
    prompts: ClassVar[Mapping[str, str]] = {
        "baseline": "{context}\n\n{question} Answer yes, no or maybe."
    }
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {"majority": MostFrequent}

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        where = f"{folder}: item {row.get('item', '?')!r}"
        for key in ("item", "group", "question", "context", "answer"):
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise InputError(f"{where} has no {key!r}; rebuild the data set")
        if row["answer"] not in self.options:
            names = ", ".join(self.options)
            raise InputError(f"{where} is answered {row['answer']!r}, none of {names}")
        return Item(
            item=row["item"],
            group=row["group"],
            target=row["answer"],
            inputs={"question": row["question"], "context": row["context"]},
        )

    def prompt(self, item: Item, template: str) -> Prompt:
        text = template if "{question}" in template else f"{{context}}\n\n{{question}} {template}"
        for key in ("context", "question"):
            text = text.replace(f"{{{key}}}", str(item.inputs[key]))
        return Prompt(text, system="You answer questions about texts.")

    def extract_answer(self, output: str) -> str:
        """The first of the options that is said, in any case."""
        for word in words(output):
            if word in self.options:
                return word
        raise AnswerError("neither yes, no nor maybe")
