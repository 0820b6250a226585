"""Sources come verified or not at all. The index is a local folder; no network is used."""

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from regen.data.sources import archive, read_requirements, sources
from regen.errors import InputError
from regen.schema.datasets import SpeechData


def wheel(folder: Path) -> Path:
    path = folder / "some_sounds-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("some_sounds/a.txt", "a")
        info = "some_sounds-1.0.dist-info"
        file.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: some-sounds\nVersion: 1.0\n"
        )
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


def sdist(folder: Path, marker: Path) -> Path:
    """Whose setup.py leaves a trace when it is run."""
    path = folder / "drums-2.0.tar.gz"
    setup = (
        f"open({str(marker)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='drums')\n"
    )
    info = "Metadata-Version: 2.1\nName: Drums\nVersion: 2.0\n"
    with tarfile.open(path, "w:gz") as file:
        for name, text in (("setup.py", setup), ("PKG-INFO", info), ("snd/a.txt", "a")):
            member = tarfile.TarInfo(f"drums-2.0/{name}")
            member.size = len(text)
            file.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Requirements of a wheel and an sdist that pip's own configuration finds in a folder."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    first, second = wheel(index), sdist(index, tmp_path / "setup-was-run")
    digests = [hashlib.sha256(p.read_bytes()).hexdigest() for p in (first, second)]
    path = tmp_path / "sources.txt"
    path.write_text(
        f"# a comment\nsome-sounds==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n"
        f"    --hash=sha256:{digests[0]}\n\ndrums==2.0 --hash=sha256:{digests[1]}  # why\n"
    )
    return path


def test_archives_are_fetched_and_nothing_is_run(pinned: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    sources(requirements=pinned, packages=["some-sounds", "drums"], out=out)
    assert sorted(p.name for p in (out / "archives").iterdir()) == [
        "drums-2.0.tar.gz",
        "some_sounds-1.0-py3-none-any.whl",
    ]
    assert not (tmp_path / "setup-was-run").exists()
    named = json.loads((out / "packages.json").read_text())
    assert archive(out / "archives", "some-sounds").name == named["some-sounds"]
    assert named["drums"] == "drums-2.0.tar.gz"


def test_only_the_named_packages_are_fetched(pinned: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    sources(requirements=pinned, packages=["drums"], out=out)
    assert [p.name for p in (out / "archives").iterdir()] == ["drums-2.0.tar.gz"]
    with pytest.raises(InputError, match="0 files of some-sounds"):
        archive(out / "archives", "some-sounds")


@pytest.mark.parametrize("name", ["some_sounds-1.0-py3-none-any.whl", "drums-2.0.tar.gz"])
def test_a_changed_file_is_refused(pinned: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with open(tmp_path / "index" / name, "ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match=r"sha256 differs") as caught:
        sources(requirements=pinned, packages=["some-sounds", "drums"], out=out)
    assert "\n" not in str(caught.value)
    assert name.split("-")[0].replace("_", "-") in str(caught.value)
    assert not list(out.rglob(name))


def test_no_network_is_one_line_that_says_so(
    pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(InputError, match=r"no network.*some-sounds") as caught:
        sources(requirements=pinned, packages=["some-sounds"], out=tmp_path)
    assert "\n" not in str(caught.value)


def test_an_unpinned_package_is_refused_with_the_nearest(pinned: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'drum' is not there; did you mean 'drums'"):
        sources(requirements=pinned, packages=["drum"], out=tmp_path)


@pytest.mark.parametrize("line", ["drums==2.0", "drums>=2 --hash=sha256:00", "-e ."])
def test_a_line_without_version_and_hash_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sources.txt"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match="is not `name==version --hash"):
        read_requirements(path)


def test_every_source_of_the_speech_data_is_pinned_and_named_in_the_notice(project: Path) -> None:
    pinned = read_requirements(project / "data/sources.txt")
    notice = (project / "NOTICE").read_text().lower()
    for package in SpeechData.model_fields["sources"].default:
        version = pinned[package].split("==")[1].split()[0]
        assert f"{package} {version}" in notice
