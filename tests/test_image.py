"""The image of the environment: from the one lock, known by its digest, and what counts for it.

tests/image/test_in_image.py builds it for real and runs a study in it.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from regen.bundle import given_files
from regen.chain import RUN_A_MODEL, Chain
from regen.cli.making import quick_try
from regen.config import check, read
from regen.digests import Digests
from regen.errors import InputError
from regen.files import read_json, sha256
from regen.image import VARIABLE, identity
from regen.machine import environment
from regen.provenance import Job, run, why_stale
from regen.versioning import describe, stages_of

BIN = Path(sys.executable).parent
ONE, TWO = (f"docker://registry.invalid/regen@sha256:{digit * 64}" for digit in "12")
FIRST = f"sha256:{'1' * 64}"


# What the image is built from


def lines_of(file: Path) -> list[str]:
    """A definition's instructions, continued lines joined, without comments."""
    kept = "\n".join(li for li in file.read_text().splitlines() if not li.lstrip().startswith("#"))
    return [" ".join(li.split()) for li in kept.replace("\\\n", " ").splitlines() if li.strip()]


def test_the_context_is_what_is_copied_and_no_more(project: Path) -> None:
    copied: set[str] = set()
    for line in lines_of(project / "envs" / "Containerfile"):
        if line.startswith("COPY "):
            copied |= set(line.split()[1:-1])
    ignored = (project / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.split()

    def sent(name: str) -> bool:
        found = True
        for rule in rules:
            if fnmatch.fnmatch(name, rule.removeprefix("!")):
                found = rule.startswith("!")
        return found

    assert {name for name in [*tracked, ".git/HEAD", ".venv/complete"] if sent(name)} == copied
    assert all((project / name).is_file() for name in copied)


def test_both_definitions_install_the_same_by_the_makefile_from_the_lock(project: Path) -> None:
    container = " && ".join(lines_of(project / "envs" / "Containerfile"))
    apptainer = " && ".join(lines_of(project / "envs" / "regen.def"))
    for pattern in (
        r"apt-get install[^&]*",
        r"make environment EXTRAS=\S+",
        r"envs/latex\.sh(?= &&)",
    ):
        (found,), (same,) = (set(re.findall(pattern, text)) for text in (container, apptainer))
        assert found.strip() == same.strip()
    # What Triton compiles with where reinforcement first meets a GPU.
    assert {"gcc", "libc6-dev", "python3.11-dev"} <= set(container.split())
    extras = re.search(r"EXTRAS=(\S+)", container)
    assert extras is not None
    asked = subprocess.run(
        ["make", "--dry-run", "--always-make", "environment", extras[0], "TORCH_INDEX=URL"],
        cwd=project, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    installs = [line for line in asked.splitlines() if "pip install" in line]
    assert len(installs) == 2 and all("--constraint constraints.txt" in li for li in installs)
    assert "--index-url URL torch" in installs[0]
    assert f"'.[{extras[1]}]'" in installs[1]


ENGINE = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in
    *inspect*RepoDigests*) echo "registry.invalid/regen@sha256:pushed" ;;
    *inspect*) echo sha256:built ;;
    push*--digestfile*) echo sha256:pushed > "$3" ;;
esac
"""


@pytest.mark.parametrize("engine", ["buildah", "podman", "docker"])
def test_the_build_prints_the_digest(project: Path, tmp_path: Path, engine: str) -> None:
    stub = tmp_path / "bin" / engine
    stub.parent.mkdir()
    stub.write_text(ENGINE)
    stub.chmod(0o755)
    given = {"PATH": f"{stub.parent}:/usr/bin:/bin", "CALLS": str(tmp_path / "calls")}
    given |= {"ENGINE": engine, "BASE": "debian:12", "TORCH_INDEX": "URL"}

    def build(*options: str, **more: str) -> list[str]:
        done = subprocess.run(
            [project / "envs" / "build.sh", *options],
            env=given | more, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.splitlines()

    assert build("--volume", "/a b:/a") == ["regen:cpu is sha256:built"]
    called = (tmp_path / "calls").read_text().splitlines()[0]
    assert called.startswith(f"{engine} build ") and called.endswith(" --volume /a b:/a .")
    assert "--build-arg BASE=debian:12" in called and "--build-arg TORCH_INDEX=URL" in called
    for name, tag in (("registry.invalid/regen", ":cpu"), ("registry.invalid:5000/regen", "")):
        pushed = build(PUSH=f"docker://{name}{tag}")
        assert pushed == [f'container: "docker://{name}@sha256:pushed"']


def test_without_an_engine_the_build_says_so(project: Path, tmp_path: Path) -> None:
    for tool in ("dirname", "sh"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        [project / "envs" / "build.sh"], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: buildah, podman or docker is not installed;")
    assert len(done.stderr.splitlines()) == 1


# What it is known by


def test_an_image_is_known_by_its_digest(workdir: Path) -> None:
    digests = Digests()
    assert identity(ONE, digests.of) == FIRST
    assert identity("docker://regen:cuda", digests.of) == "docker://regen:cuda"
    Path("regen.sif").write_bytes(b"image")
    assert identity("regen.sif", digests.of) == f"sha256:{sha256(Path('regen.sif'))}"


def test_a_run_records_its_image_and_the_lock_beside_its_environment(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    Path("constraints.txt").write_text("the folder's\n")
    Path("image").mkdir()
    Path("image/constraints.txt").write_text("the image's\n")
    monkeypatch.setattr(sys, "prefix", str(workdir / "image" / ".venv"))
    assert environment()["lock"] == sha256(Path("image/constraints.txt"))
    assert "image" not in environment()
    monkeypatch.setenv(VARIABLE, FIRST)
    assert environment()["image"] == FIRST


# What counts for it


def chain(project: Path, **changes: Any) -> Chain:
    """Of two studies that have every stage which runs a model."""
    merged = read([project / "config.yaml"]) | changes
    merged["studies"] = {name: merged["studies"][name] for name in ("speech", "math")}
    return Chain(check(merged))


def test_strictly_what_runs_a_model_counts_for_the_image(project: Path) -> None:
    assert not any(job.image for job in chain(project, container=ONE).jobs.values())
    jobs = chain(project, container=ONE, strict_environment=True).jobs.values()
    assert {job.stage for job in jobs if job.image} == RUN_A_MODEL
    assert {job.image for job in jobs} == {ONE, ""}
    prediction = next(job for job in jobs if job.stage == "prediction")
    assert quick_try(prediction, 2).image == ""


def test_dvc_sees_the_image_where_it_counts(project: Path) -> None:
    strict = chain(project, container="regen.sif", strict_environment=True)
    for name, jobs in stages_of(strict).items():
        stage = describe(name, jobs, strict)
        counts = any(job.stage in RUN_A_MODEL for job in jobs)
        assert ("container" in stage["params"][0]["config.yaml"]) == counts, name
        assert ("regen.sif" in stage["deps"]) == counts, name


@pytest.fixture
def toy(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A stage that writes a word."""
    (workdir / "toy_image.py").write_text("def say(*, out):\n    (out / 'it').write_text('hi')\n")
    monkeypatch.syspath_prepend(str(workdir))
    monkeypatch.delenv(VARIABLE, raising=False)
    return Job(stage="toy", out="made", function="toy_image:say", outputs=("it",), image=ONE)


def why(job: Job) -> str:
    stale = why_stale(job, Digests())
    return stale.reason if stale else ""


def test_a_rebuilt_image_is_a_changed_input(toy: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    run(replace(toy, image=""), Digests())
    assert why(toy) == f"image changed: None -> {FIRST}"
    monkeypatch.setenv(VARIABLE, FIRST)
    assert run(toy, Digests()) == "ran"
    monkeypatch.delenv(VARIABLE)
    assert run(toy, Digests()) == "kept"  # whoever only reads needs no image
    assert why(replace(toy, image="")) == ""
    assert why(replace(toy, image=TWO)).startswith(f"image changed: {FIRST} -> sha256:2222")


def test_an_image_by_its_file(toy: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = replace(toy, image="regen.sif")
    Path("regen.sif").write_bytes(b"image")
    monkeypatch.setenv(VARIABLE, identity("regen.sif", Digests().of))
    run(toy, Digests())
    assert why(toy) == ""
    Path("regen.sif").write_bytes(b"rebuilt")
    assert why(toy).startswith("image changed: sha256:")
    Path("regen.sif").unlink()
    assert why(toy) == "input regen.sif is missing"


@pytest.mark.parametrize(
    ("container", "here", "words"),
    [
        (ONE, "", ["in no image", "--sdm apptainer"]),
        (ONE, TWO[-71:], [f"wants {FIRST}", "runs in sha256:2222"]),
        ("regen.sif", "", ["regen.sif: No such file", "apptainer build regen.sif"]),
        ("docker://regen:cuda", "docker://regen:cuda", ["docker://regen:cuda names a tag", "@sha"]),
    ],
)
def test_outside_the_image_nothing_is_made(
    toy: Job, monkeypatch: pytest.MonkeyPatch, container: str, here: str, words: list[str]
) -> None:
    monkeypatch.setenv(VARIABLE, here)
    with pytest.raises(InputError) as caught:
        run(replace(toy, image=container), Digests())
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), caught.value
    assert not Path("made").exists()


def test_a_bundle_takes_the_file_of_the_image_along(workdir: Path) -> None:
    job = Job(stage="toy", out="made", function="toy_image:say", image="regen.sif")
    with pytest.raises(InputError, match=r"regen\.sif: the run needs it and it is not here"):
        given_files([job])
    Path("regen.sif").write_bytes(b"image")
    assert given_files(iter([job, replace(job, image=ONE)])) == {"regen.sif"}


# Snakemake, with what apptainer does to a command's environment but no image

APPTAINER = """#!/bin/sh
case "$1" in
    --version) echo "apptainer version 1.4.0" ;;
    pull) touch "$3" ;;
    exec)
        export REGEN_IMAGE="$APPTAINERENV_REGEN_IMAGE"
        while [ "$1" != bash ]; do shift; done
        exec "$@" ;;
esac
"""


@pytest.fixture
def place(project: Path, tmp_path: Path) -> Path:
    """The project's configuration at the smoke scale, its rules, and an apptainer."""
    for name in ("rules", "paper", "profiles"):
        shutil.copytree(project / name, tmp_path / name)
    shutil.copy(project / "Snakefile", tmp_path / "Snakefile")
    (tmp_path / "data").mkdir()
    shutil.copy(project / "data" / "sources.txt", tmp_path / "data")
    merged = read([project / "config.yaml", project / "config" / "smoke.yaml"])
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(merged | {"container": ONE}, sort_keys=False)
    )
    stub = tmp_path / "bin" / "apptainer"
    stub.parent.mkdir()
    stub.write_text(APPTAINER)
    stub.chmod(0o755)
    return tmp_path


def snakemake(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    path = f"{place / 'bin'}:{BIN}:{os.environ['PATH']}"
    given = {k: v for k, v in os.environ.items() if k != VARIABLE} | {"PATH": path}
    command = f"snakemake --cores 1 {command}"
    return subprocess.run(command, shell=True, cwd=place, env=given, capture_output=True, text=True)


def test_a_rule_in_the_image_records_it(place: Path) -> None:
    done = snakemake(place, "results/smoke/across/simulation/manifest.json --sdm apptainer")
    assert done.returncode == 0, done.stderr
    recorded = read_json(place / "results/smoke/across/simulation/run.json")
    assert recorded["environment"]["image"] == FIRST
    assert "image" not in json.loads(
        (place / "results/smoke/across/simulation/manifest.json").read_text()
    )


def test_a_tag_is_refused_before_anything_runs(place: Path) -> None:
    strict = "--config strict_environment=true container=docker://regen:cuda"
    done = snakemake(place, f"base_models {strict} --logger regen")
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if "docker://regen:cuda names a tag" in line]
    assert len(said) == 1, done.stderr
    assert not (place / "data" / "speech-smoke").exists()
