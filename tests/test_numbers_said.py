"""Numbers as people write them, and which of several is the answer."""

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regen.numbers_said import Said, answer_said, numbers_said


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("12", F(12), None),
        ("12.", F(12), None),
        ("12,", F(12), None),
        ("(12)", F(12), None),
        ("**12**", F(12), None),
        ("`12`", F(12), None),
        ("12!", F(12), None),
        ("007", F(7), None),
        ("0", F(0), None),
        ("1,234", F(1234), None),
        ("1,234,567", F(1234567), None),
        ("1,234.50", F("1234.5"), None),
        ("1\u00a0234", F(1234), None),
        ("1\u202f234", F(1234), None),
        ("1.234.567", F(1234567), None),
        ("12,5", F("12.5"), None),
        (".5", F(1, 2), None),
        ("0.05", F(1, 20), None),
        ("3/4", F(3, 4), None),
        ("3 / 4", F(3, 4), None),
        ("3⁄4", F(3, 4), None),
        ("½", F(1, 2), None),
        ("2½", F(5, 2), None),
        ("2 1/2 cups", F(5, 2), "cups"),
        (r"\frac{3}{4}", F(3, 4), None),
        (r"\dfrac{10}{4}", F(5, 2), None),
        ("50%", F(50), "%"),
        ("50 %", F(50), "%"),
        (r"50\%", F(50), "%"),
        ("50 percent", F(50), "%"),
        ("fifty percent", F(50), "%"),
        ("$12.50", F("12.5"), "dollars"),
        ("$12.50.", F("12.5"), "dollars"),
        ("$ 12", F(12), "dollars"),
        (r"\$12", F(12), "dollars"),
        ("12$", F(12), "dollars"),
        ("12.50 €", F("12.5"), "euros"),
        ("£1,000", F(1000), "pounds"),
        ("12.50 dollars", F("12.5"), "dollars"),
        ("12 apples", F(12), "apples"),
        ("12 Apples.", F(12), "apples"),
        ("5kg", F(5), "kg"),
        ("−5 °C", F(-5), "°c"),
        ("-5", F(-5), None),
        ("- 5", F(-5), None),
        ("+5", F(5), None),
        ("-$5", F(-5), "dollars"),
        ("$-5", F(-5), "dollars"),
        ("it is -5", F(-5), None),
        ("1e3", F(1000), None),
        ("1.5e-2", F("0.015"), None),
        ("1.5k", F(1500), None),
        ("2 million", F(2000000), None),
        ("3 thousand people", F(3000), "people"),
        ("seven", F(7), None),
        ("Seven apples.", F(7), "apples"),
        ("twenty-five", F(25), None),
        ("one hundred and five", F(105), None),
        ("two thousand three hundred", F(2300), None),
        ("two dozen eggs", F(24), "eggs"),
        ("half", F(1, 2), None),
        ("12 of them", F(12), None),
        ("12 more", F(12), None),
    ],
)
def test_one_number(text: str, value: F, unit: str | None) -> None:
    found = numbers_said(text)
    assert [(one.value, one.unit) for one in found] == [(value, unit)]
    assert answer_said(text) == found[0]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5-3", [5, 3]),
        ("5 - 3", [5, 3]),
        ("5 -3", [5, 3]),
        ("x-3", [3]),
        ("(5)-3", [5, 3]),
        ("12:30", [12, 30]),
        ("3,4,5", [3, 4, 5]),
        ("3, 4 and 5", [3, 4, 5]),
        ("1 234", [1, 234]),
        ("five six", [5, 6]),
        ("three red and four blue", [3, 4]),
        ("there are 3 red and four blue", [3]),
        ("1/0", []),
        ("none at all", []),
        ("", []),
        ("...", []),
    ],
)
def test_several_and_none(text: str, values: list[int]) -> None:
    assert [one.value for one in numbers_said(text)] == values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12 + 8 = 20 apples.", 20),
        ("3 + 4 = 7, so Ada has 7 apples", 7),
        ("3 + 4 = 7, then 7 - 2 = 5 are left of the 9", 5),
        ("The answer is 12. That is 3 more than 9.", 12),
        ("Answer: 7 apples out of 12", 7),
        ("#### 72", 72),
        ("They had 10 and now have 72", 72),
        ("7 of the 12 apples", 7),
        ("7 out of 12", 7),
        (r"so \boxed{3} of the 12, as 12 - 9 = 3", 3),
        (r"$\boxed{\frac{3}{4}}$", F(3, 4)),
        ("half of 12", 12),
        ("x = 1,200", 1200),
        ("the answer", None),
        ("=", None),
        ("5 =", 5),
    ],
)
def test_which_of_several_is_the_answer(text: str, value: int | F | None) -> None:
    found = answer_said(text)
    assert (found and found.value) == value


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("3/4", "0.75", True),
        ("50%", "0.5", True),
        ("50%", "1/2", True),
        ("50%", "50", True),
        ("$5", "5.00", True),
        ("1,000", "1000", True),
        ("50", "0.5", False),
        ("50%", "5", False),
        ("3", "-3", False),
    ],
)
def test_the_same_number(a: str, b: str, same: bool) -> None:
    first, second = answer_said(a), answer_said(b)
    assert isinstance(first, Said) and isinstance(second, Said)
    assert first.same(second) is second.same(first) is same


@given(st.integers(-(10**9), 10**9), st.sampled_from(["{}", "{:,}", "${:,}", "x = {}.", "{} eggs"]))
def test_whole_numbers_are_read_as_python_writes_them(number: int, pattern: str) -> None:
    found = answer_said(pattern.format(number))
    assert found is not None and found.value == number


@given(st.decimals(-(10**6), 10**6, places=2), st.sampled_from(["{}", "${:,}", "{} kg."]))
def test_decimals_are_read_as_python_writes_them(number: object, pattern: str) -> None:
    found = answer_said(pattern.format(number))
    assert found is not None and found.value == F(str(number))


@given(st.text(max_size=40))
def test_no_text_is_too_odd(text: str) -> None:
    numbers_said(text)
    answer_said(text)
