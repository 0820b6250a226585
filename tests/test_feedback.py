"""Feedback as JSON: what is read, and why everything else is not."""

import json

import pytest

from regen.feedback import REASONS, Feedback, FeedbackError, canonical, json_schema, parse

TRAITS = ("fillers", "interesting")


def one(score: object = 3, explanation: object = "low: um") -> dict[str, object]:
    return {"explanation": explanation, "score": score}


def text(**changes: object) -> str:
    return json.dumps({"fillers": one(), "interesting": one(8, "high")} | changes)


def test_valid_feedback_is_read_in_any_order_and_written_canonically() -> None:
    swapped = '\n{"interesting": {"score": 2.5, "explanation": "x"}, "fillers": ' + (
        '{"score": 10, "explanation": ""}} '
    )
    found = parse(swapped, TRAITS)
    assert found == {"fillers": Feedback(10.0, ""), "interesting": Feedback(2.5, "x")}
    assert canonical(found) == (
        '{"fillers":{"explanation":"","score":10},"interesting":{"explanation":"x","score":2.5}}'
    )
    assert parse(canonical(found), TRAITS) == found


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("I rate it highly", "not JSON"),
        ("{fillers: 3}", "not JSON"),
        ("{fillers", "not JSON"),
        ('{"fillers": {"explanation": "a \\q', "not JSON"),
        ('{"fillers": nope', "not JSON"),
        ("{'fillers': {}}", "not JSON"),
        (text()[:-1], "truncated"),
        (text()[:25], "truncated"),
        ('{"fillers": {"explanation": "a } in a string', "truncated"),
        (f"Sure! {text()}", "text around the JSON"),
        (f"```json\n{text()}\n```", "text around the JSON"),
        (f"{text()} I hope this helps", "text around the JSON"),
        (f"{text()}{text()}", "text around the JSON"),
        ("[1, 2]", "no object"),
        ("7", "no object"),
        ('{"fillers": {}, "fillers": {}, "interesting": {}}', "duplicate key"),
        (text().replace('"score": 3', '"score": 3, "score": 4'), "duplicate key"),
        (text().replace("3", "NaN"), "NaN or infinity"),
        (text().replace("3", "-Infinity"), "NaN or infinity"),
        (text().replace("3", "1e999"), "NaN or infinity"),
        (json.dumps({"fillers": one()}), "trait missing"),
        (text(witty=one()), "unknown trait"),
        (text(fillers=3), "score or explanation missing"),
        (text(fillers={"score": 3}), "score or explanation missing"),
        (text(fillers=one() | {"why": "so"}), "unknown key"),
        (text(fillers=one("3")), "score is no number"),
        (text(fillers=one(True)), "score is no number"),
        (text(fillers=one(None)), "score is no number"),
        (text(fillers=one(0)), "score out of range"),
        (text(fillers=one(10.5)), "score out of range"),
        (text(fillers=one(3, ["um"])), "explanation is no text"),
        ("[" * 100_000, "not JSON"),
        ('{"fillers": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_every_failure_has_its_reason(said: str, reason: str) -> None:
    assert reason in REASONS
    with pytest.raises(FeedbackError) as failure:
        parse(said, TRAITS)
    assert str(failure.value) == reason


def test_every_beginning_of_an_object_is_truncated() -> None:
    whole = (
        '{"a": {"explanation": "a \\u00e4 \\" }", "score": -1.5e+3}, "b": [true, false, null, 0]}'
    )
    json.loads(whole)
    for end in range(1, len(whole)):
        with pytest.raises(FeedbackError, match=r"^truncated$"):
            parse(whole[:end], TRAITS)


def test_the_schema_accepts_what_is_parsed_and_nothing_else() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema(TRAITS)
    jsonschema.validate(json.loads(text()), schema)
    for bad in (text(fillers=one(11)), text(witty=one()), text(fillers=one(3, "x" * 41))):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(bad), schema)
