"""Clips: 16 kHz, one channel, 16 bits; read strictly, mixed and levelled with NumPy."""

import io
import wave
from math import gcd
from pathlib import Path

import numpy as np

from regen.errors import InputError
from regen.files import write_bytes

RATE = 16_000
"""Samples a second of every clip."""
LEVEL = 0.05
"""Root mean square of every clip, full scale being 1: -26 dB, the usual level of speech tests
(ITU-T P.56 measures it on active speech; here it is that of the whole clip, for any sound)."""

Samples = np.ndarray
"""float32 of shape (samples,), between -1 and 1."""


def read_clip(path: Path) -> Samples:
    """The samples of a clip.

    Raises InputError for a file that is missing, no WAV audio, truncated, empty, or not 16 kHz,
    one channel, 16 bits.
    """
    try:
        with wave.open(str(path), "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            promised = file.getnframes()
            data = file.readframes(promised)
    except (wave.Error, EOFError) as error:
        raise InputError(
            f"{path}: is not a WAV file ({error or 'it ends early'}); restore or convert it"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if (rate, channels, width) != (RATE, 1, 2):
        raise InputError(
            f"{path}: has {rate} Hz, {channels} channel(s), {8 * width} bits, "
            f"and {RATE} Hz, 1 channel, 16 bits are needed; convert it"
        )
    if promised == 0:
        raise InputError(f"{path}: holds no sound; restore it or take it out of the data")
    if len(data) != 2 * promised:
        raise InputError(
            f"{path}: is truncated: {len(data) // 2} of {promised} samples are there; restore it"
        )
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768


def write_clip(path: Path, samples: Samples) -> None:
    """Write samples as a WAV file; what exceeds full scale is clipped."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    write_bytes(path, content.getvalue())


def decode(content: bytes, name: str) -> Samples:
    """A recording in any common format, as samples at RATE; channels are averaged."""
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{name}: is not audio ({error}); fetch the sources again") from None
    return resample(samples.mean(axis=1), rate, RATE)


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """Change the sampling rate with a polyphase filter."""
    from scipy.signal import resample_poly

    if rate == wanted:
        return samples.astype(np.float32)
    divisor = gcd(rate, wanted)
    return resample_poly(samples, wanted // divisor, rate // divisor).astype(np.float32)


def rms(samples: Samples) -> float:
    """Root mean square; 0 of nothing."""
    if not len(samples):
        return 0.0
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def trim(samples: Samples, floor_db: float = 40.0) -> Samples:
    """Without the silence at both ends: 10 ms frames more than `floor_db` below the loudest one."""
    frame = RATE // 100
    count = -(-len(samples) // frame)
    padded = np.pad(samples, (0, count * frame - len(samples)))
    energy = np.square(padded.reshape(count, frame)).mean(axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (-floor_db / 10))
    return samples[loud[0] * frame : (loud[-1] + 1) * frame] if len(loud) else samples[:0]


def mix(signal: Samples, noise: Samples, snr_db: float) -> Samples:
    """Signal plus noise, scaled so that the ratio of their powers over the clip is `snr_db`."""
    return signal + noise * (rms(signal) / rms(noise) * 10 ** (-snr_db / 20))


def level(samples: Samples) -> Samples:
    """Scaled to a root mean square of LEVEL."""
    return samples * (LEVEL / rms(samples))


def fade(samples: Samples, seconds: float = 0.005) -> Samples:
    """With both ends ramped, so that a cut makes no click."""
    count = min(int(seconds * RATE), len(samples) // 2)
    ramp = np.ones(len(samples), dtype=np.float32)
    ramp[:count] = np.linspace(0, 1, count, endpoint=False)
    ramp[len(samples) - count :] = np.linspace(1, 0, count)
    return samples * ramp
