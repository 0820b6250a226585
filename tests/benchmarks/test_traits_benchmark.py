"""The trait benchmark: what is asked, what counts, and what a failure costs."""

import json
from pathlib import Path

import pytest

from regen.benchmarks.base import AnswerError, Item
from regen.benchmarks.registry import get_benchmark
from regen.benchmarks.traits import Traits, evidence, says
from regen.errors import InputError
from regen.files import Absent
from regen.records import Prediction

TEXT = "A: well, hi\nB: oh, you know\n(3 more)"


def row(**changes: object) -> dict[str, object]:
    labels = {
        "fillers": {"explanation": "well, oh, you know: high", "score": 8},
        "interesting": {"explanation": "3 more: low", "score": 2},
    }
    found = {"item": "i", "group": "g", "transcript": TEXT, "labels": labels, "augmented": None}
    return found | changes


def item(**changes: object) -> Item:
    return Traits().read(row(**changes), Path("data"))


def scored(*outputs: str) -> dict[str, float | Absent]:
    """The metrics of answers as the prediction stage would record them."""
    task, records = Traits(), []
    for number, output in enumerate(outputs):
        common = {"item": "i", "group": "g", "variant": "v", "prompt": "p", "target": "t"}
        try:
            answer = {"prediction": task.read_answer(item(), output)}
        except AnswerError as error:
            answer = {"error": str(error)}
        records.append(Prediction(**common, sample=number, output=output, **answer))
    return task.score(item(), records)


def answer(fillers: float, interesting: float, why: str = "oh: low") -> str:
    return json.dumps(
        {
            "fillers": {"score": fillers, "explanation": why},
            "interesting": {"score": interesting, "explanation": "no, 3 more: high"},
        }
    )


def test_the_registry_has_it_and_what_is_learned_is_itself_an_answer() -> None:
    task = get_benchmark("traits")
    one = item()
    assert json.loads(one.target) == {"fillers": 8, "interesting": 2}
    prompt = task.prompt(one, task.template("baseline"))
    assert prompt.text == TEXT and prompt.system is not None
    assert "fillers (um uh" in prompt.system and prompt.system.endswith(", interesting")
    assert task.read_answer(one, task.completion(one)) == task.completion(one)
    assert json.loads(prompt.form or "")["required"] == ["fillers", "interesting"]


def test_errors_are_squared_and_averaged_over_the_traits() -> None:
    found = scored(answer(5, 3))
    assert found["error-fillers"] == 9 and found["error-interesting"] == 1
    assert found["error"] == 5 and found["bound"] == 5 and found["valid"] == 1
    assert isinstance(found["error-witty"], Absent)
    assert found["explained"] == 1 and found["explanation-words"] == (2 + 4) / 2


def test_a_failure_has_no_error_but_a_bound_at_the_farthest_score() -> None:
    found = scored("I cannot say")
    assert found["error"] == found["error-fillers"] == Absent("not JSON")
    assert found["bound-fillers"] == 49 and found["bound-interesting"] == 64  # to 1, to 10
    assert found["bound"] == (49 + 64) / 2 and found["valid"] == 0
    assert found["explained"] == found["agrees"] == found["grounded"] == Absent("not JSON")


def test_of_several_samples_the_valid_ones_have_the_error() -> None:
    found = scored(answer(5, 2), "no")
    assert found["valid"] == 0.5
    assert found["error-fillers"] == 9 and found["bound-fillers"] == (9 + 49) / 2


def test_explanations_are_checked_against_their_score_and_the_text() -> None:
    found = scored(answer(2, 2))  # "low" with 2 agrees; "high" with 2 does not
    assert found["agrees"] == 0.5
    assert found["grounded"] == 0.5  # "oh"; not "no"; "3 more" is no evidence, for all print it
    assert scored(answer(2, 9, why=""))["explained"] == 0.5
    assert says("Rather high, few") == "low" and says("") is None
    assert evidence("um,, None: high") == ["um"]


def test_the_mean_is_of_items_as_found_and_no_constant_is_better() -> None:
    task = Traits()
    scores = [1, 4, 10, 7]
    items = [
        item(item=str(n), labels={"fillers": {"explanation": "", "score": s}}, augmented=None)
        for n, s in enumerate(scores)
    ]
    more = item(
        labels={"fillers": {"explanation": "", "score": 10}},
        augmented={"trait": "fillers", "to": "high"},
    )
    said = {}
    for name, kind in task.trivial.items():
        baseline = kind()
        baseline.fit([*items, more])
        said[name] = json.loads(baseline.predict(items)[0])["fillers"]["score"]
    assert said == {"train-mean": 5.5, "rounded-mean": 6}
    best = sum((s - 5.5) ** 2 for s in scores)
    assert all(sum((s - c / 10) ** 2 for s in scores) >= best for c in range(10, 101))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": {"fillers": {"score": 3}}}, "its labels are bad"),
        ({"labels": {"charm": {"explanation": "", "score": 3}}}, "'charm' is none of the traits"),
        ({"labels": None}, "lacks"),
    ],
)
def test_a_bad_row_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        item(**changes)
    assert "\n" not in str(error.value) and "'i'" in str(error.value)
