"""The image that jobs run in: what it is known by, and whether this process runs in it.

A process cannot see the digest of its own image. Whoever starts the container says it, in the
variable REGEN_IMAGE: with `--sdm apptainer` that is Snakemake (`planning`), through a variable that
apptainer sets inside alone; with other engines it is the person.
"""

import os
import re
from collections.abc import Callable

from regen.errors import InputError

VARIABLE = "REGEN_IMAGE"
INSIDE_ALONE = (f"APPTAINERENV_{VARIABLE}", f"SINGULARITYENV_{VARIABLE}")
"""What apptainer, or the older singularity, sets as REGEN_IMAGE in the container."""
DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


def is_file(container: str) -> bool:
    """Whether a container is named by the path of its file, as Snakemake understands it."""
    return "://" not in container


def identity(container: str, digest_of: Callable[[str], str]) -> str:
    """The digest in an image's name, or of its file; a tag stays a tag, which vouches for nothing.

    Raises OSError for a file that cannot be read.
    """
    if named := DIGEST.search(container):
        return named[1]
    return f"sha256:{digest_of(container)}" if is_file(container) else container


def missing(container: str, error: OSError) -> InputError:
    """For an image whose file cannot be read."""
    return InputError(
        f"container: {container}: {error.strerror}; build it: "
        f"apptainer build {container} envs/regen.def"
    )


def check_pinned(container: str) -> None:
    """Raise InputError for an image named by a tag, which may come to mean another one."""
    if not is_file(container) and not DIGEST.search(container):
        raise InputError(
            f"container: {container} names a tag, and strict_environment wants one image; name it "
            "as ...@sha256:... (`make image PUSH=...` prints that), or by its .sif file"
        )


def check_inside(container: str, digest_of: Callable[[str], str]) -> None:
    """Raise InputError unless this process runs in the image that its results will count for."""
    check_pinned(container)
    try:
        wanted, here = identity(container, digest_of), os.environ.get(VARIABLE)
    except OSError as error:
        raise missing(container, error) from None
    if here != wanted:
        raise InputError(
            f"container: strict_environment wants {wanted}, and this runs "
            f"{f'in {here}' if here else 'in no image'}; run snakemake with --sdm apptainer"
        )
