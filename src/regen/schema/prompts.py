"""Searches for better prompts, and who proposes them."""

from typing import Annotated, Literal

from pydantic import Field

from regen.schema.common import Name, Positive, Section, Seed, Server


class LocalProposer(Section):
    """A language model on this machine proposes prompts (OPRO, arXiv 2309.03409)."""

    kind: Literal["local"]
    """which kind of proposer"""
    model: Name
    """entry of `models` that reads text"""
    examples: Annotated[int, Field(strict=True, ge=0, le=16)] = 2
    """answered training items that it is shown"""
    shown: Positive = 4
    """so many of the best prompts that it is shown with their scores"""
    temperature: Annotated[float, Field(gt=0, le=10)] = 0.8
    """of the draws"""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    """share of the probability that is drawn from"""
    max_new_tokens: Positive = 48
    """longest proposal"""


class EndpointProposer(Server):
    """A server that speaks OpenAI's chat completions proposes prompts."""

    examples: Annotated[int, Field(strict=True, ge=0, le=16)] = 2
    """answered training items that it is shown"""
    shown: Positive = 20
    """so many of the best prompts that it is shown with their scores"""
    temperature: Annotated[float, Field(ge=0, le=10)] = 1.0
    """of the draws"""
    max_new_tokens: Positive = 256
    """longest proposal"""


class RandomProposer(Section):
    """The control: parts of known prompts put together by chance, whatever their scores."""

    kind: Literal["random"]
    """which kind of proposer"""


class PromptSearch(Section):
    """A search on the dev split for a better prompt for a frozen model.

    Of a training over several seeds one checkpoint is searched with; all seeds are then asked the
    prompt that was found.
    """

    training: Name | None = None
    """recipe whose checkpoint answers; null is the base model as it comes"""
    base: Name | None = None
    """another base model than the study's, as it comes; an entry of `models`"""
    checkpoint: Seed | None = None
    """seed of that checkpoint; null is the first of the study's"""
    proposer: Annotated[
        LocalProposer | EndpointProposer | RandomProposer, Field(discriminator="kind")
    ]
    """who proposes prompts"""
    evaluations: Positive = 40
    """prompts that are scored, the benchmark's own among them"""
    iterations: Positive = 20
    """times that the proposer is asked"""
    per_step: Positive = 8
    """proposals each time"""
    patience: Positive | None = None
    """end after so many iterations without a better prompt; null for never"""
    budget_of: Name | None = None
    """another search of the study: score as many prompts as it did"""
    longest: Positive = 300
    """characters of a prompt"""
    batch_size: Positive = 50
    """items that are asked at once"""
    seed: Seed = 1
    """of the proposals"""


class Found(Section):
    """The prompt that a search has found."""

    search: Name
    """entry of the study's `prompt_searches`"""
