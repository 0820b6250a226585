"""Non-speech by synthesis: noise, tones, music, and sounds that come close to a voice.

Each kind is a function (character, rng, count) -> samples. `character` is the generator of the
source: what is drawn from it (a timbre, a range of pitch, a rhythm) is the same in all clips of one
source. `rng` is that of the clip. `count` is the number of samples at 16 kHz.
"""

from collections.abc import Callable, Mapping

import numpy as np

from regen.data.audio import RATE, Samples

STEP = 40
"""Amplitudes of partials are worked out for every so many samples, and lines drawn between."""

Rng = np.random.Generator
Sound = Callable[[Rng, Rng, int], Samples]


def coloured(rng: Rng, count: int, gain: Callable[[np.ndarray], np.ndarray]) -> Samples:
    """Gaussian noise whose spectrum has the amplitude `gain(frequency in Hz)`."""
    size = max(count, 512)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    return np.fft.irfft(spectrum * gain(frequencies), size)[:count].astype(np.float32)


def slope(db_per_octave: float, corner: float = 100.0) -> Callable[[np.ndarray], np.ndarray]:
    """Flat up to `corner` Hz, then so many dB an octave."""
    return lambda f: (np.maximum(f, corner) / corner) ** (db_per_octave / 6.0206)


def speech_spectrum(frequencies: np.ndarray) -> np.ndarray:
    """The amplitude of speech over the long run: flat from 100 to 500 Hz, then -9 dB an octave
    (the shape that Byrne et al. 1994, JASA 96:2108, report for many languages)."""
    low = np.minimum(frequencies / 100, 1.0) ** 2
    return low * (np.maximum(frequencies, 500) / 500) ** (-9 / 6.0206)


def syllables(rng: Rng, count: int, rate: float, depth: float = 1.0) -> Samples:
    """An envelope that rises and falls `rate` times a second, unevenly, as a voice does.

    Bumps of raised-cosine shape, each with its own length and height, some left out.
    """
    envelope = np.zeros(count + RATE, dtype=np.float32)
    position = -int(rng.uniform(0, RATE / rate))
    while position < count:
        length = int(RATE / rate * rng.uniform(0.6, 1.5))
        height = rng.uniform(0.3, 1.0) if rng.uniform() > 0.12 else 0.0
        attack = rng.uniform(0.15, 0.5)
        phase = np.linspace(0, 1, length, endpoint=False) ** (np.log(0.5) / np.log(attack))
        start = max(position, 0)
        bump = height * np.sin(np.pi * phase)[start - position :]
        envelope[start : start + len(bump)] += bump.astype(np.float32)
        position += int(length * rng.uniform(0.75, 1.15))
    return 1 - depth + depth * envelope[:count]


def glide(rng: Rng, count: int, low: float, high: float, points_a_second: float) -> np.ndarray:
    """A smooth random contour between two values, on a logarithmic scale."""
    knots = max(2, int(count / RATE * points_a_second) + 2)
    values = rng.uniform(np.log(low), np.log(high), knots)
    at = np.linspace(0, knots - 1, count)
    left = np.minimum(at.astype(int), knots - 2)
    weight = (1 - np.cos(np.pi * (at - left))) / 2
    return np.exp(values[left] * (1 - weight) + values[left + 1] * weight)


def harmonics(f0: np.ndarray, gain: Callable[[np.ndarray], np.ndarray], most: int = 40) -> Samples:
    """A sum of harmonics of a moving pitch (Hz, a value a sample).

    gain: amplitude of a partial by its frequency, asked for at every STEP-th sample
    """
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    total = np.zeros(len(f0))
    every = np.arange(len(f0))
    coarse = every[::STEP]
    for number in range(1, most + 1):
        frequency = number * f0
        audible = frequency[coarse] < 0.47 * RATE
        if not audible.any():
            break
        amplitude = np.where(audible, gain(frequency[coarse]), 0)
        total += np.interp(every, coarse, amplitude) * np.sin(number * phase)
    return total.astype(np.float32)


def resonances(frequency: np.ndarray, formants: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Amplitude, at frequencies in Hz of shape (samples,), of a chain of second-order resonances:
    `formants` (Hz) of shape (resonances, samples) or (resonances, 1), `widths` (resonances,)."""
    gain = np.ones_like(frequency)
    for centre, width in zip(formants, widths, strict=True):
        gain = gain * centre**2 / np.hypot(centre**2 - frequency**2, width * frequency)
    return gain


def noise(character: Rng, rng: Rng, count: int) -> Samples:
    """Steady noise: a slope, or a band."""
    if character.uniform() < 0.5:
        return coloured(rng, count, slope(character.uniform(-9, 4)))
    centre, octaves = (
        np.exp(character.uniform(np.log(200), np.log(5000))),
        character.uniform(0.3, 2),
    )
    return coloured(
        rng, count, lambda f: np.exp(-((np.log2(np.maximum(f, 20) / centre) / octaves) ** 2))
    )


def modulated(character: Rng, rng: Rng, count: int) -> Samples:
    """Noise with the spectrum of speech, rising and falling at the pace of syllables."""
    rate, depth = character.uniform(2.5, 7), character.uniform(0.7, 1.0)
    tilt, split = character.uniform(-3, 3), character.uniform(1200, 3000)
    low = coloured(rng, count, lambda f: speech_spectrum(f) * slope(tilt)(f) * (f < split))
    high = coloured(rng, count, lambda f: speech_spectrum(f) * slope(tilt)(f) * (f >= split))
    # Vowels and sibilants come in turn, so low and high bands have envelopes of their own.
    return low * syllables(rng, count, rate, depth) + 3 * high * syllables(rng, count, rate, depth)


def tones(character: Rng, rng: Rng, count: int) -> Samples:
    """Beeps, sweeps, sirens and dial tones."""
    base, style = np.exp(character.uniform(np.log(200), np.log(2500))), character.integers(4)
    partials = character.uniform(0, 1, 4) ** 2
    time = np.arange(count) / RATE
    bend = rng.uniform(0.9, 1.1)
    if style == 0:
        pitch = np.full(count, base * bend)
    elif style == 1:
        pitch = base * bend * 2 ** (character.uniform(-2, 2) * time / max(time[-1], 0.2))
    elif style == 2:
        pitch = base * bend * 2 ** (0.4 * np.sin(2 * np.pi * character.uniform(0.8, 8) * time))
    else:
        steps = rng.integers(0, 8, int(time[-1] * 5) + 1)
        pitch = base * bend * 2 ** (steps[(time * 5).astype(int)] / 6)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = np.sin(phase) + sum(a * np.sin((k + 2) * phase) for k, a in enumerate(partials))
    gate = np.sin(2 * np.pi * character.uniform(2, 7) * time + rng.uniform(0, 6)) > -0.5
    return (sound * (gate if character.uniform() < 0.6 else 1)).astype(np.float32)


def music(character: Rng, rng: Rng, count: int) -> Samples:
    """Plucked or blown notes of one scale, alone or in chords."""
    root = np.exp(character.uniform(np.log(110), np.log(440)))
    decay, tempo, voices = (
        character.uniform(2, 14),
        character.uniform(2, 8),
        character.integers(1, 4),
    )
    bright, attack = character.uniform(-14, -3), character.uniform(0.003, 0.06)
    scale = np.array([0, 2, 4, 7, 9, 12, 14, 16])
    total = np.zeros(count + 2 * RATE, dtype=np.float32)
    position = 0
    while position < count:
        length = int(RATE / tempo * rng.choice([0.5, 1, 1, 2])) + 1
        tail = min(2 * length, RATE)
        time = np.arange(tail) / RATE
        shape = np.minimum(time / attack, 1) * np.exp(-decay * time)
        for _ in range(voices):
            pitch = root * 2 ** (rng.choice(scale) / 12)
            note = harmonics(np.full(tail, pitch), slope(bright, pitch), 14)
            total[position : position + tail] += note * shape
        position += length
    return total[:count]


def formants(character: Rng, rng: Rng, count: int) -> Samples:
    """A buzz with the pitch, melody and resonances of a voice, but no articulation.

    The resonances hold still, as in a held vowel, or drift together, as in a wah-wah: no two of
    them ever move as tongue and lips make them. Loudness comes and goes at the pace of syllables.
    """
    centre = np.exp(character.uniform(np.log(80), np.log(260)))
    spread, rate = character.uniform(1.1, 1.5), character.uniform(2.5, 6)
    base = np.sort(character.uniform([280, 850, 2200, 3200], [800, 2100, 3000, 4200]))
    widths = character.uniform(60, 220, 4)
    drift = character.uniform(1.0, 1.5) if character.uniform() < 0.6 else 1.0
    breath, depth = character.uniform(0, 0.15), character.uniform(0.5, 1.0)
    f0 = glide(rng, count, centre / spread, centre * spread, 3)
    move = glide(rng, count, 1 / drift, drift, 4) if drift > 1 else np.ones(count)
    at = base[:, None] * move
    voiced = harmonics(f0, lambda f: resonances(f, at[:, ::STEP], widths) * slope(-6, 100)(f))
    hiss = coloured(rng, count, lambda f: resonances(f, base[:, None], widths) * slope(-3)(f))
    voiced /= np.abs(voiced).max() + 1e-9
    hiss *= breath / (np.abs(hiss).max() + 1e-9)
    return (voiced + hiss) * syllables(rng, count, rate, depth)


def calls(character: Rng, rng: Rng, count: int) -> Samples:
    """Barks, chirps and whines: short harmonic sounds of fast-moving pitch."""
    low = np.exp(character.uniform(np.log(150), np.log(1500)))
    span, rate = character.uniform(1.3, 3), character.uniform(2, 8)
    tilt, rough = character.uniform(-12, -2), character.uniform(0, 0.4)
    f0 = glide(rng, count, low, low * span, 2.5 * rate)
    time = np.arange(count) / RATE
    growl = 1 + rough * np.sin(2 * np.pi * character.uniform(25, 70) * time)
    hollow = character.uniform(600, 2500)
    tone = harmonics(f0, lambda f: slope(tilt, 200)(f) * (0.2 + np.exp(-((f / hollow - 1) ** 2))))
    return tone * growl.astype(np.float32) * syllables(rng, count, rate)


SOUNDS: Mapping[str, Sound] = {
    "noise": noise,
    "modulated": modulated,
    "tones": tones,
    "music": music,
    "formants": formants,
    "calls": calls,
}


def mask(rng: Rng, count: int) -> Samples:
    """Noise to be mixed into a clip of either class: white, pink, or speech-shaped, the last one
    steady or with the rise and fall of syllables."""
    kind = rng.integers(4)
    if kind == 0:
        return rng.standard_normal(count).astype(np.float32)
    if kind == 1:
        return coloured(rng, count, slope(-3, 20))
    steady = coloured(rng, count, speech_spectrum)
    return steady if kind == 2 else steady * syllables(rng, count, rng.uniform(3, 6), 0.8)


def channel(samples: Samples, rng: Rng) -> Samples:
    """What a microphone and a line do to a clip of either class: a tilt, often a narrower band."""
    tilt = rng.uniform(-3, 3)
    top = rng.choice([3400.0, 5000.0, 7000.0, 8000.0])
    size = len(samples)
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    gain = (np.maximum(frequencies, 60) / 1000) ** (tilt / 6.0206)
    gain *= 1 / (1 + (frequencies / top) ** 16)
    return np.fft.irfft(np.fft.rfft(samples) * gain, size).astype(np.float32)
