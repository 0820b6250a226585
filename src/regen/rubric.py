"""A rubric for worked solutions: weighted checks of how an answer was reached, by rule.

What each check gives is a share, 0 to 1, or `Absent` where the item does not ask for it:

steps: equations of the reasoning that are true, as many as the worked solution has, or more
quantities: of the numbers that the question gives, those that the reasoning has
units: the answer has the unit that the question asks for
consistent: the answer is the last number of the reasoning
"""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from regen.files import Absent
from regen.numbers_said import answer_said, numbers_said, plain

WEIGHTS: Mapping[str, float] = {"steps": 0.3, "quantities": 0.3, "units": 0.2, "consistent": 0.2}
_NUMBER = r"\$?\d+(?:,\d{3})*(?:\.\d+)?%?"
_OPERATORS = {"+": "+", "-": "-", "*": "*", "x": "*", "×": "*", "·": "*", "/": "/", "÷": "/"}
_OPERATOR = rf"\s*[{re.escape(''.join(_OPERATORS))}]\s*"
EQUATION = re.compile(
    rf"(?<![\d.])({_NUMBER}(?:{_OPERATOR}{_NUMBER})+)\s*=\s*(-?\s*{_NUMBER}(?:\s*/\s*\d+)?)"
)


def checks(
    *, question: str, steps: int, unit: str, reasoning: str, answer: str
) -> dict[str, float | Absent]:
    """What each check of WEIGHTS gives.

    steps: how many equations the worked solution has; unit: "" if the answer has none
    reasoning, answer: of the output, "" where it has none
    """
    right = len({left for left, holds in equations(reasoning) if holds})
    given = {said.value for said in numbers_said(question)}
    parted = plain(reasoning).replace("/", " / ; ")  # "15 / 5" is a division, not a fraction
    used = {said.value for text in (reasoning, parted) for said in numbers_said(text)}
    said, concluded = answer_said(answer), numbers_said(reasoning)[-1:]
    return {
        "steps": min(right / steps, 1.0) if steps else Absent("no step is needed"),
        "quantities": (
            len(given & used) / len(given) if given else Absent("the question has no number")
        ),
        "units": (
            float(said is not None and same_unit(said.unit, unit))
            if unit
            else Absent("the answer has no unit")
        ),
        "consistent": float(
            said is not None and bool(concluded) and said.value == concluded[0].value
        ),
    }


def weighted(found: Mapping[str, float | Absent]) -> float:
    """The mean of the checks that the item asks for, by WEIGHTS."""
    present = {k: v for k, v in found.items() if not isinstance(v, Absent)}
    total = sum(WEIGHTS[name] for name in present)
    return sum(WEIGHTS[name] * value for name, value in present.items()) / total


def equations(text: str) -> list[tuple[str, bool]]:
    """Each equation's left side, and whether it holds to the digits that are written.

    >>> equations("3 + 4 = 7, then 7 x 2 = 15 and 1 / 3 = 0.33")
    [('3 + 4', True), ('7 x 2', False), ('1 / 3', True)]
    """
    found = []
    for left, right in EQUATION.findall(plain(text)):
        value, wanted = _value(left), numbers_said(right)
        if value is None or not wanted:
            continue
        _, point, decimals = right.partition(".")
        last = Fraction(1, 2 * 10 ** len(re.findall(r"\d", decimals))) if point else Fraction(0)
        found.append((left, abs(value - wanted[0].value) <= last))
    return found


def same_unit(said: str | None, wanted: str) -> bool:
    """The same word, in the singular or the plural.

    >>> same_unit("apple", "apples"), same_unit("boxes", "box"), same_unit(None, "apples")
    (True, True, False)
    """
    return said is not None and bool(_forms(said) & _forms(wanted))


def _forms(word: str) -> set[str]:
    word = word.casefold()
    return {word, word.removesuffix("s"), word.removesuffix("es")}


def _value(expression: str) -> Fraction | None:
    """Numbers with + - * / between them, products first; None for a division by zero."""
    parts = re.split(f"({_OPERATOR})", expression)
    numbers = [_fraction(text) for text in parts[::2]]
    operators = [_OPERATORS[text.strip()] for text in parts[1::2]]
    return _sum(numbers, operators)


def _sum(numbers: Sequence[Fraction], operators: Sequence[str]) -> Fraction | None:
    total, term, sign = Fraction(0), numbers[0], 1
    for operator, number in zip(operators, numbers[1:], strict=True):
        if operator == "*":
            term *= number
        elif operator == "/":
            if number == 0:
                return None
            term /= number
        else:
            total += sign * term
            term, sign = number, 1 if operator == "+" else -1
    return total + sign * term


def _fraction(text: str) -> Fraction:
    value = Fraction(text.strip("$%").replace(",", ""))
    return value / 100 if text.endswith("%") else value
