"""Where the weights of a base model lie, and how they are held in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import read_json, sha256
from regen.models.hub import snapshot


@dataclass(frozen=True)
class Source:
    """Where a base model lies and how it is held.

    dtype: "auto" (bfloat16 on a GPU, float32 without), "float32", "bfloat16" or "float16"
    quantisation: "none" or "nf4"; device: "auto" (a GPU if there is one), "cpu" or "cuda"
    """

    folder: Path
    name: str
    dtype: str = "auto"
    quantisation: str = "none"
    device: str = "auto"


def source_of(base: Path) -> Source:
    """The folder itself, or where the weights lie for which it stands.

    hub.json stands for a model of the hub, held.json for another base of this project, held in
    another way. Raises InputError if those weights are not there, or are others.
    """
    if (base / "hub.json").exists():
        return _of_the_hub(base, read_json(base / "hub.json"))
    if (base / "held.json").exists():
        return _held(base, read_json(base / "held.json"))
    return Source(base, str(base))


def _of_the_hub(base: Path, found: Mapping[str, Any]) -> Source:
    """The cache's folder, fetched if it lacks something.

    Sizes are compared, not hashes: the cache names a file by its hash, and reading 15 GB takes
    minutes.
    """
    folder = snapshot(found["id"], found["revision"], list(found["files"]))
    for name, known in found["files"].items():
        path = folder / name
        if not path.exists() or path.stat().st_size != known["bytes"]:
            raise InputError(
                f"{base}: the cache's {name} of {found['id']} is missing or not what was fetched; "
                f"remove it from the cache and fetch it again: regen base --model {base.name}"
            )
    return Source(folder, f"{base} ({found['id']}@{found['revision'][:12]})", **_how(found))


def _held(base: Path, found: Mapping[str, Any]) -> Source:
    folder = base.parent / found["of"]
    if content_id(folder) != found["content"]:
        raise InputError(
            f"{base}: stands for other weights than those in {folder}; "
            f"make it again: regen base --model {base.name}"
        )
    return Source(folder, f"{base} ({found['of']} in {found['quantisation']})", **_how(found))


def _how(found: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(found[key]) for key in ("dtype", "quantisation", "device")}


def content_id(folder: Path) -> str:
    """What identifies a finished folder of the chain: "sha256:" and the hash of its file list."""
    path = folder / "outputs.sha256"
    if not path.exists():
        raise InputError(f"{folder}: was never finished (it has no outputs.sha256); build it again")
    return f"sha256:{sha256(path)}"
