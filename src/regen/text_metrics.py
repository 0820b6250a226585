"""How much of an expected answer is in an answer, and what else is: counted in words."""

import re
from collections import Counter
from collections.abc import Sequence

from regen.files import Absent
from regen.texts import keywords, numbers, words

ARTICLES = frozenset({"a", "an", "the"})
ABSTAINS = re.compile(
    r"\b(?:text|passage|context|excerpt|abstract|article|paper|document)\b"
    r"(?: (?!that\b|which\b)\w+){0,2} (?:(?:does|do|did)(?: not|n['’]t) (?:\w+ )?"
    r"(?:include|mention|provide|specify|state|report|say|contain|give|tell|describe|indicate)"
    r"|(?:contains|gives|provides|includes|has) no (?:such |further )?(?:information|detail))"
    # What a study does not include or report may be what it found.
    r"|\bstudy (?:does|do|did)(?: not|n['’]t) (?:\w+ )?(?:mention|specify|state|say|tell)"
    r"|\bnot (?:explicitly |directly )?(?:mentioned|provided|specified|stated|included|reported"
    r"|given|described|available) (?:in|by) the\b"
    r"|\b(?:is|are|was|were) not (?:explicitly |directly |further )?(?:mentioned|specified|stated)"
    r"(?=[.;]|$)"
    r"|\b(?:answer|information|details?) (?:is|are) not (?:provided|given|available|included)\b"
    r"|^not (?:mentioned|specified|stated|provided|given)\b"
    r"|\bno (?:such )?(?:information|detail)s? (?:is|are|was|about|on)\b"
    r"|\bcannot be (?:determined|answered)\b"
    r"|\bi (?:do not|don['’]t) know\b",
    re.IGNORECASE,
)


def keyword_overlap(answer: str, expected: str) -> float:
    """The share of the expected answer's keywords that the answer has, 0 to 1.

    What else the answer says does not lower it: whoever repeats the whole text scores high. An
    expected answer without keywords is one that every answer has.
    """
    wanted = keywords(expected)
    return len(wanted & keywords(answer)) / len(wanted) if wanted else 1.0


def token_f1(answer: str, expected: str) -> float:
    """F1 of the words that both have, each as often as in both, articles left out.

    As SQuAD counts it (Rajpurkar et al. 2016, arXiv 1606.05250).
    """
    said, wanted = (_without_articles(text) for text in (answer, expected))
    return f1(sum((Counter(said) & Counter(wanted)).values()), len(said), len(wanted))


def _without_articles(text: str) -> list[str]:
    return [word for word in words(text) if word not in ARTICLES]


def rouge_l(answer: str, expected: str) -> float:
    """F1 of the longest common subsequence (Lin 2004), as Google's `rouge-score` computes it.

    Words are runs of a-z and 0-9 in lower case, without stemming.
    """
    said, wanted = (re.findall(r"[a-z0-9]+", text.lower()) for text in (answer, expected))
    return f1(longest_common_subsequence(said, wanted), len(said), len(wanted))


def f1(common: int, said: int, wanted: int) -> float:
    """The harmonic mean of common / said and common / wanted; 0 if nothing is common."""
    return 2 * common / (said + wanted) if common else 0.0


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Its length; a row a word of `a`, so that len(b) numbers are held."""
    row = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0
        for number, other in enumerate(b, 1):
            above = row[number]
            row[number] = diagonal + 1 if word == other else max(above, row[number - 1])
            diagonal = above
    return row[-1]


def abstains(answer: str) -> bool:
    """Does the answer say that the text does not tell? By the phrases of ABSTAINS."""
    return ABSTAINS.search(" ".join(answer.split())) is not None


def length_ratio(answer: str, expected: str) -> float | Absent:
    """Words of the answer by words of the expected one."""
    wanted = len(words(expected))
    return len(words(answer)) / wanted if wanted else Absent("the expected answer has no words")


def unsupported_numbers(answer: str, *texts: str) -> float | Absent:
    """The share of the answer's numbers that none of the texts has."""
    said = numbers(answer)
    if not said:
        return Absent("the answer has no number")
    known = {number for text in texts for number in numbers(text)}
    return sum(number not in known for number in said) / len(said)
