"""Training and asking by hand, through the commands: what they print, write, and leave alone."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from toy import Toy, write_data

from regen.benchmarks.base import Item, Metrics
from regen.benchmarks.registry import register
from regen.cli import app
from regen.errors import InputError
from regen.files import Absent, read_json, read_jsonl
from regen.metrics import Metric
from regen.records import Prediction


class Graded(Toy):
    """The same task, with marks that equality with the target does not give."""

    name = "graded"
    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": Metric("marks"),
        "other": Metric("other"),
    }

    def score(self, item: Item, predictions: Sequence[Prediction]) -> Metrics:
        return {"accuracy": 0.25, "other": Absent("never")}


register("graded", Graded)

GENERATED = "studies.speech.variants.base-generate.decoding"
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
    brief = {"proposer": {"kind": "random"}, "evaluations": 4, "iterations": 2, "per_step": 2}
    study["prompt_searches"] = {
        "base-opro": brief,
        "lora-mlp-opro": brief | {"training": "lora-mlp"},
        "base-random": brief | {"budget_of": "base-opro"},
    }
    study["variants"].pop("energy")
    study["labels"].pop("energy")
    found["studies"] = {"speech": study}
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
    assert capsys.readouterr().out.count("kept ") == 6


def test_the_summary_over_seeds_is_of_the_benchmarks_own_scores(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("train", "--study", "speech", "--lora-r", "2", "--seeds", "7 8", "--output-dir", "graded",
        "--set", "studies.speech.benchmark=graded")  # fmt: skip
    said = capsys.readouterr().out
    assert "dev: accuracy of 10 items" in said and "Overall: mean 0.25" in said


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
    assert set(cold) == {
        *("predictions", "ground_truth", "probabilities"),  # the names that other tools read
        *("items", "groups", "seed"),
    }
    rows = read_jsonl(Path("data/toy/test.jsonl"))
    assert cold["items"] == [row["item"] for row in rows]
    assert cold["groups"] == [row["group"] for row in rows]
    assert cold["seed"] == 123
    assert cold["ground_truth"] == ["TONE", "NOISE"] * 6
    assert cold["predictions"] == hot["predictions"]
    for a, b in zip(cold["probabilities"], hot["probabilities"], strict=True):
        assert set(a) == {"prob_tone", "prob_noise"}
        assert sum(b.values()) == pytest.approx(1)
        assert abs(a["prob_tone"] - 0.5) > abs(b["prob_tone"] - 0.5)
    run("compare", "--model-a", str(tmp_path / "1.json"), "--model-b", str(tmp_path / "2.5.json"))


def test_saved_answers_are_compared_over_their_groups(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / f"{name}.json") for name in "ab"]
    run("predict", "--study", "speech", "--checkpoint", "mine/seed-123",
        "--save-predictions", names[0])  # fmt: skip
    (tmp_path / "best.txt").write_text("TONE or NOISE?")
    run("predict", "--study", "speech", "--prompt-file", str(tmp_path / "best.txt"),
        "--save-predictions", names[1])  # fmt: skip
    assert "seed" not in read_json(Path(names[1]))  # the base has none
    groups = len(set(read_json(Path(names[0]))["groups"]))
    run("compare", "--model-a", names[0], "--model-b", names[1])
    assert f"on 12 items in {groups} groups, accuracy" in capsys.readouterr().out


def test_answers_are_saved_with_the_benchmarks_own_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.json"
    run("predict", "--study", "speech", "--checkpoint", "mine/seed-123", "--save-predictions",
        str(file), "--set", "studies.speech.benchmark=graded")  # fmt: skip
    saved = read_json(file)
    assert (saved["metric"], saved["scores"]) == ("accuracy", [0.25] * 12)
    run("summarize", str(file))
    assert "Overall: mean 0.25" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "more", "reason"),
    [
        ("results/embedded/predictions.jsonl", [], "own results lie"),
        ("results/embedded/a.json", ["--checkpoint", "mine/seed-123"], "own results lie"),
        ("mine", [], "is a folder"),
        ("mine/pipe", [], "no plain file"),
        ("/proc/x.json", [], "cannot be written there"),
        ("config.yaml/x.json", [], "cannot be written there"),
        ("a.json", ["--set", f"{GENERATED}.samples=3"], "draws 3 answers"),
    ],
)
def test_where_answers_cannot_be_saved_nothing_is_asked(
    home: Path, file: str, more: list[str], reason: str
) -> None:
    if not Path("mine/pipe").exists():
        os.mkfifo("mine/pipe")  # stands for /dev/null, which a failing test would replace
    before = set(home.rglob("*"))
    hot = ["--set", f"{GENERATED}.temperature=1"]
    with pytest.raises(InputError, match=f"--save-predictions {file}: .*{reason}") as error:
        run("predict", "--study", "speech", "--variant", "base-generate", "--limit", "3", *hot,
            *more, "--save-predictions", file)  # fmt: skip
    assert "\n" not in str(error.value)
    assert set(home.rglob("*")) == before


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


def test_a_prompt_is_searched_for_with_a_checkpoint_and_a_table_of_items(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_jsonl(Path("data/toy/dev.jsonl"))[:5]
    table = Path("data/toy/mine.csv")
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    table.write_text("\n".join(lines) + "\n")
    run("optimize-prompt", "--study", "speech", "--checkpoint", "mine/seed-123",
        "--dev-csv", str(table), "--n-iterations", "1")  # fmt: skip
    table.unlink()
    said = capsys.readouterr().out.strip().splitlines()[-1]
    file = Path(said.removeprefix("prompt file: "))
    assert said.startswith("prompt file: results/scratch/") and file.name == "prompt.json"
    found = read_json(file)
    assert found["dev_items"] == 5 and found["asked"] == 1
    run("predict", "--study", "speech", "--checkpoint", "mine/seed-123", "--prompt-file", str(file),
        "--save-predictions", "mine/found.json")  # fmt: skip
    assert len(read_json(Path("mine/found.json"))["predictions"]) == 12


def test_all_rows_of_a_table_count_and_the_files_that_they_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_jsonl(Path("data/toy/dev.jsonl"))
    (tmp_path / "clips").mkdir()
    for row in rows:
        (tmp_path / row["audio"]).write_bytes(Path("data/toy", row["audio"]).read_bytes())
    table = tmp_path / "mine.csv"
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    table.write_text("\n".join(lines) + "\n")

    def search(*more: str) -> tuple[str, int]:
        run("optimize-prompt", "--study", "speech", "--dev-csv", str(table), *more)
        said = capsys.readouterr().out.strip().splitlines()
        found = read_json(Path(said[-1].removeprefix("prompt file: ")))
        return said[-2].split()[0], found["dev_items"]

    assert search("--limit", "3")[1] == 3
    first, items = search()
    assert items == len(rows) == 12  # more than the study's own dev items
    assert (first, search()[0]) == ("ran", "kept")
    (tmp_path / rows[0]["audio"]).write_bytes(Path("data/toy", rows[2]["audio"]).read_bytes())
    assert search()[0] == "ran"
    table.write_text(table.read_text() + lines[1] + "\n")
    with pytest.raises(InputError, match=r"mine\.csv: line 14: item 'dev-0' stands in line 2"):
        search()


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
            assert made.parts[0] in ("mine", "two", "graded") or made.parts[:2] == (
                "results",
                "scratch",
            )


@pytest.mark.parametrize(
    "manifest",
    [
        "{}",
        "[]",
        '{"stage": "training", "params": null}',
        '{"stage": "training", "params": {"benchmark": "toy"}}',
        '{"stage": "prediction", "params": {"seed": 123}}',
    ],
)
@pytest.mark.parametrize("command", ["predict", "optimize-prompt"])
def test_a_checkpoint_is_a_training(tmp_path: Path, command: str, manifest: str) -> None:
    (tmp_path / "outputs.sha256").write_text("")
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match=r"--checkpoint .*: is no finished training; train one"):
        run(command, "--study", "speech", "--checkpoint", str(tmp_path))


FREE = ("--set", "studies.speech.benchmark=free-toy")


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
        (["predict", "--temperature", "2", *FREE], "base answers in text, there is no softmax"),
        (["predict", "--temperature", "inf"], "--temperature inf: is no finite number"),
        (["predict", "--variant", "base", "--split", "tset"], "none of train, dev, test"),
        (["predict", "--prompt-file", "nowhere.txt"], "nowhere.txt: is not there"),
    ],
)
def test_bad_options_are_one_line(arguments: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason) as error:
        run(arguments[0], "--study", "speech", *arguments[1:])
    assert "\n" not in str(error.value)
