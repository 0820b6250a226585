"""A rubric whose checks a language model answers: weighted questions about an output.

The judge is a server that speaks OpenAI's chat completions (on models as judges, and their biases:
Zheng et al. 2023, arXiv 2306.05685). Its answer is read strictly: one JSON object with a number of
0 to 1 for each check. What is none is asked for again with another seed; an output that stays
unjudged is paid nothing, and counted. What a server says may change: `regen.rubric` goes by rule.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from regen.endpoint import DOUBTED, Endpoint

QUESTION = (
    "Judge the answer below.\n\nQuestion: {question}\n\nRight answer: {target}\n\n"
    "Answer to be judged:\n{output}\n\n"
    "Give each of these a number from 0 (not at all) to 1 (fully):\n{checks}\n\n"
    "Say one JSON object with these keys and numbers, and nothing else."
)
TRIES = 3

Checks = dict[str, float]


class Judge:
    """settings: {seed, checks: {name: {weight, asks}}, and what `Endpoint` takes}."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        given = dict(settings)
        self.seed = given.pop("seed")
        self.checks: dict[str, dict[str, Any]] = given.pop("checks")
        self.endpoint = Endpoint("judge", **given)
        self._known: dict[str, Checks | None] = {}

    def judge(self, asked: Sequence[tuple[str, str, str]]) -> list[Checks | None]:
        """Each output's checks, None for one that was not judged.

        asked: (question, target, output). The same output to the same question is judged once.
        Raises InputError if the server fails, or judges none of what it is asked first.
        """
        lines = "\n".join(f"- {name}: {check['asks']}" for name, check in self.checks.items())
        contents = [
            QUESTION.format(question=question, target=target, output=output, checks=lines)
            for question, target, output in asked
        ]
        new = [content for content in dict.fromkeys(contents) if content not in self._known]
        self._known |= dict(zip(new, self.endpoint.all(self._ask, new), strict=True))
        if len(self._known) >= DOUBTED and not any(self._known.values()):
            said = self.endpoint.ask(contents[0], self.seed)
            raise self.endpoint.useless(f"one JSON object with {', '.join(self.checks)}", said)
        return [self._known[content] for content in contents]

    def weighted(self, found: Checks | None) -> float:
        """The mean of the checks by their weights; 0 of an output that was not judged."""
        if found is None:
            return 0.0
        weights = {name: check["weight"] for name, check in self.checks.items()}
        return sum(weights[name] * found[name] for name in weights) / sum(weights.values())

    def _ask(self, content: str) -> Checks | None:
        for k in range(TRIES):
            found = parse(self.endpoint.ask(content, self.seed + k), list(self.checks))
            if found is not None:
                return found
        return None


def parse(text: str, names: Sequence[str]) -> Checks | None:
    """{check: 0 to 1} of a judge's answer, None for one that is something else.

    >>> parse('{"steps": 1, "units": 0.5}', ["steps", "units"])
    {'steps': 1.0, 'units': 0.5}
    >>> parse('steps: 1', ["steps"])
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.keys() != set(names):
        return None
    numbers = {name: found[name] for name in names}
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers.values()):
        return None
    if not all(math.isfinite(n) and 0 <= n <= 1 for n in numbers.values()):
        return None
    return {name: float(n) for name, n in numbers.items()}
