"""What is fresh, what is stale and why, what is missing, what was edited by hand."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from regen.chain import Chain
from regen.digests import Digests
from regen.provenance import Job, why_stale

FRESH = "fresh"
NOT_HERE = "fresh, not here"
STALE = "stale"
BELOW = "waits"
EDITED = "edited"
MISSING = "missing"


@dataclass(frozen=True)
class State:
    """One folder of the chain: its state in one word, and why in a few."""

    folder: str
    stage: str
    state: str
    reason: str = ""


def status(chain: Chain, digests: Digests, jobs: Iterable[Job] | None = None) -> list[State]:
    """The state of every job, upstream first.

    "fresh, not here": the content id is known and up to date, the files were not pulled.
    "waits": nothing of its own changed, but something that it is made from did.
    """
    states: dict[str, State] = {}
    for job in jobs if jobs is not None else chain.jobs.values():
        states[job.out] = _state(job, chain, digests, states)
    return list(states.values())


def _state(job: Job, chain: Chain, digests: Digests, states: dict[str, State]) -> State:
    stale = why_stale(job, digests)
    if stale is not None and stale.edited:
        return State(job.out, job.stage, EDITED, stale.reason)
    if stale is not None:
        state = MISSING if stale.missing else STALE
        return State(job.out, job.stage, state, stale.reason)
    for upstream in chain.upstream(job):
        known = states.get(upstream.out)
        if known is not None and known.state not in (FRESH, NOT_HERE):
            return State(job.out, job.stage, BELOW, f"on {upstream.out}")
    here = all(Path(file).exists() for file in job.files)
    return State(job.out, job.stage, FRESH if here else NOT_HERE)
