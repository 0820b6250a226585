"""Numbers as people write them: "1,234", "$12.50", "3/4", "50%", "2 1/2", "twelve", "−5 °C".

    numbers_said("about 1,234.50 dollars, or 3/4.")  ->  1234.5 with the unit "dollars", 3/4
    answer_said("12 + 8 = 20 apples.")               ->  20 with the unit "apples"

Values are exact fractions. What is a matter of taste is decided here, once:

- a comma before exactly three digits parts thousands; before any other number of digits it is a
  decimal comma, as in "2,5"; several points part thousands as well, as in "1.234.567";
- a minus sign belongs to the number unless it stands after a number, a closing bracket or, with a
  space on neither side or on both, a word: "5-3" is five and three;
- of several numbers the answer is the one in \\boxed{}, if there is one; else the first after the
  last "=", "≈", "####" or "answer is"; else the last one of which no others are a part: in "7 of
  the 12 apples" it is 7;
- words count only in a text without digits: "seven of them".
"""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yen", "₹": "rupees"}
PERCENT = {"%", "percent", "per cent"}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
         "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
         "nineteen"]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS = {
    **{word: value for value, word in enumerate(SMALL)},
    **{word: 10 * value for value, word in enumerate(TENS, 2)},
}
OTHER_WORDS = {"half": Fraction(1, 2), "quarter": Fraction(1, 4), "dozen": Fraction(12)}
NOT_UNITS = {"a", "an", "and", "are", "for", "from", "in", "is", "more", "of", "or", "out", "per",
             "the", "to", "was", "were", "with", "left", "times", "x"}  # fmt: skip

_DIGITS = (
    r"\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:\.\d{3}){2,}(?!\d)"
    r"|\d+\.\d+|(?<!\d,)\d+,\d+(?!,?\d)|\d+|\.\d+"
)
_MINUS = r"(?<![\w)\]%])(?<![\w)\]%]\s)[-+]\s?|(?<=[^\W\d]\s)[-+](?=[$€£¥₹.\d])"
NUMBER = re.compile(
    rf"(?P<sign>{_MINUS})?(?:(?P<before>[$€£¥₹])\s?(?P<inner>[-+])?)?(?P<whole>{_DIGITS})"
    r"(?:(?P<mixed>\s\d+)?\s?/\s?(?P<below>\d+(?![\d.,]*\d)))?"
    r"(?:e(?P<power>[-+]?\d+)\b)?"
    r"(?:\s(?P<scale>hundred|thousand|million|billion)\b|(?P<kilo>[kKmM])\b)?"
    r"\s?(?P<percent>%|percent\b|per\scent\b)?(?P<after>\s?[$€£¥₹])?"
    r"(?:\s?(?P<unit>°?[^\W\d_]+))?"
)
MARKS = re.compile(r"=|≈|####|answer(?:\s+is)?:?", re.IGNORECASE)
BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")


@dataclass(frozen=True)
class Said:
    """A number, what stands beside it ("$" as "dollars", "%", or the next word), and its place.

    value: as it is written; "50%" is 50 with the unit "%"
    """

    value: Fraction
    unit: str | None
    start: int
    end: int

    def same(self, other: "Said") -> bool:
        """Equal; a percentage also equals its share: 50% is 0.5."""
        if self.value == other.value:
            return True
        shares = [s.value / 100 if s.unit == "%" else s.value for s in (self, other)]
        return "%" in (self.unit, other.unit) and shares[0] == shares[1]


def numbers_said(text: str) -> list[Said]:
    """Every number of a text, in order; places are those of `plain(text)`."""
    text = plain(text)
    found = [_said(match) for match in NUMBER.finditer(text)]
    return [one for one in found if one is not None] or _in_words(text)


def answer_said(text: str) -> Said | None:
    """The number that a text gives as its answer; None if it has none."""
    text = plain(text)
    boxed = BOXED.findall(text)
    if boxed and (inside := numbers_said(boxed[-1])):
        return inside[-1]
    marks = [mark.end() for mark in MARKS.finditer(text)]
    every = numbers_said(text)
    after = [one for one in every if marks and one.start >= marks[-1]]
    parts = [one for one in every if not re.search(r"\bof (?:the |all )?$", text[: one.start])]
    return next(iter(after or parts[-1:] or every[-1:]), None)


def plain(text: str) -> str:
    """One form for what is written in several: minus signs, spaces, fractions, LaTeX, bold.

    >>> plain(r"**−½**, \\frac{3}{4} and 1 234")
    '-1/2, 3/4 and 1234'
    """
    text = re.sub(r"\\d?t?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}", r" \1/\2", text)
    text = re.sub(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*)\}", r" \1 ", text)
    text = text.replace("\\$", "$").replace("\\%", "%").replace("\\,", "").replace("\\!", "")
    text = re.sub(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}\b)", "", text)
    text = re.sub(r"(?<=\d)(?=[¼-¾⅐-⅞])", " ", text)
    text = unicodedata.normalize("NFKC", text).replace("⁄", "/")
    text = re.sub("[−‐‑–—]", "-", text)
    return re.sub(r"\*\*|__|`", "", text).strip()


def _said(match: re.Match[str]) -> Said | None:
    part = match.groupdict()
    value = _decimal(part["whole"])
    if part["below"] is not None:
        below = int(part["below"])
        if below == 0:
            return None
        value = (
            value / below if part["mixed"] is None else value + Fraction(int(part["mixed"]), below)
        )
    if part["power"]:
        value *= Fraction(10) ** max(-30, min(30, int(part["power"])))
    if part["scale"]:
        value *= SCALES[part["scale"]]
    if part["kilo"]:
        value *= 1000 if part["kilo"] in "kK" else 10**6
    if "-" in ((part["sign"] or "").strip(), part["inner"]):
        value = -value
    start = next(match.start(k) for k in ("sign", "before", "inner", "whole") if part[k])
    return Said(value, _unit(part), start, match.end())


def _unit(part: dict[str, str | None]) -> str | None:
    if part["percent"]:
        return "%"
    currency = part["before"] or (part["after"] or "").strip()
    if currency:
        return CURRENCIES[currency]
    word = (part["unit"] or "").casefold()
    return None if not word or word in NOT_UNITS else word


def _decimal(digits: str) -> Fraction:
    """
    >>> [str(_decimal(text)) for text in ("1,234.5", "2,5", "1.234.567", ".5", "1,234")]
    ['2469/2', '5/2', '1234567', '1/2', '1234']
    """
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", digits):
        return Fraction(digits.replace(",", ""))
    if digits.count(".") > 1:
        return Fraction(digits.replace(".", ""))
    return Fraction(digits.replace(",", "."))


def _in_words(text: str) -> list[Said]:
    """The numbers of a text that has no digits: "one hundred and five", "half", "two dozen"."""
    found: list[Said] = []
    tokens = [(m.group().casefold(), m.start(), m.end()) for m in re.finditer(r"[^\W\d_]+", text)]
    number = 0
    while number < len(tokens):
        total, last, used = _count(tokens, number)
        unit = tokens[used][0] if used < len(tokens) else None
        if total is None:
            number += 1
            continue
        if unit in NOT_UNITS:
            unit = None
        elif unit in ("percent", "per"):
            unit = "%"
        found.append(Said(total, unit, tokens[number][1], last))
        number = used
    return found


def _count(tokens: list[tuple[str, int, int]], number: int) -> tuple[Fraction | None, int, int]:
    """A number in words from token `number` on: its value, where it ends, the next token."""
    total, current, at = Fraction(0), Fraction(0), number
    started = False
    while at < len(tokens):
        word = tokens[at][0]
        if word in WORDS:
            if started and tokens[at - 1][0] in SMALL:
                break  # "five six" are two numbers
            current += WORDS[word]
        elif word in OTHER_WORDS:
            current = (current or 1) * OTHER_WORDS[word]
        elif word == "hundred" and started:
            current *= 100
        elif word in SCALES and started:
            total, current = total + current * SCALES[word], Fraction(0)
        elif not (
            word == "and"
            and started
            and at + 1 < len(tokens)
            and tokens[at - 1][0] in SCALES
            and tokens[at + 1][0] in WORDS
        ):
            break
        started = True
        at += 1
    if not started:
        return None, 0, number
    return total + current, tokens[at - 1][2], at
