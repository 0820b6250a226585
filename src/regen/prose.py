"""Checks of the text before it is compiled: its numbers come from the results, and exist."""

import re
from collections.abc import Iterable
from pathlib import Path

from regen.errors import InputError
from regen.schema import nearest

USES = re.compile(r"\\(result|verdict)\{([^{}]*)\}")
EXEMPT = re.compile(
    r"\\(?:label|ref|eqref|autoref|cite[a-z]*|input|include|includegraphics|literal|result|verdict"
    r"|url|href|vspace|hspace|setlength|bibitem|begin|end|resultsof)\*?(?:\[[^\]]*\])?"
    r"\{[^{}]*\}(?:\[[^\]]*\])?"
)
MATH = re.compile(r"\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)", re.DOTALL)
FORMULAS = re.compile(r"\\begin\{(equation|align|gather)\*?\}.*?\\end\{\1\*?\}", re.DOTALL)
QUOTED = re.compile(r"\\begin\{(verbatim|thebibliography)\}.*?\\end\{\1\}", re.DOTALL)
# A digit that is part of a name (Qwen2, F1, wav2vec) is no number.
NUMBER = re.compile(r"(?<![A-Za-z\d.])[+−-]?\.?\d[\d.,]*")
# An index, an exponent or a factor of a formula: one digit by itself.
FORMULA_DIGIT = re.compile(r"(?<![\d.])\d(?![\d.])")


def check_prose(files: Iterable[Path], keys: Iterable[str]) -> None:
    r"""Raise InputError for a number typed by hand, or a \result or \verdict of an unknown key."""
    known = set(keys)
    for path in files:
        text = path.read_text(encoding="utf-8")
        for match in USES.finditer(without_comments(text)):
            key = match[2] + "/verdict" if match[1] == "verdict" else match[2]
            if key not in known:
                line = text.count("\n", 0, match.start()) + 1
                close = nearest(key, known)
                raise InputError(f"{path}: line {line}: no result {match[2]!r}{close}")
        for line, number in typed_numbers(text):
            raise InputError(
                f"{path}: line {line}: the number {number!r} is typed by hand; write "
                "\\result{...} for a result, or \\literal{...} for a constant of the method"
            )


def typed_numbers(text: str) -> list[tuple[int, str]]:
    """(line, number) of each number that stands in the prose itself."""
    body = without_comments(text)
    start = body.find(r"\begin{document}")
    body = blanked(body, body[: max(start, 0)])
    body = QUOTED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), body)
    body = FORMULAS.sub(lambda match: FORMULA_DIGIT.sub(" ", match[0]), body)
    body = EXEMPT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), body)
    body = MATH.sub(lambda match: FORMULA_DIGIT.sub(" ", match[0]), body)
    return [(body.count("\n", 0, m.start()) + 1, m[0]) for m in NUMBER.finditer(body)]


def without_comments(text: str) -> str:
    """The text with comments blanked, so that places stay the same."""
    return re.sub(r"(?<!\\)%.*", lambda match: " " * len(match[0]), text)


def blanked(text: str, prefix: str) -> str:
    return re.sub(r"[^\n]", " ", prefix) + text[len(prefix) :]
