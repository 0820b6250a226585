"""Medical abstracts: their sentences, and what the question above each is about."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

SECTION = re.compile(r"Context \(\d+\):")
# Where a sentence may end: before a capital or a digit, after no abbreviation.
BOUNDARY = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)\s+(?=[A-Z\d(])")
ABBREVIATION = re.compile(
    r"(?:\b(?:vs|i\.e|e\.g|et al|Fig|Figs|No|approx|cf|Dr|Inc|St|spp?|resp|ca|Mr|Mrs|Ms)\.)$"
)
GLUED = re.compile(r"[a-z)%\d][.:;][A-Z]{3,}|\b[A-Z]{4,}[ A-Z]*:|^[a-z]")
"""A heading that was run into a sentence, or a sentence that does not begin as one."""

VERBS = (
    "predict|improve|affect|influence|inhibit|increase|reduce|protect|induce|correlate|promote|have"
    "|enhance|decrease|prevent|alter|change|impact|suppress|mediate|attenuate|regulate|ameliorate"
    "|modulate|facilitate|stimulate|impair|contribute|cause|lead|play|provide|result|reflect"
    "|indicate|identify|detect|delay|accelerate|exacerbate|reverse|block|control|represent|help"
    "|require|restore|limit|lower|worsen|shorten|prolong|support|determine|activate|trigger|drive"
    "|aggravate|augment|alleviate|mitigate|differ|vary|matter|benefit|express|produce|exert|offer"
    "|confer|relate|associate|interact|depend|share|show|reveal|work|make|need|lack|minimi[sz]e"
    "|optimi[sz]e|maximi[sz]e|compromise|induces|serve|function|act|participate|persist|respond"
)
LINKS = (
    r"(?:\w+ly )?(?:associated with|related to|correlated with|linked to|predictive of"
    r"|dependent on|involved in|necessary (?:for|in|after|during|before)|needed (?:for|in|after)"
    r"|required (?:for|in|after)|effective (?:for|in|as|after|against)|useful (?:for|in|as|to)"
    r"|safe (?:for|in|and|after)|feasible (?:for|in|and|after)|beneficial (?:for|in|after)"
    r"|superior to|inferior to|better than|comparable to|equivalent to|different (?:from|in)"
    r"|similar (?:to|in)|increased in|decreased in|reduced in|elevated in|altered in|impaired in"
    r"|expressed in|regulated by|mediated by|affected by|influenced by|caused by|at risk for"
    r"|important (?:for|in)|responsible for|sufficient (?:for|to)|adequate for"
    r"|reliable (?:for|in|as)"
    r"|(?:an? |the )?(?:\w+ ){0,3}(?:risk factor|risk factors|predictor|predictors|marker|markers"
    r"|biomarker|biomarkers|indicator|determinant|cause|prognostic factor|contributor|alternative"
    r"|option|treatment|tool|method|measure|target) (?:for|of|in|to))"
)
ASKED = re.compile(
    rf"^(?:does|do|did|can|could)\s+(?P<x>.+?)\s+(?:\w+ly )?(?:{VERBS})\s+(?P<y>.+)$"
)
LINKED = re.compile(rf"^(?:is|are|was|were)\s+(?P<x>.+?)\s+{LINKS}\s+(?P<y>.+)$")
# Words that no topic begins, holds or ends with: a clause was cut in two.
ODD = re.compile(
    r"^(?:there|it|we|they|this|that|these|to|an? (?:there|it)|of|in|with|and|or|by|for|than|as)\b"
    r"|[:;?\[\]\"]|\b(?:who|which|that|when|whether|do|does|is|are|was|were|be|been)\b"
    r"|\b(?:to|of|in|with|and|or|by|for|than|the|as|not|from|on|at|an?)$"
)
LONGEST = 9
"""Words of a topic."""


@dataclass(frozen=True)
class Topic:
    """What is studied, and what for."""

    x: str
    y: str


def topic_of(question: str) -> Topic | None:
    """ "does X affect Y?" as X and Y; None for a question of another form."""
    text = re.sub(r"\s+", " ", question.strip().rstrip("?").strip())
    match = ASKED.match(text) or LINKED.match(text)
    if match is None:
        return None
    x, y = (_tidy(match[name]) for name in ("x", "y"))
    if any(ODD.search(part) or not 1 <= len(part.split()) <= LONGEST for part in (x, y)):
        return None
    return Topic(x, y)


def _tidy(phrase: str) -> str:
    """With brackets, commas and apostrophes as they are printed."""
    phrase = re.sub(r"^(?:to|in|on|with|as|between|against|from|into|for)\s+", "", phrase.strip())
    phrase = re.sub(r"\s+([,)'’])", r"\1", phrase)
    return re.sub(r"([(])\s+", r"\1", phrase).strip(" ,.")


def sections(passage: str) -> list[str]:
    """The parts of an abstract (background, methods, results), with single spaces."""
    found = (re.sub(r"\s+", " ", part).strip() for part in SECTION.split(passage))
    return [part for part in found if part]


def sentences(section: str) -> Iterator[str]:
    """The sentences of a section, in order."""
    pending = ""
    for piece in BOUNDARY.split(section):
        pending = f"{pending} {piece}" if pending else piece
        if not ABBREVIATION.search(pending) and pending.count("(") <= pending.count(")"):
            yield pending
            pending = ""
    if pending:
        yield pending


def whole(sentence: str) -> bool:
    """Does it begin and end as a sentence does, with no heading run into it?"""
    return sentence.endswith((".", "!")) and not GLUED.search(sentence)
