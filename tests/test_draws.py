"""What several answers to one item are worth: against counts by hand and by enumeration."""

from itertools import combinations
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from regen.benchmarks.base import BaseBenchmark, Item
from regen.draws import bar_of, measure, passed, perplexities
from regen.errors import InputError
from regen.files import Absent, write_jsonl
from regen.records import Prediction

VECTORS = {
    "question": [1.0, 0.0, 0.0],
    "reference": [0.6, 0.8, 0.0],
    "near": [0.6, 0.8, 0.0],
    "far": [0.0, 0.0, 1.0],
    "against": [-1.0, 0.0, 0.0],
}


class Task(BaseBenchmark):
    """Only what `draws` asks of a benchmark."""

    name = "task"
    prompts: ClassVar = {"baseline": "{}"}

    def read(self, row, folder):
        raise NotImplementedError

    def prompt(self, item, template):
        raise NotImplementedError

    def quality(self, item: Item, text: str) -> float:
        return 0.5 if text == "near" else 1.0

    def draws(self, item: Item, predictions: list[Prediction]) -> tuple[str, str, list[str]]:
        return "question", "reference", [str(p.prediction) for p in predictions]


def said(*texts: str) -> list[Prediction]:
    common = {"item": "i", "group": "g", "variant": "v", "prompt": "p", "target": "t"}
    return [Prediction(**common, sample=n, prediction=text) for n, text in enumerate(texts)]


def measured(monkeypatch: pytest.MonkeyPatch, *texts: str, bar: float = 0.5):
    import regen.models.encoder

    def embed(folder: Path, texts: list[str]) -> dict[str, np.ndarray]:
        return {text: np.array(VECTORS[text]) for text in texts}

    monkeypatch.setattr(regen.models.encoder, "embed", embed)
    items = {"i": Item("i", "g", "t")}
    return measure(Task(), items, {"i": said(*texts)}, encoder=Path("e"), base=None, bar=bar)["i"]


def test_metrics_and_checks_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, checks = measured(monkeypatch, "near", "far", "against")
    # The check is closeness times quality, and no less than 0.
    assert checks == pytest.approx([0.5, 0.0, 0.0])
    assert metrics["relevance"] == pytest.approx((0.6 + 0.0 - 1.0) / 3)
    assert metrics["closeness"] == pytest.approx((1.0 + 0.0 - 0.6) / 3)
    # cosines: 0, -0.6, 0
    assert metrics["semantic_diversity"] == pytest.approx(1 + 0.6 / 3)
    assert 1 < metrics["vendi"] < 3
    assert metrics["pass_1"] == pytest.approx(1 / 3)
    assert isinstance(metrics["pass_5"], Absent) and isinstance(metrics["perplexity"], Absent)


def test_answers_that_are_all_alike_have_no_diversity(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, _ = measured(monkeypatch, "far", "far")
    assert metrics["semantic_diversity"] == pytest.approx(0)
    assert metrics["vendi"] == pytest.approx(1)


def test_without_an_encoder_metrics_are_absent() -> None:
    items = {"i": Item("i", "g", "t")}
    metrics, checks = measure(
        Task(), items, {"i": said("near")}, encoder=None, base=None, bar=Absent("none")
    )["i"]
    assert checks == [] and all(isinstance(value, Absent) for value in metrics.values())


def test_pass_at_k_is_the_share_of_the_subsets_with_one_that_passes() -> None:
    checks = [0.1, 0.9, 0.4, 0.5, 0.2, 0.3]
    for k in range(1, 7):
        subsets = list(combinations(checks, k))
        expected = sum(max(one) >= 0.4 for one in subsets) / len(subsets)
        assert passed(checks, 0.4, k) == pytest.approx(expected)
    # Bits in which processors differ do not decide.
    assert passed([0.4 - 1e-9], 0.4, 1) == 1.0


def test_the_bar_is_the_lowest_at_which_few_enough_pass(tmp_path: Path) -> None:
    best = [0.05, 0.11, 0.2, 0.333, 0.5]
    path = tmp_path / "items.jsonl"
    write_jsonl(path, [{"item": str(n), "checks": [0.0, b]} for n, b in enumerate(best)])
    for most in (0.9, 0.6, 0.3):
        bar = bar_of(path, most)
        assert np.mean([b >= bar for b in best]) < most
        assert np.mean([b >= bar - 0.01 for b in best]) >= most
    write_jsonl(path, [{"item": "0", "checks": [1.0]}])
    with pytest.raises(InputError, match="pass at any bar"):
        bar_of(path, 0.5)
    write_jsonl(path, [{"item": "0"}])
    assert isinstance(bar_of(path, 0.5), Absent)


def test_perplexity_is_that_of_the_whole_text_under_the_base(tmp_path: Path) -> None:
    """Against transformers' own loss, an answer at a time."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from regen.benchmarks.replies import Replies
    from regen.models.tiny_text import tiny_text

    shape = {"width": 16, "layers": 1, "heads": 2, "context": 256}
    tiny_text(architecture=shape, seed=1, out=tmp_path)
    item = Item("i", "g", "t", {"message": "hello", "folder": tmp_path})
    texts = ["good day", "", "why?"]
    found = perplexities(Replies(), {"i": item}, {"i": texts}, tmp_path)["i"]

    network = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    total = count = 0
    for text in texts:
        asked = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
        ids = tokenizer(asked + text + "<|im_end|>", return_tensors="pt")["input_ids"]
        start = len(tokenizer(asked)["input_ids"])
        labels = ids.clone()
        labels[:, :start] = -100
        with torch.no_grad():
            loss = network(input_ids=ids, labels=labels).loss
        total += float(loss) * (ids.shape[1] - start)
        count += ids.shape[1] - start
    assert found == pytest.approx(np.exp(total / count), rel=1e-4)
