"""Words of a text, as the qa data set and its metrics count them."""

import re
import unicodedata

ABSTENTION = "The text does not include that detail."

FUNCTION_WORDS = frozenset(
    """
    a an the this that these those there here it its we our us they their them he she his
    her who which what when where whether why how and or but nor so than then as if because
    while although though however of in on at by to for from with without into onto over
    under between among during after before through against about across along within per
    via up down out off is are was were be been being am do does did done has have had
    having can could may might must shall should will would not no also only both either
    neither each all any some such same other more most very too just i you your my me one
    two
    """.split()  # noqa: SIM905 - a list of so many words cannot be read
)
"""English words that carry grammar and no content; no keyword is one of them."""

WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def words(text: str) -> list[str]:
    """Runs of letters, and numbers with their decimals, in lower case and one Unicode form."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def keywords(text: str) -> set[str]:
    """The different words that are neither function words nor single letters."""
    return {w for w in words(text) if w not in FUNCTION_WORDS and (len(w) > 1 or w.isdigit())}


def numbers(text: str) -> list[str]:
    """The numbers of a text, in order, without thousands separators and trailing zeros."""
    found = NUMBER.findall(unicodedata.normalize("NFKC", text))
    return [_plain(number.replace(",", "")) for number in found]


def _plain(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number
