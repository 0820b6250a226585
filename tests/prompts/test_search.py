"""The search for a prompt: it finds what is planted, spends what it may, and repeats itself."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import Toy, write_data

from regen.benchmarks.registry import get_benchmark
from regen.benchmarks.speech import Speech
from regen.errors import InputError
from regen.files import read_json, read_jsonl
from regen.prediction import read_prompt
from regen.prompts.proposers import CLOSE, OPEN, RandomProposer, Scored, parts
from regen.prompts.search import Limits, between_tags, optimise, search, why_malformed
from regen.prompts.state import State

WORDS = ["careful", "listen", "loud", "soft", "quick", "tone", "noise", "now", "please", "well"]
BEST = {"careful", "listen", "tone"}


def planted(prompt: str) -> float:
    """A model whose score depends on the words of its prompt alone; at most 1."""
    return len(BEST & set(prompt.lower().replace("?", "").split())) / len(BEST)


class Mutating:
    """What a good proposing model does: it changes one word of the best prompt so far."""

    def propose(self, history: Sequence[Scored], n: int, rng: np.random.Generator) -> list[str]:
        best = max(history, key=lambda one: one.score).prompt.split("\n")[0]
        return [f"{OPEN}{best} {rng.choice(WORDS)}\nTONE NOISE{CLOSE}" for _ in range(n)]


class Saying:
    """Says the given texts, then nothing that is new."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)

    def propose(self, history: Sequence[Scored], n: int, rng: np.random.Generator) -> list[str]:
        said, self.texts = self.texts[:n], self.texts[n:]
        return said


def limits(**changes: int | None) -> Limits:
    values = {"evaluations": 60, "iterations": 30, "per_step": 4, "patience": None, "longest": 200}
    return Limits(**(values | changes))


def test_a_planted_optimum_is_found() -> None:
    found = search(Toy(), planted, Mutating(), limits(), seed=3)
    best = found.best(larger_is_better=True)
    assert best["dev_score"] == 1
    assert set(best["prompt"].lower().split()) >= BEST
    assert [row["number"] for row in found.history] == list(range(1, len(found.history) + 1))
    so_far = [row["best_dev_score"] for row in found.history]
    assert so_far == list(np.maximum.accumulate([row["dev_score"] for row in found.history]))
    assert found.history[0]["prompt"] == Toy.prompts["baseline"]


def test_less_is_better_where_the_metric_says_so() -> None:
    def loss(prompt: str) -> float:
        return 1 - planted(prompt)

    class Careful(Mutating):
        def propose(self, history: Sequence[Scored], n: int, rng: np.random.Generator) -> list[str]:
            return super().propose([Scored(h.prompt, -h.score) for h in history], n, rng)

    found = search(Toy(), loss, Careful(), limits(), seed=3, larger_is_better=False)
    assert found.best(larger_is_better=False)["dev_score"] == 0
    so_far = [row["best_dev_score"] for row in found.history]
    assert so_far == list(np.minimum.accumulate([row["dev_score"] for row in found.history]))


def test_malformed_proposals_are_dropped_and_counted_by_reason() -> None:
    asked: list[str] = []

    def score(prompt: str) -> float:
        asked.append(prompt)
        return 0.5

    good = "TONE or else NOISE, say which"
    said = Saying(
        f"{OPEN}{good}{CLOSE} and more talk {OPEN}ignored TONE NOISE{CLOSE}",
        f"{OPEN}  {CLOSE}",
        f"{OPEN}TONE or NOISE, and then it goes on",
        "TONE or NOISE",
        f"{OPEN}TONE NOISE {'x' * 300}{CLOSE}",
        f"{OPEN}Is it a TONE or not?{CLOSE}",
        f"{OPEN}MONOTONE or NOISE?{CLOSE}",
        f"{OPEN} {good}\n{CLOSE}",
        f"{OPEN}{Toy.prompts['baseline']}{CLOSE}",
        f"{OPEN}TONE or NOISE in {{place}}{CLOSE}",
        f"{OPEN}TONE or NOISE <|im_end|>{CLOSE}",
    )
    found = search(Toy(), score, said, limits(per_step=20, iterations=1), seed=0)
    assert asked == [*Toy.prompts.values(), good]
    assert dict(found.dropped) == {
        "empty": 1,
        f"no {OPEN} that ends with {CLOSE}": 2,
        "too long": 1,
        "lacks an answer option": 2,
        "scored before": 2,
        "has other placeholders": 1,
        "holds markup": 1,
    }
    assert found.stopped == "all iterations were spent"


@pytest.mark.parametrize("odd", ["\ud83d", "\0", "\a", "\x1b[1m", "\x7f", "\x9b"])
def test_a_proposal_that_is_no_text_is_dropped_in_every_run(tmp_path: Path, odd: str) -> None:
    for _ in range(2):  # a proposal is stored before it is looked at
        state = State(tmp_path / ".state.jsonl", "w")
        said = Saying(f"{OPEN}TONE or {odd} NOISE?{CLOSE}", f"{OPEN}TONE\tor\nNOISE 😀{CLOSE}")
        found = search(Toy(), state.remember_scores(planted), state.remember_proposals(said),
                       limits(iterations=1), seed=0)  # fmt: skip
        assert dict(found.dropped) == {"holds what is no text": 1}
        assert found.history[-1]["prompt"] == "TONE\tor\nNOISE 😀"


def test_the_named_prompts_of_a_benchmark_are_well_made() -> None:
    for text in Speech.prompts.values():
        assert between_tags(f"{OPEN}\n{text}\n{CLOSE}") == text
        assert why_malformed(text, Speech(), 300) is None


def test_ties_go_to_the_shorter_then_to_the_earlier() -> None:
    said = Saying(*(f"{OPEN}TONE NOISE {end}{CLOSE}" for end in ("long one", "b", "a")))
    found = search(Toy(), lambda p: float(p.startswith("TONE")), said, limits(), seed=0)
    assert found.best(larger_is_better=True)["prompt"] == "TONE NOISE b"


def test_every_strategy_has_the_same_budget() -> None:
    random = RandomProposer(Toy(), [])
    random.space = [[f"{word} TONE" for word in WORDS], ["NOISE"], WORDS]
    for proposer in (random, Mutating()):
        found = search(Toy(), planted, proposer, limits(evaluations=20), seed=1)
        assert len(found.history) == 20
        assert found.stopped == "all evaluations were spent"


def test_patience_ends_a_search_that_finds_nothing_better() -> None:
    numbers = iter(range(1000))

    class Busy:
        def propose(self, history: Sequence[Scored], n: int, rng: np.random.Generator) -> list[str]:
            return [f"{OPEN}TONE NOISE {next(numbers)}{CLOSE}" for _ in range(n)]

    found = search(Toy(), lambda p: 0.5, Busy(), limits(patience=3), seed=0)
    assert found.stopped == "no better prompt in 3 iterations"
    assert found.asked == 3 and len(found.history) == len(Toy.prompts) + 3 * 4


def test_random_prompts_are_made_of_known_parts_that_mean_the_same(tmp_path: Path) -> None:
    task = get_benchmark("speech")
    items = [_item("SPEECH"), _item("NONSPEECH")]
    space = RandomProposer(task, items)
    drawn = space.propose([], 300, np.random.default_rng(0))
    assert len(set(drawn)) > 100
    for raw in drawn:
        prompt = between_tags(raw)
        assert why_malformed(prompt, task, 400) is None
        offered = parts(str(prompt), task.options)[1].splitlines()
        assert [line[0] for line in offered] == ["A", "B"]
        assert not any(line in prompt for line in ("A. no", "B. yes", "A. long", "A. noisy"))
    assert drawn == space.propose([Scored("x", 1.0)], 300, np.random.default_rng(0))


def _item(target: str):
    from regen.benchmarks.base import Item

    return Item("i", "g", target)


# The stage, with a real model.


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from regen.models.tiny_audio import tiny_audio

    home = tmp_path_factory.mktemp("home")
    write_data(home / "data")
    (home / "base").mkdir()
    course = {"steps": 3, "batch_size": 4}
    sizes = {"audio_width": 32, "text_width": 32}
    tiny_audio(data=home / "data", benchmark="toy", architecture=sizes, pretraining=course,
               seed=1, out=home / "base")  # fmt: skip
    (home / "base/outputs.sha256").write_text("base\n")
    return home


SETTINGS = {
    "benchmark": "toy", "limit": 16, "train_limit": 8, "proposer": {"kind": "random"},
    "evaluations": 4, "iterations": 5, "per_step": 3, "patience": None, "longest": 200,
    "batch_size": 8, "seed": 1,
}  # fmt: skip


def run(home: Path, out: Path, **changes) -> dict[str, bytes]:
    out.mkdir(exist_ok=True)
    optimise(data=home / "data", base=home / "base", out=out, **(SETTINGS | changes))
    assert not (out / ".state.jsonl").exists()
    return {name: (out / name).read_bytes() for name in ("prompt.json", "history.jsonl")}


def test_the_stage_repeats_itself_and_its_score_is_what_predict_and_score_say(
    home: Path, tmp_path: Path
) -> None:
    from regen.prediction import predict
    from regen.scoring import score

    first = run(home, tmp_path / "a")
    assert run(home, tmp_path / "b") == first
    found = read_json(tmp_path / "a/prompt.json")
    history = read_jsonl(tmp_path / "a/history.jsonl")
    assert found["evaluated"] == len(history) and found["strategy"] == "random"
    assert found["hash"] == hashlib.sha256(found["prompt"].encode()).hexdigest()[:12]
    assert history[found["found_at"] - 1]["prompt"] == found["prompt"]
    assert read_prompt(tmp_path / "a/prompt.json") == found["prompt"]
    common = {"data": home / "data", "benchmark": "toy", "split": "dev", "limit": 16}
    predict(base=home / "base", variant="v", prompt_file=tmp_path / "a/prompt.json",
            out=tmp_path / "p", **common)  # fmt: skip
    score(predictions=tmp_path / "p/predictions.jsonl", out=tmp_path / "s", **common)
    mean = read_json(tmp_path / "s/summary.json")["metrics"]["accuracy"]
    assert (mean["mean"], mean["n"]) == (found["dev_score"], found["dev_items"])


def test_a_control_scores_as_many_prompts_as_the_search_it_controls(
    home: Path, tmp_path: Path
) -> None:
    run(home, tmp_path / "a", evaluations=3)
    run(home, tmp_path / "b", evaluations=50, budget_of=tmp_path / "a/prompt.json")
    of, control = (read_json(tmp_path / x / "prompt.json")["evaluated"] for x in "ab")
    assert of == control == 3


def test_items_may_come_from_a_csv(home: Path, tmp_path: Path) -> None:
    rows = read_jsonl(home / "data/dev.jsonl")[:6]
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    table = home / "data/mine.csv"
    table.write_text("\n".join(lines) + "\n")
    from_csv = run(home, tmp_path / "a", dev_csv=table)
    from_split = run(home, tmp_path / "b", limit=6)
    assert from_csv["history.jsonl"] == from_split["history.jsonl"]
    table.write_text("item,group\n")
    with pytest.raises(InputError, match=r"mine\.csv: holds no items"):
        run(home, tmp_path / "c", dev_csv=table)


def test_what_a_server_answered_before_it_failed_is_not_asked_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = iter(["<PROMPT>TONE NOISE \ud83d</PROMPT>", None, "<PROMPT>NOISE or TONE?</PROMPT>"])
    asked: list[int] = []

    def answer(endpoint: object, body: dict[str, Any]) -> str:
        asked.append(body["seed"])
        said = next(plan)
        if said is None:
            raise InputError("gave no answer")
        return said

    monkeypatch.setattr("regen.endpoint.Endpoint._answer", answer)
    server = {
        "kind": "endpoint", "url": "http://127.0.0.1:1/v1", "model": "m", "key_variable": None,
        "examples": 1, "shown": 2, "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 8,
        "timeout": 1.0, "retries": 0, "at_once": 1, "request": {},
    }  # fmt: skip
    settings = {"proposer": server, "iterations": 1, "per_step": 2}
    with pytest.raises(InputError, match="gave no answer"):
        run(home, tmp_path / "a", **settings)
    run(home, tmp_path / "a", **settings)
    assert not list((tmp_path / "a").glob(".*"))
    assert len(asked) == 3 and asked[1] == asked[2] != asked[0]
    assert read_json(tmp_path / "a/prompt.json")["dropped"] == {"holds what is no text": 1}


def test_a_clip_that_was_replaced_is_other_work(home: Path, tmp_path: Path) -> None:
    """What an interrupted search had scored counts no more once a file beside the table changed."""
    row = read_jsonl(home / "data/dev.jsonl")[0]
    clip = tmp_path / row["audio"]
    clip.parent.mkdir()
    clip.write_bytes((home / "data" / row["audio"]).read_bytes())
    table = tmp_path / "mine.csv"
    table.write_text(f"{','.join(row)}\n{','.join(map(str, row.values()))}\n")

    def interrupted() -> int:
        """How many scores are there from an earlier call."""
        with pytest.MonkeyPatch.context() as patch:
            resumed: list[int] = []

            def stop(*arguments: object, **settings: object) -> None:
                raise KeyboardInterrupt

            def watched(path: Path, work: object) -> State:
                state = State(path, work)
                resumed.append(state.resumed_at)
                state.remember_scores(lambda prompt: 0.5)("p")
                return state

            patch.setattr("regen.prompts.search.search", stop)
            patch.setattr("regen.prompts.search.State", watched)
            with pytest.raises(KeyboardInterrupt):
                run(home, tmp_path / "out", dev_csv=table)
            return resumed[0]

    assert [interrupted(), interrupted()] == [0, 1]
    clip.write_bytes((home / "data/clips/dev-2.wav").read_bytes())
    assert interrupted() == 0


def test_what_was_scored_is_not_scored_again(tmp_path: Path) -> None:
    path, asked = tmp_path / ".state.jsonl", []

    def score(prompt: str) -> float:
        asked.append(prompt)
        return 1 / 3

    for _ in range(2):
        state = State(path, {"seed": 1})
        assert state.remember_scores(score)("p") == 1 / 3
    assert asked == ["p"]
    with path.open("a") as file:
        file.write('{"hash": "torn')
    assert State(path, {"seed": 1}).remember_scores(score)("p") == 1 / 3
    State(path, {"seed": 1}).remember_scores(score)("q")
    assert asked == ["p", "q"]
    State(path, {"seed": 2}).remember_scores(score)("p")
    assert asked == ["p", "q", "p"]


def test_killed_in_the_middle_it_comes_to_the_same_bytes(tmp_path: Path) -> None:
    """kill -9 after some evaluations; the second run scores only what was not scored."""
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_search as t
from regen.files import write_json
from regen.prompts.search import search
out, slow = Path(sys.argv[1]), float(sys.argv[2])
state = t.State(out / ".state.jsonl", "w")
asked = []
def score(prompt):
    time.sleep(slow)
    asked.append(prompt)
    return t.planted(prompt)
found = search(t.Toy(), state.remember_scores(score), state.remember_proposals(t.Mutating()),
               t.limits(evaluations=30), seed=3)
write_json(out / "history.json", [found.history, dict(found.dropped)])
write_json(out / "asked.json", len(asked))
"""
    paths = [str(Path(__file__).parents[1]), *sys.path]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()

    def start(name: str, slow: float) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code, tmp_path / name, str(slow)], env=env)

    first = start("killed", 0.1)
    state = tmp_path / "killed/.state.jsonl"
    until = time.monotonic() + 60
    while not state.exists() or state.read_text().count("score") < 5:
        assert time.monotonic() < until and first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    done = state.read_text().count("score")
    assert start("killed", 0).wait() == 0 and start("whole", 0).wait() == 0
    killed, whole = (tmp_path / name / "history.json" for name in ("killed", "whole"))
    assert killed.read_bytes() == whole.read_bytes()
    left, everything = (read_json(tmp_path / n / "asked.json") for n in ("killed", "whole"))
    assert done >= 5 and done + left == everything
