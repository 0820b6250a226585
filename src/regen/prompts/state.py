"""What a search has done so far, so that a killed one goes on and comes to the same bytes."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regen.files import dumps, write_text
from regen.prompts.proposers import Proposer, Scored, between_tags

STATE = ".state.jsonl"


class State:
    """What a search has done so far, a line each: it survives a kill, the last line torn perhaps.

    `work` is all that decides the search; lines of other work are not used.
    """

    def __init__(self, path: Path, work: Any) -> None:
        self.path = path
        self.seconds = {"scores": 0.0, "proposals": 0.0}
        self.scores: dict[str, float] = {}
        self.proposals: dict[int, list[str]] = {}
        digest = hashlib.sha256(dumps(work).encode()).hexdigest()
        lines = self._lines()
        if not lines or lines[0] != {"work": digest}:
            lines = [{"work": digest}]
        # Written anew without a torn line, to which the next one would be joined.
        write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
        for line in lines[1:]:
            if "score" in line:
                self.scores[line["hash"]] = line["score"]
            else:
                self.proposals[line["step"]] = line["proposals"]
        self.resumed_at = len(self.scores)

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def remember_scores(self, score: Callable[[str], float]) -> Callable[[str], float]:
        def remembered(prompt: str) -> float:
            key = hashlib.sha256(prompt.encode()).hexdigest()
            if key not in self.scores:
                begun = time.monotonic()
                self.scores[key] = score(prompt)
                self.seconds["scores"] += time.monotonic() - begun
                self._append({"hash": key, "score": self.scores[key]})
            return self.scores[key]

        return remembered

    def remember_proposals(self, proposer: Proposer) -> Proposer:
        return _Remembered(self, proposer)

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class _Remembered:
    """A proposer that is asked once for each step."""

    def __init__(self, state: State, proposer: Proposer) -> None:
        self.state, self.proposer, self.step = state, proposer, 0

    def propose(self, history: Sequence[Scored], n: int, rng: np.random.Generator) -> list[str]:
        self.step += 1
        if self.step not in self.state.proposals:
            begun = time.monotonic()
            proposals = self.proposer.propose(history, n, rng)
            self.state.seconds["proposals"] += time.monotonic() - begun
            self.state.proposals[self.step] = proposals
            if any(map(between_tags, proposals)):  # else it may have another turn in the next run
                self.state._append({"step": self.step, "proposals": proposals})
        return self.state.proposals[self.step]
