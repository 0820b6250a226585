"""Training: the same bytes again, also after a kill; what is trained, and on which tokens."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from toy import write_data

from regen.errors import InputError
from regen.files import read_json, read_jsonl
from regen.training import batch_of_step, train

LORA = {"r": 4, "alpha": 8, "dropout": 0.1, "targets": "attention"}
OPTIMISATION = {
    "epochs": 2,
    "max_steps": None,
    "batch_size": 8,
    "learning_rate": 3e-3,
    "warmup_fraction": 0.1,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "save_every": 3,
    "group_by_length": False,
    "keep_epochs": False,
}
FILES = ("adapter_model.safetensors", "adapter_config.json", "log.jsonl", "summary.json")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("toy") / "data")


@pytest.fixture(scope="module")
def base(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from regen.models.tiny_audio import tiny_audio

    out = tmp_path_factory.mktemp("base")
    course = {"steps": 2, "batch_size": 8}
    tiny_audio(data=data, benchmark="toy", architecture={}, pretraining=course, seed=1, out=out)
    (out / "outputs.sha256").write_text("base\n")
    return out


def run(base: Path, data: Path, out: Path, **changes) -> dict[str, bytes]:
    out.mkdir(exist_ok=True)
    given = {
        "benchmark": "toy",
        "prompt": "baseline",
        "lora": LORA,
        "optimisation": OPTIMISATION,
        "limit": 40,
        "seed": 42,
    }
    train(base=base, data=data, out=out, **(given | changes))
    return contents(out)


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def trained(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    run(base, data, out)
    return out


def test_a_second_run_gives_the_same_bytes(base: Path, data: Path, trained: Path, tmp_path: Path):
    assert run(base, data, tmp_path / "again") == contents(trained)


def test_another_seed_gives_another_adapter(base: Path, data: Path, trained: Path, tmp_path: Path):
    other = run(base, data, tmp_path / "other", seed=123)
    assert other["adapter_model.safetensors"] != contents(trained)["adapter_model.safetensors"]


def test_the_outputs_hold_no_paths_and_no_times(base: Path, trained: Path) -> None:
    assert sorted(p.name for p in trained.iterdir()) == sorted([*FILES, "timing.json"])
    config = read_json(trained / "adapter_config.json")
    assert config["base_model_name_or_path"].startswith("sha256:")
    for content in contents(trained).values():
        assert str(base.parent).encode() not in content
    rows = read_jsonl(trained / "log.jsonl")
    assert [row["step"] for row in rows] == list(range(1, 11))
    assert set(rows[0]) == {"step", "loss", "grad_norm", "lr"}


def test_the_summary_counts_what_is_trained(base: Path, data: Path, trained: Path, tmp_path: Path):
    from safetensors import safe_open

    def numbers(folder: Path) -> tuple[int, set[str]]:
        with safe_open(folder / "adapter_model.safetensors", "np") as file:
            names = list(file.keys())
            return sum(file.get_tensor(n).size for n in names), set(names)

    both = tmp_path / "both"
    run(base, data, both, lora=LORA | {"targets": "attention+mlp"})
    for folder, kinds in ((trained, 4), (both, 7)):
        count, names = numbers(folder)
        summary = read_json(folder / "summary.json")
        assert summary["trainable"] == count
        assert summary["percent"] == pytest.approx(100 * count / summary["all"])
        assert len(summary["target_modules"]) == kinds
        # 2 layers, an A and a B each; the audio encoder has projections of the same names
        assert len(names) == 2 * 2 * kinds
        assert all("language_model" in name for name in names)


def test_training_lowers_the_loss_and_peft_loads_what_it_wrote(
    base: Path, data: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel

    from regen.benchmarks.registry import get_benchmark
    from regen.models.loading import load

    out = tmp_path / "longer"
    longer = OPTIMISATION | {"epochs": 8, "learning_rate": 2e-2}
    run(base, data, out, optimisation=longer, lora=LORA | {"dropout": 0.0})
    rows = read_jsonl(out / "log.jsonl")
    assert np.mean([r["loss"] for r in rows[-5:]]) < 0.7 * rows[0]["loss"]
    task = get_benchmark("toy")
    item = task.load_dataset(data, "train", 1)[0]
    prompt = task.prompt(item, task.template("baseline"))
    plain, adapted, by_peft = load(base), load(base, out), load(base)
    assert not isinstance(adapted.network, PeftModel)  # its matrices are in the weights
    by_peft.network = PeftModel.from_pretrained(by_peft.network, str(out))
    before, after, beside = (
        m.score_options([prompt], task.options) for m in (plain, adapted, by_peft)
    )
    assert after.max() > before.max() + 0.5
    np.testing.assert_allclose(after, beside, atol=1e-5)
    with torch.no_grad(), by_peft.network.disable_adapter():
        off = by_peft.score_options([prompt], task.options)
    np.testing.assert_allclose(off, before, atol=1e-5)


def test_only_the_answer_is_learned(base: Path, data: Path) -> None:
    """The loss is the mean over the answers' own tokens, from the full logits of single rows."""
    import torch

    from regen.benchmarks.registry import get_benchmark
    from regen.models.loading import load
    from regen.training import answer_loss

    task, model = get_benchmark("toy"), load(base)
    items = task.load_dataset(data, "train", 5)
    rows = [model.encode(task.prompt(i, "TONE?" * (n + 1))) for n, i in enumerate(items)]
    said = ("a", "a longer answer", "TONE", "NOISE, I think", "")
    answers = [[*model.answer_ids(answer), model.end_ids[0]] for answer in said]
    assert len({len(answer) for answer in answers}) > 2
    losses = []
    for row, answer in zip(rows, answers, strict=True):
        with torch.no_grad():
            output = model.network(
                input_ids=torch.tensor([[*row.ids, *answer]]),
                attention_mask=torch.ones(1, len(row.ids) + len(answer), dtype=torch.long),
                **row.extra,
            )
        found = output.logits[0].log_softmax(-1)
        losses += [-float(found[len(row.ids) + n - 1, t]) for n, t in enumerate(answer)]
    with torch.no_grad():
        loss = answer_loss(model, rows, answers)
    assert float(loss) == pytest.approx(np.mean(losses), abs=1e-5)


def test_every_epoch_takes_every_item_once_in_a_new_order() -> None:
    epochs = [[i for s in range(3) for i in batch_of_step(3 * e + s, 20, 8, 42)] for e in range(2)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert batch_of_step(4, 20, 8, 42) != batch_of_step(4, 20, 8, 43)
    assert len(batch_of_step(2, 20, 8, 42)) == 4


def test_items_of_a_length_share_a_step_and_every_one_comes_once() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 50).tolist()
    for epoch in range(2):
        steps = [batch_of_step(7 * epoch + s, 50, 8, 42, lengths) for s in range(7)]
        assert sorted(i for step in steps for i in step) == list(range(50))
        spread = [max(lengths[i] for i in s) - min(lengths[i] for i in s) for s in steps]
        assert max(spread) < 40  # by chance a step of eight spreads over about 77
        means = [np.mean([lengths[i] for i in step]) for step in steps]
        assert means != sorted(means) and means != sorted(means, reverse=True)


def test_the_adapter_of_each_epoch_is_that_of_a_training_that_ends_there(
    base: Path, data: Path, tmp_path: Path
) -> None:
    """With the same schedule: it is what the epochs share, so they are cut from one training."""
    kept = OPTIMISATION | {"epochs": 3, "keep_epochs": True, "group_by_length": True}
    run(base, data, tmp_path / "kept", optimisation=kept)
    short = kept | {"keep_epochs": False}
    last = run(base, data, tmp_path / "short", optimisation=short)
    assert contents(tmp_path / "kept") == last
    epochs = [tmp_path / "kept" / f"epoch-{n}" for n in (1, 2)]
    assert not (tmp_path / "kept" / "epoch-3").exists()
    weights = [(e / "adapter_model.safetensors").read_bytes() for e in epochs]
    assert len({*weights, last["adapter_model.safetensors"]}) == 3
    assert all((e / "adapter_config.json").exists() for e in epochs)


CHILD = """
import json, sys
from pathlib import Path
import toy
from regen.cli import main
import regen.cli
from regen.training import train
given = json.loads(sys.argv[1])
def stage():
    train(**{k: Path(v) if k in ("base", "data", "out") else v for k, v in given.items()})
regen.cli.app = lambda arguments, **options: stage()
main()
"""


def start(base: Path, data: Path, out: Path) -> subprocess.Popen:
    """The same training in a process of its own, with a state after every step."""
    out.mkdir(exist_ok=True)
    given = {
        "base": str(base),
        "data": str(data),
        "out": str(out),
        "benchmark": "toy",
        "prompt": "baseline",
        "lora": LORA,
        "optimisation": OPTIMISATION | {"epochs": 20, "save_every": 7},
        "limit": 40,
        "seed": 42,
    }
    paths = [str(Path(__file__).parent), *sys.path]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, json.dumps(given)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )


def interrupt(base: Path, data: Path, out: Path, number: signal.Signals) -> tuple[int, str]:
    """Start, wait for the first state, send the signal; returns status and what stderr says."""
    process = start(base, data, out)
    deadline = time.monotonic() + 120
    while not (out / ".state" / "state.pt").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.slow
def test_a_killed_training_ends_in_the_same_bytes(base: Path, data: Path, tmp_path: Path) -> None:
    whole = start(base, data, tmp_path / "whole")
    assert whole.communicate(timeout=120) and whole.returncode == 0
    out = tmp_path / "killed"
    assert interrupt(base, data, out, signal.SIGKILL)[0] == -signal.SIGKILL
    assert not (out / "adapter_model.safetensors").exists()
    again = start(base, data, out)
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0
    assert "going on from step" in said
    assert contents(out) == contents(tmp_path / "whole")
    assert not (out / ".state").exists()
    assert read_json(out / "timing.json")["resumed_at"] % 7 == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_one_line_and_goes_on_where_it_was(
    base: Path, data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    status, said = interrupt(base, data, tmp_path, number)
    assert status == 130
    last = said.partition("trainable%")[2].strip().splitlines()[1:]  # after what is trained
    assert len(last) == 1 and "interrupted" in last[0], said


def test_a_state_of_other_work_is_not_gone_on_from(
    base: Path, data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    state = tmp_path / ".state" / "state.pt"
    state.parent.mkdir()
    torch.save({"task": "something else", "step": 5}, state)
    assert run(base, data, tmp_path) == contents(trained)
    assert "state of other work" in capsys.readouterr().err


def test_a_damaged_state_is_not_gone_on_from(
    base: Path, data: Path, trained: Path, tmp_path: Path
) -> None:
    state = tmp_path / ".state" / "state.pt"
    state.parent.mkdir()
    state.write_bytes(b"PK not a state")
    assert run(base, data, tmp_path) == contents(trained)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": "basline"}, "no prompt 'basline'"),
        ({"lora": LORA | {"targets": "everything"}}, "'everything' is none of"),
        ({"limit": 41}, "41 items are asked for"),
    ],
)
def test_bad_input_is_one_line(base: Path, data: Path, tmp_path: Path, changes, reason: str):
    with pytest.raises(InputError, match=reason) as error:
        run(base, data, tmp_path, **changes)
    assert "\n" not in str(error.value)


def test_a_loss_that_is_no_number_ends_the_training(base: Path, data: Path, tmp_path: Path) -> None:
    wild = OPTIMISATION | {"learning_rate": 1e20, "max_grad_norm": 1e30, "warmup_fraction": 0.0}
    with pytest.raises(InputError, match="lower learning_rate"):
        run(base, data, tmp_path, optimisation=wild)
    assert not (tmp_path / "adapter_model.safetensors").exists()
