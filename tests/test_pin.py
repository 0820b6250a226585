"""regen pin, against a server on this machine that answers as the hub's API does."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from regen.cli import main
from regen.pin import with_revisions

Pin = Callable[..., SimpleNamespace]
GEMMA, QWEN = "google/gemma-3-1b-it", "Qwen/Qwen2.5-0.5B-Instruct"
OWN = """\
# Which models; the order is ours.
scale: paper   # a name
models:
  gemma-3-1b: {builder: hub, id: google/gemma-3-1b-it, revision: null}  # gated
  qwen2-5-05b:
    # as they were in autumn
    revision: null   # not yet

    builder: hub
    id: Qwen/Qwen2.5-0.5B-Instruct
  qwen2-5-05b-nf4:
    builder: hub
    id:     Qwen/Qwen2.5-0.5B-Instruct
    revision: "1111111111111111111111111111111111111111"
    quantisation: nf4
title:   'Kept as it is: ü'
"""


class Hub(BaseHTTPRequestHandler):
    """What the API says of a model, whether a token may read it, and its errors."""

    def do_GET(self) -> None:
        state = self.server.state  # type: ignore[attr-defined]
        state.asked.append(self.path)
        id = (
            self.path.removeprefix("/api/models/").removeprefix("/api/").removesuffix("/auth-check")
        )
        token = self.headers.get("Authorization")
        if id not in state.models:
            return self._say(404, {"error": "Repository not found"}, "RepoNotFound")
        known = state.models[id]
        if self.path.endswith("/auth-check"):
            if known["gated"] and token != "Bearer hf_open":
                return self._say(403, {"error": "Access is restricted"}, "GatedRepo")
            return self._say(200, {})
        return self._say(200, {"id": id, "modelId": id, **known})

    def _say(self, status: int, body: Any, code: str | None = None) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        content = json.dumps(body).encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[SimpleNamespace]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    state = SimpleNamespace(
        asked=[],
        models={
            GEMMA: {"sha": "a" * 40, "gated": "manual", "private": False},
            QWEN: {"sha": "0" * 40, "gated": False, "private": False},
        },
        url=f"http://127.0.0.1:{server.server_port}",
    )
    server.state = state  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def own(project: Path, workdir: Path) -> Path:
    """A project with an overlay of its own."""
    Path("config.yaml").symlink_to(project / "config.yaml")
    file = workdir / "own.yaml"
    file.write_text(OWN, encoding="utf-8")
    return file


@pytest.fixture
def pin(hub: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Pin:
    """The command, as if the process had been started with HF_ENDPOINT, and these variables."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "none")

    def pin(*more: str, url: str = hub.url, token: str = "hf_open") -> SimpleNamespace:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(SystemExit) as ended:
            main(["pin", "--configfile", "own.yaml", *more])
        said = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=said.out, stderr=said.err)

    return pin


def test_the_environment_names_hub_and_token(hub: SimpleNamespace, own: Path) -> None:
    command = "from regen.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "pin", "--configfile", "own.yaml"],
        env=os.environ | {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_open"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "a" * 40 in own.read_text(encoding="utf-8")


def test_revisions_are_written_and_no_other_byte(hub: SimpleNamespace, own: Path, pin: Pin) -> None:
    done = pin()
    assert done.returncode == 0, done.stderr
    expected = OWN.replace("revision: null}", f'revision: "{"a" * 40}"}}')
    expected = expected.replace("revision: null   #", f'revision: "{"0" * 40}"   #')
    assert own.read_text(encoding="utf-8") == expected
    assert f"own.yaml: models.gemma-3-1b: {'a' * 40}" in done.stdout
    assert "qwen2-5-05b-nf4" not in done.stdout
    # A commit of digits alone stays a text.
    assert yaml.safe_load(expected)["models"]["qwen2-5-05b"]["revision"] == "0" * 40
    assert [path.name for path in own.parent.iterdir() if "own" in path.name] == ["own.yaml"]

    hub.asked.clear()
    again = pin()
    assert again.stdout == "everything of the hub has its revision\n" and hub.asked == []


def test_what_is_pinned_is_only_moved_on_demand(hub: SimpleNamespace, own: Path, pin: Pin) -> None:
    assert pin().returncode == 0
    hub.models[QWEN]["sha"] = "c" * 40
    assert pin().returncode == 0
    assert "c" * 40 not in own.read_text(encoding="utf-8")
    done = pin("--update")
    models = yaml.safe_load(own.read_text(encoding="utf-8"))["models"]
    assert {name: one["revision"][0] for name, one in models.items()} == {
        "gemma-3-1b": "a",
        "qwen2-5-05b": "c",
        "qwen2-5-05b-nf4": "c",
    }
    assert "gemma" not in done.stdout


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("gated", f"{GEMMA}: is gated, and you have no access to it; accept its conditions at"),
        ("unknown", f"{QWEN}: http://127.0.0.1:.* has no such model"),
        ("unreachable", "does not say its commit .*run regen pin where the hub can be reached"),
        ("offline", "does not say its commit"),
        ("rubbish", "names no commit of it"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_changes_nothing(
    hub: SimpleNamespace, own: Path, pin: Pin, monkeypatch: Any, why: str, words: str
) -> None:
    if why == "unknown":
        del hub.models[QWEN]
    if why == "offline":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if why == "rubbish":
        hub.models[QWEN]["sha"] = None
    url = "http://127.0.0.1:9" if why == "unreachable" else hub.url
    done = pin(url=url, token="" if why == "gated" else "hf_open")
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert re.search(words, done.stderr), done.stderr
    assert "nothing was written" in done.stderr
    assert own.read_text(encoding="utf-8") == OWN


def test_the_last_file_that_gives_a_revision_is_the_one_that_changes(own: Path, pin: Pin) -> None:
    Path("more.yaml").write_text("models:\n  qwen2-5-05b: {quantisation: nf4}\n")
    done = pin("--configfile", "more.yaml")
    assert done.returncode == 0, done.stderr
    assert "null" not in own.read_text() and "revision" not in Path("more.yaml").read_text()


def test_data_sets_are_pinned_too(hub: SimpleNamespace, own: Path, pin: Pin) -> None:
    hub.models["datasets/openai/gsm8k"] = {"sha": "d" * 40, "gated": False, "private": False}
    text = """\
datasets:
  mine:
    builder: own
    benchmark: gsm8k
    files: {train: main/train.parquet}
    hub: {id: openai/gsm8k, revision: null}  # of the hub
    sizes: {train: 4, dev: 2, test: 2}
"""
    own.write_text(text, encoding="utf-8")
    done = pin()
    assert done.stdout == f"own.yaml: datasets.mine.hub: {'d' * 40}\n", done.stderr
    assert own.read_text(encoding="utf-8") == text.replace("null", f'"{"d" * 40}"')
    hub.models["datasets/openai/gsm8k"] |= {"gated": "auto", "sha": "e" * 40}
    refused = pin("--update", token="")
    assert refused.returncode == 2 and "/datasets/openai/gsm8k and set HF_TOKEN" in refused.stderr


def test_models_that_share_a_part_are_refused(own: Path, pin: Pin) -> None:
    shared = OWN.replace("revision: null   #", "revision: &r null   #").replace('"1111"', "*r")
    own.write_text(shared + "stamp: *r\n", encoding="utf-8")
    done = pin()
    assert done.returncode == 2 and "write out each" in done.stderr
    assert own.read_text(encoding="utf-8") == shared + "stamp: *r\n"


def test_a_value_that_was_left_out(project: Path) -> None:
    text = "models:\r\n  a:\r\n    revision:\r\n    id: x/y\r\n"
    assert with_revisions(text, {("models", "a"): "b" * 40}) == text.replace(
        "revision:\r", f'revision: "{"b" * 40}"\r'
    )
    paper = (project / "config" / "paper.yaml").read_text(encoding="utf-8")
    names = [("models", name) for name, one in yaml.safe_load(paper)["models"].items() if one]
    done = with_revisions(paper, dict.fromkeys(names, "b" * 40))
    assert done.replace(f'"{"b" * 40}"', "null") == paper
    assert done.count("b" * 40) == len(names) == 7
