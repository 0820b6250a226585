"""Feedback on a transcript as JSON, {trait: {explanation, score}}, read strictly.

What is not exactly that is a failure with one of the reasons below: nothing is repaired, since how
often a model fails is a result.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regen.data.trait_rules import HIGHEST, LOWEST

REASONS = (
    "empty",
    "not JSON",
    "truncated",
    "text around the JSON",
    "no object",
    "duplicate key",
    "NaN or infinity",
    "trait missing",
    "unknown trait",
    "score or explanation missing",
    "unknown key",
    "score is no number",
    "score out of range",
    "explanation is no text",
)
"""Why feedback is not valid; the first that applies counts."""


class FeedbackError(Exception):
    """Text that is no valid feedback; the message is one of REASONS."""


ESCAPE = re.compile(r"\\?(?:u[0-9a-fA-F]{0,4})?")
NUMBER = re.compile(r"-|\.|[eE][+-]?")
"""What of an escape, and of a number, may stand at the end of a text that is cut there."""


@dataclass(frozen=True)
class Feedback:
    """score: from LOWEST to HIGHEST, not always whole (a mean is not)."""

    score: float
    explanation: str


def parse(text: str, traits: Sequence[str]) -> dict[str, Feedback]:
    """Feedback on exactly these traits, in any order. Raises FeedbackError(reason)."""
    found = _object(text.strip())
    if any(trait not in found for trait in traits):
        raise FeedbackError("trait missing")
    if len(found) > len(traits):
        raise FeedbackError("unknown trait")
    return {trait: _feedback(found[trait]) for trait in traits}


def canonical(feedback: Mapping[str, Feedback]) -> str:
    """Compact JSON in the order given, explanations first: a score that comes after its evidence
    can rest on it. A whole score is written without a point.
    """
    return json.dumps(
        {
            trait: {"explanation": one.explanation, "score": _plain(one.score)}
            for trait, one in feedback.items()
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def json_schema(traits: Sequence[str], longest: int = 40) -> dict[str, Any]:
    """The form as a JSON schema, for constrained decoding: whole scores, explanations of at most
    `longest` characters, so that an answer comes to an end.
    """
    one = {
        "type": "object",
        "properties": {
            "explanation": {"type": "string", "maxLength": longest},
            "score": {"type": "integer", "minimum": LOWEST, "maximum": HIGHEST},
        },
        "required": ["explanation", "score"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {trait: one for trait in traits},
        "required": list(traits),
        "additionalProperties": False,
    }


def _object(text: str) -> dict[str, Any]:
    if not text:
        raise FeedbackError("empty")
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
    try:
        found, end = decoder.raw_decode(text)
    except (ValueError, RecursionError):  # ValueError also of an integer of thousands of digits
        raise FeedbackError(_why_not(text)) from None
    if end < len(text):
        raise FeedbackError("text around the JSON")
    if not isinstance(found, dict):
        raise FeedbackError("no object")
    return found


def _why_not(text: str) -> str:
    """Of text that does not begin with JSON."""
    start = text.find("{")
    if start == 0:
        return "truncated" if _goes_on(text) else "not JSON"
    try:
        json.JSONDecoder().raw_decode(text, max(start, 0))
    except (ValueError, RecursionError):
        return "not JSON"
    return "text around the JSON"


def _goes_on(text: str) -> bool:
    """Whether the text is the beginning of some JSON, and no more: all is right up to its end."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        in_string = error.msg.startswith("Unterminated string") or bool(ESCAPE.fullmatch(rest))
        in_word = any(word.startswith(rest) for word in ("true", "false", "null"))
        return in_string or in_word or NUMBER.fullmatch(rest) is not None
    except (ValueError, RecursionError):
        return False
    return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FeedbackError("duplicate key")
    return found


def _no_constant(name: str) -> float:
    raise FeedbackError("NaN or infinity")


def _feedback(value: Any) -> Feedback:
    if not isinstance(value, dict) or not {"explanation", "score"} <= value.keys():
        raise FeedbackError("score or explanation missing")
    if len(value) > 2:
        raise FeedbackError("unknown key")
    score, explanation = value["score"], value["explanation"]
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise FeedbackError("score is no number")
    if isinstance(score, float) and not math.isfinite(score):  # 1e999 is read as infinity
        raise FeedbackError("NaN or infinity")
    if not LOWEST <= score <= HIGHEST:
        raise FeedbackError("score out of range")
    if not isinstance(explanation, str):
        raise FeedbackError("explanation is no text")
    return Feedback(float(score), explanation)


def _plain(score: float) -> int | float:
    return int(score) if float(score).is_integer() else score
