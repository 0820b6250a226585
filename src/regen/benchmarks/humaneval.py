"""HumanEval: the body of a Python function, judged by running its test in a sandbox."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from regen import quoting
from regen.benchmarks.base import BaseBenchmark, Item, Metrics, Prompt, Trivial
from regen.errors import InputError
from regen.metrics import Metric
from regen.records import Prediction
from regen.sandbox import Limits, run_all
from regen.statistics.pass_at_k import pass_at_k

HEAD = "{head}"
FENCE = re.compile(r"```(?:python|py)?\n(.*?)(?:```|\Z)", re.DOTALL)
STOP = re.compile(r"\n(?:class|def|#|if|print|@|assert)\b|\n#", re.MULTILINE)
"""Where a body has ended: at what stands at the start of a line (Chen et al. 2021, section 2)."""
LIMITS = Limits(seconds=3.0, memory_mb=512)
KS = (1, 5, 10)


class Canonical(Trivial):
    """The solution that comes with the problem: all of them should pass."""

    def fit(self, items: Sequence[Item]) -> None:
        pass

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [item.target for item in items]


class Empty(Trivial):
    """Nothing: none should pass."""

    def fit(self, items: Sequence[Item]) -> None:
        pass

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [""] * len(items)


class Humaneval(BaseBenchmark):
    name = "humaneval"
    builders = ("humaneval",)
    prompts: ClassVar[Mapping[str, str]] = {
        "baseline": f"Complete this Python function. Answer with code alone.\n\n{HEAD}"
    }
    metrics: ClassVar[Mapping[str, Metric]] = {f"pass_{k}": Metric(f"pass@{k}") for k in KS}
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {"canonical": Canonical, "empty": Empty}

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        for key in ("item", "group", "prompt", "entry_point", "canonical_solution", "test"):
            if not isinstance(row.get(key), str):
                where = f"{folder}: item {row.get('item', '(unnamed)')!r}"
                raise InputError(f"{where} has no {key!r}; rebuild the data set")
        return Item(
            item=row["item"],
            group=row["group"],
            target=row["canonical_solution"],
            inputs={"head": row["prompt"], "test": row["test"], "name": row["entry_point"]},
        )

    def prompt(self, item: Item, template: str) -> Prompt:
        if HEAD not in template:
            template = f"{template}\n\n{HEAD}"
        return Prompt(item.inputs["head"].join(template.split(HEAD)))

    def read_answer(self, item: Item, output: str) -> str:
        """What comes after the head. Of a fenced block, what is in it; of the whole function, it
        all: defined again, it counts. Empty is an answer, too.
        """
        fenced = FENCE.search(output)
        code = fenced[1] if fenced else output
        if re.search(rf"^def {re.escape(item.inputs['name'])}\b", code, re.MULTILINE):
            return f"    pass\n\n{code}"
        return STOP.split(f"{code}", maxsplit=1)[0]

    def score(self, item: Item, predictions: Sequence[Prediction]) -> Metrics:
        """pass@k, of the samples; each is run once."""
        said = [p.prediction or "" for p in predictions]
        known = [text in ("", item.target) for text in said]
        outcomes = run_all([program(item, text) for text in said], LIMITS, trusted=known)
        right = sum(outcome.passed for outcome in outcomes)
        return {f"pass_{k}": pass_at_k(len(said), right, k) for k in KS}

    def to_record(self, item: Item, prediction: Prediction) -> Prediction:
        """Without the solution's words: a hash for it, places for what is quoted."""
        source = _source(item)

        def quoted(text: str | None) -> str | None:
            return None if text is None else quoting.quote(text, source)

        output, answer = quoted(prediction.output), quoted(prediction.prediction)
        return replace(prediction, target=_hash(item.target), output=output, prediction=answer)

    def from_record(self, item: Item, prediction: Prediction) -> Prediction:
        source = _source(item)

        def restored(text: str | None) -> str | None:
            return None if text is None else quoting.restore(text, source)

        output, answer = restored(prediction.output), restored(prediction.prediction)
        same = prediction.target == _hash(item.target)
        target = item.target if same else prediction.target
        return replace(prediction, target=target, output=output, prediction=answer)


def program(item: Item, body: str) -> str:
    """Head, body and test; the test's last line is the call of its check."""
    head, test, name = (item.inputs[key] for key in ("head", "test", "name"))
    return f"{head}{body}\n{test}\ncheck({name})\n"


def _source(item: Item) -> str:
    return f"{item.inputs['head']}\n{item.target}"


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
