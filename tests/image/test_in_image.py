"""The image for real: built on a Debian that debootstrap makes, with a study derived in it.

Takes half an hour, 15 GB of disk and a network, so it is run by hand, as root, with buildah and
debootstrap; the variable holds options for the build, such as mounts of pip's settings:

    REGEN_BUILD_IMAGE="--volume /etc/pip.conf:/etc/pip.conf:ro" pytest tests/image

Compared are every score, statistic and table of the smoke scale's speech study with those that are
made outside, by whichever Python runs this. Apptainer is not run: what stands in for it enters the
image through buildah.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from copies import copy_project

from regen.config import read
from regen.files import read_json

pytestmark = pytest.mark.slow

OPTIONS = os.environ.get("REGEN_BUILD_IMAGE")
PINS = "constraints.txt"
MEASURED = {"run.json", "timing.json", ".experiment", "cost", "speed"}
"""Files of measured quantities, and tables of them."""
STRANGER = "4321:4321"
BASE_MODEL = "models/tiny-audio-smoke"


def why_not() -> str | None:
    if OPTIONS is None:
        return "builds an image, for half an hour: by hand, with REGEN_BUILD_IMAGE set"
    if os.getuid() != 0:
        return "only root can make a Debian and build without user namespaces"
    missing = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]
    return (
        f"{missing[0]} is not installed: apt-get install buildah debootstrap" if missing else None
    )


@dataclass(frozen=True)
class Image:
    """A built image, and a container of it in which commands run."""

    folder: Path
    digest: str
    container: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "STORAGE_DRIVER": "vfs",
            "BUILDAH_ISOLATION": "chroot",
        }

    def sh(self, command: str, cwd: Path, **more: str) -> str:
        """Run a command line outside; both streams."""
        done = subprocess.run(
            command, shell=True, cwd=cwd, env=self.environment | more, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def inside(self, command: str, folder: Path, options: str = "") -> str:
        """Run a command line inside, as somebody without an account, whose folder is /project."""
        subprocess.run(["chown", "-R", STRANGER, folder], check=True)
        run = f"buildah run --user {STRANGER} --volume {folder}:/project {options}"
        return self.sh(f"{run} {self.container} -- sh -c {shlex.quote(command)}", folder)


STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "{0}/storage"\nrunroot = "{0}/run"\n'
APPTAINER = """#!/bin/sh
case "$1" in
    --version) echo "apptainer version 1.4.0" ;;
    pull) touch "$3" ;;
    exec)
        while [ "$1" != bash ]; do shift; done
        exec buildah run --user 0 --volume "$PWD:$PWD" --workingdir "$PWD" \\
            --env REGEN_IMAGE="$APPTAINERENV_REGEN_IMAGE" \\
            --env OMP_NUM_THREADS="$OMP_NUM_THREADS" CONTAINER -- "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def image(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("image")
    (folder / "storage.conf").write_text(STORAGE.format(folder))
    (folder / "bin").mkdir()
    outside = Image(folder, "")
    try:
        outside.sh("debootstrap --variant=minbase bookworm base", folder)
        outside.sh(
            "c=$(buildah from scratch) && buildah add $c base / && "
            "buildah commit $c localhost/debian && buildah rm $c",
            folder,
        )
        said = outside.sh(
            f"envs/build.sh {OPTIONS}", project,
            ENGINE="buildah", BASE="localhost/debian", IMAGE="localhost/regen:cpu",
        )  # fmt: skip
        name, _, digest = said.splitlines()[-1].partition(" is ")
        assert name == "localhost/regen:cpu" and digest.startswith("sha256:")
        container = outside.sh("buildah from localhost/regen:cpu", folder).strip()
        stub = folder / "bin" / "apptainer"
        stub.write_text(APPTAINER.replace("CONTAINER", container))
        stub.chmod(0o755)
        yield Image(folder, digest, container)
    finally:
        subprocess.run("buildah rm --all", shell=True, env=outside.environment, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def copy(project: Path, folder: Path) -> Path:
    """The project's files without any result, at the smoke scale, with one study."""
    copy_project(project, folder)
    merged = read([project / "config.yaml", project / "config" / "smoke.yaml"])
    merged["studies"] = {"speech": merged["studies"]["speech"]}
    (folder / "config.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    """{file: bytes} of every result but what was measured, and what names those."""
    results = folder / "results" / "smoke"
    ids = {f"speech/tables/{name}" for name in ("outputs.sha256", "manifest.json")}
    files = {str(p.relative_to(results)): p for p in results.rglob("*") if p.is_file()}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if not {path.name, path.stem} & MEASURED and name not in ids
    }


@pytest.fixture(scope="module")
def outside(image: Image, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, derived outside."""
    folder = copy(project, tmp_path_factory.mktemp("outside"))
    image.sh("snakemake tables_speech", folder, PYTHONPATH=str(folder / "src"))
    return folder


def test_what_is_installed_is_the_lock(image: Image, project: Path, tmp_path: Path) -> None:
    frozen = image.inside("pip freeze --exclude-editable 2>/dev/null", tmp_path).splitlines()
    pins = {line.lower() for line in (project / PINS).read_text().splitlines()}
    torch = {line for line in frozen if line.startswith("torch==")}
    assert {line.partition("+")[0] for line in torch} <= pins
    others = {line.lower().partition(" @ ")[0] for line in frozen if line not in torch}
    assert len(others) > 100 and others <= pins, others - pins


def test_the_image_has_a_user_and_not_the_project(image: Image, tmp_path: Path) -> None:
    said = image.sh(f"buildah run {image.container} -- id -u", tmp_path)
    assert said.strip() == "1000"
    said = image.inside("cd /opt/regen && find . -name '*.py' -not -path './.venv/*'", tmp_path)
    assert said == ""


def test_a_study_in_the_image_is_the_one_outside(
    image: Image, outside: Path, project: Path, tmp_path: Path
) -> None:
    folder = copy(project, tmp_path / "inside")
    shutil.copytree(outside / "data" / "sources", folder / "data" / "sources", dirs_exist_ok=True)
    image.inside("snakemake tables_speech", folder, f"--env REGEN_IMAGE={image.digest}")
    found, expected = bytes_of(folder), bytes_of(outside)
    assert "speech/tables/comparison.csv" in expected
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    recorded = read_json(folder / "results/smoke/speech/statistics/run.json")["environment"]
    assert recorded["image"] == image.digest


def test_the_paper_compiles_in_the_image(image: Image, tmp_path: Path) -> None:
    (tmp_path / "a.tex").write_text(
        "\\documentclass{article}\\usepackage{siunitx,booktabs,lmodern}"
        "\\begin{document}\\num{1.5}\\end{document}\n"
    )
    image.inside("latexmk -pdf a.tex", tmp_path)
    assert (tmp_path / "a.pdf").exists()


def test_rules_enter_the_image_and_their_results_count_for_it(
    image: Image, outside: Path, tmp_path: Path
) -> None:
    """Snakemake runs outside, each rule inside, as with apptainer on a cluster."""
    folder = tmp_path / "rules"
    subprocess.run(["cp", "-a", outside, folder], check=True)
    merged = yaml.safe_load((folder / "config.yaml").read_text())
    merged |= {
        "container": f"docker://registry.invalid/regen@{image.digest}",
        "strict_environment": True,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    before = (folder / BASE_MODEL / "outputs.sha256").read_bytes()

    here = {"PYTHONPATH": str(folder / "src")}
    planned = image.sh("regen status || true", folder, **here)
    assert f"image changed: None -> {image.digest}" in planned
    image.sh("snakemake base_models --sdm apptainer", folder, **here)
    assert read_json(folder / BASE_MODEL / "manifest.json")["image"] == image.digest
    recorded = read_json(folder / BASE_MODEL / "run.json")["environment"]
    assert recorded["image"] == image.digest
    assert (folder / BASE_MODEL / "outputs.sha256").read_bytes() == before
