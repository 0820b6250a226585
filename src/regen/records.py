"""The prediction record: one JSON line an item and sample, the same for all studies."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from regen.errors import InputError
from regen.files import read_jsonl, write_jsonl


@dataclass(frozen=True)
class Prediction:
    """What one model said to one item.

    item, group: the item's id and what it shares with others (a voice, a passage)
    seed: of the training, None for a base model; sample: number of the draw, from 0
    variant: the variant's name; prompt: the first 12 hex digits of the prompt template's sha256
    target: the right answer; output: raw text; prediction: what was parsed from it
    error: why nothing was parsed; finish: "stop" or "length"; tokens: how many were generated
    options: {option: {"logit": log-probability of its tokens, "probability": over the options}}
    """

    item: str
    group: str
    variant: str
    prompt: str
    target: str
    sample: int = 0
    seed: int | None = None
    output: str | None = None
    prediction: str | None = None
    error: str | None = None
    options: Mapping[str, Mapping[str, float]] | None = None
    finish: str | None = None
    tokens: int | None = None


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Absent fields are left out."""
    write_jsonl(path, ({k: v for k, v in asdict(p).items() if v is not None} for p in predictions))


def read_predictions(path: Path) -> list[Prediction]:
    """Raises InputError, naming the line, for a record with unknown or missing fields."""
    predictions = []
    for number, row in enumerate(read_jsonl(path), 1):
        predictions.append(_record(row, f"{path}: line {number}"))
    return predictions


def _record(row: dict[str, Any], where: str) -> Prediction:
    try:
        return Prediction(**row)
    except TypeError as error:
        reason = str(error).replace("Prediction.__init__() ", "")
        raise InputError(f"{where} is no prediction record ({reason})") from None
