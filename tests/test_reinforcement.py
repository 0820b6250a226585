"""Reinforcement: what is paid for comes more often, the same bytes again, bad input in one line."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from regen.benchmarks.base import BaseBenchmark, Item, Prompt
from regen.benchmarks.registry import register
from regen.errors import InputError
from regen.files import read_json, read_jsonl
from regen.models.tiny_text import tiny_text
from regen.processes import Processes
from regen.reinforcement import States, reinforce

LORA = {"r": 4, "alpha": 8, "dropout": 0.0, "targets": "attention+mlp"}
OPTIMISATION = {
    "batch_size": 32,
    "learning_rate": 5e-3,
    "warmup_fraction": 0.0,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "save_every": 6,
}
SETTINGS: dict[str, Any] = {
    "num_steps": 20,
    "num_generations": 8,
    "num_iterations": 1,
    "beta": 0.0,
    "epsilon": 0.2,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "max_prompt_length": 100,
    "max_new_tokens": 8,
    "weights": {"letters": 1.0, "short": 0.1},
    "judge": None,
}
FILES = ("adapter_model.safetensors", "adapter_config.json", "log.jsonl", "summary.json")


class Letters(BaseBenchmark):
    """Pays for letters from A to Z in either case, and for answers of at most four characters."""

    name = "paid-letters"
    prompts: ClassVar[Mapping[str, str]] = {"baseline": "say"}

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        return Item(row["item"], row["item"], "a", inputs={"text": row["text"]})

    def prompt(self, item: Item, template: str) -> Prompt:
        return Prompt(item.inputs["text"], system=template)

    def rewards(self, item: Item, output: str) -> dict[str, float]:
        letters = sum(c.isascii() and c.isalpha() for c in output)
        return {"letters": letters / max(len(output), 1), "short": float(len(output) <= 4)}


class Unpaid(Letters):
    name = "unpaid"
    rewards = BaseBenchmark.rewards


register("paid-letters", Letters)
register("unpaid", Unpaid)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


def make_base(out: Path) -> Path:
    sizes = {"width": 32, "layers": 2, "heads": 4, "context": 256}
    tiny_text(architecture=sizes, seed=1, out=out)
    (out / "outputs.sha256").write_text("base\n")
    return out


def make_data(out: Path) -> Path:
    out.mkdir(exist_ok=True)
    rows = [{"item": f"i{n}", "text": "x" * (1 if n < 8 else 90)} for n in range(10)]
    (out / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return out


def run(base: Path, data: Path, out: Path, **changes: Any) -> dict[str, bytes]:
    settings = SETTINGS | {k: changes.pop(k) for k in list(changes) if k in SETTINGS}
    given = {
        "benchmark": "paid-letters",
        "prompt": "baseline",
        "lora": LORA,
        "optimisation": OPTIMISATION,
        "reinforcement": settings,
        "limit": 10,
        "seed": 42,
    }
    reinforce(base=base, data=data, out=out, **(given | changes))
    (out / "outputs.sha256").write_text("adapter\n")
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def trained(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    run(base, data, out)
    return out


def test_what_is_paid_for_comes_more_often(trained: Path) -> None:
    log = read_jsonl(trained / "log.jsonl")
    assert [row["step"] for row in log] == list(range(1, 21))
    letters = [row["reward_letters"] for row in log]
    assert sum(letters[-5:]) / 5 > sum(letters[:5]) / 5 + 0.03
    for row in log:
        paid = row["reward_letters"] + 0.1 * row["reward_short"]
        assert math.isclose(row["reward"], paid, abs_tol=1e-5)
    summary = read_json(trained / "summary.json")
    assert (summary["steps"], summary["items"]) == (20, 8)  # two are asked in too many tokens
    mean = sum(row["reward_letters"] for row in log[-10:]) / 10
    assert math.isclose(summary["rewards_of_last_steps"]["reward_letters"], mean, abs_tol=1e-9)
    assert sorted(path.name for path in trained.iterdir()) == sorted(
        [*FILES, "timing.json", "outputs.sha256"]
    )


def test_the_same_bytes_again(base: Path, data: Path, trained: Path, tmp_path: Path) -> None:
    """Also after one that was interrupted, of which a state is left."""
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state" / "state.pt").write_text("half of it")
    assert run(base, data, tmp_path) == {n: (trained / n).read_bytes() for n in FILES}


class Stopping(Letters):
    """As `Letters`, but the process is stopped when the rewards of a step are asked for."""

    name = "paid-letters"
    calls = 0

    def rewards(self, item: Item, output: str) -> dict[str, float]:
        Stopping.calls += 1
        if Stopping.calls == int(os.environ["STOPPED_AT"]):
            os.kill(os.getpid(), int(os.environ["STOPPED_BY"]))
        return super().rewards(item, output)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "iterations", "goes_on_at"),
    [(signal.SIGKILL, 1, 6), (signal.SIGTERM, 1, 9), (signal.SIGKILL, 3, 6)],
)
def test_stopped_it_goes_on_to_the_same_bytes(
    base: Path,
    data: Path,
    trained: Path,
    tmp_path: Path,
    by: int,
    iterations: int,
    goes_on_at: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In another process, in the middle of the ninth step's draws."""
    if iterations == 1:
        whole = {name: (trained / name).read_bytes() for name in FILES}
    else:
        whole = run(base, data, tmp_path / "whole", num_iterations=iterations, num_steps=12)
    drawn = 32 * 2  # outputs a step, each asked for two rewards
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "import test_reinforcement as t; from regen.benchmarks import registry;"
        "registry._registered['paid-letters'] = t.Stopping;"
        "t.run(*map(Path, sys.argv[2:5]), num_iterations=int(sys.argv[5]), "
        "num_steps=int(sys.argv[6]))"
    )
    steps = 20 if iterations == 1 else 12
    out = tmp_path / "out"
    given = [Path(__file__).parent, base, data, out, iterations, steps]
    stopped_at = drawn * -(-9 // iterations) - 5
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, given)],
        env=os.environ | {"STOPPED_AT": str(stopped_at), "STOPPED_BY": str(int(by))},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0 and not (out / "log.jsonl").exists(), done.stderr
    assert run(base, data, out, num_iterations=iterations, num_steps=steps) == whole
    assert f"going on from step {goes_on_at}" in capsys.readouterr().err
    assert read_json(out / "timing.json")["resumed_at"] == goes_on_at
    assert not (out / ".state").exists()


def test_the_state_of_other_work_is_not_used(base: Path, data: Path, tmp_path: Path) -> None:
    States(tmp_path / ".state", "other work", Processes()).written(1)
    (tmp_path / ".state" / "checkpoint-1").mkdir()
    run(base, data, tmp_path, num_steps=2)
    assert read_json(tmp_path / "timing.json")["resumed_at"] == 0


def test_another_seed_is_another_adapter(base: Path, data: Path, tmp_path: Path) -> None:
    one, other = (
        run(base, data, tmp_path / str(seed), num_steps=2, seed=seed)[FILES[0]] for seed in (1, 2)
    )
    assert one != other


def test_it_goes_on_with_the_adapter_it_starts_from(
    base: Path, data: Path, trained: Path, tmp_path: Path
) -> None:
    """With a learning rate of nearly nothing, what comes out is what went in."""
    from safetensors.numpy import load_file

    still = OPTIMISATION | {"learning_rate": 1e-12}
    run(base, data, tmp_path, start=trained, num_steps=1, beta=0.1, optimisation=still)
    before, after = (load_file(folder / FILES[0]) for folder in (trained, tmp_path))
    assert before.keys() == after.keys()
    assert all(abs(before[name] - after[name]).max() < 1e-9 for name in before)
    assert read_jsonl(tmp_path / "log.jsonl")[0]["kl"] == pytest.approx(0, abs=1e-6)
    first = read_jsonl(tmp_path / "log.jsonl")[0]["reward_letters"]
    assert first > read_jsonl(trained / "log.jsonl")[0]["reward_letters"] + 0.02


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"benchmark": "unpaid"}, "benchmark unpaid: has no rewards"),
        ({"weights": {"letters": 1.0}}, "'short' has no weight; there are: letters, short"),
        ({"weights": {"letters": 1.0, "short": 1.0, "long": 1.0}}, "'long' is no reward of"),
        ({"max_prompt_length": 3}, "every item is asked in more than 3 tokens; raise it"),
    ],
)
def test_bad_input(
    base: Path, data: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        run(base, data, tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_an_adapter_of_another_base(data: Path, trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    tiny_text(
        architecture={"width": 32, "layers": 2, "heads": 4, "context": 256}, seed=2, out=other
    )
    (other / "outputs.sha256").write_text("other\n")
    with pytest.raises(InputError, match="was trained on another base"):
        run(other, data, tmp_path / "out", start=trained)


def test_a_small_vocabulary_has_small_tiles() -> None:
    from trl.trainer import utils

    from regen.reinforcement import tiles_as_wide_as

    def width() -> int:
        return int(utils._CHUNKED_LOGPROB_CHUNK_SIZE)

    before = width()
    with tiles_as_wide_as(448):
        assert width() == 448
    with tiles_as_wide_as(10 * before):
        assert width() == before
    assert width() == before
