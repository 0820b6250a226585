"""Who labels a transcript: rules, or a language model behind an endpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from regen.data.trait_rules import HIGHEST, LOWEST, RULES, explain
from regen.endpoint import DOUBTED, Endpoint
from regen.feedback import FeedbackError, parse

TRIES = 3
"""How often a transcript is put to the language model, each time with another seed."""

QUESTION = (
    "Rate the transcript below on each of these traits with a whole number from {low} to {high}: "
    "{traits}. Explain each score in a few words that name evidence from the transcript and end "
    'in ": low" or ": high". Answer with one JSON object and nothing else, in this form: '
    '{{"trait": {{"explanation": "none: low", "score": 1}}}}.\n\n{text}'
)


Labels = dict[str, Any]
"""{trait: {"explanation", "score"}}"""


class Labeller(Protocol):
    def label(self, texts: Sequence[str], traits: Sequence[str]) -> list[Labels | None]:
        """Each text's labels, None where no valid ones came."""
        ...


class ByRule:
    """`trait_rules`, whose explanations name the words that were counted."""

    def label(self, texts: Sequence[str], traits: Sequence[str]) -> list[Labels | None]:
        return [self._labels(text, traits) for text in texts]

    def _labels(self, text: str, traits: Sequence[str]) -> Labels:
        judged = {trait: RULES[trait](text) for trait in traits}
        return {
            trait: {"explanation": explain(one.score, one.evidence), "score": one.score}
            for trait, one in judged.items()
        }


class ByEndpoint:
    """A language model's answer, read as strictly as that of the models under study."""

    def __init__(self, endpoint: Endpoint, seed: int) -> None:
        self.endpoint, self.seed = endpoint, seed
        self.unusable = ""
        """an answer that was none"""

    def label(self, texts: Sequence[str], traits: Sequence[str]) -> list[Labels | None]:
        """Raises InputError if the server fails, or labels none of many."""
        if not traits:
            return [{} for _ in texts]

        def label(text: str) -> Labels | None:
            return self._labels(text, traits)

        different = list(dict.fromkeys(texts))
        found = self.endpoint.all(label, different[:DOUBTED])
        if len(found) == DOUBTED and not any(found):
            wanted = f"one JSON object with {', '.join(traits)}"
            raise self.endpoint.useless(wanted, self.unusable)
        found += self.endpoint.all(label, different[DOUBTED:])
        by_text = dict(zip(different, found, strict=True))
        return [by_text[text] for text in texts]

    def _labels(self, text: str, traits: Sequence[str]) -> Labels | None:
        question = _question(text, traits)
        for seed in range(self.seed, self.seed + TRIES):
            said = self.endpoint.ask(question, seed)
            try:
                found = parse(said, traits)
                for one in found.values():
                    one.explanation.encode()  # half of a surrogate pair is no text to learn from
            except (FeedbackError, UnicodeEncodeError):
                self.endpoint.forget(question, seed)
                self.unusable = said
                continue
            return {
                trait: {"explanation": one.explanation, "score": round(one.score)}
                for trait, one in found.items()
            }
        return None


def _question(text: str, traits: Sequence[str]) -> str:
    return QUESTION.format(low=LOWEST, high=HIGHEST, traits=", ".join(traits), text=text)


def labeller_of(settings: dict[str, Any], kept: Path) -> Labeller:
    """settings: {kind: rule}, or {kind: endpoint, seed, and what `Endpoint` takes}.

    kept: the folder in which a language model's answers are until all are there
    """
    given = dict(settings)
    if given.pop("kind") == "rule":
        return ByRule()
    seed = given.pop("seed")
    return ByEndpoint(Endpoint("labeller", **given, kept=kept), seed)
