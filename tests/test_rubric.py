"""Checks of a worked solution, against cases worked out by hand."""

import ast
import operator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regen.files import Absent
from regen.rubric import WEIGHTS, checks, equations, weighted

QUESTION = "Ada has 3 apples, gets 4 more and loses 2. How many are left?"


def found(reasoning: str, answer: str, unit: str = "apples") -> dict[str, float | Absent]:
    return checks(question=QUESTION, steps=2, unit=unit, reasoning=reasoning, answer=answer)


@pytest.mark.parametrize(
    ("reasoning", "answer", "expected"),
    [
        ("3 + 4 = 7; 7 - 2 = 5", "5 apples", (1, 1, 1, 1)),
        ("3 + 4 = 7; 7 - 2 = 5", "5 apple.", (1, 1, 1, 1)),
        ("3 + 4 = 7; 7 - 2 = 5", "5", (1, 1, 0, 1)),
        ("3 + 4 = 7; 7 - 2 = 5", "6 apples", (1, 1, 1, 0)),
        ("3 + 4 = 8; 8 - 2 = 6", "6 apples", (0.5, 1, 1, 1)),
        ("3 + 4 = 7; 3 + 4 = 7", "7 apples", (0.5, 2 / 3, 1, 1)),  # said twice is one step
        ("3 + 4 = 7; 7 - 2 = 5; 5 + 0 = 5", "5 apples", (1, 1, 1, 1)),
        ("Three and four.", "5 pens", (0, 2 / 3, 0, 0)),
        ("Some apples.", "5 pens", (0, 0, 0, 0)),
        ("", "", (0, 0, 0, 0)),
    ],
)
def test_checks(reasoning: str, answer: str, expected: tuple[float, ...]) -> None:
    assert tuple(found(reasoning, answer).values()) == pytest.approx(expected)
    total = sum(w * e for w, e in zip(WEIGHTS.values(), expected, strict=True))
    assert weighted(found(reasoning, answer)) == pytest.approx(total)


def test_a_check_that_the_item_does_not_ask_for_is_absent() -> None:
    without = found("3 + 4 = 7; 7 - 2 = 5", "5", unit="")
    assert isinstance(without["units"], Absent)
    assert weighted(without) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 + 3 * 4 = 14", [("2 + 3 * 4", True)]),
        ("2 + 3 * 4 = 20", [("2 + 3 * 4", False)]),
        ("10 - 2 - 3 = 5", [("10 - 2 - 3", True)]),
        ("48/2=24", [("48/2", True)]),
        ("$1.25 x 4 = $5.00", [("$1.25 x 4", True)]),
        ("1,200 ÷ 4 = 300", [("1,200 ÷ 4", True)]),
        ("14 / 24 = 7/12", [("14 / 24", True)]),
        ("1 / 3 = 0.33", [("1 / 3", True)]),
        ("1 / 3 = 0.34", [("1 / 3", False)]),
        ("20% * 50 = 10", [("20% * 50", True)]),
        ("3 - 5 = -2", [("3 - 5", True)]),
        ("1 / 0 = 5", []),
        ("= 5", []),
        ("7 = 7", []),
    ],
)
def test_equations(text: str, expected: list[tuple[str, bool]]) -> None:
    assert equations(text) == expected


OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=5),
    st.lists(st.sampled_from(sorted(OPERATORS)), min_size=4, max_size=4),
    st.sampled_from([0, 1, -7]),
)
def test_equations_hold_as_pythons_do(numbers: list[int], signs: list[str], off: int) -> None:
    expression = str(numbers[0])
    for sign, number in zip(signs, numbers[1:], strict=False):
        expression += f" {sign} {number}"
    value = Fraction(_python(ast.parse(expression, mode="eval").body)) + off
    assert equations(f"{expression} = {value}") == [(expression, off == 0)]


def _python(node: ast.expr) -> int:
    if isinstance(node, ast.Constant):
        return int(str(node.value))
    assert isinstance(node, ast.BinOp)
    sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}[type(node.op)]  # type: ignore[index]
    return int(OPERATORS[sign](_python(node.left), _python(node.right)))
