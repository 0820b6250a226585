"""Stage `data` of the reply study: what somebody wrote, and what the other one answered.

From chitchat-dataset 0.9.0 (MIT): conversations of two people, typed. A turn is all that one of
them wrote before the other did; an item is a turn, the message, and the next one, the reply.

Speakers, not conversations, are what the splits divide: nobody who speaks in dev or test speaks in
another split, and nobody speaks in two items of dev or test, so that these are independent. The
training split has several pairs of a conversation.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from regen.data.card import check_groups_apart
from regen.data.sources import archive
from regen.data.transcripts import PERSONAL, UNFIT, plain, read_package, short
from regen.errors import InputError
from regen.files import write_json, write_jsonl

OFTEN = 16
"""Who speaks in more conversations than this is kept for the training split: one such speaker in
the test split would take that many conversations out of the others."""
FEWEST_LETTERS = 2

Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A message and its reply; name: of the conversation; speakers: both, hashed."""

    name: str
    speakers: tuple[str, ...]
    message: str
    reply: str


def replies(*, sources: Path, out: Path, seed: int, sizes: dict[str, int], words: int) -> None:
    """Write train.jsonl, dev.jsonl, test.jsonl and card.json to `out`.

    seed: of the splits and their order; sizes: rows by split; words: longest message, and reply

    Raises InputError if there are fewer pairs than are asked for.
    """
    found, left_out = pairs(sources, words)
    divided = divide(found, sizes, np.random.default_rng(seed))
    rows = {split: [_row(split, n, one) for n, one in enumerate(divided[split])] for split in sizes}
    for split, of_split in rows.items():
        write_jsonl(out / f"{split}.jsonl", of_split)
    card = {
        "name": "replies",
        "what": f"messages and replies of at most {words} words each, from typed conversations",
        "seed": seed,
        "sources": [
            {
                "package": "chitchat-dataset",
                "file": archive(sources, "chitchat-dataset").name,
                "licence": "MIT",
            }
        ],
        "cleaned": [
            "pairs with profane or personal words, or other than plain English text, left out",
            "pairs that stand there twice, and replies that repeat their message, left out",
            "identifiers of conversations hashed, those of speakers left out",
        ],
        "left_out": left_out,
        "splits": {split: _counts(of_split) for split, of_split in rows.items()},
        "groups_apart": check_groups_apart(rows),
        "speakers_apart": check_groups_apart(
            {
                split: [{"group": who} for one in of_split for who in one.speakers]
                for split, of_split in divided.items()
            }
        ),
    }
    write_json(out / "card.json", card)


def pairs(sources: Path, words: int) -> tuple[list[Pair], dict[str, int]]:
    """All fit pairs by conversation, in its order; {why left out: how many}."""
    kept: list[Pair] = []
    left_out = {"too long or short": 0, "profane or personal": 0, "not plain": 0, "twice": 0}
    seen: set[tuple[str, str]] = set()
    for identifier, one in sorted(read_package(sources)):
        turns = list(_turns(one["messages"]))
        speakers = tuple(sorted({short(sender) for sender, _ in turns}))
        for (asking, message), (answering, reply) in pairwise(turns):
            if asking == answering or not (_fits(message, words) and _fits(reply, words)):
                left_out["too long or short"] += 1
            elif any(UNFIT.search(text) or PERSONAL.search(text) for text in (message, reply)):
                left_out["profane or personal"] += 1
            elif not (plain(message) and plain(reply)):
                left_out["not plain"] += 1
            elif (key := (message.lower(), reply.lower())) in seen or key[0] == key[1]:
                left_out["twice"] += 1
            else:
                seen.add(key)
                kept.append(Pair(short(identifier), speakers, message, reply))
    return kept, left_out


def _turns(messages: Sequence[Sequence[dict[str, Any]]]) -> Iterator[tuple[str, str]]:
    """Who wrote, and all of it in one line."""
    for turn in messages:
        text = " ".join(" ".join(str(message["text"]).split()) for message in turn).strip()
        if text:
            yield str(turn[0]["sender"]), text


def _fits(text: str, words: int) -> bool:
    return len(text.split()) <= words and sum(map(str.isalpha, text)) >= FEWEST_LETTERS


def divide(
    found: Sequence[Pair], sizes: dict[str, int], rng: np.random.Generator
) -> dict[str, list[Pair]]:
    """Pairs by split: test and dev take a pair a conversation in turns, nobody speaking twice; the
    training split has pairs in whose conversation nobody speaks who is in either, in random order.
    """
    by_name: dict[str, list[Pair]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one)
    often = Counter(speaker for some in by_name.values() for speaker in some[0].speakers)
    divided: dict[str, list[Pair]] = {split: [] for split in sizes}
    taken: set[str] = set()
    conversations = list(by_name.values())
    for n in rng.permutation(len(conversations)):
        open_splits = [s for s in ("test", "dev") if len(divided[s]) < sizes[s]]
        if not open_splits:
            break
        some = conversations[n]
        speakers = set(some[0].speakers)
        if not taken & speakers and all(often[speaker] <= OFTEN for speaker in speakers):
            fullest = min(open_splits, key=lambda s: len(divided[s]) / sizes[s])
            divided[fullest].append(some[int(rng.integers(len(some)))])
            taken |= speakers
    free = [one for one in found if not taken & set(one.speakers)]
    order = rng.permutation(len(free))[: sizes["train"]]
    divided["train"] = [free[i] for i in order]
    for split, of_split in divided.items():
        if len(of_split) < sizes[split]:
            raise InputError(
                f"replies: {sizes[split]} pairs are asked for in {split}, and there are "
                f"{len(of_split)}; lower its size"
            )
    return divided


def _row(split: str, number: int, one: Pair) -> Row:
    return {
        "item": f"{split}-{number:05d}",
        "group": f"conversation-{one.name}",
        "message": one.message,
        "reply": one.reply,
    }


def _counts(rows: Sequence[Row]) -> Row:
    """Rows and conversations of a split, and the mean lengths in words."""
    found: Row = {"rows": len(rows), "groups": len({row["group"] for row in rows})}
    for key in ("message", "reply"):
        lengths = [len(row[key].split()) for row in rows]
        found[f"{key}_words"] = sum(lengths) / len(lengths)
    return found
