"""How much a set of texts varies, and how much one text repeats another.

Shares and distances lie between 0 and 1. Texts are compared as lists of lower-case words, so that
no tokenizer has to be at hand.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from regen.files import Absent

WORD = re.compile(r"\w+|[^\w\s]")
EPSILON = 0.5
"""What stands for the matches of an n-gram order that has none."""


def words(text: str) -> list[str]:
    """Words and single punctuation marks, in lower case."""
    return WORD.findall(text.lower())


def ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(tokens[start:] for start in range(n)), strict=False))


def distinct(texts: Sequence[str], n: int) -> float | Absent:
    """Different n-grams of all texts together, over all of them (Li et al. 2016, distinct-n)."""
    found = [gram for text in texts for gram in ngrams(words(text), n)]
    if not found:
        return Absent(f"no text has {n} words")
    return len(set(found)) / len(found)


def self_bleu(texts: Sequence[str], n: int = 4) -> float | Absent:
    """Mean BLEU-n of each text against all others (Zhu et al. 2018): 1 if they are all the same.

    Uniform weights; a precision without a match is smoothed as (0 + 1) / (2 x its n-grams), and the
    reference nearest in length, the shorter of two, sets the brevity penalty: NLTK's
    `sentence_bleu` with its smoothing method 1 at epsilon 1/2. Each text's n-grams are counted
    once, and the highest and second highest count of each n-gram over texts give what all
    references but the text itself hold: linear in the number of texts, where comparing each with
    each other is quadratic.
    """
    lists = [words(text) for text in texts]
    if len(lists) < 2:
        return Absent("self-BLEU needs two texts")
    scores = np.zeros((len(lists), n))
    for order in range(1, n + 1):
        counts = [Counter(ngrams(tokens, order)) for tokens in lists]
        top = _two_highest(counts)
        for k, own in enumerate(counts):
            clipped = sum(min(c, _without(top[gram], k)) for gram, c in own.items())
            total = max(sum(own.values()), 1)
            scores[k, order - 1] = (clipped or EPSILON) / total
    lengths = np.array([len(tokens) for tokens in lists])
    nearest = _nearest_other(lengths)
    with np.errstate(divide="ignore"):
        brevity = np.where(lengths > nearest, 1.0, np.exp(1 - nearest / np.maximum(lengths, 1)))
    bleu = brevity * np.exp(np.log(scores).mean(1))
    bleu[lengths == 0] = 0.0
    return float(bleu.mean())


def _two_highest(counts: Sequence[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], list[int]]:
    """{n-gram: [highest count in a text, which text, second highest count]}."""
    top: dict[tuple[str, ...], list[int]] = {}
    for k, own in enumerate(counts):
        for gram, count in own.items():
            best = top.setdefault(gram, [0, -1, 0])
            if count > best[0]:
                best[:] = [count, k, best[0]]
            elif count > best[2]:
                best[2] = count
    return top


def _without(best: list[int], k: int) -> int:
    """The highest count among the texts but the k-th."""
    return best[2] if best[1] == k else best[0]


def _nearest_other(lengths: np.ndarray) -> np.ndarray:
    """For each length the nearest among the others; of two as near, the shorter."""
    order = np.argsort(lengths, kind="stable")
    ranked = lengths[order]
    before = np.concatenate([[-np.inf], ranked[:-1]])
    after = np.concatenate([ranked[1:], [np.inf]])
    chosen = np.where(ranked - before <= after - ranked, before, after)
    nearest = np.empty(len(lengths))
    nearest[order] = chosen
    return nearest


def mean_distance(vectors: np.ndarray) -> float | Absent:
    """Mean cosine distance of all pairs of rows. vectors: (texts, dimensions).

    From the sum of the unit vectors, in one pass: |sum|^2 = n + 2 x the sum over pairs.
    """
    n = len(vectors)
    if n < 2:
        return Absent("a distance needs two texts")
    unit = _unit(vectors)
    total = unit.sum(0)
    pairs = n * (n - 1) / 2
    return float(1 - (total @ total - (unit * unit).sum()) / 2 / pairs)


def vendi_score(vectors: np.ndarray) -> float | Absent:
    """The effective number of different texts (Friedman and Dieng 2023): from 1 to their number.

    exp of the entropy of the eigenvalues of K/n, K the cosine similarities; with fewer dimensions
    than texts they are those of the covariance, (dimensions, dimensions), and K is never made.
    """
    n = len(vectors)
    if n == 0:
        return Absent("no texts")
    unit = _unit(vectors)
    small = unit.T @ unit if unit.shape[1] < n else unit @ unit.T
    values = np.linalg.eigvalsh(small / n)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def _unit(vectors: np.ndarray) -> np.ndarray:
    wide = np.asarray(vectors, dtype=np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)


def bigram_distance(first: str, second: str) -> float:
    """1 - Jaccard similarity of the sets of bigrams, single words counting as bigrams of their own.

    0 for texts with the same bigrams, 1 for texts that share none.
    """
    a, b = _bigrams(first), _bigrams(second)
    union = a | b
    return 1 - len(a & b) / len(union) if union else 0.0


def _bigrams(text: str) -> set[tuple[str, str]]:
    return set(pairwise(("", *words(text), "")))
