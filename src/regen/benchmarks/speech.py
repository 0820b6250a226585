"""Speech or not: what does a short clip hold? Two options, A and B, scored from the logits."""

import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from regen.benchmarks.base import AnswerError, BaseBenchmark, Item, Prompt, Trivial
from regen.benchmarks.phrasing import Phrasing, family
from regen.data.audio import RATE, read_clip
from regen.errors import InputError

SPEECH, NONSPEECH = "SPEECH", "NONSPEECH"
LETTERS = {SPEECH: "A", NONSPEECH: "B"}
SWAPPED = {SPEECH: "B", NONSPEECH: "A"}
LENGTHS = {"0.2-0.5": 0.5, "0.5-1": 1.0, "1-2": float("inf")}
"""Levels of the facet `seconds`: the name, and what a clip must be shorter than."""
LONG = 0.8
"""Seconds from which a question about length has the answer "long"."""


class Majority(Trivial):
    """The more frequent class of the training items, for every item; SPEECH if they are equal."""

    def fit(self, items: Sequence[Item]) -> None:
        count = Counter(item.target for item in items)
        self.answer = SPEECH if count[SPEECH] >= count[NONSPEECH] else NONSPEECH

    def predict(self, items: Sequence[Item]) -> list[str]:
        return [self.answer] * len(items)


class Energy(Trivial):
    """A threshold on how much the level varies, since every clip has the same level overall.

    The statistic is the standard deviation, over frames of 25 ms, of the level in dB: high for
    sounds with onsets and gaps, low for steady ones. Threshold and direction are those that are
    right most often on the training items (the lowest threshold of the best).
    """

    def fit(self, items: Sequence[Item]) -> None:
        values = np.array([level_variation(item.inputs["audio"]) for item in items])
        is_speech = np.array([item.target == SPEECH for item in items])
        best = -1.0
        for threshold in np.unique(values):
            right = float(((values >= threshold) == is_speech).mean())
            for above, accuracy in ((SPEECH, right), (NONSPEECH, 1 - right)):
                if accuracy > best:
                    best, self.threshold, self.above = accuracy, float(threshold), above

    def predict(self, items: Sequence[Item]) -> list[str]:
        below = NONSPEECH if self.above == SPEECH else SPEECH
        return [
            self.above if level_variation(item.inputs["audio"]) >= self.threshold else below
            for item in items
        ]


def level_variation(path: Path) -> float:
    """Standard deviation of the level of 25 ms frames in dB, silence counting as -60 dB."""
    samples = read_clip(path)
    frame = RATE // 40
    frames = samples[: max(len(samples) // frame, 1) * frame]
    power = np.square(frames.reshape(-1, min(frame, len(frames)))).mean(axis=1)
    return float((10 * np.log10(power + 1e-6)).std())


def _finite(value: Any) -> float:
    """A number, perhaps from its text. Raises TypeError or ValueError for what is none."""
    number = float(value) if isinstance(value, str) else value
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number


class Speech(BaseBenchmark):
    """Targets and predictions are SPEECH and NONSPEECH; what a model answers is A or B.

    In every prompt A is speech: the options' logits mean the same whatever the prompt.
    """

    name = "speech"
    builders = ("speech",)
    options = ("A", "B")
    prompts: ClassVar[Mapping[str, str]] = {
        "baseline": "Does this audio contain speech?\nA. speech\nB. no speech\nAnswer A or B.",
        "direct": "A. speech\nB. not speech\nAnswer:",
        "definition": (
            "Speech is somebody saying words, in any language, clearly or in noise. Music, noise, "
            "effects and humming are not speech.\nA. speech\nB. no speech\nAnswer A or B."
        ),
        "listener": (
            "You are an expert listener. Listen to the whole clip before you decide. What do you "
            "hear?\nA. a voice that speaks\nB. another sound\nAnswer A or B."
        ),
        "noise": (
            "The clip may be short and noisy. Is somebody speaking behind the noise?\n"
            "A. yes, speech\nB. no, another sound\nAnswer A or B."
        ),
        "uncertain": (
            "Is this speech? If you cannot tell, choose what is more likely.\n"
            "A. speech\nB. no speech\nAnswer with one letter."
        ),
    }
    facets = ("seconds", "snr_db", "kind")
    trivial: ClassVar[Mapping[str, type[Trivial]]] = {"majority": Majority, "energy": Energy}

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        try:
            name, group, label = str(row["item"]), str(row["group"]), row["label"]
            audio, kind = str(row["audio"]), str(row["kind"])
            seconds, ratio = _finite(row["seconds"]), row["snr_db"]
            ratio = ratio if ratio == "clean" else _finite(ratio)
            path = (folder / audio).resolve()
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            where = f"{folder}: item {row.get('item', '(unnamed)')!r}"
            reason = (
                f"lacks {error}" if isinstance(error, KeyError) else f"has a bad field ({error})"
            )
            raise InputError(f"{where}: {reason}; rebuild the data") from None
        if label not in (SPEECH, NONSPEECH):
            raise InputError(f"{folder}: item {name!r}: label {label!r} is not SPEECH or NONSPEECH")
        if not path.is_relative_to(folder.resolve()):
            raise InputError(f"{folder}: item {name!r}: its clip {audio} lies outside the data set")
        if not os.path.isfile(path):  # unlike Path.is_file, false for a name that is too long
            raise InputError(f"{path}: the clip of item {name!r} is missing; rebuild the data")
        quiet = ratio == "clean" or ratio >= 5
        return Item(
            item=name,
            group=group,
            target=label,
            inputs={
                "audio": path,
                "clear speech": SPEECH if label == SPEECH and quiet else NONSPEECH,
                "length": "long" if seconds >= LONG else "short",
                "noise": "clear" if quiet else "noisy",
            },
            facets={
                "seconds": next(n for n, limit in LENGTHS.items() if seconds < limit),
                "snr_db": ratio,
                "kind": kind,
            },
        )

    def prompt(self, item: Item, template: str) -> Prompt:
        return Prompt(text=template, audio=(item.inputs["audio"],))

    def completion(self, item: Item) -> str:
        return LETTERS[item.target]

    def extract_answer(self, output: str) -> str:
        """SPEECH or NONSPEECH from a letter, with or without its option's text, or from the word.

        >>> [Speech().extract_answer(o) for o in ("A", "b.", "(A) speech", "non-speech")]
        ['SPEECH', 'NONSPEECH', 'SPEECH', 'NONSPEECH']
        """
        text = super().extract_answer(output)
        letter = re.match(r"\W*([ABab])(\W|$)", text)
        if letter:
            return SPEECH if letter[1].upper() == "A" else NONSPEECH
        word = re.match(r"\W*(non|no|not)?[\s-]*speech\b", text, re.IGNORECASE)
        if word:
            return NONSPEECH if word[1] else SPEECH
        raise AnswerError("neither A nor B")

    def phrasings(self) -> list[Phrasing]:
        """Questions for pretraining a small base; the prompts above are among the held-out ones."""
        return PHRASINGS


def _words(speech: str, other: str) -> dict[str, str]:
    return {SPEECH: speech, NONSPEECH: other}


def _choices(questions: Sequence[str], first: str, second: str, last: str) -> list[str]:
    return [f"{question}\n{first}\n{second}\n{last}" for question in questions]


# As descriptions of sounds do, most questions of the pretraining count speech that is heard well;
# only those for the label count it whatever the noise. What an adapter has to learn for this
# benchmark is that speech behind noise is speech.
PHRASINGS: list[Phrasing] = [
    # Letters, speech first: what the benchmark's prompts are like, in other words.
    *family(
        "letters",
        [
            "What is this?\nA. speech\nB. no speech\nAnswer A or B.",
            "What do you hear?\nA. speech\nB. no speech\nAnswer:",
            "Is there speech in this clip?\nA. speech\nB. no speech\nAnswer A or B.",
            "Choose what this audio is.\nA. speech\nB. not speech\nAnswer with one letter.",
            "Which one is it?\nA. a voice\nB. another sound\nAnswer A or B.",
            "Does somebody speak here?\nA. yes\nB. no\nAnswer A or B.",
            "Listen to the clip.\nA. yes, speech\nB. no, another sound\nAnswer:",
            "Do you hear words?\nA. words\nB. no words\nAnswer A or B.",
            "A. somebody speaks\nB. nobody speaks\nAnswer A or B.",
        ],
        LETTERS,
        about="clear speech",
    ),
    # Letters, speech second: the same texts, so that the order of the options must be read.
    *family(
        "letters swapped",
        [
            "What is this?\nA. no speech\nB. speech\nAnswer A or B.",
            "What do you hear?\nA. no speech\nB. speech\nAnswer:",
            "Is there speech in this clip?\nA. no speech\nB. speech\nAnswer A or B.",
            "Choose what this audio is.\nA. not speech\nB. speech\nAnswer with one letter.",
            "Which one is it?\nA. another sound\nB. a voice\nAnswer A or B.",
            "Does somebody speak here?\nA. no\nB. yes\nAnswer A or B.",
            "Listen to the clip.\nA. no, another sound\nB. yes, speech\nAnswer:",
            "Do you hear words?\nA. no words\nB. words\nAnswer A or B.",
            "A. nobody speaks\nB. somebody speaks\nAnswer A or B.",
        ],
        SWAPPED,
        about="clear speech",
    ),
    *family(
        "labels",
        [
            "Label the clip SPEECH or NONSPEECH.",
            "SPEECH or NONSPEECH?",
            "Is this audio SPEECH or NONSPEECH?",
            "Listen, then answer SPEECH or NONSPEECH.",
            "Class of the clip (SPEECH, NONSPEECH):",
        ],
        _words("SPEECH", "NONSPEECH"),
    ),
    *family(
        "yes or no",
        [
            "Does this audio contain speech? Answer yes or no.",
            "Is somebody speaking? Answer yes or no.",
            "Is this speech? Yes or no?",
            "Do you hear a voice that says words? Answer yes or no.",
            "Can words be heard in the clip? Answer yes or no.",
            "Is there a voice behind the noise? Answer yes or no.",
        ],
        _words("yes", "no"),
        about="clear speech",
    ),
    *family(
        "yes or no, negated",
        [
            "Is this audio free of speech? Answer yes or no.",
            "Is this something other than speech? Answer yes or no.",
            "Is the clip without any words? Answer yes or no.",
            "Is nobody speaking? Answer yes or no.",
        ],
        _words("no", "yes"),
        about="clear speech",
    ),
    *family(
        "plain words",
        [
            "Is this a voice or a sound?",
            "Answer voice or sound.",
            "What do you hear, a voice or a sound?",
            "One word, voice or sound:",
        ],
        _words("voice", "sound"),
        about="clear speech",
    ),
    *family(
        "numbers",
        [
            "1 for speech, 2 for no speech.",
            "What is this?\n1. speech\n2. no speech\nAnswer 1 or 2.",
            "Does somebody speak?\n1. yes\n2. no\nAnswer 1 or 2.",
        ],
        _words("1", "2"),
        about="clear speech",
    ),
    *family(
        "numbers swapped",
        [
            "1 for no speech, 2 for speech.",
            "What is this?\n1. no speech\n2. speech\nAnswer 1 or 2.",
            "Does somebody speak?\n1. no\n2. yes\nAnswer 1 or 2.",
        ],
        _words("2", "1"),
        about="clear speech",
    ),
    *family(
        "statements",
        ["True or false: somebody speaks.", "This is speech. True or false?"],
        _words("true", "false"),
        about="clear speech",
    ),
    *family(
        "statements, negated",
        ["True or false: nobody speaks.", "This is not speech. True or false?"],
        _words("false", "true"),
        about="clear speech",
    ),
    # Other questions, so that which one is asked must be read as well.
    *family(
        "length",
        ["Is this clip long or short?", "Length of the audio, long or short:"],
        {"long": "long", "short": "short"},
        about="length",
        aside=True,
    ),
    *family(
        "length, letters",
        ["How long is the clip?\nA. long\nB. short\nAnswer A or B."],
        {"long": "A", "short": "B"},
        about="length",
        aside=True,
    ),
    *family(
        "length, letters swapped",
        ["How long is the clip?\nA. short\nB. long\nAnswer A or B."],
        {"long": "B", "short": "A"},
        about="length",
        aside=True,
    ),
    *family(
        "noise",
        ["Is this recording noisy or clear?", "Quality of the audio, noisy or clear:"],
        {"noisy": "noisy", "clear": "clear"},
        about="noise",
        aside=True,
    ),
    *family(
        "noise, letters",
        ["How much noise is there?\nA. noisy\nB. clear\nAnswer A or B."],
        {"noisy": "A", "clear": "B"},
        about="noise",
        aside=True,
    ),
    # Held out: never pretrained on.
    *family("the benchmark's prompts", list(Speech.prompts.values()), LETTERS, held_out=True),
    *family(
        "other letters",
        _choices(["What is this?", "What do you hear?"], "C. speech", "D. no speech", "Answer:"),
        _words("C", "D"),
        held_out=True,
    ),
    *family(
        "other words",
        ["Is a human talking? Answer talk or quiet.", "talk or quiet?"],
        _words("talk", "quiet"),
        held_out=True,
    ),
]
