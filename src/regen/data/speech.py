"""Stage `data` for speech: clips of speech and of other sounds, balanced, split by source.

A clip is decided by (seed, split, number) alone: its plan (label, source, length, signal-to-noise
ratio) and its own generator for everything else. So a larger data set begins with the clips of a
smaller one, and every prefix of a split is balanced.

A study sees only the rows and the clips: `item`, `group` (a voice or a source), `label` (SPEECH or
NONSPEECH), `audio` (a path in the folder), `seconds`, `snr_db` (a number, or "clean") and `kind`.
Whatever writes such rows is a data set for it.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regen.data import audio, espeak, sounds
from regen.data.audio import RATE, Samples
from regen.data.card import check_groups_apart, counts
from regen.data.recordings import VOCAL, Source, effects, instruments, recorded_voices
from regen.data.sentences import BY_SPLIT
from regen.data.sources import archive
from regen.errors import InputError
from regen.files import write_json, write_jsonl

SPLITS = ("train", "dev", "test")
SHARES = {"train": 0.46, "dev": 0.12, "test": 0.42}
"""Of the voices and sources. Many of the test's, since tests are made on groups."""
SNR_DB: tuple[int | str, ...] = (-10, -5, 0, 5, 10, 20, "clean")
SHORTEST, LONGEST = 0.2, 2.0
"""Seconds; lengths are drawn evenly on a logarithmic scale."""
GENERATORS = 30
"""Sources of each synthetic kind of non-speech."""
# What twenty clips of each class are made of, in every block of a split.
SPEECH_KINDS = {
    "train": {"synthetic voice": 20},
    "dev": {"synthetic voice": 20},
    "test": {"synthetic voice": 19, "recorded voice": 1},
}
OTHER_KINDS = {
    "instrument": 6,
    "effect": 2,
    "formants": 4,
    "modulated": 3,
    "music": 2,
    "calls": 1,
    "tones": 1,
    "noise": 1,
}
BLOCKS_A_ROUND = 2
"""In the test split every source gives one clip in so many blocks: after whole rounds (80 clips)
all have given the same number, so that a mean over sources is the mean over clips."""
LICENCES = {
    "espeakng-loader": "GPL-3.0-or-later (eSpeak NG; the sounds it makes are not covered by it)",
    "captcha": "BSD-3-Clause",
    "foxdot": "CC-BY-SA-4.0",
    "arcade": "CC0-1.0 (its sounds, by Kenney)",
}


@dataclass(frozen=True)
class Clip:
    """What a clip is going to be."""

    item: str
    label: str
    source: Source
    seconds: float
    snr_db: int | str
    key: tuple[int, ...]
    """of its generator"""


def speech(*, sources: Path, out: Path, seed: int, sizes: dict[str, int]) -> None:
    """Write `train.jsonl`, `dev.jsonl`, `test.jsonl`, `card.json` and `clips/*.wav` to `out`.

    sources: the folder with the pinned packages, as the stage `sources` leaves it
    seed: of every random choice; sizes: clips by split

    Raises InputError for a missing or damaged source, or a group that is in two splits.
    """
    recordings = [*instruments(sources), *effects(sources)]
    human = recorded_voices(sources)
    wheel = archive(sources, "espeakng-loader")
    others = _divide([*recordings, *_generators()], seed)
    voices = _divide(_voices(), seed)
    voices["test"] += human  # the few recordings of people are kept for the test

    rows: dict[str, list[dict]] = {}
    for split in SPLITS:
        clips = list(_plan(split, sizes[split], seed, voices[split], others[split]))
        rows[split] = [
            _write(clip, samples, row, out)
            for clip, (samples, row) in zip(clips, _raw(clips, split, wheel, seed), strict=True)
        ]
    check_groups_apart(rows)
    for split in SPLITS:
        write_jsonl(out / f"{split}.jsonl", rows[split])
    write_json(out / "card.json", _card(rows, sources, seed))


def _voices() -> list[Source]:
    return [Source(f"voice:{v}", "synthetic voice", "espeakng-loader") for v in espeak.VOICES]


def _generators() -> list[Source]:
    return [
        Source(f"{kind}:{number}", kind, "synthetic")
        for kind in sounds.SOUNDS
        for number in range(GENERATORS)
    ]


def _divide(sources: list[Source], seed: int) -> dict[str, list[Source]]:
    """Sources by split, in the same shares of each kind. Alike voices stay together."""
    divided: dict[str, list[Source]] = {split: [] for split in SPLITS}
    for kind in dict.fromkeys(s.kind for s in sources):
        alike: dict[str, list[Source]] = defaultdict(list)
        for source in sources:
            if source.kind == kind:
                name = espeak.family(source.name) if kind == "synthetic voice" else source.name
                alike[name].append(source)
        rng = np.random.default_rng([seed, _number(kind)])
        families = [alike[name] for name in rng.permutation(sorted(alike))]
        total = sum(map(len, families))
        for together in families:
            # to the split that is farthest below its share
            missing = {s: SHARES[s] * total - _of_kind(divided[s], kind) for s in SPLITS}
            divided[max(missing, key=lambda s: missing[s] / SHARES[s])].extend(together)
    divided["test"] = _one_round(divided["test"])
    return divided


def _one_round(sources: list[Source]) -> list[Source]:
    """As many sources of each kind, where there are so many, as a round has clips of it."""
    kept: list[Source] = []
    shares = {**SPEECH_KINDS["test"], **OTHER_KINDS}
    for kind in dict.fromkeys(source.kind for source in sources):
        share = shares[kind]
        of_kind = [source for source in sources if source.kind == kind]
        kept += of_kind[: share * BLOCKS_A_ROUND]
    return kept


def _of_kind(sources: list[Source], kind: str) -> int:
    return sum(s.kind == kind for s in sources)


def _plan(
    split: str, size: int, seed: int, voices: list[Source], others: list[Source]
) -> Iterator[Clip]:
    """The clips of a split in their order: of every two, one is speech."""
    key = (seed, SPLITS.index(split))
    rng = np.random.default_rng([*key, 0])
    streams = {
        "SPEECH": _turns(voices, SPEECH_KINDS[split], np.random.default_rng([*key, 1])),
        "NONSPEECH": _turns(others, OTHER_KINDS, np.random.default_rng([*key, 2])),
    }
    ratios = {
        label: _cycle(SNR_DB, np.random.default_rng([*key, 3 + i]))
        for i, label in enumerate(streams)
    }
    for number in range(size):
        if number % 2 == 0:
            labels = list(rng.permutation(sorted(streams)))
        label = str(labels[number % 2])
        seconds = float(np.exp(rng.uniform(np.log(SHORTEST), np.log(LONGEST))))
        yield Clip(
            item=f"{split}-{number:05d}",
            label=label,
            source=next(streams[label]),
            seconds=round(seconds, 2),
            snr_db=next(ratios[label]),
            key=(*key, 10, number),
        )


def _cycle(values: tuple, rng: np.random.Generator) -> Iterator:
    """Every value once in each round, in an order of the round's own."""
    while True:
        for index in rng.permutation(len(values)):
            yield values[index]


def _turns(
    sources: list[Source], kinds: dict[str, int], rng: np.random.Generator
) -> Iterator[Source]:
    """Kinds in their shares in every block; the sources of a kind in turn."""
    block = tuple(kind for kind, share in kinds.items() for _ in range(share))
    queues = {
        kind: _cycle(tuple(s for s in sources if s.kind == kind), rng.spawn(1)[0]) for kind in kinds
    }
    for kind in _cycle(block, rng):
        yield next(queues[kind])


def _raw(
    clips: list[Clip], split: str, wheel: Path, seed: int
) -> Iterator[tuple[Samples, dict[str, str]]]:
    """For each clip the sound without noise, and what its row says of it."""
    utterances = {
        clip.item: _utterance(clip, split)
        for clip in clips
        if clip.source.kind == "synthetic voice"
    }
    spoken = dict(zip(utterances, espeak.speak(wheel, list(utterances.values())), strict=True))
    for clip in clips:
        rng = np.random.default_rng([*clip.key, 1])
        count = round(clip.seconds * RATE)
        source = clip.source
        if clip.item in spoken:
            said = utterances[clip.item]
            yield (
                _window(spoken[clip.item], count, rng),
                {
                    "voice": said.voice,
                    "language": said.language,
                },
            )
        elif source.kind == "recorded voice":
            name, recording = _choose(source, rng)
            yield _window(recording, count, rng), {"recording": name}
        elif source.files:
            name, recording = _choose(source, rng)
            yield _fill(recording, count, rng), {"recording": name}
        else:
            character = np.random.default_rng([seed, _number(source.name)])
            sound = sounds.SOUNDS[source.kind](character, rng, count + RATE)
            yield _window(sound, count, rng), {}


def _utterance(clip: Clip, split: str) -> espeak.Utterance:
    """Two sentences of the split, in one of its languages; pace and pitch are the clip's own."""
    rng = np.random.default_rng([*clip.key, 0])
    languages = BY_SPLIT[split]
    language = str(rng.choice(sorted(languages)))
    first, second = rng.permutation(len(languages[language]))[:2]
    return espeak.Utterance(
        text=f"{languages[language][first]} {languages[language][second]}",
        language=language,
        voice=clip.source.name.removeprefix("voice:"),
        rate=int(rng.integers(130, 241)),
        pitch=int(rng.integers(25, 80)),
    )


def _choose(source: Source, rng: np.random.Generator) -> tuple[str, Samples]:
    name = str(rng.choice(sorted(source.files)))
    where = f"{source.package}: {name}"
    sound = audio.trim(audio.decode(source.files[name], where))
    if not audio.rms(sound):
        raise InputError(f"{where}: is silent; take it out in src/regen/data/recordings.py")
    return name, sound


def _window(sound: Samples, count: int, rng: np.random.Generator) -> Samples:
    """A piece of a sound, not a pause in it: at least half as loud as the whole.

    A sound shorter than the piece is given as it is.
    """
    if len(sound) <= count:
        return sound
    starts = rng.integers(0, len(sound) - count + 1, 20)
    pieces = [sound[start : start + count] for start in starts]
    enough = [p for p in pieces if audio.rms(p) >= 0.5 * audio.rms(sound)]
    return enough[0] if enough else max(pieces, key=audio.rms)


def _fill(sound: Samples, count: int, rng: np.random.Generator) -> Samples:
    """A piece of `count` samples of a sound played at a speed of the clip's own, and played again,
    in an uneven rhythm at the pace of syllables, where it is too short."""
    sound = audio.resample(sound, 100, int(rng.integers(70, 136)))
    if len(sound) >= count:
        return _window(sound, count, rng)
    period = RATE / rng.uniform(2, 7)
    total = np.zeros(count, dtype=np.float32)
    position = 0
    while position < count:
        piece = sound[: count - position] * np.float32(rng.uniform(0.4, 1))
        total[position : position + len(piece)] += piece
        position += int(max(period, 0.3 * len(sound)) * rng.uniform(0.6, 1.5))
    return total


def _write(clip: Clip, sound: Samples, said: dict[str, str], out: Path) -> dict:
    """Mix, band-limit, level and write a clip; give its row."""
    rng = np.random.default_rng([*clip.key, 2])
    sound = audio.fade(sound)
    if isinstance(clip.snr_db, int):
        sound = audio.mix(sound, sounds.mask(rng, len(sound)), clip.snr_db)
    path = f"clips/{clip.item}.wav"
    audio.write_clip(out / path, audio.level(audio.fade(sounds.channel(sound, rng))))
    return {
        "item": clip.item,
        "group": clip.source.name,
        "label": clip.label,
        "audio": path,
        "seconds": len(sound) / RATE,
        "snr_db": clip.snr_db,
        "kind": clip.source.kind,
        "source": clip.source.package,
        **said,
    }


def _number(name: str) -> int:
    """A seed from a name, the same in every process."""
    return zlib.crc32(name.encode())


def _card(rows: dict[str, list[dict]], folder: Path, seed: int) -> dict:
    """What the data set is made of, for a reader."""
    made = {"package": "synthetic", "file": "src/regen/data/sounds.py", "licence": "made here"}
    return {
        "name": "speech",
        "what": "sounds of 0.2 to 2 s, 16 kHz mono, labelled SPEECH or NONSPEECH",
        "seed": seed,
        "sources": [
            *(
                {"package": package, "file": archive(folder, package).name, "licence": licence}
                for package, licence in LICENCES.items()
            ),
            made,
        ],
        "cleaned": [
            "sounds in which somebody speaks or sings are left out of foxdot: " + ", ".join(VOCAL),
            "silence at both ends is cut off (40 dB below the loudest 10 ms)",
            "pieces of speech are at least half as loud as their utterance, so no pause is one",
            f"every clip has a root mean square of {audio.LEVEL} of full scale",
            "noise, tilt and bandwidth are drawn alike for both classes",
        ],
        "splits": {split: _counts(of) for split, of in rows.items()},
        "groups_apart": check_groups_apart(rows),
    }


def _counts(rows: list[dict]) -> dict:
    """Clips, groups and seconds of a split; of each class, its clips by kind, SNR, source."""
    return {
        "clips": len(rows),
        "groups": len({row["group"] for row in rows}),
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "classes": {
            label: counts(
                [row for row in rows if row["label"] == label],
                ("label", "kind", "snr_db", "source", "language"),
            )
            for label in ("SPEECH", "NONSPEECH")
        },
    }
