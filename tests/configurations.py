"""Configurations for tests: the project's own, with changes."""

from pathlib import Path

from regen.config import read

SERVER = '{kind: endpoint, url: "http://localhost:8000/v1", model: M}'


def configuration(project: Path, *changes: str, overlays: tuple[str, ...] = ()) -> dict:
    files = [project / "config.yaml", *(project / "config" / f"{o}.yaml" for o in overlays)]
    return read(files, changes)


def overlays(project: Path) -> list[str]:
    return [path.stem for path in (project / "config").glob("*.yaml")]
