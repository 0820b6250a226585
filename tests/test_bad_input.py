"""Bad input, as a user meets it: one clear line, a non-zero exit, before any training."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from regen.config import read

BIN = Path(sys.executable).parent
SETUP = ("Snakefile", "rules", "profiles", "config", "config.yaml", "paper", "data/sources.txt")


@pytest.fixture
def place(project: Path, tmp_path: Path) -> Path:
    """A folder with the project's configuration and rules, and nothing computed."""
    for name in SETUP:
        source, target = project / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    merged = read([project / "config.yaml", project / "config" / "smoke.yaml"])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    return tmp_path


def sh(place: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **environment}
    return subprocess.run(command, shell=True, cwd=place, env=env, text=True, capture_output=True)


def the_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what is wrong."""
    assert done.returncode != 0, done.stdout
    errors = [x for x in done.stderr.splitlines() if x.strip() and not x.startswith("Using workfl")]
    assert len(errors) == 1, done.stderr
    return errors[0]


TRAIN = "regen train --study speech --training lora"
PREDICT = "regen predict --run seed-42"
NOPE = "results/smoke/speech/predictions/nope/base/test/manifest.json"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"{TRAIN} --seed 7", ["no seed '7'", "42"]),
        (f"{TRAIN} --seed x", ["--seed", "integer"]),
        ("regen train --study speech --seed 42", ["Missing option '--training'"]),
        (f"{PREDICT} --study speech --variant lorra", ["no variant 'lorra'", "'lora'"]),
        (f"{PREDICT} --study speach --variant lora", ["'speach'", "'speech'"]),
        ("regen config check --set studies.speech.seeds=[forty]", ["seeds", "'forty'"]),
        ("regen config check --set studies.speech.basse=x", ["basse", "did you mean 'base'"]),
        ("regen config check --configfile nothing.yaml", ["nothing.yaml", "cannot be read"]),
        ("snakemake --logger regen --config scal=smoke", ["scal", "did you mean 'scale'"]),
        ("regen config check --set studies={}", ["studies: {}", "studies.speech", "null"]),
        ("regen config check --set studies.qa.items={}", ["studies.qa.items: {}", "leave it out"]),
        ("regen config check --set studies=null", ["studies: there are none"]),
        ("regen config check --configfile empty.yaml", ["empty.yaml", "studies: {}", "null"]),
        ("regen config check --configfile none.yaml", ["studies: there are none"]),
        ("snakemake --logger regen --config studies={}", ["studies: {}", "null"]),
        ("snakemake -n --logger regen --configfile empty.yaml", ["studies: {}", "null"]),
        ("snakemake paper --logger regen --configfile none.yaml", ["studies: there are none"]),
        ("regen config check --configfile twice.yaml", ["twice.yaml: line 2: studies", "second"]),
        ("snakemake --logger regen --configfile twice.yaml", ["twice.yaml: line 2: studies"]),
        ("regen config check --set studies.spech=null", ["studies.spech: null", "'speech'"]),
        (
            "snakemake -n --logger regen --configfile null.yaml",
            ["null.yaml: studies.spech", "'speech'"],
        ),
        (f"snakemake {NOPE} --logger regen", ["no variant 'nope'"]),
        ("regen score --study speech --variant base", ["predictions/base", "snakemake"]),
    ],
)
def test_a_wrong_name_is_one_line(place: Path, command: str, words: list[str]) -> None:
    studies = yaml.safe_load((place / "config.yaml").read_text())["studies"]
    (place / "empty.yaml").write_text("studies: {}")
    (place / "null.yaml").write_text("studies: {spech: null}")
    (place / "twice.yaml").write_text("studies: {qa: {seeds: [1]}}\nstudies: {code: {seeds: [1]}}")
    (place / "none.yaml").write_text(yaml.safe_dump({"studies": dict.fromkeys(studies)}))
    line = the_line(sh(place, command))
    assert all(word in line for word in words), line
    assert not (place / "models").exists(), "something was computed"


@pytest.fixture(scope="session")
def smoke_data(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the smoke data set built."""
    folder = tmp_path_factory.mktemp("bad")
    for name in SETUP:
        source, target = project / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    merged = read([project / "config.yaml", project / "config" / "smoke.yaml"])
    (folder / "config.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    fetched = project / "data/sources/speech-smoke"
    if (fetched / "manifest.json").exists():
        shutil.copytree(fetched, folder / "data/sources/speech-smoke")
    done = sh(folder, "snakemake data")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def with_data(smoke_data: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-a", f"{smoke_data}/.", tmp_path], check=True)
    return tmp_path


def test_a_truncated_data_file_is_refused_before_training(with_data: Path) -> None:
    path = with_data / "data/speech-smoke/train.jsonl"
    path.write_text(path.read_text()[:-30])
    line = the_line(sh(with_data, "regen base --model tiny-audio-smoke"))
    assert "train.jsonl: is truncated or was edited" in line


def test_the_workflow_makes_an_edited_data_file_good(with_data: Path) -> None:
    path = with_data / "data/speech-smoke/train.jsonl"
    before = path.read_bytes()
    path.write_text(path.read_text()[:-30])
    done = sh(with_data, "snakemake data")
    assert "edited by hand: train.jsonl" in done.stderr
    assert path.read_bytes() == before
    assert len(list((with_data / ".regen/edited/data/speech-smoke").iterdir())) == 1


def test_a_clip_that_is_not_audio_is_named(with_data: Path) -> None:
    clip = next((with_data / "data/speech-smoke/clips").iterdir())
    clip.write_text("not audio")
    line = the_line(sh(with_data, "regen base --model tiny-audio-smoke"))
    assert clip.name in line


def test_a_lost_clip_is_made_again(with_data: Path) -> None:
    clip = next((with_data / "data/speech-smoke/clips").iterdir())
    before = clip.read_bytes()
    clip.unlink()
    assert sh(with_data, "snakemake data").returncode == 0
    assert clip.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_full_disk_is_one_line_and_leaves_no_manifest(with_data: Path) -> None:
    folder = with_data / "data/speech-smoke"
    shutil.rmtree(folder)
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder])
    if mounted.returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        done = sh(with_data, "regen data --dataset speech-smoke")
        assert done.returncode == 2
        line = done.stderr.strip().splitlines()[-1]
        assert line.startswith("error: data/speech-smoke: No space left on device")
        assert not (folder / "manifest.json").exists()
    finally:
        subprocess.run(["umount", folder], check=True)
    assert sh(with_data, "regen data --dataset speech-smoke").returncode == 0
