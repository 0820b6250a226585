"""Stage `data` of the trait study: transcripts with scores of 1 to 10 and explanations.

Scores are of three kinds, and the card says which is which: a person's, for the whole conversation
(witty, interesting, upbeat); by rule, for the words that are shown (enthusiasm, fillers, formality,
transitions; `trait_rules`); and a language model's, for the same words, in place of the rules' and
for what no rule has (persuasiveness, empathy). The language model explains its own scores. A person
gave no reasons, so explanations of the other kinds are by rule: the side of the scale, and what in
the text speaks of it; for a person's score, how many lines the conversation went on.

Speakers, not conversations, are what the splits divide. In dev and test nobody speaks twice, so
that items are independent; nobody who speaks there speaks in the training split. Of the training
rows a share is made from others by an augmenter that moves one trait to its rarer side; dev and
test are as they were found.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regen.data.card import check_groups_apart
from regen.data.sources import archive
from regen.data.trait_augmenters import Augmenter, augmenter_of
from regen.data.trait_labellers import Labeller, Labels, labeller_of
from regen.data.trait_rules import direction, explain
from regen.data.transcripts import (
    HUMAN,
    Conversation,
    Line,
    components,
    conversations,
    spoken,
    transcript,
)
from regen.endpoint import KEPT
from regen.errors import InputError
from regen.files import write_json, write_jsonl

SPLITS = ("train", "dev", "test")
OFTEN = 8
"""Who speaks in more conversations than this is kept for the training split: one such speaker in
the test split would take that many conversations out of the others."""
TRIES = 20
"""Transcripts that the augmenter may fail on, one after the other, before that is an error."""
SPARE = 0.1
"""Conversations beyond those wanted, as a share, that take the places of what no language model
labels."""

Row = dict[str, Any]


def traits(
    *,
    sources: Path,
    out: Path,
    seed: int,
    sizes: dict[str, int],
    traits: list[str],
    words: int,
    augmented: float,
    labeller: dict[str, Any],
    augmenter: dict[str, Any],
) -> None:
    """Write train.jsonl, dev.jsonl, test.jsonl and card.json to `out`.

    seed: of every random choice; sizes: rows by split, augmented ones included
    traits: which ones a row has scores of
    words: longest opening that is shown; augmented: share of the training rows
    labeller, augmenter: {kind: rule} or {kind: endpoint, ...}; of RULELESS traits, the latter

    What a language model answers is kept in a hidden file until all is made.

    Raises InputError if there are fewer conversations than are asked for.
    """
    kept, left_out = conversations(sources, words)
    made = round(augmented * sizes["train"])
    found = sizes | {"train": sizes["train"] - made}
    spare = SPARE if labeller["kind"] == "endpoint" else 0.0
    divided = _divide(kept, found, spare, seed)
    judge, moves = labeller_of(labeller, out), augmenter_of(augmenter, out)
    ruled = [trait for trait in traits if trait not in HUMAN]
    rows: dict[str, list[Row]] = {}
    unlabelled: dict[str, int] = {}
    for split in SPLITS:
        labelled, unlabelled[split] = _labelled(divided[split], found[split], judge, ruled, split)
        groups = components([one for one, _ in labelled])
        rows[split] = [_row(one, groups, labels, traits) for one, labels in labelled]
    rng = np.random.default_rng([seed, 1])
    rows["train"] += _augment(rows["train"], made, ruled, moves, judge, rng)
    if len(rows["train"]) < sizes["train"]:
        (out / KEPT.format("augmenter")).unlink(missing_ok=True)  # it may be mended
        raise InputError(
            f"traits: {made} augmented rows are asked for, {len(rows['train']) - found['train']} "
            "were made; lower `augmented`, or have another model rewrite and label"
        )
    rows["train"] = [rows["train"][i] for i in rng.permutation(len(rows["train"]))]
    for split in SPLITS:
        for number, row in enumerate(rows[split]):
            row["item"] = f"{split}-{number:05d}"
            del row["lines"]  # the transcript says the same
        write_jsonl(out / f"{split}.jsonl", rows[split])
    card = {
        "name": "traits",
        "what": f"openings of conversations of up to {words} words, with scores from 1 to 10",
        "seed": seed,
        "sources": [
            {
                "package": "chitchat-dataset",
                "file": archive(sources, "chitchat-dataset").name,
                "licence": "MIT",
            }
        ],
        "scores": {trait: _whose(trait, labeller["kind"]) for trait in traits},
        "explanations": f"by {labeller['kind']} for every score; no person gave any",
        "cleaned": [
            "conversations that nobody rated (all three ratings at the form's default) left out",
            "openings with profane or personal words, or other than plain English text, left out",
            "identifiers of conversations and speakers hashed",
        ],
        "left_out": left_out,
        "unlabelled": unlabelled,
        "augmented": {"by": augmenter["kind"], "rows": made, "share": augmented},
        "splits": {split: _counts(rows[split], traits) for split in SPLITS},
        "groups_apart": check_groups_apart(rows),
    }
    write_json(out / "card.json", card)
    for who in ("labeller", "augmenter"):
        (out / KEPT.format(who)).unlink(missing_ok=True)


def _divide(
    kept: Sequence[Conversation], wanted: dict[str, int], spare: float, seed: int
) -> dict[str, list[Conversation]]:
    """Conversations by split, and beyond those wanted a share to spare, as far as there are any.

    Test and dev take turns in a seeded order, nobody speaking twice; the training split has those
    of which no speaker is in either. What is to spare is divided likewise, and changes nothing of
    what is wanted.
    """
    rng = np.random.default_rng([seed, 0])
    order = [kept[i] for i in rng.permutation(len(kept))]
    often = Counter(speaker for one in kept for speaker in one.speakers)
    divided: dict[str, list[Conversation]] = {split: [] for split in SPLITS}
    apart: set[str] = set()
    """who speaks in test or dev"""
    learned: set[str] = set()
    """who speaks in the training split"""
    for sizes in (wanted, {s: size + math.ceil(spare * size) for s, size in wanted.items()}):
        for one in order:
            open_splits = [s for s in ("test", "dev") if len(divided[s]) < sizes[s]]
            if not open_splits:
                break
            rare = all(often[speaker] <= OFTEN for speaker in one.speakers)
            if rare and not (apart | learned) & set(one.speakers):
                fullest = min(open_splits, key=lambda s: len(divided[s]) / sizes[s])
                divided[fullest].append(one)
                apart |= set(one.speakers)
        free = [one for one in order if not apart & set(one.speakers)]
        divided["train"] = free[: sizes["train"]]
        learned = {speaker for one in divided["train"] for speaker in one.speakers}
    for split in ("test", "dev", "train"):
        if len(divided[split]) < wanted[split]:
            raise InputError(
                f"traits: {wanted[split]} conversations are asked for in {split}, and there are "
                f"{len(divided[split])}; lower its size"
            )
    return divided


def _labelled(
    given: Sequence[Conversation], wanted: int, judge: Labeller, traits: Sequence[str], split: str
) -> tuple[list[tuple[Conversation, Labels]], int]:
    """So many conversations with their labels, and how many had none; spare ones take their places.

    Raises InputError if there are not enough with valid labels.
    """
    labelled: list[tuple[Conversation, Labels]] = []
    asked = 0
    while len(labelled) < wanted and asked < len(given):
        some = given[asked : asked + wanted - len(labelled)]
        labels = judge.label([spoken(one.opening) for one in some], traits)
        pairs = zip(some, labels, strict=True)
        labelled += [(one, its) for one, its in pairs if its is not None]
        asked += len(some)
    if len(labelled) < wanted:
        raise InputError(
            f"traits: {wanted} transcripts are asked for in {split}, and {len(labelled)} of "
            f"{asked} have valid labels; lower its size, or have another model label"
        )
    return labelled, asked - len(labelled)


def _row(one: Conversation, groups: dict[str, str], labels: Labels, traits: Sequence[str]) -> Row:
    """labels: the labeller's"""
    labels = dict(labels)
    for trait in set(traits) & set(HUMAN):
        score = one.ratings[trait]
        labels[trait] = {"explanation": explain(score, [f"{one.more} more"]), "score": score}
    return {
        "group": f"speakers-{groups[one.speakers[0]]}",
        "transcript": transcript(one.opening, one.more),
        "lines": [[line.speaker, line.text] for line in one.opening],
        "more": one.more,
        "labels": {trait: labels[trait] for trait in traits},
        "augmented": None,
    }


def _augment(
    rows: Sequence[Row],
    count: int,
    ruled: Sequence[str],
    augmenter: Augmenter,
    judge: Labeller,
    rng: np.random.Generator,
) -> Iterator[Row]:
    """`count` rows, or fewer where that fails, each made from another by moving the trait that is
    most one-sided so far.

    The labeller's labels are given anew, a person's are kept. Each original serves once at most;
    one that the augmenter cannot move is passed over. One that is on the wanted side already waits
    until the others have had their turn, when another side may be wanted.
    """
    sides = {
        trait: Counter(direction(row["labels"][trait]["score"]) for row in rows) for trait in ruled
    }
    unused = [rows[i] for i in rng.permutation(len(rows))]
    waiting: list[Row] = []
    made = failed = made_before = 0
    while made < count:
        if not unused and made > made_before:
            unused, waiting, made_before = waiting[::-1], [], made
        if not unused or not ruled or failed == TRIES:
            return
        trait = min(ruled, key=lambda t: min(sides[t]["low"], sides[t]["high"]))
        side = "low" if sides[trait]["low"] < sides[trait]["high"] else "high"
        source = unused.pop()
        if direction(source["labels"][trait]["score"]) == side:
            waiting.append(source)
            continue
        opening = tuple(Line(*line) for line in source["lines"])
        changed = augmenter.move(opening, trait, side, rng)
        labels = None if changed is None else judge.label([spoken(changed)], ruled)[0]
        if changed is None or labels is None or direction(labels[trait]["score"]) != side:
            failed += 1
            continue
        made, failed = made + 1, 0
        for one in ruled:
            sides[one][direction(labels[one]["score"])] += 1
        yield {
            **source,
            "transcript": transcript(changed, source["more"]),
            "lines": [[line.speaker, line.text] for line in changed],
            "labels": source["labels"] | labels,
            "augmented": {"trait": trait, "to": side},
        }


def _whose(trait: str, labeller: str) -> str:
    if trait in HUMAN:
        return "a person's, for the whole conversation"
    return "by rule, for the lines shown" if labeller == "rule" else "a language model's"


def _counts(rows: Sequence[Row], traits: Sequence[str]) -> Row:
    """Rows, groups and augmented ones of a split; of each trait its mean, sides and scores."""
    found: Row = {
        "rows": len(rows),
        "groups": len({row["group"] for row in rows}),
        "augmented": sum(row["augmented"] is not None for row in rows),
        "classes": {},
    }
    for trait in traits:
        scores = [row["labels"][trait]["score"] for row in rows]
        found["classes"][trait] = {
            "mean": float(np.mean(scores)),
            "sides": dict(Counter(map(direction, scores))),
            "scores": dict(Counter(map(str, scores))),
        }
    return found
