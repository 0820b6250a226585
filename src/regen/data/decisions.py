"""Stage `data` for decisions: PubMedQA's own questions with its experts' answers, yes, no or maybe.

They ask whether a model that learned to answer from abstracts decides any better. Abstracts that
another data set trains on are left out. An excerpt is the last sentences of an abstract, where the
findings stand; the abstract's conclusion is not in it.

A row: `item`, `group` (the passage), `question`, `context`, `answer`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from regen.data.card import check_groups_apart, counts
from regen.data.passages import sections, sentences
from regen.data.pubmedqa import LABELLED, origin, passages
from regen.errors import InputError
from regen.files import read_jsonl, write_json, write_jsonl

SPLITS = ("train", "dev", "test")
ANSWERS = ("yes", "no", "maybe")


def decisions(
    *, sources: Path, out: Path, seed: int, sizes: dict[str, int], words: int, apart_from: Path
) -> None:
    """Write `train.jsonl`, `dev.jsonl`, `test.jsonl` and `card.json` to `out`.

    sources: the folder with the pinned packages, as the stage `sources` leaves it
    seed: of which split a passage is in; sizes: items by split; words: longest excerpt
    apart_from: the train split of another data set, of whose groups none is used

    Raises InputError for a missing or damaged source, and for sizes that the passages do not
    suffice for.
    """
    taken = {row["group"] for row in read_jsonl(apart_from)}
    rows = []
    for name, found in passages(sources, (LABELLED,)):
        context = ending(found["passage"], words)
        if name in taken or not context or found["answer"] not in ANSWERS:
            continue
        question = f"{found['question'][:1].upper()}{found['question'][1:]}"
        row = {"item": name, "group": name, "question": question}
        rows.append(row | {"context": context, "answer": found["answer"]})
    if len(rows) < sum(sizes.values()):
        raise InputError(
            f"data set decisions: there are {len(rows)} passages, {sum(sizes.values())} are asked "
            "for; lower its sizes"
        )
    order = iter(np.random.default_rng(seed).permutation(len(rows)))
    made = {split: [rows[next(order)] for _ in range(sizes[split])] for split in SPLITS}
    for split in SPLITS:
        write_jsonl(out / f"{split}.jsonl", made[split])
    write_json(out / "card.json", _card(made, sources, seed, words))


def ending(passage: str, words: int) -> str:
    """The last whole sentences of a passage, in at most so many words; may be none."""
    kept: list[str] = []
    together = [sentence for section in sections(passage) for sentence in sentences(section)]
    for sentence in reversed(together):
        words -= len(sentence.split())
        if words < 0:
            break
        kept.append(sentence)
    return " ".join(reversed(kept))


def _card(
    made: Mapping[str, list[dict[str, str]]], folder: Path, seed: int, words: int
) -> dict[str, object]:
    """What the data set is made of, for a reader."""
    return {
        "name": "decisions",
        "what": "questions about medical abstracts, answered by experts with yes, no or maybe",
        "seed": seed,
        "longest_context_words": words,
        "sources": origin(folder),
        "cleaned": [
            "abstracts that the other data set trains on are left out",
            "excerpts are the last whole sentences of the abstract without its conclusion",
        ],
        "splits": {s: {"items": len(rows), **counts(rows, ["answer"])} for s, rows in made.items()},
        "groups_apart": check_groups_apart(made),
    }
