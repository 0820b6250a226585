"""What fine-tuning can ask for beside the likelihood of the answers: sets of answers that vary.

The loss that is often written, `quality_loss - lambda * diversity_score`, takes the diversity of
decoded text. Decoding has no derivative: the term is a constant, and whatever lambda is, the
gradient is that of the likelihood alone. The objective here is one that acts.

For a question x, n answers Y = (y_1, ..., y_n) are drawn from the model. The reward belongs to the
set: the mean over pairs of q_i q_j d(y_i, y_j), with q in [0, 1] the quality of an answer and d in
[0, 1] a distance. A pair counts only if both answers are good, so that diversity cannot be bought
with nonsense. The gradient of its expectation is that of a score function (Williams 1992),

    grad E[f(Y)] = E[ sum_i (f(Y) - f(Y without y_i)) grad log p(y_i | x) ],

where what is subtracted does not depend on y_i, so that the estimate stays unbiased, and is the
set's reward without that answer: each answer is paid for what it adds to the others. From four
answers on this varies less than paying every answer the set's reward.

Hamid et al. 2025 (arXiv 2509.25424) optimise set-level rewards of this kind by reinforcement
learning with one advantage for the whole set; here the advantage is each answer's own, quality
enters every pair, and the term stands beside the likelihood of the reference answers.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from regen.diversity import bigram_distance

if TYPE_CHECKING:
    from torch import Tensor

Distance = Callable[[str, str], float]


def set_reward(
    texts: Sequence[str], quality: Sequence[float], distance: Distance = bigram_distance
) -> float:
    """Mean over pairs of the product of their qualities and their distance; 0 for fewer than two.

    quality: between 0 and 1, one a text
    """
    return _reward(_worth(texts, quality, distance))


def advantages(
    texts: Sequence[str], quality: Sequence[float], distance: Distance = bigram_distance
) -> np.ndarray:
    """What each answer adds to the set: its reward less that of the set without it, (answers,)."""
    worth = _worth(texts, quality, distance)
    whole = _reward(worth)
    rest = [_reward(np.delete(np.delete(worth, i, 0), i, 1)) for i in range(len(texts))]
    return whole - np.array(rest)


def set_loss(log_probabilities: "Tensor", advantage: np.ndarray) -> "Tensor":
    """A scalar whose gradient is minus the estimate above.

    log_probabilities: of whole answers, (answers,); advantage: (answers,), taken as constant
    """
    weights = log_probabilities.new_tensor(advantage)
    return -(weights * log_probabilities).sum()


def _worth(texts: Sequence[str], quality: Sequence[float], distance: Distance) -> np.ndarray:
    """q_i q_j d(y_i, y_j), symmetric with a diagonal of 0."""
    n = len(texts)
    worth = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            worth[i, j] = worth[j, i] = quality[i] * quality[j] * distance(texts[i], texts[j])
    return worth


def _reward(worth: np.ndarray) -> float:
    n = len(worth)
    return float(worth.sum() / (n * (n - 1))) if n > 1 else 0.0
