"""An objective beside the likelihood, step by step: answers are drawn, scored, and paid.

Two kinds. "as_written" subtracts the diversity of decoded text from the loss, which is a constant
to the gradient; "set_diversity" adds the score-function term of `regen.objectives`, which acts.
Draws come from a generator of their own, so that a training whose objective has no gradient takes
the same steps as one without an objective.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regen.benchmarks.base import BaseBenchmark, Item, Prompt
from regen.objectives import advantages, set_loss, set_reward

AS_WRITTEN = "as_written"
STREAM = 0x5E7
"""Of the draws' seeds, so that they are not those of the order of the items."""


@dataclass(frozen=True)
class Asked:
    """What the objective says at a step.

    diversity: mean over the questions of the reward of their sets of answers, 0 to 1; what "as
    written" takes is the mean distance of an answer to another, whether they are good or not
    weight: lambda; term: scalar whose gradient is the objective's, times lambda, or None
    """

    diversity: float
    weight: float
    term: Any

    def add(self, loss: float, trainable: Iterable[Any]) -> dict[str, float]:
        """Add the term's gradient to that of the likelihood; what the log says of this step.

        combined: the loss less weight x diversity; share: of the norms of the two gradients, the
        term's over both
        """
        row = {"diversity": self.diversity, "combined": loss - self.weight * self.diversity}
        if self.term is None:
            return row | {"share": 0.0}
        parameters = [one for one in trainable if one.grad is not None]
        before = [one.grad.clone() for one in parameters]
        self.term.backward()
        own = sum(float(((p.grad - g) ** 2).sum()) for p, g in zip(parameters, before, strict=True))
        likely = sum(float((g**2).sum()) for g in before)
        both = own**0.5 + likely**0.5
        return row | {"share": own**0.5 / both if both else 0.0}


class SetObjective:
    """What `regen.training` asks at each step.

    settings: {kind, weight, n_generations, max_examples, every_n_steps, max_new_tokens,
    temperature}, see `regen.schema.recipes`; items, questions: of the training, aligned
    """

    def __init__(
        self,
        task: BaseBenchmark,
        model: Any,
        items: Sequence[Item],
        questions: Sequence[Prompt],
        settings: dict[str, Any],
        seed: int,
    ) -> None:
        self.task, self.model = task, model
        self.items, self.questions = items, questions
        self.settings, self.seed = settings, seed
        self.weight: float = settings["weight"]

    def at(self, step: int, chosen: Sequence[int]) -> Asked | None:
        """At step `step`, from 0, with these items in the batch; None where it is not asked."""
        if step % self.settings["every_n_steps"]:
            return None
        some = list(chosen[: self.settings["max_examples"]])
        # Without dropout, as the answers are drawn: a likelihood is that of what drew them.
        self.model.network.eval()
        asked = self._ask(step, some)
        self.model.network.train()
        return asked

    def _ask(self, step: int, some: list[int]) -> Asked:
        sets = self._draw(step, some)
        texts = [[one.text for one in of_item] for of_item in sets]
        if self.settings["kind"] == AS_WRITTEN:
            found = [set_reward(said, [1.0] * len(said)) for said in texts]
            return Asked(float(np.mean(found)), self.weight, None)
        quality = [
            [self.task.quality(self.items[i], text) for text in said]
            for i, said in zip(some, texts, strict=True)
        ]
        rewards = [set_reward(said, q) for said, q in zip(texts, quality, strict=True)]
        paid = [advantages(said, q) for said, q in zip(texts, quality, strict=True)]
        logs = self._log_probabilities(some, sets)
        term = set_loss(logs, np.concatenate(paid)) * (self.weight / len(some))
        return Asked(float(np.mean(rewards)), self.weight, term)

    def _draw(self, step: int, some: Sequence[int]) -> list[list[Any]]:
        """The generations for each question."""
        from regen.models.protocol import Decoding

        n = self.settings["n_generations"]
        key = np.random.SeedSequence([self.seed, step, STREAM])
        decoding = Decoding(
            max_new_tokens=self.settings["max_new_tokens"],
            temperature=self.settings["temperature"],
            seed=int(key.generate_state(1)[0]),
        )
        prompts = [self.questions[i] for i in some for _ in range(n)]
        drawn = self.model.generate_batch(prompts, decoding)
        return [drawn[start : start + n] for start in range(0, len(drawn), n)]

    def _log_probabilities(self, some: Sequence[int], sets: Sequence[Sequence[Any]]) -> Any:
        """Of whole answers, their end included if they have one, (questions x generations,)."""
        rows = [self.model.encode(self.questions[i]) for i in some for _ in sets[0]]
        answers = [one.ids for of_item in sets for one in of_item]
        found, real = self.model.answer_log_probabilities(rows, answers)
        return (found * real).sum(-1)


def health(log: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Does the objective do what it should? Over the steps at which it was asked.

    diversity_positive: at every one of them; combined_differs: from the loss, at any of them;
    acts: it has a share of the gradient at any of them
    """
    asked = [row for row in log if "diversity" in row]
    mean = {
        key: sum(row[key] for row in asked) / len(asked)
        for key in ("loss", "diversity", "combined", "share")
    }
    return {
        "asked": len(asked),
        "mean": mean,
        "diversity_positive": all(row["diversity"] > 0 for row in asked),
        "combined_differs": any(row["combined"] != row["loss"] for row in asked),
        "acts": any(row["share"] > 0 for row in asked),
    }


def ailments(found: dict[str, Any]) -> list[str]:
    """A line for each thing that is not as it should be; found: of `health`."""
    lines = []
    if not found["diversity_positive"]:
        lines.append("objective: the diversity fell to 0: all answers of a step were alike, or bad")
    if not found["combined_differs"]:
        lines.append("objective: the combined loss is the likelihood's; raise the weight")
    if not found["acts"]:
        lines.append("objective: it has no part in the gradient, so that its weight does nothing")
    return lines
