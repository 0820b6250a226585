"""Checks of the text before it is compiled: its numbers come from the results, and exist."""

import re
from collections.abc import Iterable
from pathlib import Path

from regen.errors import InputError, nearest

USES = re.compile(r"\\(result|verdict|model|data|where)\s*\{([^{}]*)\}")
EXEMPT = re.compile(
    r"\\(?:label|ref|eqref|autoref|cite[a-z]*|input|include|includegraphics|literal|result|verdict"
    r"|model|data|where"
    r"|url|href|vspace|hspace|setlength|bibitem|begin|end)\s*\*?(?:\[[^\]]*\])?"
    r"\s*\{[^{}]*\}(?:\[[^\]]*\])?"
)
MATH = re.compile(r"\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)", re.DOTALL)
FORMULAS = re.compile(r"\\begin\{(equation|align|gather)\*?\}.*?\\end\{\1\*?\}", re.DOTALL)
QUOTED = re.compile(r"\\begin\{(verbatim|thebibliography)\}.*?\\end\{\1\}", re.DOTALL)
# A digit that is part of a name (Qwen2, F1, wav2vec) is no number.
NUMBER = re.compile(
    r"(?<![A-Za-z\d.])[+−-]?\.?\d[\d.,]*|[½⅓⅔¼¾⅛⅜⅝⅞⁰¹²³⁴-⁹]|\\(?:sym)?char\s*[\"'`]?\w+"
)
# A number in words is a result where it counts percents, points or times; "two methods" is English.
SMALL = "one|two|three|four|five|six|seven|eight|nine"
TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
TEENS = "ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
WORD = (
    rf"(?:(?:{TENS})(?:[- ](?:{SMALL}))?|{TEENS}|{SMALL}|zero|nought|half|(?:a )?hundred"
    r"|(?:a )?thousand)"
)
IN_WORDS = re.compile(
    rf"\b(?:{WORD}(?:[- ]and[- ]a[- ]half|(?: point(?: (?:{SMALL}|zero))+))?[\s~]*"
    r"(?:\\[,;]\s*)?(?:(?:full|whole|percentage)[\s~]+)?(?:percent\b|per[\s~]+cent\b|\\%|points\b"
    r"|times\s+(?:as|the|more|less|fewer|faster|slower|better|worse|larger|smaller|higher|lower)\b)"
    rf"|(?:{SMALL})[- ](?:third|quarter|fifth|tenth)s?\b|(?:nought|zero) point (?:{SMALL}|zero)\b"
    rf"|(?:{WORD})-?fold\b|twice\s+(?:as|the)\b|(?:doubl|tripl|halv)(?:e|es|ed|ing)\b)",
    re.IGNORECASE,
)
# Digits that stand side by side in print although braces or dollars are between them.
SPLIT_DIGITS = re.compile(r"(?<![A-Za-z\d}])\{\d\}\s*\{[\d.]|\d\}?\$\s*\$\{?\d")
HEADS = re.compile(r"\\(?:title|author|date|thanks)\s*(?=\{)")
OWN = re.compile(
    r"\\(?:(?:re|provide)?(?:new)?command|DeclareRobustCommand|\w*DocumentCommand|[egx]?def|let"
    r"|csname)\*?\s*\{?\s*\\?(result|verdict|literal|model|data|where|regendefine)(?![A-Za-z])"
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


def check_prose(files: Iterable[Path], keys: Iterable[str], questions: Iterable[str] = ()) -> None:
    r"""Raise InputError for a number typed by hand, or an unknown key of a macro.

    keys: of \result, \verdict (without its ending), \model and \data (with their names before
    them); questions: what \where may ask beside the scale
    """
    known = {*keys, *(f"where/{one}" for one in questions)}
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as such") from None
        for match in USES.finditer(without_comments(text)):
            key = key_of(match[1], match[2])
            if key.startswith("where/scale/"):
                continue
            if "#" not in key and key not in known:  # a macro's argument is no key yet
                line = text.count("\n", 0, match.start()) + 1
                close = nearest(key, sorted(known))
                raise InputError(f"{path}: line {line}: no {match[1]} {match[2]!r}{close}")
        inside = path.name != "main.tex"
        if inside and (own := OWN.search(without_comments(text))):
            line = text.count("\n", 0, own.start()) + 1
            raise InputError(
                f"{path}: line {line}: \\{own[1]} is the paper's own; name it otherwise"
            )
        for line, number in typed_numbers(text):
            raise InputError(
                f"{path}: line {line}: the number {number!r} is typed by hand; write "
                "\\result{...} for a result, or \\literal{...} for a constant of the method"
            )


def key_of(macro: str, said: str) -> str:
    if macro == "verdict":
        return f"{said}/verdict"
    return said if macro == "result" else f"{macro}/{said}"


def typed_numbers(text: str) -> list[tuple[int, str]]:
    """(line, number) of each number that stands in the prose itself, or in a definition."""
    body = without_comments(text)
    found = []
    found += [(match.start(), match[0]) for match in SPLIT_DIGITS.finditer(body)]
    for match in HEADS.finditer(body):
        said = EXEMPT.sub(blank, body[match.end() : closing(body, match.end())])
        found += [(match.end() + n.start(), n[0]) for n in NUMBER.finditer(said)]
    defined = definitions(body)
    for start, opening, _ in defined:
        for default in re.finditer(r"\[\d\]\s*\[([^\]]*)\]", body[start:opening]):
            found += [(start + default.start(), n[0]) for n in NUMBER.finditer(default[1])]
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
        found.append((match.start(), start, closing(text, start)))
    return found


def closing(text: str, start: int) -> int:
    """The place after the brace that closes the one at `start`."""
    depth, end = 1, start + 1
    while depth and end < len(text):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return end


def blank(match: re.Match[str]) -> str:
    """Spaces for a match, so that places stay the same."""
    return re.sub(r"[^\n]", " ", match[0])


def without_comments(text: str) -> str:
    """The text with comments blanked, so that places stay the same."""
    return re.sub(r"(?<!\\)%.*", lambda match: " " * len(match[0]), text)


def blanked(text: str, prefix: str) -> str:
    return re.sub(r"[^\n]", " ", prefix) + text[len(prefix) :]
