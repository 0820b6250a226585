"""Shared fixtures. Tests run the product's own commands in temporary folders."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

PROJECT = Path(__file__).resolve().parent.parent

# The same examples every time, however slow the machine is today.
settings.register_profile("regen", deadline=None, derandomize=True)
settings.load_profile("regen")


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


@pytest.fixture(autouse=True)
def garbage_collected() -> Iterator[None]:
    """A plan puts that off until its run starts, and tests make plans."""
    yield
    gc.unfreeze()
    gc.enable()
