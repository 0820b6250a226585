"""Training and asking by hand, through the commands: what they print, write, and leave alone."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy import write_data

from regen.cli import app
from regen.errors import InputError
from regen.files import read_json

OPTIMISATION = {"epochs": 1, "max_steps": 2, "batch_size": 8}


def config(project: Path) -> dict[str, Any]:
    """The project's own configuration with the toy task in place of speech."""
    found = yaml.safe_load((project / "config.yaml").read_text())
    study = found["studies"]["speech"]
    sizes = {"train": 12, "dev": 10, "test": 12}
    study |= {
        "benchmark": "toy",
        "dataset": "toy",
        "items": sizes,
        "base": "tiny",
        "seeds": [42],
        "facets": [],
        "figures": [],
        "selections": {"rank": {"recipe": "lora", "r": [2], "alpha": [4], "seed": 42}},
    }
    study["trainings"] = {
        name: {"selected": "rank", "optimisation": OPTIMISATION} for name in ("lora", "lora-mlp")
    }
    study["variants"].pop("energy")
    study["labels"].pop("energy")
    found["datasets"] = {"toy": {"builder": "speech", "sizes": sizes}}
    found["models"] = {
        "tiny": {
            "builder": "tiny_audio",
            "dataset": "toy",
            "benchmark": "toy",
            "pretraining": {"steps": 2},
        }
    }
    return found


@pytest.fixture(scope="module")
def home(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with data, a base model and one finished checkpoint by hand."""
    folder = tmp_path_factory.mktemp("home")
    data = write_data(folder / "data/toy", items=12)
    lines = []
    for path in sorted(p for p in data.rglob("*") if p.is_file() and p.name != "outputs.sha256"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{digest}  {path.relative_to(data)}\n")
    (data / "outputs.sha256").write_text("".join(lines))
    (folder / "config.yaml").write_text(yaml.safe_dump(config(project)))
    before = Path.cwd()
    os.chdir(folder)
    run("base", "--model", "tiny")
    run("train", "--study", "speech", "--lora-r", "8", "--lora-alpha", "16", "--add-mlp-targets",
        "--seed", "123", "--output-dir", "mine/seed-123")  # fmt: skip
    os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def here(home: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(home)
    yield
    os.chdir(before)


def run(*arguments: str) -> None:
    app(list(arguments), standalone_mode=False)


def test_one_seed_by_hand_has_the_settings_that_were_asked_for(home: Path) -> None:
    made = home / "mine/seed-123"
    settings = read_json(made / "adapter_config.json")
    assert (settings["r"], settings["lora_alpha"]) == (8, 16)
    summary = read_json(made / "summary.json")
    assert summary["target_modules"][-1] == "down_proj"
    assert read_json(made / "manifest.json")["params"]["seed"] == 123


def test_several_seeds_end_in_a_summary(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("train", "--study", "speech", "--lora-r", "2", "--seeds", "7 8", "--output-dir", "two")
    said = capsys.readouterr()
    assert said.err.count("trainable params:") == 2
    for line in ("Runs: 2", "Overall: mean", "SD", "95% interval", "range", "TONE: mean", "NOISE:"):
        assert line in said.out
    assert "of 10 items" in said.out  # the dev split, unless another is asked for
    adapters = [(home / f"two/seed-{s}/adapter_model.safetensors").read_bytes() for s in (7, 8)]
    assert adapters[0] != adapters[1]
    run("train", "--study", "speech", "--lora-r", "2", "--seeds", "7,8", "--output-dir", "two")
    assert capsys.readouterr().out.count("kept ") == 4


def test_without_an_output_dir_it_lands_in_scratch(home: Path) -> None:
    run("train", "--study", "speech", "--lora-alpha", "4", "--seeds", "5", "--limit", "8")
    made = list((home / "results").rglob("adapter_model.safetensors"))
    assert made and all(p.is_relative_to(home / "results/scratch") for p in made)


def test_a_checkpoint_is_asked_and_the_answers_saved_as_lists(home: Path, tmp_path: Path) -> None:
    saved = {}
    for temperature in ("1", "2.5"):
        file = tmp_path / f"{temperature}.json"
        run("predict", "--study", "speech", "--checkpoint", "mine/seed-123", "--temperature",
            temperature, "--save-predictions", str(file))  # fmt: skip
        saved[temperature] = json.loads(file.read_text())
    cold, hot = saved["1"], saved["2.5"]
    assert set(cold) == {"predictions", "ground_truth", "probabilities"}
    assert cold["ground_truth"] == ["TONE", "NOISE"] * 6
    assert cold["predictions"] == hot["predictions"]
    for a, b in zip(cold["probabilities"], hot["probabilities"], strict=True):
        assert set(a) == {"prob_tone", "prob_noise"}
        assert sum(b.values()) == pytest.approx(1)
        assert abs(a["prob_tone"] - 0.5) > abs(b["prob_tone"] - 0.5)
    run("compare", "--model-a", str(tmp_path / "1.json"), "--model-b", str(tmp_path / "2.5.json"))


def test_a_prompt_file_is_what_is_asked(home: Path, tmp_path: Path) -> None:
    from regen.prediction import prompt_hash
    from regen.records import read_predictions

    (tmp_path / "best.json").write_text(json.dumps({"prompt": "Tone? TONE or NOISE.", "score": 1}))
    before = set(home.rglob("predictions.jsonl"))
    run("predict", "--study", "speech", "--split", "dev", "--prompt-file", str(tmp_path / "best.json"))  # fmt: skip # noqa: E501
    (new,) = set(home.rglob("predictions.jsonl")) - before
    records = read_predictions(new)
    assert {r.prompt for r in records} == {prompt_hash("Tone? TONE or NOISE.")}
    assert len(records) == 10 and records[0].item.startswith("dev-")


def test_nothing_by_hand_lies_where_the_paper_reads(home: Path, project: Path) -> None:
    from regen.chain import Chain
    from regen.config import check, read

    run("predict", "--study", "speech", "--checkpoint", "mine/seed-123", "--limit", "4")
    read_by_the_paper = set()
    for job in Chain(check(read([Path("config.yaml")]))).jobs.values():
        read_by_the_paper |= {i.path for i in job.all_inputs()} | {job.out}
    for path in home.rglob("manifest.json"):
        made = path.parent.relative_to(home)
        if made.parts[0] not in ("data", "models"):
            assert str(made) not in read_by_the_paper
            assert made.parts[0] in ("mine", "two") or made.parts[:2] == ("results", "scratch")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["train", "--seed", "1", "--output-dir", "results/embedded/x"], "own results lie"),
        (["train", "--seed", "1", "--output-dir", "models/tiny"], "own results lie"),
        (["train", "--seed", "1", "--output-dir", "."], "own results lie"),
        (["train", "--training", "lora"], "Missing option '--seed'"),
        (["train", "--lora-r", "4"], "Missing option '--seed'"),
        (["train", "--seed", "1", "--output-dir", "x"], "selection/rank.* is not there"),
        (["train", "--seeds", "1 1"], "different whole numbers"),
        (["train", "--seeds", "one"], "different whole numbers"),
        (["train", "--training", "lroa", "--seed", "1", "--lora-r", "2"], "did you mean 'lora'"),
        (["predict"], "Missing option '--variant'"),
        (["predict", "--checkpoint", "nowhere"], "is no finished training"),
        (["predict", "--variant", "majority", "--temperature", "2"], "is no language model"),
        (["predict", "--variant", "base-generate", "--temperature", "2"], "no softmax"),
        (["predict", "--variant", "base", "--split", "tset"], "none of train, dev, test"),
        (["predict", "--prompt-file", "nowhere.txt"], "nowhere.txt: is not there"),
    ],
)
def test_bad_options_are_one_line(arguments: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason) as error:
        run(arguments[0], "--study", "speech", *arguments[1:])
    assert "\n" not in str(error.value)
