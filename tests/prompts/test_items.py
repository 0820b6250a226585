"""Items of a user's own table: what is read, and how each fault is named."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from regen.benchmarks.registry import get_benchmark
from regen.errors import InputError
from regen.prompts.items import files_of, items_of_csv

SPEECH = {
    "item": "000011", "group": "g", "label": "SPEECH", "audio": "a.wav", "seconds": "0.7",
    "snr_db": "-5", "kind": "k",
}  # fmt: skip


def table(folder: Path, *rows: dict[str, str]) -> Path:
    """A table with every cell in quotation marks, and a clip beside it."""
    (folder / "a.wav").write_bytes(b"a clip")
    cells = [list(rows[0]), *(list(row.values()) for row in rows)]
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in cells]
    (folder / "mine.csv").write_text("\n".join(quoted) + "\n")
    return folder / "mine.csv"


def test_an_item_keeps_its_name_and_its_numbers_are_numbers(tmp_path: Path) -> None:
    path = table(tmp_path, SPEECH, SPEECH | {"item": "1e3", "snr_db": "clean"})
    first, second = items = items_of_csv(get_benchmark("speech"), path)
    assert (first.item, second.item) == ("000011", "1e3")
    assert first.facets == {"seconds": "0.5-1", "snr_db": -5, "kind": "k"}
    assert files_of(items) == [tmp_path / "a.wav"]


def test_an_answer_that_is_a_number_stays_a_text(tmp_path: Path) -> None:
    row = {"item": "7", "group": "g", "kind": "sum", "question": "2 + 2 =", "answer": "4"}
    task = get_benchmark("retention")
    from regen.benchmarks.retention import KINDS

    (item,) = items_of_csv(task, table(tmp_path, row | {"kind": next(iter(KINDS))}))
    assert (item.item, item.target) == ("7", "4")


def test_lists_and_objects_are_written_as_json(tmp_path: Path) -> None:
    sums = {"item": "m", "group": "g", "question": "One and one?", "answer": "2"}
    (item,) = items_of_csv(
        get_benchmark("math"), table(tmp_path, sums | {"steps": '["1 + 1 = 2"]'})
    )
    assert item.inputs["steps"] == ["1 + 1 = 2"]
    with pytest.raises(InputError, match=r"line 2: item 'm': 'steps' is .* written as JSON"):
        items_of_csv(get_benchmark("math"), table(tmp_path, sums | {"steps": "1 + 1 = 2"}))
    label = {"explanation": 'says "often": high', "score": 9}
    talk = {"item": "t", "group": "g", "transcript": "Hello.", "augmented": "null"}
    labels: dict[str, Any] = {"clarity": label}
    from regen.benchmarks.traits import TRAITS

    labels = {next(iter(TRAITS)): label}
    path = table(tmp_path, talk | {"labels": json.dumps(labels)})
    (item,) = items_of_csv(get_benchmark("traits"), path)
    assert list(item.inputs["labels"]) == list(labels)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"snr_db": "loud"}, "line 2: item '000011': has a bad field"),
        ({"snr_db": ""}, "line 2: item '000011': has a bad field"),
        ({"seconds": "nan"}, "line 2: item '000011': has a bad field"),
        ({"seconds": "inf"}, "line 2: item '000011': has a bad field"),
        ({"audio": "17"}, "17: the clip of item '000011' is missing; correct the row"),
        ({"item": ""}, "line 2: the item has no name"),
        ({"item": "two\nlines", "label": "?"}, "line 3: item 'two\\nlines': label '?'"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    path = table(tmp_path, SPEECH | changes)
    with pytest.raises(InputError, match=re.escape(reason)) as error:
        items_of_csv(get_benchmark("speech"), path)
    said = str(error.value)
    assert said.startswith(f"{path}: line") and "\n" not in said and "rebuild" not in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("item,group\na,b,c\n", "line 2: has 3 cells for 2 columns"),
        ("item,group\na\n", "line 2: has 1 cells for 2 columns"),
        ("item,item\na,b\n", "the column 'item' twice"),
        ('item,group\n"a,b\nc,d\n', "cannot be read as CSV"),
        ("item,group\n", "holds no items"),
        ("", "holds no items"),
    ],
)
def test_a_table_that_is_none_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(InputError, match=f"mine.csv: .*{re.escape(reason)}|mine.csv: {reason}"):
        items_of_csv(get_benchmark("speech"), tmp_path / "mine.csv")


def test_an_item_named_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3: item '000011' stands in line 2 already"):
        items_of_csv(get_benchmark("speech"), table(tmp_path, SPEECH, SPEECH))
