"""What all parts of the schema are made of."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from regen.errors import nearest

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="lower case, digits, -")]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
Positive = Annotated[int, Field(strict=True, gt=0)]


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


def known(name: str, names: Iterable[str], where: str, kind: str) -> None:
    """Raise ValueError, with the nearest right name, if `name` is not one of `names`."""
    if name not in names:
        raise ValueError(f"{where}: there is no {kind} {name!r}{nearest(name, names)}")
