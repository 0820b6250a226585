"""A judge behind a server: read strictly, asked again, paid by the weights."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pytest
import test_reinforcement as training

from regen.config import check, read
from regen.errors import InputError
from regen.files import read_jsonl
from regen.judge import Judge, parse

CHECKS = {
    "letters": {"weight": 3.0, "asks": "is it of letters?"},
    "short": {"weight": 1.0, "asks": "is it short?"},
}


class Server:
    """Judges by rule what it is asked to judge; `spoiled` says which of its answers are none."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.spoiled: set[int] = set()
        self.lock = Lock()

    def answer(self, request: dict[str, Any]) -> str:
        content = request["messages"][0]["content"]
        output = re.search(r"to be judged:\n(.*)\n\nGive each", content, re.S)[1]  # type: ignore[index]
        with self.lock:
            number = len(self.asked)
            self.asked.append(request)
        if number in self.spoiled:
            return "It is rather good."
        return json.dumps({"letters": share(output), "short": float(len(output) <= 4)})


def share(output: str) -> float:
    return sum(c.isascii() and c.isalpha() for c in output) / max(len(output), 1)


@pytest.fixture
def server() -> Iterator[tuple[dict[str, Any], Server]]:
    """The judge's settings, and the server that they name."""
    judging = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = judging.answer(request)
            body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=running.serve_forever, daemon=True).start()
    settings = {
        "url": f"http://127.0.0.1:{running.server_port}/v1", "model": "m", "key_variable": None,
        "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 64, "timeout": 10.0, "retries": 0,
        "at_once": 8, "request": {}, "seed": 5, "checks": CHECKS,
    }  # fmt: skip
    yield settings, judging
    running.shutdown()


@pytest.mark.parametrize(
    "text",
    ["", "1", "[1, 1]", '{"a": 1}', '{"a": 1, "b": 2}', '{"a": 1, "b": true}', '{"a": 1, "b": "1"}',
     '{"a": 1, "b": NaN}', '{"a": 1, "b": -0.1}', '{"a": 1, "b": 0, "c": 0}',
     'Sure: {"a": 1, "b": 0}'],
)  # fmt: skip
def test_what_is_not_the_asked_object_is_no_judgement(text: str) -> None:
    assert parse(text, ["a", "b"]) is None
    assert parse('{"b": 0, "a": 0.25}', ["a", "b"]) == {"a": 0.25, "b": 0.0}


def test_it_is_asked_again_and_the_same_output_once(
    server: tuple[dict[str, Any], Server],
) -> None:
    settings, judging = server
    judging.spoiled = {0, 1}
    judge = Judge(settings)
    first = judge.judge([("say", "a", "ab1"), ("say", "a", "ab1")])
    assert first == [{"letters": 2 / 3, "short": 1.0}] * 2
    assert [request["seed"] for request in judging.asked] == [5, 6, 7]
    assert judge.weighted(first[0]) == pytest.approx((3 * 2 / 3 + 1) / 4)
    content = judging.asked[0]["messages"][0]["content"]
    assert "- letters: is it of letters?" in content and "Question: say" in content
    judging.spoiled = {3, 4, 5}
    assert judge.judge([("say", "a", "{braces} %s"), ("say", "a", "ab1")]) == [None, first[0]]
    assert len(judging.asked) == 6
    assert judge.weighted(None) == 0


def test_a_judge_that_judges_nothing_ends_the_training(
    server: tuple[dict[str, Any], Server],
) -> None:
    settings, judging = server
    judging.spoiled = set(range(100))
    judge = Judge(settings)
    assert judge.judge([("say", "a", str(n)) for n in range(7)]) == [None] * 7
    with pytest.raises(InputError, match=r"'It is rather good.'; tell it by `request`") as error:
        judge.judge([("say", "a", "7")])
    assert "\n" not in str(error.value) and "letters, short" in str(error.value)


def test_a_training_is_paid_by_the_judge(
    server: tuple[dict[str, Any], Server], tmp_path: Path
) -> None:
    settings, judging = server
    base, data = tmp_path / "base", tmp_path / "data"
    training.make_base(base)
    training.make_data(data)
    judged = settings | {"kind": "endpoint", "reward": "letters"}
    judging.spoiled = {0, 1, 2, 3, 4, 5, 6, 7}
    training.run(base, data, tmp_path / "out", num_steps=3, judge=judged)
    log = read_jsonl(tmp_path / "out" / "log.jsonl")
    for row in log[1:]:  # in the first one some were spoiled
        paid = (3 * row["judged_letters"] + row["judged_short"]) / 4
        assert row["reward_letters"] == pytest.approx(paid, abs=1e-5)
        assert row["judged_short"] == pytest.approx(row["reward_short"], abs=1e-6)
        assert row["unjudged"] == 0
    assert all(0 < row["judged_letters"] < 1 for row in log)


def test_the_configuration_names_a_reward_and_an_address(project: Path, workdir: Path) -> None:
    def configured(**more: Any) -> Any:
        judge = {"url": "http://localhost:1/v1", "model": "m", "checks": CHECKS} | more
        reinforcement = {"trainings": {"grpo": {"reinforcement": {"judge": judge}}}}
        text = json.dumps({"studies": {"math": reinforcement}})
        Path("judge.yaml").write_text(text.replace("NaN", ".nan"))
        found = check(read([project / "config.yaml", Path("judge.yaml")]))
        return found.studies["math"].trainings["grpo"].reinforcement.judge

    configured()
    with pytest.raises(InputError, match=r"judge.reward: weights has no 'rubrik'; add it"):
        configured(reward="rubrik")
    with pytest.raises(InputError, match="url"):
        configured(url="localhost")
    said = {"chat_template_kwargs": {"enable_thinking": False}}
    unsaid = {"top_k": None, "chat_template_kwargs": {"enable_thinking": False, "more": None}}
    assert configured(request=unsaid).request == said
    Path("dated.yaml").write_text("studies: {math: {title: 2026-01-01}}")
    with pytest.raises(InputError, match=r"title: holds what is no text.*put a date in quotes"):
        read([project / "config.yaml", Path("dated.yaml")])
    with pytest.raises(InputError, match=r"judge.request: .*seed has a setting of its own"):
        configured(request={"seed": 1})
    with pytest.raises(InputError, match=r"judge.request.*a finite number, not nan"):
        configured(request={"temperature_scale": float("nan")})
