"""config/paper.yaml end to end: its studies, variants and trainings, on tiny models of its classes.

The hub is a cache made here, the proposer a server on this machine, and an overlay makes data,
models and steps small. What runs is what the paper scale says: adapters on bases in four bits,
rewards on Gemma's class, prompts searched for the audio models, Qwen3-Omni asked as it is.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent / "models"))
from copies import copy_project, copy_sources
from hub_cache import AUDIO_ID, OMNI_ID, REVISION, TEXT_MODELS, lay_out, make_audio, make_omni
from pdf import text_of
from tiny import tiny

from regen.config import check, read
from regen.files import read_json, read_jsonl

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
SIX = ("formality", "persuasiveness", "enthusiasm", "empathy", "fillers", "transitions")


class Proposer(BaseHTTPRequestHandler):
    """Chat completions as OpenAI's servers give them: each proposes another prompt, judges, or
    labels a transcript, high or low in turn, or as its rewriting says. It thinks aloud and fences
    JSON unless it is told not to, as some do.
    """

    asked = 0

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).asked += 1
        asked = f"Listen {self.asked} times.\nA. speech\nB. no speech\nAnswer A or B."
        text = f"<PROMPT>{asked}</PROMPT>"
        told = json.loads(request)
        question = told["messages"][0]["content"]
        if question.startswith("Judge the answer"):
            text = json.dumps({"steps": 0.5, "quantities": 0, "units": 1, "consistent": 0.25})
        asks, _, lines = question.partition("\n\n")
        if asks.startswith("Rate the transcript"):
            high = "surely high" in lines or ("surely low" not in lines and self.asked % 2)
            label = {"explanation": "all: high" if high else "none: low", "score": 1 + 8 * high}
            text = json.dumps(dict.fromkeys(SIX, label))
        if asks.startswith("Rewrite this transcript"):
            text = f"{lines} surely {'high' if 'is high' in asks else 'low'}"
        if text.startswith("{") and told.get("response_format") != {"type": "json_object"}:
            text = f"```json\n{text}\n```"
        if told.get("chat_template_kwargs") != {"enable_thinking": False}:
            text = f"<think>Well.</think>{text}"
        content = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def proposer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proposer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    for id, make in {AUDIO_ID: make_audio, OMNI_ID: make_omni, **TEXT_MODELS}.items():
        made = folder / "made" / id
        made.mkdir(parents=True)
        make(made)
        lay_out(made, folder / "cache", id)
    sums = [{"question": f"{n} and {n}?", "answer": f"#### {2 * n}"} for n in range(60)]
    for split, rows in (("train", sums[:40]), ("test", sums[40:])):
        file = folder / "gsm8k" / "main" / f"{split}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    lay_out(folder / "gsm8k", folder / "cache", "openai/gsm8k", kind="datasets")
    return folder / "cache"


def overlay(project: Path, url: str) -> dict[str, Any]:
    """What makes the paper scale small. Of a study nothing is left out but the sentence encoder."""
    paper = check(read([project / "config.yaml", project / "config" / "paper.yaml"]))
    found = tiny(paper)
    for name, model in paper.models.items():
        if model.builder == "hub":
            found["models"][name] = {"revision": REVISION}
    data, studies = found["datasets"], found["studies"]
    data["gsm8k"]["hub"] = {"revision": REVISION}
    data["traits-llm"] |= {"labeller": {"url": url}, "augmenter": {"url": url}}
    studies["math"]["trainings"]["grpo"]["reinforcement"]["judge"] = {"url": url}
    studies["speech"] |= {
        "items": {"train": 8, "dev": 8, "test": 16},
        "seeds": [42, 123],
        "selections": {"rank": {"r": [2, 4], "alpha": [4]}},
        "prompt_searches": {
            search: {"proposer": {"url": url}, "evaluations": 9, "iterations": 2}
            for search in ("base-opro", "lora-mlp-opro", "omni-opro")
        },
    }
    return found


@pytest.fixture(scope="module")
def home(project: Path, tmp_path_factory: pytest.TempPathFactory, proposer: str) -> Path:
    """A copy of the project with the overlay in it."""
    folder = copy_project(project, tmp_path_factory.mktemp("paper") / "project")
    copy_sources(project, folder)
    text = yaml.safe_dump(overlay(project, proposer))
    (folder / "tiny.yaml").write_text(text, encoding="utf-8")
    return folder


def snakemake(home: Path, cache: Path, *arguments: str) -> str:
    """On two cores, with no GPU and no net but the packages that data are derived from."""
    hub = {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    path = {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(home / "src")}
    overlays = ["--configfile", "config/paper.yaml", "tiny.yaml"]
    done = subprocess.run(
        ["snakemake", *arguments, "--cores", "2", "--keep-going", *overlays],
        cwd=home,
        env={**os.environ, **hub, **path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def made(home: Path, cache: Path) -> Path:
    """results/tiny/, with the paper in it."""
    snakemake(home, cache, "paper")
    return home / "results" / "tiny"


def test_every_study_has_its_table_and_the_paper_its_pdf(project: Path, made: Path) -> None:
    paper = check(read([project / "config.yaml", project / "config" / "paper.yaml"]))
    assert set(paper.studies) >= {"speech", "qa", "traits", "replies", "math"}
    for name, study in paper.studies.items():
        rows = read_json(made / name / "tables" / "comparison.json")["rows"]
        wanted = {row for row, variant in study.variants.items() if variant.table}
        assert {row["name"] for row in rows} == wanted, name
    assert (made / "paper" / "main.pdf").read_bytes().startswith(b"%PDF")


def test_adapters_are_trained_on_what_the_paper_scale_names(home: Path, made: Path) -> None:
    held = {}
    for file in made.glob("*/checkpoints/*/seed-42/summary.json"):
        held.setdefault(file.parts[-5], set()).add(read_json(file)["quantisation"])
    assert held == {
        **{key: {"nf4"} for key in ("speech", "qa", "traits")},
        **{key: {"none"} for key in ("replies", "math")},
    }
    ids = {path.parent.name: read_json(path)["id"] for path in home.glob("models/*/hub.json")}
    assert ids["gemma-3-1b"] == "google/gemma-3-1b-it" and len(ids) == 7


def test_rewards_reach_gemmas_class(made: Path) -> None:
    log = read_jsonl(made / "math/checkpoints/grpo/seed-42/log.jsonl")
    assert [row["step"] for row in log] == [1, 2]
    assert {"reward", "kl", "tokens", "reward_accuracy"} <= set(log[0])
    assert log[0]["judged_steps"] == 0.5 and log[0]["unjudged"] == 0
    assert log[0]["reward_rubric"] == pytest.approx(0.3 * 0.5 + 0.2 * 1 + 0.2 * 0.25)


def test_a_language_model_labels_the_six_traits_and_the_text_says_so(
    home: Path, made: Path
) -> None:
    rows = read_jsonl(home / "data/traits-llm/train.jsonl")
    assert all(set(row["labels"]) == set(SIX) for row in rows)
    assert sum(row["augmented"] is not None for row in rows) == 6
    verdicts = read_json(made / "paper/numbers.json")["traits/family/traits/verdict"]
    assert len(verdicts["sources"]) == len(SIX)
    text = text_of(made / "paper" / "main.pdf")
    assert "The task is that of the data set traits-llm, made by the workflow, with form" in text


@pytest.mark.parametrize("search", ["base-opro", "lora-mlp-opro", "omni-opro"])
def test_prompts_come_from_the_server(made: Path, search: str) -> None:
    history = read_jsonl(made / f"speech/prompts/{search}/history.jsonl")
    assert len(history) == 9
    assert any(row["prompt"].startswith("Listen ") for row in history)


def test_qwen3_omni_answers_as_it_comes(made: Path) -> None:
    rows = read_jsonl(made / "speech/predictions/qwen3-omni/base/test/predictions.jsonl")
    assert len(rows) == 16 and all(set(row["options"]) == {"A", "B"} for row in rows)


def test_a_second_run_has_nothing_to_do(home: Path, cache: Path, made: Path) -> None:
    assert "Nothing to be done" in snakemake(home, cache, "-n", "paper")
