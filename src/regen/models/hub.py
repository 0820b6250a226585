"""Base models of the hub: an id and a pinned revision, read from the local cache.

Weights of gigabytes are not copied into the project: `models/<base>/hub.json` names each file that
was fetched with its hash, and the cache that `huggingface_hub` keeps (`HF_HOME`) holds the files.
With HF_HUB_OFFLINE=1 nothing is fetched. No code comes with a model, and no pickled weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import read_json, sha256, write_json

REFERENCE = "hub.json"
FETCHED = ("*.safetensors", "*.json", "*.jinja", "merges.txt", "vocab.txt", "*.model")
"""Weights, configuration, tokenizer and processor; never *.py, *.bin, *.pt."""


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


def hub(
    *, id: str, revision: str | None, dtype: str, quantisation: str, device: str, out: Path
) -> None:
    """Fetch a model at a pinned revision into the cache; write hub.json, which stands for it.

    hub.json holds the parameters and {file: {"bytes", "sha256"}}. Raises InputError without a
    revision, for a model that cannot be had, or one without safetensors.
    """
    if revision is None:
        raise InputError(
            f"models.{out.name}: revision is null; set it to the commit of {id} that is meant "
            "(40 hexadecimal digits): an unpinned model is not run"
        )
    folder = snapshot(id, revision)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and _fetched(path)]
    if not any(path.suffix == ".safetensors" for path in files):
        raise InputError(
            f"{id}@{revision[:12]}: has no weights in safetensors; others are not read"
        )
    described = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in files
    }
    settings = {"dtype": dtype, "quantisation": quantisation, "device": device}
    write_json(out / REFERENCE, {"id": id, "revision": revision, **settings, "files": described})


def source_of(base: Path) -> Source:
    """The folder itself, or, if `base` stands for a model of the hub, where the cache has it.

    Raises InputError if the cache lacks it and it cannot be fetched, or holds other files. Sizes
    are compared, not hashes: the cache names a file by its hash, and reading 15 GB takes minutes.
    """
    if not (base / REFERENCE).exists():
        return Source(base, str(base))
    found: Mapping[str, Any] = read_json(base / REFERENCE)
    folder = snapshot(found["id"], found["revision"], list(found["files"]))
    for name, known in found["files"].items():
        path = folder / name
        if not path.exists() or path.stat().st_size != known["bytes"]:
            raise InputError(
                f"{base}: the cache's {name} of {found['id']} is missing or not what was fetched; "
                f"remove it from the cache and fetch it again: regen base --model {base.name}"
            )
    held = {key: str(found[key]) for key in ("dtype", "quantisation", "device")}
    return Source(folder, f"{base} ({found['id']}@{found['revision'][:12]})", **held)


def snapshot(id: str, revision: str, files: list[str] | None = None) -> Path:
    """The cache's folder of a model at a revision, fetched if it is not all there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    if files is not None:
        try:
            folder = Path(snapshot_download(id, revision=revision, local_files_only=True))
            if all((folder / name).exists() for name in files):
                return folder
        except LocalEntryNotFoundError:
            pass
    try:
        return Path(snapshot_download(id, revision=revision, allow_patterns=list(FETCHED)))
    except (OSError, HfHubHTTPError, HFValidationError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{id}@{revision[:12]}: is not in the cache and cannot be fetched ({reason}); "
            "fetch it where the hub can be reached, or set HF_HOME to a cache that has it"
        ) from None


def _fetched(path: Path) -> bool:
    return any(path.match(pattern) for pattern in FETCHED)
