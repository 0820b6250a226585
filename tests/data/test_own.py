"""Data of one's own: files of common formats become the splits that a study reads."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import soundfile

from regen.benchmarks.registry import get_benchmark
from regen.bundle import given_files
from regen.chain import Chain
from regen.config import check, read
from regen.data.own import own
from regen.digests import Digests
from regen.errors import InputError
from regen.files import read_json, read_jsonl
from regen.provenance import run, why_stale

SIZES = {"train": 8, "dev": 3, "test": 4}


def rows(n: int, first: int = 0) -> list[dict[str, Any]]:
    """Word problems; two in a row share a group."""
    return [
        {"question": f"What is {k} + 1?", "answer": str(k + 1), "group": f"g{k // 2}"}
        for k in range(first, first + n)
    ]


def written(path: Path, some: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        lines = [",".join(some[0]), *(",".join(map(str, row.values())) for row in some)]
        path.write_text("\n".join(lines) + "\n")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in some))
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(some), path)
    return path


def make(files: dict[str, Path], out: Path, **other: Any) -> dict[str, list[dict[str, Any]]]:
    asked = {
        "benchmark": "math", "columns": {}, "values": {}, "defaults": {}, "seed": 1, "sizes": SIZES,
    } | other  # fmt: skip
    own(files=list(files.values()), splits=list(files), out=out, **asked)
    return {split: read_jsonl(out / f"{split}.jsonl") for split in SIZES}


def test_a_file_a_split_of_any_format(workdir: Path) -> None:
    files = {
        "train": written(Path("a.csv"), rows(10)),
        "dev": written(Path("b.jsonl"), rows(4, 100)),
        "test": written(Path("c.parquet"), rows(6, 200)),
    }
    found = make(files, Path("out"))
    assert {split: len(some) for split, some in found.items()} == SIZES
    read = get_benchmark("math").load_dataset(Path("out"), "test")
    assert {item.target for item in read} <= {str(k + 1) for k in range(200, 206)}
    assert {row["item"] for row in found["dev"]} <= {f"b-0000{k}" for k in range(4)}
    # Not the first rows of a file that somebody may have sorted.
    assert [row["question"] for row in found["train"]] != [row["question"] for row in rows(8)]
    assert make(files, Path("again")) == found
    assert make(files, Path("other"), seed=2) != found
    card = read_json(Path("out/card.json"))
    assert [one["rows"] for one in card["sources"]] == [10, 4, 6]


def test_what_has_no_file_is_cut_from_train_by_whole_groups(workdir: Path) -> None:
    found = make({"train": written(Path("a.csv"), rows(30))}, Path("out"), sizes=SIZES | {"dev": 4})
    groups = [{row["group"] for row in found[split]} for split in ("train", "dev", "test")]
    assert not groups[0] & groups[1] and not groups[1] & groups[2] and not groups[0] & groups[2]
    assert len(groups[1]) == len(groups[2]) == 2


def test_columns_are_renamed_replaced_and_filled_in(workdir: Path) -> None:
    some = [{"q": f"What is {k} + 1?", "kind": k % 2, "a": k + 1} for k in range(20)]
    found = make(
        {"train": written(Path("a.jsonl"), some)},
        Path("out"),
        columns={"question": "q", "level": "kind"},
        values={"level": {"0": "1", "1": "2"}, "a": {str(k): str(k) for k in range(30)}},
        defaults={"answer": "7 apples", "unit": "apples"},
    )
    row = found["test"][0]
    assert row["question"].startswith("What is") and row["level"] in ("1", "2")
    assert (row["answer"], row["unit"]) == ("7 apples", "apples")


def test_gsm8k_reads_its_own_files(workdir: Path) -> None:
    some = [
        {"question": f"{k} and {k}?", "answer": f"It is <<{k}+{k}={2 * k}>>{2 * k}\n#### {2 * k}"}
        for k in range(20)
    ]
    found = make({"train": written(Path("a.jsonl"), some)}, Path("out"), benchmark="gsm8k")
    items = get_benchmark("gsm8k").load_dataset(Path("out"), "test")
    assert [item.inputs["steps"] for item in items] == [
        [f"{int(item.target) // 2} + {int(item.target) // 2} = {item.target}"] for item in items
    ]
    assert len(found["train"]) == 8


def test_sound_becomes_clips_that_the_models_read(workdir: Path) -> None:
    Path("recorded").mkdir()
    t = np.arange(22_050) / 44_100
    tone = np.stack([np.sin(2 * np.pi * 440 * t)] * 2, axis=1).astype("float32")
    for k in range(15):
        soundfile.write(f"recorded/{k}.flac", tone / (k + 1), 44_100)
    some = [{"file": f"{k}.flac", "speech": k % 2} for k in range(15)]
    asked = {
        "benchmark": "speech",
        "columns": {"audio": "file", "label": "speech"},
        "values": {"label": {"1": "SPEECH", "0": "NONSPEECH"}},
        "defaults": {"snr_db": "clean", "kind": "recording"},
    }
    files = {"train": written(Path("a.csv"), some)}
    found = make(files, Path("out"), audio=Path("recorded"), **asked)
    clip, rate = soundfile.read(Path("out") / found["test"][0]["audio"])
    assert (rate, clip.shape) == (16_000, (8_000,))
    assert found["test"][0]["seconds"] == 0.5
    spectrum = np.abs(np.fft.rfft(clip))
    assert np.argmax(spectrum) * 16_000 / 8_000 == 440
    for name in ("../a.csv", "gone.flac"):
        odd = written(Path("odd.csv"), [{"file": name, "speech": 1}])
        with pytest.raises(InputError, match=rf"odd.csv: line 2: there is no file .*{name}"):
            make({"train": odd}, Path("no"), audio=Path("recorded"), **asked)
    Path("recorded/bad.flac").write_text("no sound")
    odd = written(Path("odd.csv"), [{"file": "bad.flac", "speech": 1}])
    with pytest.raises(InputError, match=r"odd.csv: line 2: .*bad.flac: is not audio"):
        make({"train": odd}, Path("no"), audio=Path("recorded"), **asked)


@pytest.mark.parametrize(
    ("some", "other", "said"),
    [
        ([{"question": "1 + 1?"}], {}, "a.jsonl: line 1: item 'a-00000' has no 'answer'"),
        (
            [{"question": "1 + 1?", "answer": "none"}],
            {},
            "line 1: item 'a-00000': its answer 'none'",
        ),
        (rows(3), {}, "4 items are asked for in test, and there are 3; lower sizes.test"),
        ([r | {"item": "x"} for r in rows(2)], {}, "line 2: item 'x' stands in .*line 1 already"),
        (rows(20), {"columns": {"question": "q"}}, "line 1: there is no column 'q'; there are: q"),
        (rows(20), {"values": {"answer": {"1": "2"}}}, "line 2: answer is '2', and values.answer"),
        (rows(20), {"benchmark": "maths"}, "there is no benchmark 'maths'; did you mean 'math'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    workdir: Path, some: list[dict[str, Any]], other: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as problem:
        make({"train": written(Path("a.jsonl"), some)}, Path("out"), **other)
    assert "\n" not in str(problem.value)


def test_a_group_in_two_files_is_refused(workdir: Path) -> None:
    files = {
        "train": written(Path("a.csv"), rows(20)),
        "test": written(Path("b.csv"), rows(6, first=19)),
    }
    with pytest.raises(InputError, match=r"group\(s\) are in .*'g\d+'; all items of a group"):
        make(files, Path("out"))


@pytest.mark.parametrize("name", ["a.txt", "a.parquet", "a.csv"])
def test_a_file_that_is_none_is_refused(workdir: Path, name: str) -> None:
    Path(name).write_bytes(b"\xff\xfe\x00 no rows")
    with pytest.raises(InputError, match=rf"{name}: (is none of|cannot be read as)"):
        make({"train": Path(name)}, Path("out"))


def test_files_of_the_hub_come_at_their_commit(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commits = {"a" * 40: 0, "b" * 40: 100}
    for commit, first in commits.items():
        snapshot = Path("cache/datasets--someone--sums/snapshots") / commit
        (snapshot / "main").mkdir(parents=True)
        written(snapshot / "main" / "train.parquet", rows(20, first))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(Path("cache").resolve()))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    files = {"train": Path("main/train.parquet")}
    for commit, first in commits.items():
        hub = {"id": "someone/sums", "revision": commit}
        found = make(files, Path(commit), hub=hub)
        named = {int(row["question"].split()[2]) for row in found["train"]}
        assert named <= set(range(first, first + 20))
    for revision, said in (
        (None, "someone/sums has no revision"),
        ("c" * 40, "is not in the cache"),
    ):
        with pytest.raises(InputError, match=said):
            make(files, Path("no"), hub={"id": "someone/sums", "revision": revision})


OVERLAY = """
datasets:
  mine:
    builder: own
    benchmark: speech
    files: {train: mine/clips.csv}
    audio: mine/clips
    columns: {label: speech}
    values: {label: {"1": SPEECH, "0": NONSPEECH}}
    defaults: {snr_db: clean, kind: recording}
    sizes: {train: 4, dev: 2, test: 2}
"""


def test_the_workflow_makes_it_and_sees_each_change(project: Path, workdir: Path) -> None:
    for name in ("config", "rules", "profiles", "paper"):
        shutil.copytree(project / name, name)
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(project / name, name)
    Path("mine/clips").mkdir(parents=True)
    Path("mine.yaml").write_text(OVERLAY)
    for k in range(8):
        soundfile.write(f"mine/clips/{k}.wav", np.full(800, 0.1 + k / 100, "float32"), 8_000)
    some = [{"audio": f"{k}.wav", "speech": k % 2} for k in range(8)]
    written(Path("mine/clips.csv"), some)

    job = Chain(check(read([Path("config.yaml"), Path("mine.yaml")]))).job("data", dataset="mine")
    assert run(job, Digests()) == "ran"
    assert len(read_jsonl(Path("data/mine/train.jsonl"))) == 4
    command = [Path(sys.executable).parent / "snakemake", "-n", "data/mine/train.jsonl"]

    def planned() -> bool:
        done = subprocess.run(
            [*command, "--configfile", "mine.yaml"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return "rule build_data" in done.stdout

    assert not planned()
    clips = {f"mine/clips/{k}.wav" for k in range(8)}
    assert given_files([job]) == clips | {"mine/clips.csv"}  # what a bundle takes along
    for change in (
        lambda: soundfile.write("mine/clips/3.wav", np.full(800, 0.5, "float32"), 8_000),
        lambda: written(Path("mine/clips.csv"), some[::-1]),
        lambda: Path("mine/clips/0.wav").rename("mine/clips/8.wav"),
    ):
        assert why_stale(job, Digests()) is None
        change()
        assert "mine/clips" in str(why_stale(job, Digests()))
        if Path("mine/clips/0.wav").exists():
            run(job, Digests())
    assert planned()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("audio: ../clips", "audio: .*../clips is outside"),
        ("files: {train: /tmp/a.csv}", "files.train: .*outside the project"),
        ("hub: {id: someone/clips, revision: null}", "remove hub or audio"),
        ("benchmark: speach", "there is no benchmark 'speach'; did you mean 'speech'"),
    ],
)
def test_what_no_job_could_read_is_refused_first(
    project: Path, workdir: Path, more: str, said: str
) -> None:
    key = more.partition(":")[0]
    lines = [line for line in OVERLAY.splitlines() if not line.startswith(f"    {key}:")]
    Path("mine.yaml").write_text("\n".join([*lines, f"    {more}"]))
    with pytest.raises(InputError, match=said):
        check(read([project / "config.yaml", Path("mine.yaml")]))
