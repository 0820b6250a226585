"""config/small.yaml end to end where it is its own: the studies that read text, in four bits.

A tiny language model stands for SmolLM2; an overlay makes data and steps small.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from copies import copy_project, copy_sources
from tiny import tiny

from regen.config import check, read
from regen.files import read_json

pytestmark = pytest.mark.slow

TEXT = ("qa", "decisions", "retention", "traits", "replies", "code", "math")


@pytest.fixture(scope="module")
def home(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which these studies' tables and figures are made."""
    folder = copy_project(project, tmp_path_factory.mktemp("small") / "project")
    copy_sources(project, folder)
    config = check(read([project / "config.yaml", project / "config" / "small.yaml"]))
    overlay = tiny(config)
    overlay["models"] |= {
        "tiny": {"builder": "tiny_text", "architecture": {"width": 64}},
        "smollm2-4bit": {"of": "tiny"},
        "smollm2": None,
    }
    overlay["datasets"]["speech"] = overlay["models"]["tiny-audio"] = None
    overlay["studies"]["speech"] = None
    for variant in ("base", "whole-constrained"):
        overlay["studies"]["traits"].setdefault("variants", {})[variant] = {"base": "tiny"}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    snakemake(folder, "tables", "figures")
    return folder


def snakemake(home: Path, *arguments: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(home / "src")}
    overlays = ["--configfile", "config/small.yaml", "tiny.yaml"]
    done = subprocess.run(
        ["snakemake", *arguments, "--cores", "2", "--resources", "gpu=1", *overlays],
        cwd=home,
        env=environment | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def test_every_variant_is_a_row_of_its_study(project: Path, home: Path) -> None:
    config = check(read([project / "config.yaml", project / "config" / "small.yaml"]))
    assert set(config.studies) == {*TEXT, "speech"}
    for name in TEXT:
        variants = config.studies[name].variants
        rows = read_json(home / "results/tiny" / name / "tables" / "comparison.json")["rows"]
        assert {row["name"] for row in rows} == {key for key in variants if variants[key].table}


def test_every_adapter_is_trained_on_four_bits(home: Path) -> None:
    held = {
        (file.parts[-5], file.parts[-3]): read_json(file)["quantisation"]
        for file in home.glob("results/tiny/*/checkpoints/*/seed-42/summary.json")
    }
    assert set(held.values()) == {"nf4"}
    assert {study for study, _ in held} == {"qa", "traits", "replies", "math"}


def test_a_second_run_has_nothing_to_do(home: Path) -> None:
    assert "Nothing to be done" in snakemake(home, "tables", "figures", "-n")
