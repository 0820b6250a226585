"""Items of a user's own table, in place of the dev split's."""

from collections.abc import Sequence
from pathlib import Path

from regen.benchmarks.base import BaseBenchmark, Item
from regen.errors import InputError
from regen.rows import read_item, rows_of_csv


def items_of_csv(task: BaseBenchmark, path: Path) -> list[Item]:
    """Items from a table with the columns that the benchmark's rows have, files lying beside it.

    Cells are texts, which the benchmark reads as numbers where it wants some; lists and objects
    are written as JSON. Raises InputError, naming the line in which the row ends, for a file that
    cannot be read, a row that the benchmark cannot read, and an item without a name or named twice.
    """
    items: list[Item] = []
    places: dict[str, str] = {}
    for place, row in rows_of_csv(path):
        where = f"{path}: {place}"
        item, _ = read_item(task, row, path.parent, where)
        if not item.item.strip():
            raise InputError(f"{where}: the item has no name; write one under item")
        if item.item in places:
            raise InputError(
                f"{where}: item {item.item!r} stands in {places[item.item]} already; "
                "leave one of them out"
            )
        places[item.item] = place
        items.append(item)
    if not items:
        raise InputError(f"{path}: holds no items")
    return items


def files_of(items: Sequence[Item]) -> list[Path]:
    """The files that items name, such as clips: each once, in the order of their names."""
    named = {value for item in items for value in item.inputs.values() if isinstance(value, Path)}
    return sorted(path for path in named if path.is_file())
