"""Reading numbers out of a stage's JSON files, so that each keeps the address it was read from."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regen.files import Absent, read_json
from regen.metrics import Metric
from regen.tables.table import Cell, Source, Value

Found = tuple[Value, Source]
STARS = ((0.01, "**"), (0.05, "*"))
"""The mark of a p-value below each bound."""
MINUS = re.compile(r"(?<!\w)-(?=\d)")
"""A sign, not the hyphen of a word or an exponent."""


class Statistics:
    """The files of a study's statistics folder. Every value comes out with its source."""

    def __init__(self, folder: Path) -> None:
        self.variants: dict[str, Any] = read_json(folder / "variants.json")
        self.comparisons: list[dict[str, Any]] = read_json(folder / "comparisons.json")

    def variant(self, *path: str) -> Found:
        return self._found("variants.json", self.variants, path)

    def means(self, variant: str, metrics: Mapping[str, Metric]) -> list[Cell]:
        """A cell a metric: the variant's mean."""
        return [
            cell(metric.pattern(), self.variant(variant, name, "mean"), scale=metric.factor)
            for name, metric in metrics.items()
        ]

    def comparison(self, *path: str | int) -> Found:
        return self._found("comparisons.json", self.comparisons, path)

    def address(self, number: int) -> str:
        """Of a comparison: family/a-vs-b, and the metric where a pair is compared by several."""
        one = self.comparisons[number]
        keys = ("family", "a", "b")
        alike = [c for c in self.comparisons if all(c[key] == one[key] for key in keys)]
        name = f"{one['family']}/{one['a']}-vs-{one['b']}"
        return f"{name}/{one['metric']}" if len(alike) > 1 else name

    @staticmethod
    def _found(file: str, value: Any, path: tuple[str | int, ...]) -> Found:
        for length, step in enumerate(path):
            if isinstance(value, dict) and set(value) == {"absent"}:
                # So is all that it would hold.
                path = path[:length]
                break
            value = value[step]
        return unwrap(value), Source("statistics", file, pointer(*path))


class Document:
    """A JSON file of a stage; its values as cells.

    folder: where it stands, below the study's results
    """

    def __init__(self, file: Path, folder: str) -> None:
        self.content: Any = read_json(file)
        self._folder, self._name = folder, file.name

    def found(self, *path: str | int) -> Found:
        address = pointer(*path)
        source = Source(self._folder, self._name, address)
        return unwrap(follow(self.content, address)), source

    def cell(
        self, *path: str | int, pattern: str, scale: float = 1, measured: bool = False
    ) -> Cell:
        return cell(pattern, self.found(*path), scale=scale, measured=measured)

    def cells(self, pattern: str, *paths: tuple[str | int, ...], scale: float = 1) -> Cell:
        """One cell of several values."""
        return cell(pattern, *(self.found(*path) for path in paths), scale=scale)


def unwrap(value: Any) -> Value:
    """A JSON value as a cell's: what was not computed is `Absent` again."""
    if isinstance(value, dict) and set(value) == {"absent"}:
        return Absent(value["absent"])
    if isinstance(value, bool | dict | list):
        raise TypeError(f"a cell holds a number or a word, not {value!r}")
    return value


def pointer(*path: str | int) -> str:
    """The JSON pointer of a path (RFC 6901)."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in path)


def follow(document: Any, address: str) -> Any:
    """What stands at a JSON pointer. Raises KeyError or IndexError if nothing does."""
    for step in address.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def cell(
    pattern: str, *found: Found, scale: float = 1, bold: bool = False, measured: bool = False
) -> Cell:
    """A cell printed by a format with a place for each value, times `scale`.

    >>> cell("{:.1f} ± {:.1f}", (0.5, source), (0.1, source), scale=100).text
    '50.0 ± 10.0'
    The cell keeps the values as they stand at their sources. If the first is absent the cell says
    so; a later one that is absent ends the text before it: "50.0" for a mean without an SD.
    """
    values = tuple(value for value, _ in found)
    sources = tuple(source for _, source in found)
    text = _printed(pattern, values, scale)
    return Cell(text, values, sources, bold=bold, measured=measured)


def p_cell(found: Found, stars: bool = False) -> Cell:
    """A p-value, "<0.001" below that. stars: with the marks of STARS."""
    value, source = found
    if isinstance(value, Absent) or value is None:
        return Cell(str(value) if value else "–", (value,), (source,))
    p = float(value)
    text = "<0.001" if p < 0.001 else f"{p:.3f}"
    if stars:
        text += next((mark for bound, mark in STARS if p < bound), "")
    return Cell(text, (value,), (source,))


def _printed(pattern: str, values: tuple[Value, ...], scale: float) -> str:
    if isinstance(values[0], Absent):
        return str(values[0])
    places = pattern.split("{")
    text = places[0]
    for place, value in zip(places[1:], values, strict=True):
        if isinstance(value, Absent):
            return text.rstrip(" ±([,")
        # A whole number is scaled, too, unless it is printed as a count.
        if isinstance(value, float | int) and not place.startswith(":d"):
            value = value * scale
        text += ("{" + place).format(value)
    numeric = all(isinstance(value, float | int) for value in values)
    return MINUS.sub("−", text) if numeric else text
