"""Constrained decoding: a random model that says nothing sensible still gives valid answers."""

import json

import pytest

from regen.benchmarks.base import Prompt
from regen.errors import InputError
from regen.feedback import FeedbackError, json_schema, parse
from regen.files import dumps
from regen.models.loading import load
from regen.models.local import LocalModel
from regen.models.protocol import Decoding
from regen.models.tiny_text import tiny_text

TRAITS = ("fillers", "interesting")
FREE = Decoding(max_new_tokens=40)
CONSTRAINED = Decoding(max_new_tokens=160, constrained=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    folder = tmp_path_factory.mktemp("tiny-text")
    architecture = {"width": 32, "layers": 2, "heads": 4, "context": 2048}
    tiny_text(architecture=architecture, seed=1, out=folder)
    return load(folder)


def asked(text: str, traits: tuple[str, ...] = TRAITS) -> Prompt:
    return Prompt(text, form=dumps(json_schema(traits, longest=12), indent=None))


def test_what_is_drawn_is_valid_and_ends_by_itself(model: LocalModel) -> None:
    prompts = [asked("one"), asked("another, longer one"), asked("the third", ("fillers",))]
    free = model.generate_batch(prompts, FREE)
    for said in free:
        with pytest.raises(FeedbackError):
            parse(said.text, TRAITS)
    found = model.generate_batch(prompts, CONSTRAINED)
    for said, traits in zip(found, (TRAITS, TRAITS, ("fillers",)), strict=True):
        assert list(parse(said.text, traits)) == list(traits)
        assert said.finish == "stop"
        assert " " not in said.text.split('"', 1)[0]
    sampled = Decoding(max_new_tokens=160, constrained=True, temperature=1.5, seed=3)
    for said in model.generate_batch(prompts[:2], sampled):
        parse(said.text, TRAITS)


def test_a_row_does_not_depend_on_the_others(model: LocalModel) -> None:
    prompts = [asked("one", ("fillers",)), asked("another, longer one")]
    together = model.generate_batch(prompts, CONSTRAINED)
    alone = [model.generate_batch([prompt], CONSTRAINED)[0] for prompt in prompts]
    assert together == alone


def test_too_few_tokens_leave_it_truncated(model: LocalModel) -> None:
    few = Decoding(max_new_tokens=10, constrained=True)
    said = model.generate_batch([asked("one")], few)[0]
    assert said.finish == "length"
    with pytest.raises(FeedbackError, match="truncated"):
        parse(said.text, TRAITS)


def test_without_a_form_or_with_a_bad_one_it_says_so(model: LocalModel) -> None:
    with pytest.raises(InputError, match="names no form"):
        model.generate_batch([Prompt("one")], CONSTRAINED)
    with pytest.raises(InputError, match="cannot constrain"):
        bad = json.dumps({"type": "nonsense"})
        model.generate_batch([Prompt("one", form=bad)], CONSTRAINED)
