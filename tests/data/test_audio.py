"""Clips: written, read and refused. The oracles are soundfile and the definition of decibels."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from regen.data.audio import LEVEL, RATE, decode, fade, level, mix, read_clip, trim, write_clip
from regen.errors import InputError


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def test_a_clip_comes_back_as_it_was_written(tmp_path: Path) -> None:
    samples = 0.5 * tone(440, 0.3)
    write_clip(tmp_path / "a.wav", samples)
    np.testing.assert_allclose(read_clip(tmp_path / "a.wav"), samples, atol=1e-4)
    other, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == 16000 and soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
    np.testing.assert_array_equal(read_clip(tmp_path / "a.wav"), other)


def test_what_exceeds_full_scale_is_clipped_not_wrapped(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", np.array([1.5, -1.5], dtype=np.float32))
    first, second = read_clip(tmp_path / "a.wav")
    assert first > 0.99 and second < -0.99


def bad_clips(folder: Path) -> dict[str, tuple[Path, str]]:
    good = folder / "good.wav"
    write_clip(good, 0.1 * tone(440, 0.2))
    content = good.read_bytes()
    (folder / "text.wav").write_text("no audio at all, only words")
    (folder / "empty-file.wav").write_bytes(b"")
    (folder / "cut-in-header.wav").write_bytes(content[:30])
    (folder / "cut.wav").write_bytes(content[: len(content) // 2])
    write_clip(folder / "no-samples.wav", np.zeros(0, dtype=np.float32))
    soundfile.write(folder / "rate.wav", tone(440, 0.2, 8000), 8000, subtype="PCM_16")
    soundfile.write(folder / "stereo.wav", np.zeros((99, 2)), RATE, subtype="PCM_16")
    soundfile.write(folder / "float.wav", tone(440, 0.2), RATE, subtype="FLOAT")
    said = {
        "text": "is not a WAV file",
        "empty-file": "is not a WAV file",
        "cut-in-header": "is not a WAV file",
        "cut": "is truncated: 1589 of 3200",
        "no-samples": "holds no sound",
        "rate": "has 8000 Hz",
        "stereo": "2 channel",
        "float": "is not a WAV file",
        "missing": "cannot be read",
    }
    return {name: (folder / f"{name}.wav", words) for name, words in said.items()}


def test_a_bad_clip_is_one_line_that_names_it(tmp_path: Path) -> None:
    for name, (path, words) in bad_clips(tmp_path).items():
        with pytest.raises(InputError) as caught:
            read_clip(path)
        message = str(caught.value)
        assert words in message and str(path) in message and "\n" not in message, name


@pytest.mark.parametrize("snr_db", [-10, 0, 20])
def test_mixing_gives_the_ratio_that_was_asked_for(snr_db: int) -> None:
    signal = 0.03 * tone(440, 0.5)
    noise = np.random.default_rng(1).standard_normal(len(signal)).astype(np.float32)
    added = mix(signal, noise, snr_db) - signal
    ratio = 10 * np.log10(np.mean(signal**2) / np.mean(added**2))
    assert ratio == pytest.approx(snr_db, abs=0.01)


def test_levelled_clips_have_one_root_mean_square() -> None:
    for factor in (1e-4, 0.3, 7):
        assert np.sqrt(np.mean(level(factor * tone(300, 0.5)) ** 2)) == pytest.approx(LEVEL, 1e-4)


def test_silence_is_trimmed_at_both_ends_only() -> None:
    gap = np.zeros(RATE // 2, dtype=np.float32)
    beep = tone(400, 0.2)
    samples = np.concatenate([gap, beep, gap, beep, gap])
    assert len(trim(samples)) == pytest.approx(len(samples) - 2 * len(gap), abs=2 * RATE // 100)
    assert len(trim(gap)) == 0


def test_fading_leaves_the_middle_and_silences_the_ends() -> None:
    faded = fade(np.ones(1000, dtype=np.float32))
    assert faded[0] == 0 and faded[-1] == 0 and faded[500] == 1


@pytest.mark.parametrize(
    ("rate", "subtype"), [(44100, "PCM_24"), (96000, "FLOAT"), (8000, "PCM_U8")]
)
def test_recordings_of_any_format_keep_their_pitch_and_length(rate: int, subtype: str) -> None:
    content = io.BytesIO()
    stereo = np.stack([tone(1000, 0.5, rate)] * 2, axis=1) * 0.5
    soundfile.write(content, stereo, rate, subtype=subtype, format="WAV")
    samples = decode(content.getvalue(), "x")
    assert len(samples) == pytest.approx(0.5 * RATE, abs=2)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * RATE / len(samples) == pytest.approx(1000, abs=3)


def test_a_recording_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match=r"drums/a\.wav: is not audio"):
        decode(b"nothing", "drums/a.wav")
