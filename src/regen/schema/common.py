"""What all parts of the schema are made of."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from regen.errors import nearest

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="lower case, digits, -")]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
Positive = Annotated[int, Field(strict=True, gt=0)]

SAID = ("model", "messages", "temperature", "top_p", "max_tokens", "seed", "n", "stream")
"""What a request to a server says already, or must not say."""


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Resources(Section):
    """What a stage's jobs ask of the machine or the cluster."""

    threads: Positive = 1
    """processor cores; for decoding, two jobs with one each do more than one with two"""
    mem_mb: Positive = 2000
    """memory in MiB"""
    runtime: Positive = 30
    """minutes until a cluster may kill the job"""
    gpu: Annotated[int, Field(strict=True, ge=0)] = 0
    """graphics processors"""


class Prices(Section):
    """What machines cost, for `regen plan` and for a budget; no result depends on it."""

    gpu_hour: Annotated[float, Field(ge=0)] = 0.0
    """of a graphics processor"""
    core_hour: Annotated[float, Field(ge=0)] = 0.0
    """of a processor core"""
    currency: str = "USD"
    """of all three"""
    budget: Annotated[float, Field(ge=0)] | None = None
    """Snakemake does not start what is forecast to cost more; null for no limit"""


def known(name: str, names: Iterable[str], where: str, kind: str) -> None:
    """Raise ValueError, with the nearest right name, if `name` is not one of `names`."""
    if name not in names:
        raise ValueError(f"{where}: there is no {kind} {name!r}{nearest(name, names)}")


def _without_nulls(value: JsonValue) -> JsonValue:
    if not isinstance(value, dict):
        return value
    return {name: _without_nulls(one) for name, one in value.items() if one is not None}


class Server(Section):
    """One that speaks OpenAI's chat completions; what it answers may change."""

    kind: Literal["endpoint"]
    """who does it"""
    url: Annotated[str, Field(pattern=r"^https?://")]
    """up to, and without, /chat/completions"""
    model: str
    """the server's name for it"""
    key_variable: str | None = None
    """environment variable that holds the key; null for a server that wants none"""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """share of the probability that is drawn from"""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """seconds until a request counts as failed"""
    retries: Annotated[int, Field(strict=True, ge=0)] = 4
    """how often a failed request is made again"""
    at_once: Positive = 8
    """requests that it is sent at the same time"""
    request: dict[str, JsonValue] = {}
    """more that each request says, as the server takes it (chat_template_kwargs, top_k); a null is
    not sent"""

    @field_validator("request")
    @classmethod
    def _says_nothing_twice(cls, request: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in SAID:
            if name in request:
                raise ValueError(f"{name} has a setting of its own, or none; leave it out here")
        return {name: _without_nulls(one) for name, one in request.items() if one is not None}


class ByEndpoint(Server):
    """Questions that such a server answers about items."""

    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    """of the draws"""
    max_new_tokens: Positive = 512
    """longest answer"""
    seed: Seed = 1
    """that the server is sent"""
