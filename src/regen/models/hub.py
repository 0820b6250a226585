"""Base models of the hub: an id and a pinned revision, read from the local cache.

Weights of gigabytes are not copied into the project: `models/<base>/hub.json` names each file that
was fetched with its hash, and the cache that `huggingface_hub` keeps (`HF_HOME`) holds the files.
With HF_HUB_OFFLINE=1 nothing is fetched. No code comes with a model, and no pickled weights.
"""

from pathlib import Path

from regen.errors import InputError
from regen.files import sha256, write_json

FETCHED = ("*.safetensors", "*.json", "*.jinja", "merges.txt", "vocab.txt", "*.model")
"""Weights, configuration, tokenizer and processor; never *.py, *.bin, *.pt."""


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
    write_json(out / "hub.json", {"id": id, "revision": revision, **settings, "files": described})


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
