"""Work that goes to another machine and comes back, between folders, by the commands one types."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from test_staleness import Clone, build

from regen.archives import pack
from regen.bundle import bundle
from regen.chain import Chain
from regen.cli import main
from regen.config import check, read
from regen.digests import Digests
from regen.errors import InputError
from regen.files import dumps, sha256

TARGET = "scores"
ANSWERS = "results/smoke/math/predictions/{}/test"
ADAPTER = "results/smoke/math/checkpoints/sft/seed-42"
MADE_THERE = {
    ADAPTER,
    *(f"results/smoke/math/{stage}/{run}/test"
      for run in ("sft/seed-42", "base-few-shot/base", "most-frequent/base")
      for stage in ("predictions", "scores")),
}  # fmt: skip


@pytest.fixture(scope="module")
def home(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A small study whose data, base model and the base model's scores are made."""
    clone = build(project, tmp_path_factory.mktemp("home"), "math", target="data")
    config = yaml.safe_load((clone.path / "config.yaml").read_text())
    study = config["studies"]["math"]
    for part in ("trainings", "variants", "labels"):
        del study[part]["grpo"]
    study["figures"] = []
    study["comparisons"] = [{"family": "main", "metric": "accuracy", "pairs": [["sft", "base"]]}]
    (clone.path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    with (clone.path / ".gitignore").open("a") as ignored:
        ignored.write("/*.tar.gz\n")
    clone.sh("regen dvc && snakemake results/smoke/math/scores/base/base/test/outputs.sha256")
    clone.sh("git add -A && git commit -qm 'base scored'")
    return clone


@pytest.fixture(scope="module")
def away(home: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The other machine: the bundle unpacked, nothing made yet."""
    root = tmp_path_factory.mktemp("away")
    home.sh(f"regen bundle {TARGET} --output {root}/bundle.tar.gz")
    subprocess.run(["tar", "xzf", "bundle.tar.gz"], cwd=root, check=True)
    return Clone(root / "regen-bundle")


@pytest.fixture(scope="module")
def results(away: Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the other machine sends back."""
    there = Clone(tmp_path_factory.mktemp("made") / "regen-bundle")
    subprocess.run(["cp", "-a", away.path, there.path], check=True)
    there.sh(f"snakemake {TARGET}")
    said = there.sh("regen export-results")
    assert f"folders made here: {len(MADE_THERE)}; at home: regen import-results" in said
    return there.path / "results.tar.gz"


@pytest.fixture
def clone(home: Clone, tmp_path: Path) -> Clone:
    """A copy of home, to be spoiled."""
    subprocess.run(["cp", "-a", home.path, tmp_path / "project"], check=True)
    return Clone(tmp_path / "project")


def planned(clone: Clone) -> set[str]:
    """The folders that Snakemake would make, and `regen plan` alike."""
    said = clone.sh(f"snakemake -n {TARGET}")
    outputs = re.findall(r"^    output: (.*)$", said, re.M)
    folders = {found for line in outputs for found in re.findall(r"(\S+)/manifest\.json", line)}
    forecast = json.loads(clone.sh(f"regen plan {TARGET} --json"))
    assert {job["folder"] for job in forecast} == folders
    return folders


def altered(archive: Path, output: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """An archive with other content in it."""
    with tarfile.open(archive) as tar:
        members: list[tuple[str, Path | bytes]] = []
        for member in tar.getmembers():
            content = tar.extractfile(member)
            assert content is not None
            members.append((member.name, change(member.name, content.read())))
    pack(output, members, Digests())
    return output


def test_what_would_be_refused_there_is_not_packed(project: Path, workdir: Path) -> None:
    files = [project / "config.yaml", project / "config" / "paper.yaml"]
    for target, where in (("base_models", r"models\.\S+"), ("data", r"datasets\.gsm8k\.hub")):
        with pytest.raises(InputError, match=rf"{where}: revision is null"):
            bundle(Chain(check(read(files))), target, [], Path("out.tar.gz"), Digests())
    assert not Path("out.tar.gz").exists()


@pytest.mark.slow
def test_the_other_machine_plans_the_same_and_gets_what_it_needs(home: Clone, away: Clone) -> None:
    assert planned(home) == planned(away) == MADE_THERE
    there = {str(p.relative_to(away.path)) for p in away.path.rglob("*") if p.is_file()}
    # The base model answers; its scores are of the target, its answers are not.
    assert "models/tiny-text-smoke/model.safetensors" in there
    assert "results/smoke/math/scores/base/base/test/items.jsonl" in there
    answers = {f for f in there if f.startswith(ANSWERS.format("base/base"))}
    assert {Path(f).name for f in answers} == {"outputs.sha256", "manifest.json"}
    kept_here = (".git/", ".dvc/", "recorded/", "experiments/", "tests/", "data/speech/")
    assert not [f for f in there if f.startswith(kept_here)]
    assert {"Makefile", "constraints.txt", "src/regen/training.py", "Snakefile"} <= there


@pytest.mark.slow
def test_the_same_bundle_has_the_same_bytes_and_says_what_is_not_committed(clone: Clone) -> None:
    clone.sh(f"regen bundle {TARGET} --output one.tar.gz")
    clone.sh("find . -path ./.git -prune -o -type f -exec touch {} +")
    said = clone.sh(f"regen bundle {TARGET} --output two.tar.gz")
    assert re.fullmatch(
        rf"two.tar.gz: [\d.]+ MiB; jobs to run there: {len(MADE_THERE)}; "
        rf"there: snakemake {TARGET} && regen export-results\n", said
    )  # fmt: skip
    assert sha256(clone.path / "one.tar.gz") == sha256(clone.path / "two.tar.gz")
    with_overlay = f"regen bundle {TARGET} --configfile more.yaml"
    (clone.path / "more.yaml").write_text("title: Away\n")
    assert f"snakemake {TARGET} --configfile more.yaml && " in clone.sh(with_overlay)
    with tarfile.open(clone.path / "bundle.tar.gz") as tar:
        assert "regen-bundle/more.yaml" in tar.getnames()
    clone.sh("mv more.yaml ..")
    said = clone.sh(with_overlay.replace("more", "../more"), check=False)
    assert said == "error: ../more.yaml: is outside the project; move it to config/\n"
    clone.edit("paper/main.tex", "\\begin{document}", "% x\n\\begin{document}")
    assert "not committed: paper/main.tex; " in clone.sh(f"regen bundle {TARGET}")
    (clone.path / "src/regen/scoring.py").write_text("import regen.mine\n")
    (clone.path / "src/regen/mine.py").touch()
    assert "git add src/regen/mine.py" in clone.sh(f"regen bundle {TARGET}", check=False)


@pytest.mark.slow
def test_what_comes_home_is_fresh_and_what_home_would_have_made(
    clone: Clone, results: Path, tmp_path: Path
) -> None:
    stayed = Clone(tmp_path / "stayed")
    subprocess.run(["cp", "-a", clone.path, stayed.path], check=True)
    stayed.sh(f"snakemake {TARGET}")
    said = clone.sh(f"regen import-results {results}")
    assert said == f"folders: {len(MADE_THERE)} taken, 0 here already, 0 refused\n"
    made = {n: b for n, b in stayed.bytes_of("results/**/*").items() if not n.endswith("run.json")}
    assert {n: b for n, b in clone.bytes_of("results/**/*").items() if n in made} == made
    states = json.loads(clone.sh("regen status --json"))
    assert {s["state"] for s in states if s["folder"] in MADE_THERE} == {"fresh"}
    assert planned(clone) == set()
    changed = json.loads(clone.sh("dvc status --json"))
    assert not {"training-math", "prediction-math", "scoring-math"} & set(changed)
    ran = json.loads(clone.sh("regen experiments list --json"))
    assert {one["status"] for one in ran} == {"completed"} and len(ran) == 1 + 4
    assert f"folders: 0 taken, {len(MADE_THERE)} here already" in clone.sh(
        f"regen import-results {results}"
    )


@pytest.mark.slow
def test_dvc_is_told_although_the_data_are_not_here(clone: Clone, results: Path) -> None:
    for file in clone.path.glob("data/math-smoke/*.jsonl"):
        file.unlink()
    clone.sh(f"regen import-results {results}")
    assert "training-math" not in json.loads(clone.sh("dvc status --json"))
    for file in (f"{FEW_SHOT}/predictions.jsonl", f"{FEW_SHOT}/timing.json"):
        (clone.path / file).unlink()
    (clone.path / FEW_SHOT.replace("predictions", "scores") / "items.jsonl").unlink()
    said = clone.sh(f"regen bundle {TARGET}")
    assert "not here: 2 of the folders are recorded; dvc pull them\n" in said


FEW_SHOT = ANSWERS.format("base-few-shot/base")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        ("predictions.jsonl", b'"item"', b'"itfm"', "changed since it was made: predictions.jsonl"),
        ("timing.json", b'"', b"'", "changed since it was made: timing.json"),
        ("outputs.sha256", b"  pred", b"  qred", "outputs.sha256 was edited"),
        ("manifest.json", b'"limit": 12', b'"limit": 11', "params changed: limit"),
        ("manifest.json", b"{", b"{ ", "manifest.json is not as it was written"),
        ("manifest.json", b'"stage"', b'"a": 1, "stage"', "manifest.json is not as it was written"),
        ("manifest.json", b"}", b"", "manifest.json is damaged"),
    ],
)
def test_a_folder_that_was_changed_on_the_way_is_refused_and_the_rest_taken(
    clone: Clone, results: Path, file: str, old: bytes, new: bytes, why: str
) -> None:
    def change(name: str, content: bytes) -> bytes:
        if name != f"{FEW_SHOT}/{file}":
            return content
        assert old in content
        return content.replace(old, new, 1)

    archive = altered(results, clone.path / "altered.tar.gz", change)
    last, first, second = clone.sh(f"regen import-results {archive}", check=False).splitlines()
    assert first == f"{FEW_SHOT}: {why}; not taken"
    assert f"rests on {FEW_SHOT}, which is not fresh here" in second
    assert last == f"folders: {len(MADE_THERE) - 2} taken, 0 here already, 2 refused"
    assert not (clone.path / FEW_SHOT).exists()


@pytest.mark.slow
def test_a_file_that_no_stage_wrote_is_refused(clone: Clone, results: Path) -> None:
    with tarfile.open(results) as tar:
        members: list[tuple[str, Path | bytes]] = [
            (m.name, tar.extractfile(m).read())  # type: ignore[union-attr]
            for m in tar.getmembers()
        ]
    pack(clone.path / "a.tar.gz", [*members, (f"{FEW_SHOT}/.state", b"x")], Digests())
    said = clone.sh("regen import-results a.tar.gz", check=False)
    assert f"{FEW_SHOT}: .state is no file that the stage wrote; not taken" in said


@pytest.mark.slow
def test_what_was_changed_here_meanwhile_does_not_fit(clone: Clone, results: Path) -> None:
    clone.edit("config.yaml", "alpha: 16", "alpha: 8")
    said = clone.sh(f"regen import-results {results}", check=False)
    assert f"{ADAPTER}: params changed: lora; not taken" in said
    assert "folders: 4 taken, 0 here already, 3 refused" in said
    assert planned(clone) == {one for one in MADE_THERE if "/sft/" in one}


@pytest.mark.slow
def test_what_is_fresh_here_is_kept(clone: Clone, results: Path) -> None:
    """The same answers with another byte, and all digests made to fit: nobody can tell who is
    right."""
    with tarfile.open(results) as tar:
        content = tar.extractfile(f"{FEW_SHOT}/predictions.jsonl")
        assert content is not None
        other = content.read() + b" \n"
        ids = tar.extractfile(f"{FEW_SHOT}/outputs.sha256")
        assert ids is not None
        old_ids = ids.read()
    (clone.path / "other").write_bytes(other)
    new_ids = f"{sha256(clone.path / 'other')}  predictions.jsonl\n".encode()
    (clone.path / "ids").write_bytes(new_ids)
    (clone.path / "old").write_bytes(old_ids)

    def change(name: str, data: bytes) -> bytes:
        if name == f"{FEW_SHOT}/predictions.jsonl":
            return other
        if name == f"{FEW_SHOT}/outputs.sha256":
            return new_ids
        before, now = (sha256(clone.path / file).encode() for file in ("old", "ids"))
        return data.replace(before, now) if name == f"{FEW_SHOT}/manifest.json" else data

    archive = altered(results, clone.path / "other.tar.gz", change)
    clone.sh(f"regen import-results {results}")
    before = clone.bytes_of("results/**/*")
    said = clone.sh(f"regen import-results {archive}", check=False)
    assert f"{FEW_SHOT}: is fresh here with other content; remove it to have this one" in said
    assert "folders: 0 taken, 6 here already, 1 refused" in said
    assert clone.bytes_of("results/**/*") == before
    shutil.rmtree(clone.path / FEW_SHOT)
    assert "folders: 1 taken" in clone.sh(f"regen import-results {archive}", check=False)
    assert (clone.path / FEW_SHOT / "predictions.jsonl").read_bytes() == other


@pytest.mark.slow
def test_an_edit_by_hand_is_kept_aside(clone: Clone, results: Path) -> None:
    clone.sh(f"regen import-results {results}")
    clone.edit(f"{FEW_SHOT}/predictions.jsonl", '"item"', '"item" ')
    said = clone.sh(f"regen import-results {results}")
    assert "is not as it was made; your copy" in said and "folders: 1 taken" in said
    assert list((clone.path / ".regen/edited" / FEW_SHOT).iterdir())


KILLED = """
import os, pathlib, signal, sys
count, rename = 0, pathlib.Path.rename
def dying(self, target):
    global count
    count += self.name.endswith(".import")
    if count == {nth} and {after}:
        rename(self, target)
    if count == {nth}:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
pathlib.Path.rename = dying
from regen.cli import main
main(["import-results", sys.argv[1]])
"""


@pytest.mark.slow
@pytest.mark.parametrize(("nth", "after"), [(1, False), (1, True), (3, False)])
def test_killed_between_two_folders_the_same_command_goes_on(
    clone: Clone, results: Path, nth: int, after: bool
) -> None:
    # Where the killed import would put it, there is an older folder.
    stale = clone.path / ADAPTER
    stale.mkdir(parents=True)
    (stale / "manifest.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(nth=nth, after=after), str(results)],
        cwd=clone.path, env=clone.environment, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -9
    put = nth if after else nth - 1
    assert sum((clone.path / one / "outputs.sha256").exists() for one in MADE_THERE) == put
    said = clone.sh(f"regen import-results {results}")
    assert said.endswith(f"folders: {len(MADE_THERE) - put} taken, {put} here already, 0 refused\n")
    assert planned(clone) == set()
    left = [p for p in clone.path.rglob("*") if p.name.endswith((".import", ".old"))]
    assert left == []
    with tarfile.open(results) as tar:
        for member in tar.getmembers()[1:]:
            content = tar.extractfile(member)
            assert content and (clone.path / member.name).read_bytes() == content.read()


@pytest.mark.slow
def test_what_snakemake_was_killed_at_is_not_made_again(clone: Clone, results: Path) -> None:
    clone.sh(f"regen import-results {results}")
    mark = base64.urlsafe_b64encode(f"{FEW_SHOT}/predictions.jsonl".encode()).decode()
    (clone.path / ".snakemake/incomplete" / mark).write_text('{"external_jobid": null}')
    assert planned(clone) == set()


# ---- bad input, without a run


@pytest.fixture
def paper(project: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(project / "config.yaml", workdir)
    return workdir


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def index(scale: str = "embedded", folder: str = "data/speech") -> tuple[str, bytes]:
    content = {"scale": scale, "configfiles": ["config/small.yaml"], "folders": [folder]}
    return "results.json", dumps(content).encode()


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([], "is no archive of results"),
        ([("results.json", b"{")], "is no archive of results"),
        ([("results.json", b'{"scale": 1}')], "is no archive of results"),
        ([("regen-bundle/Makefile", b"all:")], "is no archive of results"),
        ([index("small")], "try: regen import-results a.tar.gz --configfile config/small.yaml"),
        ([index(folder="data/elsewhere")], "is it of another project?"),
        ([index(), ("../escaped", b"")], "'../escaped' would be written elsewhere"),
        ([index(), ("data/speech/../../../escaped", b"")], "would be written elsewhere"),
        ([index(), ("/tmp/escaped", b"")], "'/tmp/escaped' would be written elsewhere"),
        ([index(), ("data/speech/a", b""), ("data/speech/a", b"")], "is no plain file"),
    ],
)
def test_an_archive_that_does_not_belong_here_is_refused_whole(
    paper: Path, capsys: pytest.CaptureFixture[str], members: list[tuple[str, bytes]], why: str
) -> None:
    pack(Path("a.tar.gz"), members, Digests())
    assert why in error_of(capsys, "import-results", "a.tar.gz")
    assert {p.name for p in paper.iterdir()} == {"config.yaml", "a.tar.gz"}
    assert not (paper.parent / "escaped").exists()


def test_a_link_is_refused(paper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
        with tarfile.open("a.tar.gz", "w:gz") as tar:
            name, content = index()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
            link = tarfile.TarInfo("data/speech/link")
            link.type, link.linkname = kind, "/etc/passwd"
            tar.addfile(link)
        assert "'data/speech/link' is no plain file" in error_of(
            capsys, "import-results", "a.tar.gz"
        )
    assert not Path("data").exists()


def test_what_is_no_whole_archive(paper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(Path("whole"), [index(), ("data/speech/a", bytes(range(256)) * 4000)], Digests())
    whole = Path("whole").read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 30):
        Path("part").write_bytes(whole[:size])
        assert "part: is truncated; copy it again" in error_of(capsys, "import-results", "part")
    Path("part").write_bytes(whole[:-6] + b"\0" + whole[-5:])
    assert "part: is no whole .tar.gz archive" in error_of(capsys, "import-results", "part")
    assert "is no whole .tar.gz archive" in error_of(capsys, "import-results", "config.yaml")
    assert "none: cannot be read (No such file" in error_of(capsys, "import-results", "none")


def test_a_bundle_of_nothing(paper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no target 'chekpoints'; did you mean 'checkpoints'?" in error_of(
        capsys, "bundle", "chekpoints"
    )
    assert "a bundle holds what git tracks" in error_of(capsys, "bundle", "checkpoints")
    assert "run this in the folder that a bundle unpacked to" in error_of(capsys, "export-results")
