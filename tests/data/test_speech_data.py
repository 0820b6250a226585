"""The speech data: balanced, split by source, repeatable. In quick tests the synthesiser hisses."""

import io
import json
import tarfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from regen.data import espeak
from regen.data.card import check_groups_apart
from regen.data.sentences import BY_SPLIT
from regen.data.sources import sources
from regen.data.speech import speech
from regen.errors import InputError

SIZES = {"train": 60, "dev": 20, "test": 60}


def sound(number: int, seconds: float) -> np.ndarray:
    return 0.1 * np.random.default_rng(number).standard_normal(int(seconds * 16000)).astype("f")


def wav(number: int) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, sound(number, 0.1 + number % 5 / 2), 16000, format="WAV")
    return content.getvalue()


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with archives laid out as the real ones are."""
    folder = tmp_path_factory.mktemp("packages")
    with tarfile.open(folder / "foxdot-0.9.0.tar.gz", "w:gz") as file:
        for number in range(40):
            place = "_/exclamation" if number < 4 else f"{chr(97 + number // 4)}/lower"
            member = tarfile.TarInfo(f"foxdot-0.9.0/FoxDot/snd/{place}/{number}.wav")
            content = wav(number)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    with zipfile.ZipFile(folder / "arcade-3.3.3-py3-none-any.whl", "w") as zipped:
        for number in range(20):
            name = f"{'abcdefg'[number // 3]}{number % 3}.wav"
            zipped.writestr(f"arcade/resources/assets/sounds/{name}", wav(100 + number))
        zipped.writestr("arcade/resources/assets/music/song.mp3", "no sound")
    with zipfile.ZipFile(folder / "captcha-0.7.1-py3-none-any.whl", "w") as zipped:
        for number, letter in enumerate("01AB"):
            zipped.writestr(f"captcha/data/{letter}/default.wav", wav(200 + number))
    zipfile.ZipFile(folder / "espeakng_loader-0.2.4-py3-none-any.whl", "w").close()
    return folder


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[espeak.Utterance]:
    """Everything that is spoken, by a synthesiser that hisses instead."""
    heard: list[espeak.Utterance] = []

    def speak(wheel: Path, utterances: Sequence[espeak.Utterance]) -> list[np.ndarray]:
        heard.extend(utterances)
        return [sound(zlib.crc32(repr(u).encode()), 3) for u in utterances]

    monkeypatch.setattr(espeak, "speak", speak)
    return heard


def build(packages: Path, out: Path, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    out.mkdir()
    speech(sources=packages, out=out, **{"seed": 7, "sizes": SIZES, **changes})
    return {s: [json.loads(x) for x in open(out / f"{s}.jsonl")] for s in ("train", "dev", "test")}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_clips_are_what_their_rows_say(packages: Path, said: list, tmp_path: Path) -> None:
    rows = build(packages, tmp_path / "data")
    assert {split: len(r) for split, r in rows.items()} == SIZES
    for row in (row for split in rows.values() for row in split):
        samples, rate = soundfile.read(tmp_path / "data" / row["audio"])
        assert rate == 16000 and samples.ndim == 1
        assert len(samples) / rate == pytest.approx(row["seconds"])
        # recordings of people are as short as they are
        assert row["kind"] == "recorded voice" or 0.2 <= row["seconds"] <= 2
        assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.05, rel=0.02)
        is_voice = row["kind"] in ("synthetic voice", "recorded voice")
        assert row["label"] == ("SPEECH" if is_voice else "NONSPEECH")
        assert ("language" in row) == (row["kind"] == "synthetic voice")
    files = {str(p.relative_to(tmp_path / "data")) for p in tmp_path.glob("data/clips/*")}
    assert files == {row["audio"] for split in rows.values() for row in split}


def test_every_prefix_is_balanced(packages: Path, said: list, tmp_path: Path) -> None:
    rows = build(packages, tmp_path / "data")["test"]
    for count in (2, 8, 30, 60):
        assert Counter(r["label"] for r in rows[:count])["SPEECH"] == count / 2
    for label in ("SPEECH", "NONSPEECH"):
        of_label = [r["snr_db"] for r in rows if r["label"] == label]
        for start in (0, 7, 14, 21):
            assert set(map(str, of_label[start : start + 7])) == {
                *("-10", "-5", "0", "5", "10", "20", "clean")
            }
    kinds = Counter(r["kind"] for r in rows if r["label"] == "NONSPEECH")
    assert kinds["formants"] >= 4 and len(kinds) == 8
    assert [r["label"] for r in rows[:20]] != ["SPEECH", "NONSPEECH"] * 10


def test_no_voice_source_or_sentence_is_in_two_splits(
    packages: Path, said: list[espeak.Utterance], tmp_path: Path
) -> None:
    rows = build(packages, tmp_path / "data", sizes={"train": 130, "dev": 40, "test": 90})
    groups = {split: {r["group"] for r in r_s} for split, r_s in rows.items()}
    files = {split: {r.get("recording") for r in r_s} - {None} for split, r_s in rows.items()}
    families = {  # iven, iven2 and iven3 are alike; m1 and m2 are not
        split: {
            r["voice"] if r["voice"][:-1] in "fm" else r["voice"].rstrip("0123456789")
            for r in r_s
            if "voice" in r
        }
        for split, r_s in rows.items()
    }
    assert len(families["test"]) > 10
    for parts in (groups, files, families):
        assert not parts["train"] & parts["test"]
        assert not parts["train"] & parts["dev"]
        assert not parts["dev"] & parts["test"]
    texts = {s: {t for of in BY_SPLIT[s].values() for t in of} for s in BY_SPLIT}
    assert not texts["train"] & texts["test"] and not texts["dev"] & (
        texts["train"] | texts["test"]
    )
    of_voice = {r["voice"]: split for split, r_s in rows.items() for r in r_s if "voice" in r}
    for utterance in said:
        allowed = BY_SPLIT[of_voice[utterance.voice]][utterance.language]
        assert any(utterance.text == f"{a} {b}" for a in allowed for b in allowed if a != b)


def test_vocal_recordings_are_left_out(packages: Path, said: list, tmp_path: Path) -> None:
    rows = build(packages, tmp_path / "data", sizes={"train": 130, "dev": 40, "test": 90})
    used = {r["recording"] for split in rows.values() for r in split if "recording" in r}
    assert used and not any(name.startswith("_/exclamation") for name in used)


def test_the_same_twice_and_another_with_another_seed(
    packages: Path, said: list, tmp_path: Path
) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        build(packages, tmp_path / name, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a")["test.jsonl"] != contents(tmp_path / "c")["test.jsonl"]


def test_a_larger_data_set_begins_with_the_smaller(
    packages: Path, said: list, tmp_path: Path
) -> None:
    small = build(packages, tmp_path / "a", sizes={"train": 12, "dev": 4, "test": 8})
    large = build(packages, tmp_path / "b", sizes={"train": 40, "dev": 10, "test": 9})
    for split, rows in small.items():
        assert large[split][: len(rows)] == rows
    clips = contents(tmp_path / "a/clips")
    assert clips.items() <= contents(tmp_path / "b/clips").items()


def test_the_card_counts_what_is_there(packages: Path, said: list, tmp_path: Path) -> None:
    rows = build(packages, tmp_path / "data")
    card = json.loads((tmp_path / "data/card.json").read_text())
    for split, of in rows.items():
        found = card["splits"][split]
        assert found["clips"] == len(of)
        assert found["groups"] == len({r["group"] for r in of})
        for label, counted in found["classes"].items():
            of_class = [r for r in of if r["label"] == label]
            assert counted["label"] == {label: len(of_class)}
            assert counted["snr_db"] == Counter(str(r["snr_db"]) for r in of_class)
            assert ("language" in counted) == (label == "SPEECH")
        assert card["groups_apart"][split] == len({r["group"] for r in of})
    assert {s["package"] for s in card["sources"]} > {"foxdot", "captcha", "arcade"}


def test_a_group_in_two_splits_is_refused() -> None:
    rows = {"train": [{"group": "a"}, {"group": "b"}], "test": [{"group": "c"}, {"group": "b"}]}
    with pytest.raises(InputError, match=r"in train and in test.*'b'"):
        check_groups_apart(rows)
    assert check_groups_apart({**rows, "test": [{"group": "c"}]}) == {"train": 2, "test": 1}


def test_a_missing_package_is_named(packages: Path, said: list, tmp_path: Path) -> None:
    folder = tmp_path / "packages"
    folder.mkdir()
    for path in packages.iterdir():
        if not path.name.startswith("captcha"):
            (folder / path.name).symlink_to(path)
    with pytest.raises(InputError, match="0 files of captcha"):
        build(folder, tmp_path / "data")


# With the real packages, which pip fetches or has in its cache.


@pytest.fixture(scope="session")
def real(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    names = ["espeakng-loader", "captcha", "foxdot", "arcade"]
    sources(requirements=project / "data/sources.txt", packages=names, out=folder)
    return folder / "archives"


def library(folder: Path) -> Path:
    return next(folder.glob("espeakng_loader*"))


def spoken(folder: Path, utterances: list[espeak.Utterance]) -> list[bytes]:
    return [s.tobytes() for s in espeak.speak(library(folder), utterances)]


@pytest.mark.slow
def test_every_voice_says_the_same_bytes_in_every_process(real: Path) -> None:
    texts = BY_SPLIT["test"]["en-us"]
    utterances = [espeak.Utterance(texts[0], "en-us", v) for v in espeak.VOICES]
    breathy = espeak.Utterance(texts[0], "en-us", "whisper")
    first = spoken(real, [*utterances, breathy])
    time.sleep(1.1)  # the library seeds its noise with the clock's seconds
    second = spoken(real, [breathy, *utterances])
    assert first[:-1] == second[1:]
    assert len(set(first)) == len(espeak.VOICES) + 1  # no two voices are one
    assert first[-1] != second[0]  # one that VOICES leaves out: this check can fail


@pytest.mark.slow
def test_every_sentence_can_be_said_in_its_language(real: Path) -> None:
    said = {
        (language, text)
        for of in BY_SPLIT.values()
        for language, texts in of.items()
        for text in texts
    }
    utterances = [espeak.Utterance(text, lang, "adam") for lang, text in sorted(said)]
    for sound_, utterance in zip(espeak.speak(library(real), utterances), utterances, strict=True):
        assert 1 < len(sound_) / 16000 < 5, utterance


@pytest.mark.slow
@pytest.mark.parametrize(("language", "voice"), [("xx", "adam"), ("de", "nobody"), ("de", "")])
def test_a_voice_that_is_not_there_is_an_error(real: Path, language: str, voice: str) -> None:
    with pytest.raises(InputError, match=rf"voice {language}\+{voice} failed or is not there"):
        espeak.speak(library(real), [espeak.Utterance("hello", language, voice)])


@pytest.mark.slow
def test_the_real_data_set(real: Path, tmp_path: Path) -> None:
    """Small, but with the test split of the embedded scale: many groups, all of one size."""
    sizes = {"train": 40, "dev": 20, "test": 400}
    rows = build(real, tmp_path / "a", sizes=sizes)
    build(real, tmp_path / "b", sizes=sizes)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    for label in ("SPEECH", "NONSPEECH"):
        groups = Counter(r["group"] for r in rows["test"] if r["label"] == label)
        assert len(groups) >= 30
        assert set(groups.values()) == {5}
    assert {r["source"] for r in rows["test"]} == {
        *("espeakng-loader", "captcha", "foxdot", "arcade", "synthetic")
    }
