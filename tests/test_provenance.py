"""The manifest chain on a toy stage, in Python; tests/test_staleness.py has the real workflow."""

import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from regen import code
from regen.digests import Digests
from regen.errors import InputError
from regen.files import read_json, sha256, write_text
from regen.provenance import Input, Job, listed_outputs, run, why_stale


@pytest.fixture
def toy(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A stage that copies a file, in a package of its own on the path."""
    write_text(workdir / "toy_stage.py", "def copy(*, source, suffix, out):\n    ...\n")
    (workdir / "toy_stage.py").write_text(
        "def copy(*, source, suffix, out):\n"
        "    (out / 'copy.txt').write_text(source.read_text() + suffix)\n"
        "    (out / 'timing.json').write_text(str(__import__('time').time()))\n"
    )
    monkeypatch.syspath_prepend(str(workdir))
    sys.modules.pop("toy_stage", None)
    write_text(workdir / "in.txt", "hello")
    return Job(
        stage="toy",
        out="made/toy",
        function="toy_stage:copy",
        inputs={"source": Input("in.txt")},
        params={"suffix": "!"},
        outputs=("copy.txt",),
        measured=("timing.json",),
    )


def reason(job: Job, **options: bool) -> str:
    stale = why_stale(job, Digests(), **options)
    return stale.reason if stale else ""


def test_made_then_fresh_then_kept(toy: Job) -> None:
    assert "never made" in reason(toy)
    assert run(toy, Digests()) == "ran"
    assert reason(toy) == ""
    assert run(toy, Digests()) == "kept"
    assert Path("made/toy/copy.txt").read_text() == "hello!"


def test_the_same_work_gives_the_same_manifest(toy: Job) -> None:
    run(toy, Digests())
    first = Path("made/toy/manifest.json").read_bytes()
    run(toy, Digests(), force=True)
    assert Path("made/toy/manifest.json").read_bytes() == first
    assert "timing.json" not in listed_outputs(Path("made/toy"))
    assert "timing.json" in read_json(Path("made/toy/run.json"))["measured"]


def test_touch_is_no_change_and_an_old_byte_is(toy: Job) -> None:
    run(toy, Digests())
    os.utime("in.txt")
    assert reason(toy) == ""
    Path("in.txt").write_text("hellO")
    os.utime("in.txt", (1, 1))
    assert reason(toy) == "inputs changed: in.txt"


def test_a_parameter_is_named(toy: Job) -> None:
    run(toy, Digests())
    assert reason(replace(toy, params={"suffix": "?"})) == "params changed: suffix"


@pytest.mark.parametrize("name", ["copy.txt", "timing.json"])
def test_a_hand_edit_is_found_and_kept_aside(toy: Job, name: str, capsys) -> None:
    run(toy, Digests())
    Path("made/toy", name).write_text("rigged")
    os.utime(Path("made/toy", name), (1, 1))
    assert reason(toy) == f"edited by hand: {name}"
    assert run(toy, Digests()) == "ran"
    copies = list(Path(".regen/edited/made/toy").iterdir())
    assert [copy.read_text() for copy in copies] == ["rigged"]
    assert name in capsys.readouterr().err
    assert Path("made/toy/copy.txt").read_text() == "hello!"


def test_what_was_measured_elsewhere_comes_with_a_commit_and_is_no_edit(toy: Job) -> None:
    run(toy, Digests())
    Path("made/toy/timing.json").write_text("measured elsewhere")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "made"], check=True)
    assert reason(toy) == "edited by hand: timing.json"
    subprocess.run([*git, "commit", "-qm", "recorded"], check=True)
    assert reason(toy) == ""
    Path("made/toy/timing.json").write_text("rigged")
    assert reason(toy) == "edited by hand: timing.json"
    Path("made/toy/copy.txt").write_text("rigged")
    subprocess.run([*git, "commit", "-qam", "rigged"], check=True)
    assert reason(toy) == "edited by hand: copy.txt"


def test_files_that_were_not_pulled_are_not_stale(toy: Job) -> None:
    run(toy, Digests())
    Path("made/toy/copy.txt").unlink()
    assert reason(toy) == ""
    assert "copy.txt is missing" in reason(toy, need_files=True)


def test_no_manifest_is_stale(toy: Job) -> None:
    run(toy, Digests())
    Path("made/toy/manifest.json").unlink()
    assert reason(toy) == "never finished"


def test_an_edited_content_id_is_found(toy: Job) -> None:
    run(toy, Digests())
    path = Path("made/toy/outputs.sha256")
    path.write_text(path.read_text().replace("copy.txt", "cop2.txt"))
    assert "outputs.sha256 was edited" in reason(toy)


def test_a_failing_stage_leaves_no_manifest(toy: Job) -> None:
    run(toy, Digests())
    Path("toy_stage.py").write_text(
        "def copy(*, source, suffix, out):\n    raise OSError('full')\n"
    )
    sys.modules.pop("toy_stage", None)
    with pytest.raises(OSError):
        run(toy, Digests(), force=True)
    assert reason(toy) == "never finished"


def test_an_edited_input_of_another_stage_is_refused(toy: Job) -> None:
    run(toy, Digests())
    after = replace(toy, out="made/after", inputs={"source": Input("copy.txt", "made/toy")})
    assert run(after, Digests()) == "ran"
    Path("made/toy/copy.txt").write_text("trunc")
    with pytest.raises(InputError, match=r"made/toy/copy\.txt: is truncated or was edited"):
        run(after, Digests(), force=True)


def test_a_missing_input_says_how_to_build_it(toy: Job) -> None:
    after = replace(toy, inputs={"source": Input("copy.txt", "made/nothing")})
    with pytest.raises(InputError, match=r"snakemake made/nothing/outputs\.sha256"):
        run(after, Digests())


def test_an_unlinked_cache_link_keeps_its_bytes(toy: Job) -> None:
    """DVC's cache may hold a hard link to an output: making it again must not write through it."""
    run(toy, Digests())
    os.link("made/toy/copy.txt", "cached")
    run(replace(toy, params={"suffix": "?"}), Digests())
    assert Path("cached").read_text() == "hello!"
    assert Path("made/toy/copy.txt").read_text() == "hello?"


def reseal(folder: Path) -> None:
    """What somebody does who knows of the content id: list the edited file's digest in it."""
    listed = {name: sha256(folder / name) for name in listed_outputs(folder)}
    lines = "".join(f"{digest}  {name}\n" for name, digest in listed.items())
    (folder / "outputs.sha256").write_text(lines)


@pytest.mark.parametrize("how", ["content id rewritten", "manifest deleted", "file added"])
def test_no_edit_is_undone_in_silence(toy: Job, how: str, capsys) -> None:
    run(toy, Digests())
    folder = Path("made/toy")
    name = "notes.txt" if how == "file added" else "copy.txt"
    (folder / name).write_text("mine")
    if how == "content id rewritten":
        reseal(folder)
    if how == "manifest deleted":
        (folder / "manifest.json").unlink()
    assert run(toy, Digests(), force=True) == "ran"
    copies = [copy.read_text() for copy in Path(".regen/edited/made/toy").glob(f"{name}.*")]
    assert copies == ["mine"]
    assert name in capsys.readouterr().err
    assert reason(toy) == ""


def test_what_an_interrupted_stage_left_is_no_edit(toy: Job, capsys) -> None:
    """A stage that is made again first loses its manifest and content id, then writes."""
    run(toy, Digests())
    for name in ("manifest.json", "outputs.sha256", "run.json"):
        Path("made/toy", name).unlink()
    Path("made/toy/copy.txt").write_text("hel")
    assert run(toy, Digests()) == "ran"
    assert not Path(".regen/edited").exists()
    assert "copy" not in capsys.readouterr().err


def test_a_clone_without_run_records_keeps_no_timing_aside(toy: Job) -> None:
    run(toy, Digests())
    Path("made/toy/run.json").unlink()
    Path("in.txt").write_text("other")
    assert run(toy, Digests()) == "ran"
    assert not Path(".regen/edited").exists()


@pytest.mark.parametrize("content", ["[]", "null", "{", '{"outputs": 1}'])
@pytest.mark.parametrize("name", ["made/toy/manifest.json", "made/toy/run.json"])
def test_a_damaged_record_is_made_good(toy: Job, name: str, content: str) -> None:
    run(toy, Digests())
    Path(name).write_text(content)
    reason(toy)
    run(toy, Digests())
    assert reason(toy) == ""
    assert Path("made/toy/copy.txt").read_text() == "hello!"


@pytest.mark.parametrize("content", ["[]", "{", '{"in.txt": 3}'])
def test_damaged_digests_are_forgotten(toy: Job, content: str) -> None:
    write_text(Path(".regen/digests.json"), content)
    assert run(toy, Digests()) == "ran"
    assert reason(toy) == ""


def test_a_file_where_a_folder_belongs_is_one_line(toy: Job) -> None:
    write_text(Path("made/toy"), "a file")
    with pytest.raises(InputError, match="made/toy: a folder belongs there; move the file away"):
        run(toy, Digests())


def test_a_folder_where_a_file_belongs_is_kept_aside(toy: Job) -> None:
    run(toy, Digests())
    Path("made/toy/copy.txt").unlink()
    write_text(Path("made/toy/copy.txt/inside.txt"), "mine")
    assert run(toy, Digests()) == "ran"
    assert Path("made/toy/copy.txt").read_text() == "hello!"
    kept = [p for p in Path(".regen/edited").rglob("*") if p.is_file()]
    assert [p.read_text() for p in kept] == ["mine"]


def test_two_processes_do_not_make_a_folder_at_once(toy: Job) -> None:
    """The second waits for the first, finds what it made, and keeps it."""
    Path("toy_stage.py").write_text(
        "import os, time\n"
        "def copy(*, source, suffix, out):\n"
        "    with open('calls.txt', 'a') as calls:\n"
        "        calls.write('call ')\n"
        "    time.sleep(1)\n"
        "    (out / 'copy.txt').write_text(source.read_text() + suffix)\n"
        "    (out / 'timing.json').write_text('1')\n"
    )
    both = [multiprocessing.Process(target=run, args=(toy, Digests())) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert Path("calls.txt").read_text() == "call "


class TestCodeHash:
    """The hash follows what a module means, and what it imports."""

    @pytest.fixture
    def package(self, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = workdir / "regen"
        write_text(folder / "a.py", "from regen.b import f\n\ndef g():\n    return f()\n")
        write_text(folder / "b.py", "def f():\n    return 1\n")
        write_text(folder / "c.py", "x = 1\n")
        monkeypatch.setattr(code, "PACKAGE", folder)
        code._read.cache_clear()
        return folder

    def hash_after(self, path: Path, text: str) -> dict[str, str]:
        path.write_text(text)
        code._read.cache_clear()
        return code.code_of(("regen.a",))

    def test_only_what_is_imported_counts(self, package: Path) -> None:
        before = code.code_of(("regen.a",))
        assert set(before) == {"regen.a", "regen.b"}
        assert self.hash_after(package / "c.py", "x = 2\n") == before
        assert self.hash_after(package / "b.py", "def f():\n    return 2\n") != before

    def test_comments_docstrings_and_layout_do_not_count(self, package: Path) -> None:
        before = code.code_of(("regen.a",))
        text = (
            '"""Says."""\n\n\ndef f():  # why\n    """Doc."""\n\n    return (\n        1\n    )\n'
        )
        assert self.hash_after(package / "b.py", text) == before

    def test_what_is_not_python_is_one_line(self, package: Path) -> None:
        with pytest.raises(InputError, match=r"b\.py:2: is not Python \(.*\); mend it"):
            self.hash_after(package / "b.py", "def f():\n    return (\n")

    def test_an_import_inside_a_function_counts(self, package: Path) -> None:
        text = "def g():\n    from regen import c\n    return c.x\n"
        assert set(self.hash_after(package / "a.py", text)) >= {"regen.a", "regen.c"}
