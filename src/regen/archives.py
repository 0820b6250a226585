"""Archives whose bytes depend on nothing but their content, and reading those that others sent."""

import contextlib
import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from regen.digests import Digests
from regen.errors import InputError

FIRST_TIME = 946684800
"""2000-01-01, in seconds."""


def pack(output: Path, members: Iterable[tuple[str, Path | bytes]], digests: Digests) -> None:
    """Write a .tar.gz of (name, file or content), in this order, to a temporary name; then rename.

    A file's time is drawn from its content: no clock reaches the archive, and yet Python, which
    knows by time and size that its bytecode is current, sees a module that was unpacked over
    another.
    """
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with (
            temporary.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, raw, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for name, source in members:
                entry = tarfile.TarInfo(name)
                entry.mtime = FIRST_TIME
                if isinstance(source, bytes):
                    entry.size = len(source)
                    tar.addfile(entry, io.BytesIO(source))
                    continue
                entry.mtime += int(digests.of(source)[:6], 16)
                entry.size = source.stat().st_size
                entry.mode = 0o755 if os.access(source, os.X_OK) else 0o644
                with source.open("rb") as content:
                    tar.addfile(entry, content)
        temporary.replace(output)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def unpacking(file: Path) -> Iterator[tuple[tarfile.TarFile, list[tarfile.TarInfo]]]:
    """An archive and its members, all of which can be read and stay inside the folder they are
    unpacked in. Raises InputError for any other archive, before anything is written."""
    with contextlib.ExitStack() as opened:
        try:
            zipped = opened.enter_context(gzip.open(file))
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from None
        try:
            tar = opened.enter_context(tarfile.open(fileobj=zipped, mode="r:"))
            members = tar.getmembers()
            while zipped.read(1 << 20):  # to the end, where the checksum is
                pass
        except EOFError:
            raise InputError(f"{file}: is truncated; copy it again") from None
        except (OSError, tarfile.TarError, zlib.error) as error:
            raise InputError(f"{file}: is no whole .tar.gz archive ({error})") from None
        seen = set()
        for member in members:
            path = PurePosixPath(member.name)
            leaves = path.is_absolute() or ".." in path.parts or str(path) != member.name
            if leaves or not member.isreg() or member.name in seen:
                what = "would be written elsewhere" if leaves else "is no plain file"
                raise InputError(f"{file}: {member.name!r} {what}; nothing of it was taken")
            seen.add(member.name)
        yield tar, members


def unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write one member to a path of the caller's choice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None  # it is a plain file
    with content, path.open("wb") as file:
        while part := content.read(1 << 20):
            file.write(part)
