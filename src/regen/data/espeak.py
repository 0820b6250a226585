"""Speech from eSpeak NG's shared library, as the wheel `espeakng-loader` holds it.

The library is loaded in a process of its own (`python -m regen.data.espeak`), which is never the
one that trains or writes results; and each sentence is spoken in a fork of that process, so that
every one starts from the same state and does not depend on what was said before.
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from regen.data.audio import RATE, Samples, resample, trim
from regen.errors import InputError

# Variants of the library's voices (files of espeak-ng-data/voices/!v) that say the same bytes in
# every process, found by saying a sentence in each of four languages in five processes. The other
# nine (Alicia, Demonic, f2, f3, f5, sandro, victor, whisper, whisperf) add breath noise, seeded
# with the clock's seconds.
VOICES = (
    *("Alex", "Andrea", "Andy", "Annie", "AnxiousAndy", "Denis", "Diogo", "Gene", "Gene2"),
    *("Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael", "Mike", "Mr serious"),
    *("Nguyen", "Reed", "RicishayMax", "RicishayMax2", "RicishayMax3", "Storm", "Tweaky"),
    *("UniRobot", "adam", "anika", "anikaRobot", "announcer", "antonio", "aunty", "belinda"),
    *("benjamin", "boris", "caleb", "croak", "david", "ed", "edward", "edward2", "f1", "f4"),
    *("fast", "grandma", "grandpa", "gustave", "ian", "iven", "iven2", "iven3", "iven4", "john"),
    *("kaukovalta", "klatt", "klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "linda", "m1"),
    *("m2", "m3", "m4", "m5", "m6", "m7", "m8", "marcelo", "max", "michel", "miguel", "mike2"),
    *("norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert", "robosoft", "robosoft2"),
    *("robosoft3", "robosoft4", "robosoft5", "robosoft6", "robosoft7", "robosoft8", "shelby"),
    *("steph", "steph2", "steph3", "travis", "zac"),
)


@dataclass(frozen=True)
class Utterance:
    """What is said and how: `voice` of VOICES; rate in words a minute; pitch from 0 to 99."""

    text: str
    language: str
    voice: str
    rate: int = 175
    pitch: int = 50


def family(voice: str) -> str:
    """Voices that differ by a number only are alike (iven, iven2); but f and m are series."""
    stem = voice.rstrip("0123456789")
    return voice if stem in ("f", "m") else stem


def speak(wheel: Path, utterances: Sequence[Utterance]) -> list[Samples]:
    """Each utterance as samples at 16 kHz, without the silence at its ends.

    Raises InputError if the wheel holds no library for this machine, or it refuses a voice.
    """
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as file:
            wanted = [n for n in file.namelist() if n.startswith("espeakng_loader/")]
            file.extractall(folder, wanted)
        request = {"folder": folder, "utterances": [asdict(u) for u in utterances]}
        done = subprocess.run(
            [sys.executable, "-m", "regen.data.espeak"],
            input=json.dumps(request),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
            raise InputError(f"{wheel.name}: cannot speak ({lines[-1]})")
        rate = int(done.stdout)
        return [_read(Path(folder, f"{i}.pcm"), rate) for i in range(len(utterances))]


def _read(path: Path, rate: int) -> Samples:
    samples = np.frombuffer(path.read_bytes(), dtype=np.int16).astype(np.float32) / 32768
    return trim(resample(samples, rate, RATE))


# What follows runs in the other process. Numbers are those of espeak-ng/speak_lib.h (1.52).
SYNCHRONOUS = 2
UTF8 = 1
PARAMETERS = {"rate": 1, "pitch": 3}
CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def main() -> None:
    """Say what the request on stdin asks for, into <folder>/<number>.pcm; print the rate."""
    request = json.load(sys.stdin)
    package = Path(request["folder"], "espeakng_loader")
    name = "libespeak-ng.dylib" if sys.platform == "darwin" else "libespeak-ng.so"
    library = ctypes.CDLL(str(package / name))
    data = str(package / "espeak-ng-data").encode()
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, data, 1)
    if rate <= 0:
        sys.exit(f"the library does not start: {rate}")
    for number, utterance in enumerate(request["utterances"]):
        target = Path(request["folder"], f"{number}.pcm")
        child = os.fork()
        if child == 0:
            _say_and_exit(library, target, **utterance)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            sys.exit(f"voice {utterance['language']}+{utterance['voice']} failed or is not there")
    print(rate)


def _say_and_exit(
    library: ctypes.CDLL, target: Path, text: str, language: str, voice: str, rate: int, pitch: int
) -> None:
    """In the fork. Every return code is checked, since a bad language leaves the old one in place;
    a bad variant has the return code of a good one, so its file is looked for."""
    sound = bytearray()

    @CALLBACK
    def collect(samples: ctypes._Pointer, count: int, events: int) -> int:
        if samples and count > 0:
            sound.extend(ctypes.string_at(samples, 2 * count))
        return 0

    library.espeak_SetSynthCallback(collect)
    content = text.encode()
    bad = (
        not Path(target.parent, "espeakng_loader/espeak-ng-data/voices/!v", voice).is_file()
        or library.espeak_SetVoiceByName(f"{language}+{voice}".encode())
        or library.espeak_SetParameter(PARAMETERS["rate"], rate, 0)
        or library.espeak_SetParameter(PARAMETERS["pitch"], pitch, 0)
        or library.espeak_Synth(content, len(content) + 1, 0, 1, 0, UTF8, None, None)
        or library.espeak_Synchronize()
        or not sound
    )
    if not bad:
        target.write_bytes(sound)
    os._exit(1 if bad else 0)


if __name__ == "__main__":
    main()
