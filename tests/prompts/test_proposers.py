"""Proposers: what the meta-prompt shows, and how an endpoint is asked."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from regen.endpoint import KEPT
from regen.errors import InputError
from regen.metrics import Metric
from regen.prompts.proposers import EndpointProposer, Scored, Task, meta_prompt

HISTORY = [Scored("first", 0.5), Scored("second", 0.9), Scored("third", 0.7), Scored("4th", 0.1)]
TASK = Task(Metric("accuracy"), ("A", "B"), ("seconds: 1-2 -> A",), shown=3)


def test_the_best_prompts_stand_in_ascending_order_with_their_scores() -> None:
    text = meta_prompt(TASK, HISTORY)
    assert "4th" not in text
    places = [text.index(words) for words in ("first", "50.0", "third", "70.0", "second", "90.0")]
    assert places == sorted(places)
    assert "seconds: 1-2 -> A" in text and "A and B" in text and "higher" in text


def test_of_a_loss_the_lowest_stands_last() -> None:
    text = meta_prompt(Task(Metric("MSE", False, False, 2), shown=3), HISTORY)
    assert "second" not in text and "lower" in text
    assert text.index("third") < text.index("first") < text.index("4th")


class Server(HTTPServer):
    """Answers as it is told to: statuses, or texts of a completion; keeps what it was asked."""

    def __init__(self, *plan: int | str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan = list(plan)
        self.retry_after = ""
        self.seen: list[tuple[str, str | None, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        now = self.server.plan.pop(0)
        status, text = (200, now) if isinstance(now, str) else (now, "")
        said = {"choices": [{"message": {"content": text}}]}
        self.send_response(status)
        if self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()
        self.wfile.write(b"no JSON" if text == "garbage" else json.dumps(said).encode())

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Any]:
    servers: list[Server] = []

    def start(*plan: int | str) -> Server:
        server = Server(*plan)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def endpoint(url: str, **changes: Any) -> EndpointProposer:
    settings = {
        "url": url, "model": "some-model", "key_variable": None, "temperature": 1.0, "top_p": 1.0,
        "max_new_tokens": 64, "timeout": 5.0, "retries": 2, "pause": 0.01, "at_once": 1,
        "request": {},
    }  # fmt: skip
    return EndpointProposer(TASK, **(settings | changes))


def test_an_endpoint_is_asked_as_openai_has_it(serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "secret")
    server = serve("one", "two", "one", "two")
    proposer = endpoint(server.url, key_variable="A_KEY")
    for _ in range(2):
        assert proposer.propose(HISTORY, 2, np.random.default_rng(1)) == ["one", "two"]
    path, key, body = server.seen[0]
    assert path == "/v1/chat/completions" and key == "Bearer secret"
    assert body["model"] == "some-model" and body["max_tokens"] == 64
    assert body["messages"] == [{"role": "user", "content": meta_prompt(TASK, HISTORY)}]
    seeds = [body["seed"] for _, _, body in server.seen]
    assert seeds[:2] == seeds[2:] and seeds[0] != seeds[1]


def test_a_server_that_is_busy_is_asked_again(serve) -> None:
    server = serve(503, 429, "at last")
    assert endpoint(server.url).propose(HISTORY, 1, np.random.default_rng(1)) == ["at last"]
    assert len(server.seen) == 3 and server.seen[0][1] is None


@pytest.mark.parametrize(
    ("plan", "requests", "reason"),
    [
        ([500, 500, 500], 3, "status 500"),
        ([401], 1, r"status 401: \{.* check url, model, key and request"),
        (["garbage"] * 3, 3, "no chat completion"),
    ],
)
def test_a_server_that_gives_no_answer_is_one_line(serve, plan, requests, reason) -> None:
    server = serve(*plan)
    with pytest.raises(InputError, match=reason) as error:
        endpoint(server.url).propose(HISTORY, 1, np.random.default_rng(1))
    assert "\n" not in str(error.value) and len(server.seen) == requests


def test_a_server_that_is_not_there_and_a_key_that_is_not_set(monkeypatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    with pytest.raises(InputError, match="set A_KEY to the key"):
        endpoint("http://127.0.0.1:1/v1", key_variable="A_KEY")
    with pytest.raises(InputError, match="is not http"):
        endpoint("file:///etc/passwd")
    with pytest.raises(InputError, match="gave no answer"):
        endpoint("http://127.0.0.1:1/v1").propose(HISTORY, 1, np.random.default_rng(1))


def completion(content: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


def reply(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode() + body


def read_request(connection: socket.socket) -> None:
    """All of it: closed with bytes unread, a connection is reset and its answer lost."""
    with connection.makefile("rb") as file:
        size = 0
        while (line := file.readline().strip().lower()) != b"":
            if line.startswith(b"content-length:"):
                size = int(line.partition(b":")[2])
        file.read(size)


@pytest.fixture
def serve_bytes() -> Iterator[Any]:
    """A server that sends the given bytes, one answer a connection, a byte a `pause`."""
    listening: list[socket.socket] = []

    def start(*plan: bytes, pause: float = 0.0) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listening.append(listener)

        def serve() -> None:
            for said in plan:
                with contextlib.suppress(OSError), listener.accept()[0] as connection:
                    read_request(connection)
                    size = 1 if pause else len(said)
                    for start in range(0, len(said), size):
                        connection.sendall(said[start : start + size])
                        time.sleep(pause)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

    yield start
    for listener in listening:
        listener.close()


GOOD = reply(completion("at last"), "Connection: close")
TOO_DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "broken",
    [
        reply(completion("cut")[:10], "Content-Length: 90"),
        reply(b"5\r\nab", "Transfer-Encoding: chunked"),
        reply(b"zz\r\nab", "Transfer-Encoding: chunked"),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        reply(TOO_DEEP, f"Content-Length: {len(TOO_DEEP)}"),
        reply(completion(["a", "list"])),
        reply(completion(17)),
        reply(b'"text"'),
    ],
)
def test_a_broken_answer_is_asked_for_again_and_in_the_end_one_line(serve_bytes, broken) -> None:
    rng = np.random.default_rng(1)
    assert endpoint(serve_bytes(broken, GOOD)).propose(HISTORY, 1, rng) == ["at last"]
    with pytest.raises(InputError, match="gave no answer") as error:
        endpoint(serve_bytes(broken, broken), retries=1).propose(HISTORY, 1, rng)
    assert "\n" not in str(error.value)


def test_an_answer_in_chunks_and_one_without_text(serve_bytes) -> None:
    body = completion(None)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    url = serve_bytes(reply(chunks, "Transfer-Encoding: chunked"))
    assert endpoint(url).propose(HISTORY, 1, np.random.default_rng(1)) == [""]


@pytest.mark.parametrize("headers", [(), ("X-Long: " + "x" * 200,)])
def test_a_server_that_drips_meets_the_timeout(serve_bytes, headers: tuple[str, ...]) -> None:
    url = serve_bytes(reply(completion("x" * 200), *headers), pause=0.05)
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"not all of it came in 0\.5 s"):
        endpoint(url, timeout=0.5, retries=0).propose(HISTORY, 1, np.random.default_rng(1))
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:abc", "http://[::1/v1", "http://127.0.0.1:99999", "http:///v1",
        "http://a b/v1", "http://h/\n", "http://höst/v1", "http://a..b/v1",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_not_asked(url: str) -> None:
    with pytest.raises(InputError, match="is no address") as error:
        endpoint(url)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel", "ключ"])
def test_a_key_that_no_header_holds_is_not_sent(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", key)
    with pytest.raises(InputError, match="the key in A_KEY holds") as error:
        endpoint("http://127.0.0.1:1/v1", key_variable="A_KEY")
    assert key not in str(error.value)


def test_an_ipv6_address_is_one() -> None:
    endpoint("http://[::1]:8000/v1")


def test_answers_before_one_that_failed_are_not_asked_for_again(serve, tmp_path: Path) -> None:
    one, two, three = (f"<PROMPT>{word}</PROMPT>" for word in ("one", "two", "three"))
    server = serve(one, two, 401, three)

    def propose() -> list[str]:
        proposer = endpoint(server.url, kept=tmp_path)
        return proposer.propose(HISTORY, 3, np.random.default_rng(1))

    with pytest.raises(InputError, match="status 401"):
        propose()
    with (tmp_path / KEPT.format("proposer")).open("a") as kept:
        kept.write('{"request": "to')  # torn by a kill
    assert propose() == [one, two, three]
    assert propose() == [one, two, three]
    assert len(server.seen) == 4


def test_a_proposer_that_proposes_nothing_is_an_error_and_not_a_search_in_vain(
    serve, tmp_path: Path
) -> None:
    server = serve(*["<think> Well"] * 8, *["<PROMPT>A or B?</PROMPT>"] * 4)
    rng = np.random.default_rng(1)
    proposer = endpoint(server.url, at_once=2, kept=tmp_path)
    assert len(proposer.propose(HISTORY, 4, rng)) == 4
    with pytest.raises(InputError, match=r"'<think> Well'; tell it by `request`"):
        proposer.propose(HISTORY, 4, rng)
    again = endpoint(server.url, at_once=2, kept=tmp_path)
    assert again.propose(HISTORY, 4, np.random.default_rng(1)) == ["<PROMPT>A or B?</PROMPT>"] * 4


def test_it_waits_as_long_as_the_server_asks(serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(429, 429, "at last")
    server.retry_after = "7"
    slept: list[float] = []
    clock = SimpleNamespace(sleep=slept.append, monotonic=time.monotonic)
    monkeypatch.setattr("regen.endpoint.time", clock)
    assert endpoint(server.url).propose(HISTORY, 1, np.random.default_rng(1)) == ["at last"]
    assert slept == [7.0, 7.0]


INTERRUPTED = """
import signal, sys
from regen.endpoint import Endpoint

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
endpoint = Endpoint(
    "judge", url=sys.argv[1], model="m", key_variable=None, temperature=0.0, top_p=1.0,
    max_new_tokens=8, timeout=60.0, retries=4, at_once=4, request={},
)
print("asking", flush=True)
endpoint.all(lambda content: endpoint.ask(content, 1), list("abcdefgh"))
"""


def test_ctrl_c_does_not_wait_for_a_slow_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        command = [sys.executable, "-c", INTERRUPTED, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"asking\n"
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=10)
    assert b"KeyboardInterrupt" in errors


def test_a_request_says_what_else_the_server_wants(serve, tmp_path: Path) -> None:
    server = serve("thought", "not")
    silent = {"chat_template_kwargs": {"enable_thinking": False}, "model": "never this"}
    for request in ({}, silent):  # another request: what was kept is not its answer
        asking = endpoint(server.url, request=request, kept=tmp_path)
        said = asking.propose(HISTORY, 1, np.random.default_rng(1))
    assert said == ["not"]
    bodies = [body for _, _, body in server.seen]
    assert bodies[1] == bodies[0] | {"chat_template_kwargs": {"enable_thinking": False}}
