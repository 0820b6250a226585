"""Staleness by content on the smoke paper, with real Snakemake and DVC, in temporary clones.

The project is cloned once, its smoke scale made the default, and its paper built once; each test
copies that folder. Dry runs say what would run (the plan).
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from copies import copy_project

from regen.chain import Chain, across
from regen.chain.results import TABLES
from regen.config import check, read
from regen.digests import Digests
from regen.files import read_json
from regen.trace import trace_cell, trace_number

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
EARLY = {"fetch_sources", "build_data", "build_model"}
LATER = {"train", "optimise_prompt", "predict", "score", "select", "agree", "calibrate"}
LATER |= {"find_thresholds", "analyze"}
END = {"tabulate", "plot", "compile_paper"}


@dataclass(frozen=True)
class Clone:
    """A clone of the project in a folder of its own."""

    path: Path

    @property
    def environment(self) -> dict[str, str]:
        """The clone's own package comes first, whichever is installed."""
        path, source = f"{BIN}:{os.environ['PATH']}", str(self.path / "src")
        kept = {k: v for k, v in os.environ.items() if k != "DVC_STAGE"}
        return {**kept, "PATH": path, "PYTHONPATH": source}

    def sh(self, command: str, check: bool = True) -> str:
        """Run a command line in the clone; its output, both streams."""
        done = subprocess.run(
            command, shell=True, cwd=self.path, env=self.environment, text=True, capture_output=True
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def plan(self) -> tuple[set[str], set[str]]:
        """(rules that `snakemake` would run, stages that are stale by themselves)."""
        output = self.sh("snakemake -n")
        rules = set(re.findall(r"^(?:local)?rule (\w+):", output, re.M)) - {"paper"}
        states = json.loads(self.sh("regen status --json"))
        stale = {
            s["stage"] for s in states if s["state"] not in ("fresh", "fresh, not here", "waits")
        }
        return rules, stale

    def edit(self, file: str, old: str, new: str) -> None:
        """Change a text and date the file back, so that no time gives the change away."""
        path = self.path / file
        text = path.read_text()
        assert old in text, (file, old)
        path.unlink()
        path.write_text(text.replace(old, new, 1))
        os.utime(path, (10**9, 10**9))

    def bytes_of(self, pattern: str) -> dict[str, bytes]:
        """{file: bytes} of what identity is asked for."""
        measured = {"run.json", "timing.json", ".experiment"}
        files = (p for p in self.path.glob(pattern) if p.is_file() and p.name not in measured)
        return {str(p.relative_to(self.path)): p.read_bytes() for p in files}


def build(project: Path, root: Path, *studies: str, target: str = "paper") -> Clone:
    """The smoke paper, of some studies, built in a clone, committed to git and to a DVC remote."""
    clone = Clone(root / "project")
    copy_project(project, clone.path)
    merged = read([project / "config.yaml", project / "config" / "smoke.yaml"])
    merged["studies"] = {name: merged["studies"][name] for name in studies}
    used = {one["dataset"] for one in merged["studies"].values()}
    merged["datasets"] = {name: one for name, one in merged["datasets"].items() if name in used}
    named = json.dumps(merged["studies"])
    merged["models"] = {name: m for name, m in merged["models"].items() if f'"{name}"' in named}
    (clone.path / "config.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    for dataset in merged["datasets"]:
        sources = project / "data" / "sources" / dataset
        if (sources / "manifest.json").exists():  # fetched already: spare the registry
            shutil.copytree(sources, clone.path / "data" / "sources" / dataset)
    (clone.path / "dvc.lock").unlink(missing_ok=True)
    ignore = clone.path / ".gitignore"
    kept = [line for line in ignore.read_text().splitlines() if "smoke" not in line]
    ignore.write_text("\n".join(kept) + "\n")
    clone.sh("git init -q -b main && git config user.name t && git config user.email t@t.invalid")
    clone.sh("regen dvc && git add -A && git commit -qm start")
    clone.sh(f"snakemake {target}")
    clone.sh(f"dvc remote add -q -d elsewhere {root / 'remote'}")
    clone.sh("git add -A && git commit -qm built")
    return clone


@pytest.fixture(scope="session")
def built(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return build(project, tmp_path_factory.mktemp("smoke"), "speech")


@pytest.fixture
def clone(built: Clone, tmp_path: Path) -> Clone:
    """A copy of the built project, to be spoiled."""
    subprocess.run(["cp", "-a", built.path, tmp_path / "project"], check=True)
    return Clone(tmp_path / "project")


def forget(clone: Clone) -> None:
    """What a fresh clone lacks."""
    shutil.rmtree(clone.path / ".snakemake")
    shutil.rmtree(clone.path / ".regen")


def test_settled_after_a_run(clone: Clone) -> None:
    assert clone.plan() == (set(), set())
    assert "fresh" in clone.sh("regen status")
    assert json.loads(clone.sh("dvc status --json")) == {}


@pytest.mark.parametrize("remembers", [True, False])
def test_p1_touch_runs_nothing(clone: Clone, remembers: bool) -> None:
    if not remembers:
        forget(clone)
    clone.sh(
        "find data models results src paper rules config.yaml Snakefile -type f -exec touch {} +"
    )
    assert clone.plan() == (set(), set())


def test_p2_dvc_checkout_runs_nothing(clone: Clone) -> None:
    clone.sh(
        "rm data/speech-smoke/*.jsonl results/smoke/speech/predictions/lora/seed-42/test/*.jsonl"
    )
    clone.sh("dvc checkout -q")
    assert clone.plan() == (set(), set())


def test_p3_a_fresh_clone_with_everything_pulled_runs_nothing(built: Clone, tmp_path: Path) -> None:
    built.sh("dvc push -q")
    fresh = Clone(tmp_path / "fresh")
    built.sh(f"git clone -q . {fresh.path}")
    # The remote that others push to leaves data and weights out; here they come from the cache.
    fresh.sh(f"dvc cache dir --local {built.path / '.dvc/cache'} && dvc checkout -q")
    assert fresh.plan() == (set(), set())


PREDICTIONS_ON = {"simulate", "analyze", "tabulate_appendix", *END}


def test_p3_with_what_is_recorded_statistics_and_later_run(built: Clone, tmp_path: Path) -> None:
    fresh = Clone(tmp_path / "fresh")
    built.sh("dvc push -q")
    built.sh(f"git clone -q . {fresh.path}")
    assert fresh.sh("dvc pull -q --allow-missing") == ""
    rules, _ = fresh.plan()
    assert rules == PREDICTIONS_ON - {"simulate"}
    fresh.sh("snakemake paper")
    pattern = "results/smoke/speech/statistics/*"
    assert fresh.bytes_of(pattern) == built.bytes_of(pattern)
    assert fresh.bytes_of("results/smoke/paper/main.pdf") == built.bytes_of(
        "results/smoke/paper/main.pdf"
    )


def test_p3_data_made_again_for_one_reader_run_nothing_else(built: Clone, tmp_path: Path) -> None:
    """The thresholds read the clips, which were not pulled; no answer is given again for that."""
    fresh = Clone(tmp_path / "fresh")
    built.sh("dvc push -q")
    built.sh(f"git clone -q . {fresh.path}")
    fresh.sh("dvc pull -q prediction-speech scoring-speech")
    early = {"fetch_sources", "build_data", "find_thresholds", "agree", "calibrate"}
    assert fresh.plan()[0] == PREDICTIONS_ON | early
    planned = json.loads(fresh.sh("regen plan --json"))
    assert len(planned) == len(re.findall(r"^rule (?!paper:)", fresh.sh("snakemake -n"), re.M))
    shutil.copytree(
        built.path / "data/sources/speech", fresh.path / "data/sources/speech", dirs_exist_ok=True
    )
    said = fresh.sh("snakemake thresholds_speech")
    assert "is not what was recorded" not in said
    assert fresh.sh("git status --short") == ""


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize(
    ("file", "old", "new", "roots", "rules"),
    [
        ("config.yaml", "seed: 7", "seed: 8", {"data"}, EARLY - {"fetch_sources"} | LATER | END),
        ("src/regen/prediction.py", "\n\n\ndef ", "\n\n\nCHANGED = 1\n\n\ndef ",
         {"prediction", "prompts"}, LATER | END),
        ("src/regen/scoring.py", "\n\n\ndef ", "\n\n\nCHANGED = 1\n\n\ndef ",
         {"scoring", "prompts"}, LATER - {"agree"} | END),
        ("config.yaml", "method: LoRA + MLP", "method: LoRA and MLP", 
         {"tables", "figures", "paper"}, END),
        ("paper/main.tex", "\\begin{document}", "% x\n\\begin{document}", {"paper"},
         {"compile_paper"}),
    ],
)  # fmt: skip
def test_p4_one_change_runs_what_depends_on_it(
    clone: Clone, file: str, old: str, new: str, roots: set[str], rules: set[str], remembers: bool
) -> None:
    if not remembers:
        forget(clone)
    clone.edit(file, old, new)
    planned, stale = clone.plan()
    assert stale == roots
    assert planned == rules


def test_p4_a_comment_runs_nothing(clone: Clone) -> None:
    clone.edit("src/regen/prediction.py", "\n\n\ndef ", "\n\n\n# said better\ndef ")
    assert clone.plan() == (set(), set())


def test_p4_a_hand_edit_is_made_good_and_kept_aside(built: Clone, clone: Clone) -> None:
    file = "results/smoke/speech/predictions/lora/seed-42/test/predictions.jsonl"
    clone.edit(file, '"prediction": "', '"prediction": "x')
    _, stale = clone.plan()
    assert stale == {"prediction"}
    output = clone.sh("snakemake paper")
    assert f"{Path(file).parent}: edited by hand" in output
    assert list((clone.path / ".regen/edited" / Path(file).parent).iterdir())
    assert clone.bytes_of("results/smoke/**/*") == built.bytes_of("results/smoke/**/*")
    assert clone.plan() == (set(), set())


@pytest.mark.parametrize("finished", [1, 2])
def test_p5_killed_in_the_middle_nothing_stale_is_unnoticed(
    built: Clone, clone: Clone, finished: int
) -> None:
    shutil.rmtree(clone.path / "results/smoke/speech/checkpoints")
    shutil.rmtree(clone.path / "results/smoke/speech/predictions/lora")
    process = subprocess.Popen(
        [BIN / "snakemake", "paper"],
        cwd=clone.path,
        env=clone.environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    training = clone.path / "results/smoke/speech/checkpoints"
    deadline = time.monotonic() + 120
    made: list[Path] = []
    while len(made) < finished and time.monotonic() < deadline:
        time.sleep(0.02)
        made = list(training.glob("*/*/manifest.json"))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    clone.sh("snakemake paper")
    assert clone.bytes_of("results/smoke/**/*") == built.bytes_of("results/smoke/**/*")
    assert clone.plan() == (set(), set())


def test_p6_an_identical_output_stops_there(built: Clone, clone: Clone) -> None:
    clone.edit("src/regen/prediction.py", "\n\n\ndef ", "\n\n\nCHANGED = 1\n\n\ndef ")
    later = "results/smoke/speech/statistics/run.json"
    before = (clone.path / later).read_bytes()
    clone.sh("snakemake paper")
    assert (clone.path / later).read_bytes() == before, (
        "statistics ran although scores are the same"
    )
    assert clone.plan() == (set(), set())


def test_every_number_of_every_study_can_be_traced(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = {"speech": 16, "qa": 10, "retention": 12, "traits": 12, "replies": 10, "code": 8}
    items |= {"decisions": 10, "math": 12}
    everything = build(project, tmp_path, *items)
    assert "than the page" not in (everything.path / "logs/smoke/paper.log").read_text()
    monkeypatch.chdir(everything.path)
    chain, digests = Chain(check(read([Path("config.yaml")]))), Digests()
    traced = 0
    every = [f"{study}/{name}" for study in items for name in TABLES]
    every += [f"across/{name}" for name in across.TABLES]
    for name in every:
        study, _, file = name.partition("/")
        table = read_json(Path(f"results/smoke/{study}/tables/{file}.json"))
        for row in table["rows"][:1]:  # of all of them it would take a quarter of an hour
            for column, cell in zip(table["columns"], row["cells"], strict=True):
                if not cell["sources"]:
                    continue
                found = trace_cell(chain, name, row["name"], column["name"], digests)
                assert [v.value for v in found.values] == cell["values"]
                stages = {link.stage for link in found.links}
                needed = {"appendix"}
                if study in items:
                    data = chain.config.datasets[chain.config.studies[study].dataset]
                    needed = {"data", "sources"} if data.sources else {"data"}
                assert needed <= stages
                assert {link.state for link in found.links} == {"fresh"}
                if "statistics" in stages:
                    assert len(found.items) == items[study]
                traced += 1
    assert traced > 50
    found = trace_number(chain, "speech/lora/accuracy/mean", digests)
    assert found.text == read_json(Path("results/smoke/paper/numbers.json"))[found.what]["text"]


def test_p7_dvc_agrees(clone: Clone) -> None:
    clone.edit("config.yaml", "method: LoRA + MLP", "method: LoRA and MLP")
    changed = set(json.loads(clone.sh("dvc status --json")))
    assert {"tables-speech", "figures-speech"} <= changed
    clone.sh("dvc repro -q")
    assert clone.plan() == (set(), set())
    assert json.loads(clone.sh("dvc status --json")) == {}


def test_p8_a_rebuilt_image_is_a_changed_input(clone: Clone) -> None:
    """For Snakemake and DVC alike, where the configuration is strict."""
    one, two = (f"sha256:{digit * 64}" for digit in "12")
    old, strict = "docker://regen:cuda", f"docker://regen@{one}\nstrict_environment: true"
    clone.edit("config.yaml", f"container: {old}", f"container: {strict}")
    clone.sh("regen dvc")
    assert clone.plan()[1] == {"models", "training", "prompts", "prediction"}
    said = clone.sh("snakemake base_models", check=False)
    assert f"strict_environment wants {one}, and this runs in no image" in said
    clone.sh(f"REGEN_IMAGE={one} snakemake base_models")
    assert "Nothing to be done" in clone.sh("snakemake -n base_models")
    assert json.loads(clone.sh("dvc status --json models-tiny-audio-smoke")) == {}

    clone.edit("config.yaml", one, two)
    assert "build_model" in clone.sh("snakemake -n base_models")
    assert f"image changed: {one} -> {two}" in clone.sh("regen status")
    assert "models-tiny-audio-smoke" in json.loads(clone.sh("dvc status --json"))
    clone.sh(f"REGEN_IMAGE={two} dvc repro -q models-tiny-audio-smoke")
    assert "Nothing to be done" in clone.sh("snakemake -n base_models")
    assert json.loads(clone.sh("dvc status --json models-tiny-audio-smoke")) == {}


@pytest.mark.slow
def test_what_cannot_be_judged_is_not_taken_for_fresh(clone: Clone) -> None:
    """Snakemake uses the file that is there when a rule's input function raises."""
    clone.sh("regen status --check")
    module = clone.path / "src" / "regen" / "selection.py"
    module.write_text(module.read_text() + "def (\n")
    said = clone.sh("snakemake", check=False)
    assert "selection.py" in said and "is not Python" in said
    assert "up to date" not in said
    planned = re.findall(r"^rule (\w+):", clone.sh("snakemake -n"), re.M)
    assert {"select", "compile_paper"} <= set(planned)
