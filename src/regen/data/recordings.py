"""The recordings inside the pinned packages, read from the archives: nothing is imported."""

import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from regen.data.sources import archive

# FoxDot's sounds in which somebody says or sings something, or may: by their names in its list of
# sounds ("Vocals (One)", "Yeah!", "Choral", "Beatbox"), by their file's name, and whole tracks.
VOCAL = (
    *("_/1/", "_/2/", "_/3/", "_/4/", "_/exclamation/", "c/upper/", "_/dollar/", "_loop_/"),
    *("z/lower/rewind-rewind.wav", "f/upper/brand new.wav"),
)


@dataclass(frozen=True)
class Source:
    """Where clips come from; `name` is the group of its clips. `files` are recordings by name."""

    name: str
    kind: str
    package: str
    files: dict[str, bytes] = field(default_factory=dict)


def instruments(folder: Path) -> Iterator[Source]:
    """FoxDot's sounds, a source a folder: those of a folder are takes of one instrument."""
    path = archive(folder, "foxdot")
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    with tarfile.open(path) as file:
        for member in sorted(file.getmembers(), key=lambda m: m.name):
            inside = member.name.partition("/FoxDot/snd/")[2]
            place = inside.rpartition("/")[0]
            if inside.lower().endswith((".wav", ".aif")) and not inside.startswith(VOCAL):
                content = file.extractfile(member)
                assert content is not None
                found[place][inside] = content.read()
    for place, recordings in found.items():
        yield Source(f"foxdot:{place}", "instrument", "foxdot", recordings)


def effects(folder: Path) -> Iterator[Source]:
    """Arcade's sounds of games, a source a name: coin1 to coin5 are takes of one sound."""
    path = archive(folder, "arcade")
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    with zipfile.ZipFile(path) as file:
        for name in sorted(file.namelist()):
            inside = name.partition("/assets/sounds/")[2]
            if inside.endswith(".wav"):
                stem = inside.removesuffix(".wav").rstrip("0123456789")
                found[stem][inside] = file.read(name)
    for stem, recordings in found.items():
        yield Source(f"arcade:{stem}", "effect", "arcade", recordings)


def recorded_voices(folder: Path) -> list[Source]:
    """Captcha's spoken digits and letters: one source each, since the speakers are not named."""
    path = archive(folder, "captcha")
    found: dict[str, dict[str, bytes]] = {"digits": {}, "letters": {}}
    with zipfile.ZipFile(path) as file:
        for name in sorted(file.namelist()):
            inside = name.partition("captcha/data/")[2]
            if inside.endswith("/default.wav"):
                which = "digits" if inside[0].isdigit() else "letters"
                found[which][inside] = file.read(name)
    return [Source(f"captcha:{k}", "recorded voice", "captcha", v) for k, v in found.items()]
