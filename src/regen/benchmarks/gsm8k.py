"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): grade-school word problems, asked as `math` is.

A row is one of the original files, with `question` and an `answer` whose last line is "#### 72"
and in which calculations stand as <<48/2=24>>; or one that our data stage wrote.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regen.benchmarks.base import Item
from regen.benchmarks.math import Math
from regen.errors import InputError

CALCULATION = re.compile(r"<<([^<>=]+=[^<>]+)>>")
MARK = "####"


class Gsm8k(Math):
    """As `Math`; the answer has no unit, and the levels are those of no one."""

    name = "gsm8k"
    builders = ("own",)
    facets = ()

    def read(self, row: Mapping[str, Any], folder: Path) -> Item:
        question, answer = row.get("question"), row.get("answer")
        if not isinstance(question, str) or not isinstance(answer, str) or MARK not in answer:
            raise InputError(
                f"{folder}: a row of GSM8K has a question, and an answer that ends in "
                f"'{MARK} number'; this one begins {str(question)[:40]!r}"
            )
        name = f"gsm8k-{hashlib.sha256(question.encode()).hexdigest()[:12]}"
        steps = [step.replace(" ", "") for step in CALCULATION.findall(answer)]
        return super().read(
            {
                "item": name,
                "group": name,
                "question": question.strip(),
                "steps": [re.sub(r"([-+*/=])", r" \1 ", step) for step in steps],
                "answer": answer.rpartition(MARK)[2].strip(),
            },
            folder,
        )
