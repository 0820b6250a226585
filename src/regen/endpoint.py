"""A server that speaks OpenAI's chat completions, with the standard library alone."""

import hashlib
import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from regen.errors import InputError
from regen.files import dumps, write_text

DOUBTED = 8
"""If of the first so many answers none can be used, none will be."""
KEPT = ".answers-{}.jsonl"
"""Where a stage keeps what it was answered, in its folder, until it has ended; {}: who asked."""
SHOWN = 80
"""Characters of an unusable answer that an error quotes."""
ALOUD = (
    "tell it by `request` what it has to leave: some think aloud without {chat_template_kwargs: "
    "{enable_thinking: false}}, some fence JSON without {response_format: {type: json_object}}"
)
LONGEST_PAUSE = 60.0
"""Seconds; a server may ask for a longer one."""

Asked = TypeVar("Asked")
Found = TypeVar("Found")


class Endpoint:
    """Asks one question at a time; threads may share it.

    who: what asks, as an error calls it; url: up to, and without, /chat/completions
    key_variable: the environment variable that holds the key, None for a server without keys. The
    key stands in no file; timeout: seconds of a request from its beginning to the answer's end.
    at_once: requests that it is sent at the same time; request: more of what each one says, as
    this server understands it
    kept: a folder in which its answers are kept; the same request is not made twice, so that what
    was paid for before an interruption counts

    Raises InputError for an address or a key that cannot be used, and when a request failed
    `retries` times more than once, or at once if the server refuses it for good.
    """

    def __init__(
        self,
        who: str,
        *,
        url: str,
        model: str,
        key_variable: str | None,
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        timeout: float,
        retries: int,
        at_once: int,
        request: Mapping[str, Any],
        pause: float = 1.0,
        kept: Path | None = None,
    ) -> None:
        _check_address(who, url)
        self.who = who
        self.url = f"{url.rstrip('/')}/chat/completions"
        self.model = model
        self.headers = {"Content-Type": "application/json"}
        if key_variable is not None:
            self.headers["Authorization"] = f"Bearer {_key(who, key_variable, url)}"
        self.sampling = {"temperature": temperature, "top_p": top_p, "max_tokens": max_new_tokens}
        self.at_once, self.request = at_once, dict(request)
        self.timeout, self.retries, self.pause = timeout, retries, pause
        self.kept = None if kept is None else _Kept(kept / KEPT.format(who))

    def all(self, ask: Callable[[Asked], Found], questions: Sequence[Asked]) -> list[Found]:
        """What `ask` finds for each question, in their order; `at_once` are asked at a time.

        Once one has failed no other begins. The threads end with the process, whatever they wait
        for.
        """
        waiting = [(question, Future[Found]()) for question in questions]
        turn, ended = iter(waiting), threading.Event()
        drawing = threading.Lock()

        def work() -> None:
            while not ended.is_set():
                with drawing:
                    question, future = next(turn, (None, None))
                if future is None:
                    return
                try:
                    future.set_result(ask(question))  # type: ignore[arg-type]
                except BaseException as error:
                    ended.set()
                    future.set_exception(error)

        for _ in range(min(self.at_once, len(questions))):
            threading.Thread(target=work, daemon=True).start()
        try:
            return [future.result() for _, future in waiting]
        finally:
            ended.set()

    def ask(self, content: str, seed: int) -> str:
        """The answer to one question; `seed` is sent along, and the server may honour it."""
        body = self._body(content, seed)
        if self.kept is None:
            return self._answer(body)
        if (known := self.kept.answers.get(key := self._key(body))) is None:
            self.kept.add(key, known := self._answer(body))
        return known

    def forget(self, content: str, seed: int) -> None:
        """Of an answer that cannot be used: the next run asks again, of a mended server perhaps."""
        if self.kept is not None:
            self.kept.add(self._key(self._body(content, seed)), None)

    def useless(self, wanted: str, said: str) -> InputError:
        """The error that none of the answers can be used, one of which is `said`."""
        return InputError(
            f"{self.who}: no answer of {self.model} can be used; asked for {wanted}, it says "
            f"{said[:SHOWN]!r}; {ALOUD}"
        )

    def _body(self, content: str, seed: int) -> dict[str, Any]:
        return {
            **self.request,
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            **self.sampling,
            "seed": seed,
        }

    def _key(self, body: Mapping[str, Any]) -> str:
        return hashlib.sha256(dumps([self.url, body]).encode()).hexdigest()

    def _answer(self, body: Mapping[str, Any]) -> str:
        reason, pause = "", 0.0
        for attempt in range(self.retries + 1):
            if attempt:
                time.sleep(max(pause, self.pause * 2 ** (attempt - 1)))
            request = urllib.request.Request(self.url, json.dumps(body).encode(), self.headers)
            try:
                return _said(_within(self.timeout, request))
            except _RefusedError as error:
                reason, pause = str(error), error.pause
                if error.status < 500 and error.status not in (408, 429):
                    break  # it will not be better the next time
            except (LookupError, TypeError, ValueError, RecursionError):
                reason = "the answer is no chat completion"
            except http.client.HTTPException as error:  # no HTTP, or it ends too early
                reason = f"the answer is broken: {error!r}"
            except OSError as error:  # no connection, a broken one, time out
                reason = str(getattr(error, "reason", error))
        raise InputError(
            f"{self.who}: {self.url} gave no answer ({' '.join(reason.split())[:200]}); check url, "
            "model, key and request, then run the same again"
        )


class _RefusedError(Exception):
    """A status other than 200; pause: seconds that the server asks to be left alone."""

    def __init__(self, error: urllib.error.HTTPError) -> None:
        said = " ".join(error.read(600).decode(errors="replace").split())
        super().__init__(f"status {error.code}{f': {said[:140]}' if said else ''}")
        asked = error.headers.get("Retry-After", "")
        self.status = error.code
        self.pause = min(float(asked), LONGEST_PAUSE) if asked.isdecimal() else 0.0


class _Kept:
    """Answers by the request's hash, a line each, None for one that is forgotten; the last line may
    be torn by a kill.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._writing = path, threading.Lock()
        self.answers: dict[str, str] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
                try:
                    one = json.loads(line)
                except ValueError:
                    break
                self._set(one["request"], one["answer"])
        # Written anew without a torn line, to which the next one would be joined.
        write_text(path, "".join(self._line(*one) for one in self.answers.items()))

    def add(self, request: str, answer: str | None) -> None:
        with self._writing, self.path.open("a", encoding="utf-8") as file:
            file.write(self._line(request, answer))
            self._set(request, answer)

    def _set(self, request: str, answer: str | None) -> None:
        if answer is None:
            self.answers.pop(request, None)
        else:
            self.answers[request] = answer

    @staticmethod
    def _line(request: str, answer: str | None) -> str:
        return json.dumps({"request": request, "answer": answer}) + "\n"


def _check_address(who: str, url: str) -> None:
    if not url.startswith(("https://", "http://")):
        raise InputError(f"{who}: url {url!r} is not http or https")
    try:
        parts = urlsplit(url)
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("a character that no address has")
        if not parts.hostname or parts.port == 0:
            raise ValueError("no host or no port")
        parts.hostname.encode("idna")
    except ValueError as error:
        raise InputError(f"{who}: url {url!r} is no address ({error}); correct it") from None


def _key(who: str, variable: str, url: str) -> str:
    key = os.environ.get(variable)
    if not key:
        raise InputError(f"{who}: set {variable} to the key of {url}")
    if not key.isascii() or not key.isprintable():  # it would break the header
        raise InputError(
            f"{who}: the key in {variable} holds a line break or a letter that no key has; set it "
            "again"
        )
    return key


def _within(seconds: float, request: urllib.request.Request) -> bytes:
    """The whole answer. Raises TimeoutError if it is not there in time.

    The timeout of urllib is that of a single read: a server that drips would never meet it.
    """
    answer: Future[bytes] = Future()
    ends = time.monotonic() + seconds

    def read() -> None:
        try:
            with urllib.request.urlopen(request, timeout=seconds) as response:
                parts = []
                while part := response.read1():
                    parts.append(part)
                    if time.monotonic() > ends:
                        return  # nobody waits any more
                if response.length:
                    raise http.client.IncompleteRead(b"".join(parts), response.length)
                answer.set_result(b"".join(parts))
        except urllib.error.HTTPError as error:
            with error:
                try:
                    answer.set_exception(_RefusedError(error))
                except (OSError, http.client.HTTPException) as broken:
                    answer.set_exception(broken)
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=read, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        raise TimeoutError(
            str(error) or f"not all of it came in {seconds:g} s; raise timeout, or lower at_once"
        ) from None


def _said(answer: bytes) -> str:
    """The text of a chat completion; "" for one without. Raises what says that it is none."""
    content = json.loads(answer)["choices"][0]["message"]["content"]
    if not isinstance(content, str | None):
        raise TypeError("the content is no text")
    return content or ""
