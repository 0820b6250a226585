"""Stage `data` for qa: questions about medical abstracts, answered by a sentence of the text.

The passages are those of PubMedQA (Jin et al. 2019, arXiv 1909.06146), whose own answers are yes,
no and maybe. Here each gives one question of one of four kinds, made by rule from the passage's own
question ("does X affect Y?"), and a short excerpt. The expected answer is the one sentence of the
excerpt that the kind's rule finds, or ABSTENTION where the rule finds none. Of every kind there are
both; of the questions for a detail three have no rule, and are never answered (DETAILS).

A row: `item`, `group` (the passage), `kind`, `question`, `context`, `answer`, `answerable`.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from regen.data.card import check_groups_apart
from regen.data.passages import Topic, sections, sentences, topic_of, whole
from regen.data.pubmedqa import ARTIFICIAL, LABELLED, origin, passages
from regen.errors import InputError
from regen.files import write_json, write_jsonl
from regen.texts import ABSTENTION, keywords

SPLITS = ("train", "dev", "test")
FEWEST, MOST = 3, 6
"""Sentences of an excerpt."""
SHORTEST, LONGEST = 6, 40
"""Words of an answer."""

QUESTIONS = {
    "aim": "What does the study of {x} aim to find out about {y}?",
    "motive": "What motivates the study of {x} for {y}?",
    "outcome": "What concrete outcome is reported for {x}?",
}
AIM = (
    r"^To (?:\w+ly )?(?:determine|evaluate|assess|investigate|examine|compare|study|explore"
    r"|test|describe|identify|analy[sz]e|clarify|quantify|ascertain|report|establish|define"
    r"|characteri[sz]e|review|elucidate|develop|measure|find out)\b"
    r"|\b(?:aims?|aimed|objectives?|purposes?|goals?|sought to|set out to|hypothesi[sz]ed?"
    r"|wanted to|intended to|was (?:designed|conducted|performed|undertaken) to)\b"
    r"|\b(?:we|study|paper|report|work) (?:therefore |thus |also |here )*"
    r"(?:investigated?s?|examine[sd]?|evaluate[sd]?|assess(?:ed|es)?|explore[sd]?"
    r"|studied|asked|address(?:ed|es)?)\b"
)
MOTIVE = (
    r"\b(?:unclear|unknown|controversial|controversy|debated?|poorly|little is known|lack of"
    r"|few (?:studies|data|reports)|scarce|limited (?:data|evidence|information|knowledge)"
    r"|not (?:yet |fully |well |completely |been |clearly )*(?:known|understood|established"
    r"|clear|investigated|elucidated|studied|examined|determined|explored|defined|clarified)"
    r"|remains? (?:a |an |to |un|the |in|high|diff|one|elusive)|need(?:s|ed)? (?:to|for)|burden"
    r"|challeng(?:e|es|ing)|concerns?|uncertain|conflicting|inconsistent|contradictory"
    r"|(?:previous|recent|several|some) (?:studies|reports|work|evidence)"
    r"|ha(?:s|ve) been (?:suggested|proposed|shown|reported|implicated|associated)"
    r"|(?:plays?|role) (?:an? )?(?:important|key|critical|crucial|major|central)"
    r"|(?:important|leading|major|common|frequent|serious) (?:cause|problem|complication|risk))"
)
OUTCOME = (
    r"\b(?:significant(?:ly)?|increased|decreased|reduced|improved|higher|lower|greater|fewer"
    r"|(?:was|were) (?:\w+ )?(?:associated|correlated|related|similar|detected|found|observed)"
    r"|inhibited|enhanced|attenuated|prevented|differed?|no difference|compared with|versus"
    r"|showed|revealed|resulted in)\b|\bp ?[<=>≤≥]|\d ?%"
)
COUNTED = (
    r"(?:patients|women|men|children|subjects|participants|infants|cases|individuals|adults|rats"
    r"|mice|persons|people|students|volunteers|residents|respondents|pregnancies|eyes|controls)"
)


@dataclass(frozen=True)
class Rule:
    """tells: what the one sentence that answers has; may: what no sentence has where none does.

    `may` is the wider of the two.
    """

    tells: re.Pattern[str] | None
    may: re.Pattern[str]


def _rule(tells: str | None, wider: str) -> Rule:
    flags = re.IGNORECASE
    may = re.compile(wider if tells is None else f"{tells}|{wider}", flags)
    return Rule(None if tells is None else re.compile(tells, flags), may)


RULES = {
    "aim": _rule(AIM, r"^To\b|\b(?:in order to|understand|whether|analy[sz]ed?)\b"),
    "motive": _rule(MOTIVE, r"\b(?:however|although|despite|fail(?:s|ed)?|problems?|important)\b"),
    "outcome": _rule(
        OUTCOME, r"\b(?:improv|increas|decreas|reduc|associat|correlat|effect|more|less)"
    ),
}
DETAILS = {
    "How many people or animals were studied?": _rule(
        r"^(?=.*\b(?:total|sample|included?|enrol\w+|recruit\w+|studied|underwent|participa\w+"
        r"|consecutive|composed|consist\w+|divided|randomi[sz]ed|cohort of|group of|data are)\b)"
        r".*\b(?:\d+(?:,\d{3})*|hundred|thousand)"
        rf"(?: (?!for|in|of|with|cm)[\w-]+){{0,3}} {COUNTED}\b",
        rf"\b\d+ |\bn ?=|{COUNTED}|\b(?:two|three|four|five|six|seven|eight|nine|ten|\w+teen"
        r"|\w+ty|hundred|thousand)\b",
    ),
    "How old were the participants?": _rule(
        r"\b(?:aged?|ages)\b[^.;]{0,30}\d|\d[ -](?:years?|months?|weeks?)[ -](?:old|of age)",
        r"\b(?:aged?|ages|old|older|younger|elderly|year-olds?)\b",
    ),
    "How long was the follow-up?": _rule(
        r"\bfollow(?:ed)?[- ]?up\b[^.;]{0,40}\d+ (?:years?|months?|weeks?|days)"
        r"|\d+[- ](?:year|month|week|day)s? (?:of )?follow|followed (?:up )?for\b",
        r"\bfollow\w*|\b(?:years?|months?|weeks?|days)\b",
    ),
    "Which statistical model or test was used?": _rule(
        r"\b(?:regression|t[- ]tests?|chi-squared?|ANOVA|analysis of (?:co)?variance"
        r"|Kaplan|Wilcoxon|Mann-Whitney|Fisher'?s|log-rank|proportional hazards?)\b",
        r"\b(?:multivaria\w+|univaria\w+|statistic\w*|likelihood|models?|tests?|tested|analy\w+"
        r"|hazards?|odds|OR|HR|CI|p)\b",
    ),
    "What train/validation/test split ratio was used?": _rule(
        None, r"\b(?:train\w*|validat\w+|split|cross-validation|hold-?out)\b"
    ),
    "Who paid for the study?": _rule(
        None, r"\b(?:fund\w*|grant\w*|sponsor\w*|supported by|paid)\b"
    ),
    "Which software was used?": _rule(
        None, r"\b(?:software|program(?:me)?s?|package|SPSS|SAS|Stata|computer\w*)\b"
    ),
}
"""Questions about a detail. Some of these abstracts tell those that have a rule for it."""
# (kind, answerable) of twenty items in a row: each kind as often, three of ten without an answer.
BLOCK = (
    *[("aim", True), ("motive", True), ("outcome", True)] * 4,
    *[("aim", False), ("motive", False), ("outcome", False)],
    *[("detail", True)] * 2,
    *[("detail", False)] * 3,
)
Row = dict[str, str | bool]


@dataclass(frozen=True)
class Passage:
    """An abstract in sentences, with the number of the section that each stands in."""

    name: str
    topic: Topic
    sentences: tuple[str, ...]
    sections: tuple[int, ...]


def qa(*, sources: Path, out: Path, seed: int, sizes: dict[str, int], words: int) -> None:
    """Write `train.jsonl`, `dev.jsonl`, `test.jsonl` and `card.json` to `out`.

    sources: the folder with the pinned packages, as the stage `sources` leaves it
    seed: of which passage gets which question, and which excerpt; sizes: items by split
    words: longest excerpt

    Every passage gives at most one item. Raises InputError for a missing or damaged source, and
    for sizes that the passages do not suffice for.
    """
    found, refused = read_passages(sources)
    order = np.random.default_rng(seed).permutation(len(found))
    left = [found[number] for number in order]
    made: dict[str, list[Row]] = {}
    for number, split in enumerate(SPLITS):
        made[split] = []
        plan = _plan(np.random.default_rng([seed, number]))
        for kind, answerable in islice(plan, sizes[split]):
            row = _take(left, kind, answerable, words, seed)
            if row is None:
                raise InputError(
                    f"data set qa: the passages suffice for {len(made[split])} items of {split}, "
                    f"{sizes[split]} are asked for; lower its sizes"
                )
            made[split].append(row)
    check_groups_apart(made)
    for split in SPLITS:
        write_jsonl(out / f"{split}.jsonl", made[split])
    write_json(out / "card.json", _card(made, sources, seed, words, len(found), refused))


def _plan(rng: np.random.Generator) -> Iterator[tuple[str, bool]]:
    """Kinds and whether there is an answer, BLOCK by BLOCK, in an order of each block's own."""
    while True:
        for number in rng.permutation(len(BLOCK)):
            yield BLOCK[number]


def read_passages(sources: Path) -> tuple[list[Passage], dict[str, int]]:
    """The passages that questions can be made from; how many were refused, by reason."""
    found: list[Passage] = []
    refused: Counter[str] = Counter()
    texts: set[str] = set()
    for name, row in passages(sources, (LABELLED, ARTIFICIAL)):
        topic = topic_of(row["question"])
        parts = [list(sentences(section)) for section in sections(row["passage"])]
        together = tuple(sentence for part in parts for sentence in part)
        if topic is None:
            refused["its question is of another form"] += 1
        elif row["passage"] in texts:
            refused["it was there before"] += 1
        elif len(together) <= FEWEST:
            refused["it has too few sentences"] += 1
        else:
            texts.add(row["passage"])
            numbers = tuple(number for number, part in enumerate(parts) for _ in part)
            found.append(Passage(name, topic, together, numbers))
    return found, dict(refused)


def _take(left: list[Passage], kind: str, answerable: bool, words: int, seed: int) -> Row | None:
    """The first passage that gives such an item, taken out of `left`; None if there is none."""
    for passage in left:
        rng = np.random.default_rng([seed, zlib.crc32(passage.name.encode())])
        row = _ask(passage, kind, answerable, words, rng)
        if row is not None:
            left.remove(passage)
            return row
    return None


def _ask(
    passage: Passage, kind: str, answerable: bool, words: int, rng: np.random.Generator
) -> Row | None:
    """An item of this kind; None if the passage has none."""
    asked = DETAILS
    if kind != "detail":
        asked = {QUESTIONS[kind].format(x=passage.topic.x, y=passage.topic.y): RULES[kind]}
    for number in rng.permutation(len(asked)):
        question, rule = list(asked.items())[number]
        windows = _windows(passage, kind, rule, answerable, words)
        if windows:
            first, last, answer = windows[rng.integers(len(windows))]
            return {
                "item": passage.name,
                "group": passage.name,
                "kind": kind,
                "question": question,
                "context": " ".join(passage.sentences[first:last]),
                "answer": ABSTENTION if answer is None else passage.sentences[answer],
                "answerable": answerable,
            }
    return None


def _windows(
    passage: Passage, kind: str, rule: Rule, answerable: bool, words: int
) -> list[tuple[int, int, int | None]]:
    """Excerpts (first, last + 1, the answer's sentence): all with one answer, or all without."""
    tells = [bool(rule.tells and rule.tells.search(s)) for s in passage.sentences]
    may = [bool(rule.may.search(s)) for s in passage.sentences]
    found: list[tuple[int, int, int | None]] = []
    for first in range(len(passage.sentences)):
        for last in range(first + FEWEST, min(first + MOST, len(passage.sentences)) + 1):
            inside = range(first, last)
            text = passage.sentences[first:last]
            if sum(len(s.split()) for s in text) > words or not all(map(whole, text)):
                break
            telling = [number for number in inside if tells[number]]
            if answerable and len(telling) == 1 and _fits(passage, kind, telling[0]):
                found.append((first, last, telling[0]))
            if not answerable and not any(may[first:last]) and _elsewhere(passage, kind, inside):
                found.append((first, last, None))
    return found


def _elsewhere(passage: Passage, kind: str, inside: range) -> bool:
    """Do the sentences stand outside the section in which the kind's answers are told?"""
    told = {"aim": 0, "motive": 0, "outcome": passage.sections[-1]}
    return all(passage.sections[number] != told.get(kind) for number in inside)


def _fits(passage: Passage, kind: str, number: int) -> bool:
    """Is the sentence an answer: of fair length, about the topic, where its kind is found?"""
    sentence = passage.sentences[number]
    if not SHORTEST <= len(sentence.split()) <= LONGEST:
        return False
    if kind == "detail":
        return True
    last_section = passage.sections[-1]
    if kind in ("aim", "motive") and passage.sections[number] == last_section > 0:
        return False
    if kind == "outcome" and passage.sections[number] != last_section:
        return False
    said = keywords(sentence)
    about = (
        keywords(passage.topic.x)
        if kind == "outcome"
        else keywords(f"{passage.topic.x} {passage.topic.y}")
    )
    return bool(said & about)


def _card(
    made: Mapping[str, list[Row]],
    folder: Path,
    seed: int,
    words: int,
    passages: int,
    refused: dict[str, int],
) -> dict[str, object]:
    """What the data set is made of, for a reader."""
    return {
        "name": "qa",
        "what": "questions about excerpts of medical abstracts, answered by one of their sentences",
        "seed": seed,
        "longest_context_words": words,
        "sources": origin(folder),
        "cleaned": [
            "passages whose question names no subject and object by the rules are left out",
            "excerpts are whole sentences in a row; white space is made single",
            "exactly one sentence of an excerpt fits the rule of its question, or none does",
        ],
        "passages": {"used_or_left": passages, "refused": refused},
        "splits": {split: _counts(rows) for split, rows in made.items()},
        "groups_apart": check_groups_apart(made),
    }


def _counts(rows: list[Row]) -> dict[str, object]:
    """Items, by kind, with and without an answer; words of the contexts and answers on average."""
    kinds = {
        kind: {
            "answerable": sum(row["kind"] == kind and bool(row["answerable"]) for row in rows),
            "unanswerable": sum(row["kind"] == kind and not row["answerable"] for row in rows),
        }
        for kind in (*QUESTIONS, "detail")
    }
    return {
        "items": len(rows),
        "kinds": kinds,
        "details": dict(Counter(str(r["question"]) for r in rows if r["kind"] == "detail")),
        "mean_words": {
            name: round(sum(len(str(row[name]).split()) for row in rows) / len(rows), 1)
            for name in ("context", "question", "answer")
        },
    }
