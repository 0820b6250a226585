"""The command line: it teaches, it starts fast, and a quick try stays out of the paper."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from regen.chain import Chain, results
from regen.config import check, read
from regen.files import read_json

REGEN = [sys.executable, "-c", "from regen.cli import main; main()"]
LIGHT = (
    "regen.config",
    "regen.provenance",
    "regen.scoring",
    "regen.statistics.stage",
    "regen.tables.study",
    "regen.tracking.jobs",
    "regen.cli",
)
COMMANDS = [
    "sources",
    "data",
    "base",
    "train",
    "predict",
    "agreement",
    "score",
    "select",
    "statistics",
    "table",
    "figure",
    "paper",
    "compare",
    "summarize",
    "audit",
    "status",
    "plan",
    "trace",
    "report",
    "dvc",
    "pin",
    "config",
    "experiments",
]


def regen(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*REGEN, *arguments], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = regen(command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout
    assert len(done.stdout.splitlines()) > 5


@pytest.mark.parametrize("module", LIGHT)
def test_what_needs_no_model_does_not_import_torch(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print([m for m in ('torch', 'transformers', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_config_show_is_read_again_as_the_same(project: Path, tmp_path: Path) -> None:
    done = regen("config", "show", cwd=project)
    (tmp_path / "config.yaml").write_text(done.stdout)
    again = check(read([tmp_path / "config.yaml"]))
    assert again == check(read([project / "config.yaml"]))


@pytest.fixture
def toy_stage(project: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's configuration; the statistics stage is a stand-in that writes parameters."""
    (workdir / "config.yaml").write_text((project / "config.yaml").read_text())
    (workdir / "stand_in.py").write_text(
        "import json\n"
        "def statistics(*, out, scores, **parameters):\n"
        "    for name in ('variants', 'comparisons', 'facets', 'metrics', 'common', 'failures'):\n"
        "        (out / f'{name}.json').write_text(json.dumps(parameters))\n"
    )
    monkeypatch.syspath_prepend(str(workdir))
    made = results.statistics_job
    monkeypatch.setattr(
        results,
        "statistics_job",
        lambda home, scores: replace(made(home, ()), function="stand_in:statistics"),
    )
    return workdir


def test_a_quick_try_lands_in_scratch(toy_stage: Path) -> None:
    from regen.cli import app

    app(["statistics", "--study", "speech", "--set", "studies.speech.facets=[kind]",
         "--set", "studies.speech.figures=[]"], standalone_mode=False)  # fmt: skip
    tried = toy_stage / "results/scratch/embedded/speech/statistics"
    assert read_json(tried / "variants.json")["facets"] == ["kind"]
    assert not (toy_stage / "results/embedded").exists()


def test_no_job_of_any_scale_reads_scratch(project: Path) -> None:
    for overlay in (None, *sorted((project / "config").glob("*.yaml"))):
        files = [project / "config.yaml", *([overlay] if overlay else [])]
        for job in Chain(check(read(files))).jobs.values():
            assert "scratch" not in job.out
            assert not any("scratch" in i.path for i in job.all_inputs())


def test_a_run_that_is_not_there_is_one_line(project: Path) -> None:
    done = regen("score", "--study", "speech", "--variant", "base", "--run", "seed-1", cwd=project)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "there is no run 'seed-1'" in done.stderr


def test_the_schema_is_yaml_and_json_alike(project: Path) -> None:
    printed = regen("config", "schema", cwd=project).stdout
    assert yaml.safe_load(printed) == read_json(project / "config/schema.json")
