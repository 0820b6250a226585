"""Diversity of texts, against definitions written out and other implementations."""

import importlib.util
import tracemalloc
from itertools import combinations

import numpy as np
import pytest

from regen.diversity import (
    bigram_distance,
    distinct,
    mean_distance,
    self_bleu,
    vendi_score,
    words,
)
from regen.files import Absent


def random_texts(seed: int, count: int, vocabulary: int = 12) -> list[str]:
    draw = np.random.default_rng(seed)
    return [
        " ".join(f"w{k}" for k in draw.integers(0, vocabulary, draw.integers(1, 15)))
        for _ in range(count)
    ]


def test_distinct_counts_ngrams_over_all_texts() -> None:
    texts = ["a b a b", "a b c"]
    assert distinct(texts, 1) == 3 / 7
    assert distinct(texts, 2) == 3 / 5  # ab ba ab, ab bc
    assert distinct(texts, 5) == Absent("no text has 5 words")


@pytest.mark.skipif(not importlib.util.find_spec("nltk"), reason="needs nltk")
def test_self_bleu_is_nltks() -> None:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smooth = SmoothingFunction(epsilon=0.5).method1
    for seed in range(20):
        texts = random_texts(seed, 8)
        lists = [words(text) for text in texts]
        expected = [
            sentence_bleu(
                [other for j, other in enumerate(lists) if j != i],
                lists[i],
                weights=(0.25,) * 4,
                smoothing_function=smooth,
            )
            for i in range(len(lists))
        ]
        assert self_bleu(texts) == pytest.approx(np.mean(expected), abs=1e-12)


def test_self_bleu_of_the_same_text_is_one_and_of_one_text_is_none() -> None:
    assert self_bleu(["a b c d e"] * 3) == pytest.approx(1.0)
    assert isinstance(self_bleu(["a b c d"]), Absent)
    assert self_bleu(["a b c d", "", "e f g h"]) < 0.2


def test_the_mean_distance_is_that_of_all_pairs() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 5))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.mean([1 - unit[i] @ unit[j] for i, j in combinations(range(30), 2)])
    assert mean_distance(vectors) == pytest.approx(expected, abs=1e-12)
    assert isinstance(mean_distance(vectors[:1]), Absent)


def test_the_vendi_score_is_the_effective_number_of_texts() -> None:
    assert vendi_score(np.eye(7)) == pytest.approx(7)
    assert vendi_score(np.ones((7, 3))) == pytest.approx(1)
    assert vendi_score(np.repeat(np.eye(4), 25, axis=0)) == pytest.approx(4)  # texts > dimensions
    vectors = np.random.default_rng(1).normal(size=(20, 6))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit @ unit.T / 20)
    entropy = -sum(v * np.log(v) for v in values if v > 1e-12)
    assert vendi_score(vectors) == pytest.approx(np.exp(entropy))
    assert isinstance(vendi_score(np.zeros((0, 3))), Absent)


def test_ten_thousand_texts_fit_into_little_memory() -> None:
    """The matrix of all pairs alone would take 800 MB."""
    vectors = np.random.default_rng(2).normal(size=(10_000, 64)).astype(np.float32)
    tracemalloc.start()
    assert 0.99 < mean_distance(vectors) < 1.01
    assert 60 < vendi_score(vectors) <= 64
    assert 0 < self_bleu(random_texts(3, 10_000, vocabulary=500)) < 1
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()


def test_the_bigram_distance() -> None:
    assert bigram_distance("It is so.", "it is so .") == 0
    assert bigram_distance("yes", "no") == 1
    assert bigram_distance("", "") == 0
    # ^a ab bc c$ against ^a ab bd d$: two of six are shared
    assert bigram_distance("a b c", "a b d") == pytest.approx(1 - 2 / 6)
