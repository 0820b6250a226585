"""Checks of the text before it is compiled: its numbers come from the results, and exist."""

import re
from collections.abc import Iterable
from pathlib import Path

from regen.errors import InputError, nearest

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
# A number in words is a result where it counts percents, points or times; "two methods" is English.
SMALL = "one|two|three|four|five|six|seven|eight|nine"
TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
TEENS = "ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
WORD = (
    rf"(?:(?:{TENS})(?:[- ](?:{SMALL}))?|{TEENS}|{SMALL}|zero|half|(?:a )?hundred|(?:a )?thousand)"
)
IN_WORDS = re.compile(
    rf"\b(?:{WORD}(?:[- ]and[- ]a[- ]half|(?: point(?: (?:{SMALL}|zero))+))?\s*~?"
    r"(?:\\[,;]\s*)?(?:(?:full|whole|percentage)\s+)?(?:percent\b|per\s+cent\b|\\%|points\b"
    r"|times\s+(?:as|the|more|less|fewer|faster|slower|better|worse|larger|smaller|higher|lower)\b)"
    rf"|(?:{WORD})-?fold\b|twice\s+(?:as|the)\b|(?:doubl|tripl|halv)(?:e|es|ed|ing)\b)",
    re.IGNORECASE,
)
DEFINITION = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareRobustCommand|NewDocumentCommand)\*?"
    r"\s*\{?\s*\\[A-Za-z@]+\s*\}?(?:\[[^\]]*\]|\s*\{[^{}]*\}(?=\s*\{))*"
    r"|\\[egx]?def\s*\\[A-Za-z@]+[^{}]*"
)
# What a definition may say: its arguments, and lengths.
NO_RESULT = re.compile(
    r"#\d|[+-]?\d*\.?\d+\s*(?:pt|em|ex|mm|cm|in|sp|bp|\\(?:text|line|column|paper)width)\b"
)
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
    """(line, number) of each number that stands in the prose itself, or in a definition."""
    body = without_comments(text)
    found = []
    defined = definitions(body)
    for _, start, end in defined:
        said = NO_RESULT.sub(blank, EXEMPT.sub(blank, body[start:end]))
        found += [(start + number.start(), number[0]) for number in NUMBER.finditer(said)]
    for start, _, end in defined:
        body = body[:start] + re.sub(r"[^\n]", " ", body[start:end]) + body[end:]
    start = body.find(r"\begin{document}")
    body = blanked(body, body[: max(start, 0)])
    body = QUOTED.sub(blank, body)
    body = FORMULAS.sub(lambda match: FORMULA_DIGIT.sub(" ", match[0]), body)
    body = EXEMPT.sub(blank, body)
    body = MATH.sub(lambda match: FORMULA_DIGIT.sub(" ", match[0]), body)
    found += [(m.start(), m[0]) for m in NUMBER.finditer(body)]
    found += [(m.start(), " ".join(m[0].split())) for m in IN_WORDS.finditer(body)]
    return sorted({(text.count("\n", 0, at) + 1, number) for at, number in found})


def definitions(text: str) -> list[tuple[int, int, int]]:
    r"""(start, start of its braces, end) of every definition: `\def\best{93.4}` is typed too."""
    found = []
    for match in DEFINITION.finditer(text):
        start = text.find("{", match.end())
        if start < 0 or text[match.end() : start].strip():
            continue
        depth, end = 1, start + 1
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found.append((match.start(), start, end))
    return found


def blank(match: re.Match[str]) -> str:
    """Spaces for a match, so that places stay the same."""
    return re.sub(r"[^\n]", " ", match[0])


def without_comments(text: str) -> str:
    """The text with comments blanked, so that places stay the same."""
    return re.sub(r"(?<!\\)%.*", lambda match: " " * len(match[0]), text)


def blanked(text: str, prefix: str) -> str:
    return re.sub(r"[^\n]", " ", prefix) + text[len(prefix) :]
