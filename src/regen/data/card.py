"""What every data card holds: counts, and the check that no group is in two splits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from regen.errors import InputError

Rows = Sequence[Mapping[str, Any]]


def counts(rows: Rows, fields: Sequence[str]) -> dict[str, dict[str, int]]:
    """{field: {value: number of rows}}; fields that no row has are left out."""
    table = {f: dict(Counter(str(row[f]) for row in rows if f in row)) for f in fields}
    return {field: found for field, found in table.items() if found}


def check_groups_apart(splits: Mapping[str, Rows]) -> dict[str, int]:
    """The number of groups by split. Raises InputError if a group is in two of them."""
    groups = {split: {str(row["group"]) for row in rows} for split, rows in splits.items()}
    names = list(groups)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            if shared := sorted(groups[first] & groups[second]):
                raise InputError(
                    f"{len(shared)} group(s) are in {first} and in {second}, one is {shared[0]!r}; "
                    "all items of a group must be in one split"
                )
    return {split: len(found) for split, found in groups.items()}
