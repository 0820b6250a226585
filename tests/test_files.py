"""The JSON writer and reader."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regen.errors import InputError
from regen.files import Absent, dumps, read_json, read_jsonl, write_json, write_jsonl, write_text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_what_is_written_is_read_again(value: object) -> None:
    assert json.loads(dumps(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_twelve_digits(value: float) -> None:
    back = json.loads(dumps(value))
    assert math.isclose(back, value, rel_tol=1e-11, abs_tol=1e-320)


def test_key_order_does_not_matter() -> None:
    assert dumps({"b": 1, "a": {"d": 2, "c": 3}}) == dumps({"a": {"c": 3, "d": 2}, "b": 1})


def test_last_bits_do_not_reach_the_file() -> None:
    assert dumps(0.1 + 0.2) == dumps(0.3)


def test_numpy_values_are_plain() -> None:
    value = {"b": np.bool_(True), "i": np.int64(3), "f": np.float32(0.5), "a": np.arange(3)}
    assert json.loads(dumps(value)) == {"b": True, "i": 3, "f": 0.5, "a": [0, 1, 2]}


def test_absent_says_why() -> None:
    assert json.loads(dumps({"x": Absent("one seed")})) == {"x": {"absent": "one seed"}}
    assert str(Absent("one seed")) == "n/a (one seed)"


def test_absent_inside_a_dataclass_says_why() -> None:
    @dataclass(frozen=True)
    class Estimate:
        value: float
        sd: float | Absent
        note: str | None = None

    written = json.loads(dumps(Estimate(0.5, Absent("one seed"))))
    assert written == {"value": 0.5, "sd": {"absent": "one seed"}}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float64("nan")])
def test_nan_is_refused_by_name(bad: float) -> None:
    with pytest.raises(ValueError, match=r"metrics\.f1\[1\]"):
        dumps({"metrics": {"f1": [0.5, bad]}})


def test_a_failed_write_leaves_the_old_file(workdir: Path) -> None:
    path = workdir / "a.json"
    write_json(path, {"x": 1})
    with pytest.raises(ValueError):
        write_json(path, {"x": float("nan")})
    assert read_json(path) == {"x": 1}
    assert [p.name for p in workdir.iterdir()] == ["a.json"]


@pytest.mark.parametrize("text", ["a\u2028b\u2029c\x85d\x0be\rf", "half \ud83d of a pair"])
def test_what_a_model_may_say_is_read_again(text: str, workdir: Path) -> None:
    rows = [{"said": text}, {"said": "next"}]
    write_jsonl(Path("rows.jsonl"), rows)
    back = read_jsonl(Path("rows.jsonl"))
    assert back == json.loads(json.dumps(rows))
    write_jsonl(Path("again.jsonl"), back)
    assert Path("again.jsonl").read_bytes() == Path("rows.jsonl").read_bytes()


def test_a_file_without_rows_is_empty(workdir: Path) -> None:
    write_jsonl(Path("rows.jsonl"), [])
    assert read_jsonl(Path("rows.jsonl")) == []


def test_a_truncated_line_is_named(workdir: Path) -> None:
    path = workdir / "rows.jsonl"
    write_jsonl(path, [{"a": 1}, {"a": 2}])
    write_text(path, path.read_text()[:-4])
    with pytest.raises(InputError, match=r"rows\.jsonl: line 2"):
        read_jsonl(path)
