"""Who labels a transcript: rules, or a language model behind an endpoint."""

from collections.abc import Sequence
from typing import Any, Protocol

from regen.data.trait_rules import HIGHEST, LOWEST, RULES, explain
from regen.endpoint import Endpoint
from regen.feedback import FeedbackError, parse

QUESTION = (
    "Rate the transcript below on each of these traits with a whole number from {low} to {high}: "
    "{traits}. Explain each score in a few words that name evidence from the transcript and end "
    'in ": low" or ": high". Answer with one JSON object and nothing else, in this form: '
    '{{"trait": {{"explanation": "none: low", "score": 1}}}}.\n\n{text}'
)


class Labeller(Protocol):
    def label(self, text: str, traits: Sequence[str]) -> dict[str, Any] | None:
        """{trait: {"explanation", "score"}}, None where no valid labels came."""
        ...


class ByRule:
    """`trait_rules`, whose explanations name the words that were counted."""

    def label(self, text: str, traits: Sequence[str]) -> dict[str, Any] | None:
        judged = {trait: RULES[trait](text) for trait in traits}
        return {
            trait: {"explanation": explain(one.score, one.evidence), "score": one.score}
            for trait, one in judged.items()
        }


class ByEndpoint:
    """A language model's answer, read as strictly as that of the models under study."""

    def __init__(self, endpoint: Endpoint, seed: int) -> None:
        self.endpoint, self.seed = endpoint, seed

    def label(self, text: str, traits: Sequence[str]) -> dict[str, Any] | None:
        if not traits:
            return {}
        question = QUESTION.format(low=LOWEST, high=HIGHEST, traits=", ".join(traits), text=text)
        try:
            found = parse(self.endpoint.ask(question, self.seed), traits)
            for one in found.values():
                one.explanation.encode()  # half of a surrogate pair is no text to learn from
        except (FeedbackError, UnicodeEncodeError):
            return None
        return {
            trait: {"explanation": one.explanation, "score": round(one.score)}
            for trait, one in found.items()
        }


def labeller_of(settings: dict[str, Any]) -> Labeller:
    """settings: {kind: rule}, or {kind: endpoint, seed, and what `Endpoint` takes}."""
    given = dict(settings)
    if given.pop("kind") == "rule":
        return ByRule()
    seed = given.pop("seed")
    return ByEndpoint(Endpoint("labeller", **given), seed)
