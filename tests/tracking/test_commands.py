"""`regen experiments`, as a person types it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from regen.errors import InputError
from regen.tracking import LocalBackend


def test_list_by_status_and_limit(cli: Any, sweep: dict[str, str]) -> None:
    assert len(cli("list", "--json")) == 9
    assert len(cli("list", "--limit", "3", "--json")) == 3
    assert [one["name"] for one in cli("list", "--status", "failed", "--json")] == ["lr0.0001-r32"]
    text = cli("list")
    assert all(name in text for name in sweep)
    assert all(made in text for made in sweep.values())


def test_every_question_has_a_table_and_json(cli: Any, sweep: dict[str, str]) -> None:
    a, b = sweep["lr1e-05-r8"], sweep["lr5e-05-r32"]
    questions: dict[str, list[str]] = {
        "leaderboard": ["--benchmark", "sums", "--metric", "accuracy", "--top", "3"],
        "best": ["--benchmark", "sums"],
        "show": [a],
        "compare": [a, b],
        "significance": [a, b, "--benchmark", "sums", "--method", "bootstrap"],
        "sweep-impact": ["--metric", "accuracy", "--benchmark", "sums"],
        "stats": [],
    }
    for question, arguments in questions.items():
        assert cli(question, *arguments, "--json"), question
        assert len(cli(question, *arguments).splitlines()) > 2, question
    assert cli("best", "--benchmark", "sums", "--json")["scores"]["sums"]["accuracy"] == 0.82
    assert "0.82 *" in cli("compare", a, b)
    assert "better than" in cli("compare", a, b)
    counted = cli("stats", "--json")
    assert counted["by_status"] == {"completed": 8, "failed": 1}
    assert (counted["metric_values"], counted["samples"]) == (160, 800)


def test_an_id_may_be_a_beginning_if_it_is_one_experiments(cli: Any, sweep: dict[str, str]) -> None:
    one = sweep["lr1e-05-r8"]
    assert cli("show", one[:-1], "--json")["id"] == one
    assert cli("show", one[20:27], "--json")["id"] == one
    with pytest.raises(InputError, match="begins several ids"):
        cli("show", "exp_")
    with pytest.raises(InputError, match="there is no experiment 'exp_1999'"):
        cli("show", "exp_1999")


def test_deletion_is_reversible_until_gc_and_leaves_results_alone(
    cli: Any, sweep: dict[str, str]
) -> None:
    kept = Path("results/smoke/speech/checkpoints/lora/seed-42/adapter.bin")
    kept.parent.mkdir(parents=True)
    kept.write_text("weights")
    one = sweep["lr1e-05-r32"]
    with pytest.raises(InputError, match="add --confirm"):
        cli("delete", one)
    assert len(cli("list", "--json")) == 9
    cli("delete", one, "--confirm")
    assert one not in cli("list") and one in cli("list", "--deleted")
    assert one not in cli("leaderboard", "--benchmark", "sums")
    cli("undelete", one)
    assert one in cli("leaderboard", "--benchmark", "sums")
    cli("delete", one, "--confirm")
    assert cli("gc", "--json")["experiments"] == 1
    with pytest.raises(InputError, match="there is no experiment"):
        cli("undelete", one)
    assert len(list(Path("experiments").iterdir())) == 8
    assert kept.read_text() == "weights"


def test_all_failed_ones_go_in_one_line(cli: Any, sweep: dict[str, str]) -> None:
    cli("delete", "--status", "failed", "--confirm")
    assert len(cli("list", "--json")) == 8
    assert cli("list", "--status", "failed", "--json") == []


def test_an_experiment_travels(cli: Any, sweep: dict[str, str], tmp_path: Path) -> None:
    one = sweep["lr1e-05-r8"]
    cli("export", one, "--output", "one.json")
    elsewhere = ["--db", "elsewhere/other.db"]
    assert cli("import", "one.json", *elsewhere, "--json") == {"id": one}
    here = LocalBackend().get_experiment(one)
    there = LocalBackend("elsewhere/other.db").get_experiment(one)
    assert there == here
    assert LocalBackend("elsewhere/other.db").get_evaluation_results(one, "sums") == (
        LocalBackend().get_evaluation_results(one, "sums")
    )
    cli("import", "one.json", *elsewhere)  # again: nothing to do
    content = json.loads(Path("one.json").read_text())
    for wrong in ({"id": "../../escape"}, {"format": "x"}, {"events": [3]}, {"events": []}):
        Path("bad.json").write_text(json.dumps(content | wrong))
        with pytest.raises(InputError, match=r"^bad\.json"):
            cli("import", "bad.json", *elsewhere)
    content["events"][0]["name"] = "another"
    Path("bad.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="is here already and differs"):
        cli("import", "bad.json", *elsewhere)


def test_own_commands_are_run_again_and_compared(cli: Any, workdir: Path) -> None:
    Path("study.py").write_text(
        "import pathlib\n"
        "from regen.tracking import ExperimentConfig, ExperimentTracker\n"
        "tracker = ExperimentTracker()\n"
        "with tracker.experiment(ExperimentConfig(num_steps=3)):\n"
        "    for step in range(3):\n"
        "        tracker.log_metrics({'loss': 1 / (1 + step)}, step)\n"
        "    right = float(pathlib.Path('right').read_text())\n"
        "    tracker.log_evaluation('sums', {'accuracy': right, 'total_time': id(tracker)})\n"
    )
    Path("right").write_text("0.5")
    subprocess.run([sys.executable, "study.py"], check=True)
    (one,) = LocalBackend().get_all_experiments()
    found = cli("reproduce", one["id"], "--json")
    assert found["same"] is True and found["again"] != one["id"]
    again = LocalBackend().get_experiment(found["again"])
    assert again["reproduces"] == one["id"]
    Path("right").write_text("0.25")
    assert "not the same: sums/accuracy" in cli("reproduce", one["id"])


def test_looking_starts_without_torch(sweep: dict[str, str]) -> None:
    code = (
        "import sys\n"
        "from regen.cli import app\n"
        "for words in (['list'], ['leaderboard', '--benchmark', 'sums'], ['stats']):\n"
        "    app(['experiments', *words], standalone_mode=False)\n"
        "import regen.tracking.jobs\n"
        "print([m for m in ('torch', 'wandb', 'mlflow', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
