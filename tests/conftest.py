"""Shared fixtures. Tests run the product's own commands in temporary folders."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root folder; read it, never write to it."""
    return PROJECT


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    os.environ.pop("DVC_STAGE", None)
    return tmp_path
