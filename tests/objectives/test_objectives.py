"""The set-level objective: unbiased, acting, and not bought with nonsense."""

from itertools import product

import numpy as np
import pytest
import torch

from regen.objectives import advantages, set_loss, set_reward

TEXTS = ["yes it is", "no it is not", "well maybe so", "xq zz"]
QUALITY = {"yes it is": 1.0, "no it is not": 1.0, "well maybe so": 0.5, "xq zz": 0.0}
LOGITS = [0.3, -0.4, 0.9, 0.1]


def exact_gradient(logits: list[float], n: int) -> np.ndarray:
    """Of the expected reward of n draws, over all tuples, by autograd through their probability."""
    theta = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    log_p = theta.log_softmax(0)
    expected = sum(
        log_p[list(drawn)].sum().exp()
        * set_reward([TEXTS[k] for k in drawn], [QUALITY[TEXTS[k]] for k in drawn])
        for drawn in product(range(len(logits)), repeat=n)
    )
    (gradient,) = torch.autograd.grad(expected, theta)
    return gradient.numpy()


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_estimate_is_unbiased(n: int) -> None:
    """Its mean over all tuples, weighted by their probability, is the exact gradient."""
    theta = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    mean = np.zeros(len(LOGITS))
    for drawn in product(range(len(LOGITS)), repeat=n):
        log_p = theta.log_softmax(0)[list(drawn)]
        texts = [TEXTS[k] for k in drawn]
        loss = set_loss(log_p, advantages(texts, [QUALITY[t] for t in texts]))
        (gradient,) = torch.autograd.grad(loss, theta)
        mean -= float(log_p.sum().exp().detach()) * gradient.numpy()
    assert mean == pytest.approx(exact_gradient(LOGITS, n), abs=1e-12)


def test_paying_each_answer_its_own_share_lowers_the_variance() -> None:
    """Against paying all of them the set's reward, which is as unbiased."""
    theta = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    spread = {"own": 0.0, "shared": 0.0}
    exact = exact_gradient(LOGITS, 5)
    for drawn in product(range(len(LOGITS)), repeat=5):
        texts = [TEXTS[k] for k in drawn]
        quality = [QUALITY[t] for t in texts]
        shared = np.full(5, set_reward(texts, quality))
        for name, advantage in (("own", advantages(texts, quality)), ("shared", shared)):
            log_p = theta.log_softmax(0)[list(drawn)]
            (gradient,) = torch.autograd.grad(set_loss(log_p, advantage), theta)
            off = -gradient.numpy() - exact
            spread[name] += float(log_p.sum().exp().detach()) * float(off @ off)
    assert spread["own"] < 0.3 * spread["shared"]


def test_a_pair_counts_only_if_both_are_good() -> None:
    good, bad = ["yes it is", "no it is not"], ["yes it is", "xq zz"]
    assert set_reward(good, [1, 1]) > 0
    assert set_reward(bad, [1, 0]) == 0
    assert set_reward(["yes"], [1]) == 0 == set_reward([], [])
    assert set_reward(["Yes it is", "yes it is"], [1, 1]) == 0


def test_ours_keeps_both_of_two_good_answers_and_likelihood_alone_collapses() -> None:
    """A model that starts with both equally likely and is taught one of them."""
    kept = {}
    for weight in (0.0, 4.0):
        theta = torch.zeros(len(TEXTS), dtype=torch.float64, requires_grad=True)
        draw = torch.Generator().manual_seed(0)
        optimiser = torch.optim.Adam([theta], lr=0.05)
        for _ in range(600):
            log_p = theta.log_softmax(0)
            drawn = torch.multinomial(log_p.exp().detach(), 4, replacement=True, generator=draw)
            texts = [TEXTS[k] for k in drawn.tolist()]
            advantage = advantages(texts, [QUALITY[t] for t in texts])
            loss = -log_p[0] + weight * set_loss(log_p[drawn], advantage)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        kept[weight] = theta.softmax(0).detach().numpy()
    assert kept[0.0][0] > 0.95 and kept[0.0][1] < 0.02
    assert kept[4.0][0] > 0.35 and kept[4.0][1] > 0.15
    assert kept[4.0][3] < 0.02  # nonsense does not become likelier
