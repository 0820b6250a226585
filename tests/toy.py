"""A toy task for the stages: is there a tone in the noise? Needs no data, learned in seconds."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile

from regen.benchmarks.base import AnswerError, BaseBenchmark, Item, Prompt, Trivial
from regen.benchmarks.phrasing import Phrasing
from regen.benchmarks.registry import register


class MostFrequent(Trivial):
    def fit(self, items: Sequence[Item]) -> None:
        self.answer = Counter(item.target for item in items).most_common(1)[0][0]

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [self.answer] * len(items)


class Toy(BaseBenchmark):
    name = "toy"
    options = ("TONE", "NOISE")
    prompts: ClassVar[Mapping[str, str]] = {
        "baseline": "Is this TONE or NOISE?",
        "other": "What do you hear?",
    }
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {"majority": MostFrequent}

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        inputs = {"audio": folder / row["audio"]}
        return Item(row["item"], row["group"], row["label"], inputs, {"seconds": row["seconds"]})

    def prompt(self, item: Item, template: str) -> Prompt:
        return Prompt(template, audio=(item.inputs["audio"],))

    def phrasings(self) -> list[Phrasing]:
        same = {"TONE": "TONE", "NOISE": "NOISE"}
        return [
            Phrasing("choice", "TONE or NOISE?", same),
            Phrasing("yes-no", "Is there a tone?", {"TONE": "yes", "NOISE": "no"}),
            Phrasing("secret", "A held-out family: zyx", {"TONE": "q", "NOISE": "w"}, True),
        ]


class FreeToy(Toy):
    """The same task, answered in words."""

    name = "free-toy"
    options = ()

    def extract_answer(self, output: str) -> str:
        if output not in ("TONE", "NOISE"):
            raise AnswerError("neither TONE nor NOISE")
        return output


register("toy", Toy)
register("free-toy", FreeToy)


def write_data(folder: Path, items: int = 40) -> Path:
    """Splits of `items` clips each, half of them with a tone, of 0.3 to 2 s."""
    generator = np.random.default_rng(0)
    (folder / "clips").mkdir(parents=True)
    for split in ("train", "dev", "test"):
        rows = []
        for number in range(items):
            seconds = float(generator.uniform(0.3, 2))
            time = np.arange(int(seconds * 16000)) / 16000
            samples = 0.1 * generator.standard_normal(len(time))
            label = ("TONE", "NOISE")[number % 2]
            if label == "TONE":
                samples += 0.3 * np.sin(2 * np.pi * generator.uniform(300, 900) * time)
            name = f"clips/{split}-{number}.wav"
            soundfile.write(folder / name, samples.clip(-1, 1), 16000)
            row = {"item": f"{split}-{number}", "group": f"g{number // 4}", "label": label}
            rows.append(row | {"audio": name, "seconds": round(seconds, 3)})
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "outputs.sha256").write_text("data\n")
    return folder
