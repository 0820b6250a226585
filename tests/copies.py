"""Copies of the project for tests that run in it."""

import shutil
import subprocess
from pathlib import Path


def copy_project(project: Path, folder: Path) -> Path:
    """The files that git knows or would, as they are here, without any result; `folder` again."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=project, capture_output=True, text=True, check=True).stdout
    for file in filter(None, found.split("\0")):
        if (project / file).is_file() and not file.startswith(("results/", "recorded/")):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / file, folder / file)
    return folder


def copy_sources(project: Path, folder: Path) -> None:
    """What is fetched already, to spare the registry."""
    for manifest in project.glob("data/sources/*/manifest.json"):
        name = manifest.parent.relative_to(project)
        if list(manifest.parent.glob("archives/*")):
            shutil.copytree(manifest.parent, folder / name, dirs_exist_ok=True)
