"""Self-BLEU-4 of texts of 5 to 15 words: ours against nltk and fast-bleu, as ratios.

    OMP_NUM_THREADS=1 python speed/self_bleu.py [--json FILE] [--texts 200 1000 10000]

nltk compares each text with each other, so that its time grows with the square of their number; it
is asked up to LARGEST texts. Its value is the same, and the script stops if it is not. fast-bleu
(C++, several threads; `pip install fast-bleu`) has a smoothing of its own, so that only its time is
compared. Either is left out if it is not installed.
"""

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path

from regen.diversity import self_bleu, words
from regen.files import Absent, write_json

LARGEST = 1000
"""Texts that nltk is asked about: a minute or so."""
WEIGHTS = (0.25,) * 4


def texts_of(count: int) -> list[str]:
    """Words drawn as words are, the n-th in proportion to 1 / n."""
    draw = random.Random(count)
    vocabulary = [f"w{n}" for n in range(2000)]
    rarity = [1 / (n + 1) for n in range(2000)]
    return [" ".join(draw.choices(vocabulary, rarity, k=draw.randint(5, 15))) for _ in range(count)]


def of_nltk(lists: list[list[str]]) -> float:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smooth = SmoothingFunction(epsilon=0.5).method1
    scores = [
        sentence_bleu(lists[:i] + lists[i + 1 :], one, WEIGHTS, smoothing_function=smooth)
        for i, one in enumerate(lists)
    ]
    return float(sum(scores) / len(scores))


def of_fast_bleu(lists: list[list[str]]) -> float:
    from fast_bleu import SelfBLEU

    scores = SelfBLEU(lists, {"four": WEIGHTS}).get_score()["four"]
    return float(sum(scores) / len(scores))


def timed(function: Callable[[], float]) -> tuple[float, float]:
    """The value, and the seconds of one call."""
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--texts", type=int, nargs="+", default=[200, 1000, 10_000])
    arguments = parser.parse_args()
    found = {}
    for count in arguments.texts:
        texts = texts_of(count)
        lists = [words(text) for text in texts]
        value, ours = timed(lambda texts=texts: self_bleu(texts))
        row: dict[str, float | Absent] = {"ours": ours}
        for name, other in (("nltk", of_nltk), ("fast-bleu", of_fast_bleu)):
            if name == "nltk" and count > LARGEST:
                row[name] = Absent(f"asked up to {LARGEST} texts")
                continue
            try:
                theirs, seconds = timed(lambda lists=lists, other=other: other(lists))
            except ImportError:
                row[name] = Absent(f"{name} is not installed")
                continue
            if name == "nltk" and abs(theirs - value) > 1e-9:
                raise SystemExit(f"{count} texts: nltk has {theirs}, ours is {value}")
            row[name] = seconds
            row[f"{name} / ours"] = seconds / ours
        found[count] = row
        print(f"{count:>6} texts: " + ", ".join(f"{k} {_shown(v)}" for k, v in row.items()))
    if arguments.json:
        write_json(arguments.json, found)


def _shown(value: float | Absent) -> str:
    return str(value) if isinstance(value, Absent) else f"{value:.3g}"


if __name__ == "__main__":
    main()
