"""Metrics of answers in words: by hand, and against plain computations written here."""

import itertools
import random

import pytest

from regen.files import Absent
from regen.text_metrics import (
    abstains,
    keyword_overlap,
    length_ratio,
    longest_common_subsequence,
    rouge_l,
    token_f1,
    unsupported_numbers,
)
from regen.texts import ABSTENTION, keywords, numbers, words

EXPECTED = "The tea improved sleep in 12.5% of the patients."


@pytest.mark.parametrize(
    ("answer", "overlap", "f1"),
    [
        (EXPECTED, 1, 1),
        ("", 0, 0),
        ("Nothing at all.", 0, 0),
        ("tea, TEA; tea!", 1 / 5, 2 * 1 / (3 + 7)),
        # five keywords: tea improved sleep 12.5 patients; seven words without articles
        ("the sleep of the patients", 2 / 5, 2 * 3 / (3 + 7)),
        ("It said: " + EXPECTED + " And more.", 1, 2 * 7 / (11 + 7)),
    ],
)
def test_overlap_and_f1_by_hand(answer: str, overlap: float, f1: float) -> None:
    assert keyword_overlap(answer, EXPECTED) == pytest.approx(overlap)
    assert token_f1(answer, EXPECTED) == pytest.approx(f1)


def test_keywords_are_words_with_content() -> None:
    assert words("The p-value wasn't 0.05, 1,024 α") == [
        "the", "p", "value", "wasn't", "0.05", "1,024", "α",
    ]  # fmt: skip
    assert keywords("The p was 3 in it") == {"3"}
    assert words("ﬁne Straße") == words("fine STRASSE")


def longest(a: list[str], b: list[str]) -> int:
    """By trying every choice of words of `a`, longest first."""
    for size in range(len(a), 0, -1):
        for chosen in itertools.combinations(a, size):
            rest = iter(b)
            if all(word in rest for word in chosen):
                return size
    return 0


def test_the_longest_common_subsequence_is_the_longest_that_there_is() -> None:
    draw = random.Random(0)
    for _ in range(200):
        a, b = ([draw.choice("abc") for _ in range(draw.randrange(8))] for _ in range(2))
        assert longest_common_subsequence(a, b) == longest(a, b)


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        # printed by rouge-score 0.1.2, RougeScorer(["rougeL"]).score(expected, answer)
        ("The cat sat on the mat", "the cat was on a mat", 2 / 3),
        ("police killed the gunman", "police kill the gunman", 0.75),
        ("the gunman kill police", "police kill the gunman", 0.5),
        ("α-3.5 mg", "3.5 mg!", 1.0),
        ("", "the cat", 0.0),
    ],
)
def test_rouge_l_is_what_the_library_prints(answer: str, expected: str, score: float) -> None:
    assert rouge_l(answer, expected) == pytest.approx(score)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ABSTENTION, True),
        ("the text does not\ninclude that detail", True),
        ("The passage doesn't mention who paid.", True),
        ("It is not stated in the text.", True),
        ("The text contains no information on that.", True),
        ("There is no information about it.", True),
        ("The software used is not specified.", True),
        ("Doses were not stated; the rest is known.", True),
        ("The dose was not specified in advance.", False),
        ("Choose a sentence of the text that does not include that detail.", False),
        ("The text did not include children.", True),  # the rule errs here, and is stated
        ("The study did not include children.", False),
        ("The study does not report a difference.", False),
        ("The study does not say who paid.", True),
        ("The answer is not provided.", True),
        ("Not mentioned.", True),
        ("I don't know.", True),
        ("Sleep did not improve.", False),
        ("The text says that tea helps.", False),
        ("", False),
    ],
)
def test_an_abstention_is_told_by_its_phrases(answer: str, said: bool) -> None:
    assert abstains(answer) is said


def test_the_length_ratio_counts_words() -> None:
    assert length_ratio("one two three", "one two") == 1.5
    assert length_ratio("", "one two") == 0
    assert isinstance(length_ratio("one", "!"), Absent)


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("It rose by 15% in 3 of 10.", 1 / 3),
        ("It rose by 0.50 to 1024.", 0),
        ("99 and 98", 1),
    ],
)
def test_numbers_that_no_text_has_are_unsupported(answer: str, share: float) -> None:
    assert unsupported_numbers(answer, "3 of 10 had 0.5", "and 1,024") == pytest.approx(share)


def test_an_answer_without_numbers_has_none_to_support() -> None:
    assert unsupported_numbers("It rose.", "3") == Absent("the answer has no number")
    assert numbers("1,024.50 of 10. and p<.05") == ["1024.5", "10", "05"]
