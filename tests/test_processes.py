"""A training in two processes: the steps of one, the same bytes again, and an end in one line.

The processes are real (torchrun, accelerate, gloo) and share the processor; no GPU is needed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from regen.chain import Chain
from regen.config import check, read
from regen.errors import InputError
from regen.files import read_jsonl
from regen.models.tiny_text import tiny_text
from regen.reinforcement import reinforce
from regen.training import train

FILES = ("adapter_model.safetensors", "adapter_config.json", "log.jsonl", "summary.json")
LORA = {"r": 4, "alpha": 8, "dropout": 0.0, "targets": "attention"}
OPTIMISATION = {
    "epochs": 2,
    "max_steps": None,
    "batch_size": 4,
    "learning_rate": 3e-3,
    "warmup_fraction": 0.1,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "save_every": 3,
    "group_by_length": False,
    "keep_epochs": True,
    "dev_items": 2,
    "processes": 2,
}
REINFORCEMENT = {
    "num_steps": 4,
    "num_generations": 4,
    "num_iterations": 1,
    "beta": 0.1,
    "epsilon": 0.2,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "max_prompt_length": 200,
    "max_new_tokens": 8,
    "weights": {"format": 1.0, "accuracy": 2.0, "rubric": 0.5},
    "judge": None,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model, and nine word problems: batches of four, four and one."""
    base, data = tmp_path_factory.mktemp("base"), tmp_path_factory.mktemp("data")
    tiny_text(architecture={"width": 32, "layers": 2, "heads": 4, "context": 512}, seed=1, out=base)
    (base / "outputs.sha256").write_text("base\n")
    rows = [
        {"item": f"i{n}", "group": f"g{n}", "question": f"What is {n} plus {n}?",
         "answer": str(2 * n), "steps": [f"{n} + {n} = {2 * n}"] * (1 + n % 3)}
        for n in range(9)
    ]  # fmt: skip
    for split in ("train", "dev"):
        (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"base": base, "data": data}


def given(folders: dict[str, Path], **changes: Any) -> dict[str, Any]:
    usual = {"benchmark": "math", "prompt": "baseline", "lora": LORA, "limit": 9, "seed": 42}
    optimisation = OPTIMISATION | changes.pop("optimisation", {})
    return folders | usual | {"optimisation": optimisation} | changes


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.mark.slow
def test_two_take_the_steps_of_one(folders: dict[str, Path], tmp_path: Path) -> None:
    """Without dropout they differ by rounding alone; the last batch of an epoch is of one item."""
    for count in (1, 2):
        train(**given(folders, out=tmp_path / str(count), optimisation={"processes": count}))
    one, two = (read_jsonl(tmp_path / n / "log.jsonl") for n in ("1", "2"))
    assert [row.keys() for row in one] == [row.keys() for row in two]
    for key in ("step", "loss", "grad_norm", "lr"):
        assert np.allclose([r[key] for r in one], [r[key] for r in two], rtol=1e-4), key
    for folder in (".", "epoch-1"):
        name = f"{folder}/adapter_model.safetensors"
        single, both = load_file(tmp_path / "1" / name), load_file(tmp_path / "2" / name)
        assert single.keys() == both.keys()
        for part in single:
            assert np.allclose(single[part], both[part], atol=2e-4), part
    left = {path.name for path in (tmp_path / "2").iterdir()}
    assert left == {*FILES, "timing.json", "epoch-1"}


COMMAND = """
import json, sys
from pathlib import Path
import regen.cli
from regen.training import train
given = json.loads(sys.argv[1])
paths = ("base", "data", "out")
regen.cli.app = lambda arguments, **options: train(
    **{k: Path(v) if k in paths else v for k, v in given.items()})
regen.cli.main()
"""


def begin(arguments: dict[str, Any]) -> subprocess.Popen[str]:
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in arguments.items()}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, json.dumps(plain)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def processes_of(out: Path) -> list[int]:
    """Those that work for `out`, by their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{out}/.processes" in entry.read_text():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_stopped_they_go_on_to_the_same_bytes(
    folders: dict[str, Path], tmp_path: Path, by: signal.Signals
) -> None:
    """With dropout, which each process draws for itself."""
    changes = {"epochs": 30, "keep_epochs": False, "dev_items": 0}
    lora = LORA | {"dropout": 0.2}
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    train(**given(folders, out=whole, lora=lora, optimisation=changes))

    one = begin(given(folders, out=out, lora=lora, optimisation=changes))
    until = time.monotonic() + 120
    while not (out / ".state" / "state.pt").exists():
        assert one.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    one.send_signal(by)
    _, said = one.communicate(timeout=60)
    until = time.monotonic() + 20
    while processes_of(out):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert not (out / "adapter_model.safetensors").exists()
    if by is not signal.SIGKILL:
        assert one.returncode == 130
        assert "interrupted" in said.splitlines()[-1]

    again = begin(given(folders, out=out, lora=lora, optimisation=changes))
    _, said = again.communicate(timeout=120)
    assert (again.returncode, said.count("going on from step")) == (0, 1)
    assert contents(out) == contents(whole)


@pytest.mark.slow
def test_reinforcement_in_two(folders: dict[str, Path], tmp_path: Path) -> None:
    changes = {"batch_size": 8, "save_every": 2}
    for name in ("once", "again"):
        reinforce(
            **given(folders, out=tmp_path / name, optimisation=changes, reinforcement=REINFORCEMENT)
        )
    assert contents(tmp_path / "once") == contents(tmp_path / "again")
    log = read_jsonl(tmp_path / "once" / "log.jsonl")
    assert [row["step"] for row in log] == [1, 2, 3, 4]
    assert {path.name for path in (tmp_path / "once").iterdir()} == {*FILES, "timing.json"}


@pytest.mark.slow
def test_bad_input_is_that_of_one(folders: dict[str, Path], tmp_path: Path) -> None:
    changes = {"learning_rate": 1e30, "max_grad_norm": 1e30}
    with pytest.raises(InputError, match="lower learning_rate"):
        train(**given(folders, out=tmp_path, optimisation=changes))
    assert not (tmp_path / ".processes").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["speech.trainings.lora.optimisation.processes=3"], "3 cannot share batches of"),
        (["math.trainings.sft.optimisation.processes=2"], "make resources.training.gpu 2"),
        (["replies.trainings.set-1.optimisation.processes=2"], "an objective is asked by one"),
    ],
)
def test_the_configuration_must_fit(project: Path, changes: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        check(read([project / "config.yaml"], [f"studies.{change}" for change in changes]))
    assert "\n" not in str(caught.value)


def test_one_gpu_each(project: Path) -> None:
    changes = [
        "studies.speech.trainings.lora.optimisation.processes=2",
        "studies.speech.resources.training={threads: 2, gpu: 2}",
    ]
    chain = Chain(check(read([project / "config.yaml"], changes)))
    job = chain.job("training", study="speech", training="lora", seed="42")
    assert job.params["optimisation"]["processes"] == 2
