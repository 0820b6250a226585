"""What a target would cost: which jobs would run, on what, for how long, at what price.

Seconds come from what was measured: of the job itself when it last ran, else of jobs like it (same
stage, study and base model), by what they have to do (steps, answers). Where nothing like it ran,
they are `estimates`, and are called so wherever they are shown.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from regen.chain import Chain
from regen.estimates import ASSUMED, Estimates, parts, work
from regen.provenance import RUN, Input, Job
from regen.schema.common import Prices, Resources
from regen.status import State

RECORDED = "recorded"
ALIKE = "jobs like it"
ESTIMATE = "estimate"

DRAWS = (
    "kind",
    "n_generations",
    "max_examples",
    "every_n_steps",
    "num_iterations",
    "max_new_tokens",
)
"""Settings of `objective` or `reinforcement` on which the time of a step depends."""


@dataclass(frozen=True)
class Forecast:
    """One job that would run. `seconds` and `price` are None where nothing can be said."""

    folder: str
    stage: str
    why: str
    threads: int
    gpu: int
    seconds: float | None
    basis: str
    price: float | None


def forecast(chain: Chain, running: Mapping[str, State]) -> list[Forecast]:
    """What each of the folders that would be made would take."""
    records = _Records(chain)
    found = []
    for folder, state in running.items():
        job = chain.jobs[folder]
        asked = chain.resources_of(job)
        seconds, basis = records.seconds(job, asked)
        price = priced(seconds, asked, chain.config.prices)
        why = f"{state.state}: {state.reason}".rstrip(": ")
        found.append(
            Forecast(job.out, job.stage, why, asked.threads, asked.gpu, seconds, basis, price)
        )
    return found


def priced(seconds: float | None, asked: Resources, prices: Prices | None) -> float | None:
    if seconds is None or prices is None:
        return None
    return seconds / 3600 * (asked.gpu * prices.gpu_hour + asked.threads * prices.core_hour)


def over_budget(found: Sequence[Forecast], budget: float, prices: Prices | None) -> str | None:
    """Why a run must not start, in one line; None if it is within the budget."""
    if prices is None:
        return "a budget wants prices: set prices.gpu_hour and prices.core_hour"
    unknown = [one for one in found if one.price is None]
    if unknown:
        return f"budget: nothing is known of what {unknown[0].folder} takes; run that by itself"
    total = sum(one.price or 0 for one in found)
    if total <= budget:
        return None
    guessed = sum(one.price or 0 for one in found if one.basis == ESTIMATE)
    said = f", {guessed:.2f} of it estimated" if guessed else ""
    return (
        f"budget: {len(found)} jobs would cost {total:.2f} {prices.currency}{said}; "
        f"{budget:.2f} is the limit"
    )


def render(found: Sequence[Forecast], prices: Prices | None, everything: bool) -> str:
    """For a terminal: a line a stage, or a job; then the sum, and what estimates rest on."""
    if not found:
        return "nothing would run"
    currency = prices.currency if prices else "price"
    head = ("folder" if everything else "stage", "jobs", "GPUs", "cores", "time", currency)
    names = [one.folder if everything else one.stage for one in found]
    width = max(map(len, names))
    lines = [_line(width, *head, "from")]
    for name in dict.fromkeys(names):
        part = [one for one, its in zip(found, names, strict=True) if its == name]
        lines.append(_summed(width, name, part))
        lines += [f"    {one.why}" for one in part if everything]
    lines.append(_summed(width, "all", found))
    if any(one.basis == ESTIMATE for one in found):
        said = ", ".join(f"{what}: {value:g}" for what, value in ASSUMED.items())
        longest = "every answer as long as it may be"
        lines += ["", f"{ESTIMATE}: from the model's size and tokens, {longest}, with {said}"]
    if any(one.seconds is None for one in found):
        lines += ["", "more than that: of some jobs nothing is known"]
    if prices is None:
        lines += ["", "no price: the configuration has no `prices`"]
    return "\n".join(lines)


def _summed(width: int, name: str, part: Sequence[Forecast]) -> str:
    def span(values: Iterable[int]) -> str:
        least, most = min(values := list(values)), max(values)
        return str(most) if least == most else f"{least}-{most}"

    seconds = [one.seconds for one in part if one.seconds is not None]
    prices = [one.price for one in part if one.price is not None]
    basis = Counter("unknown" if one.seconds is None else one.basis for one in part)
    return _line(
        width,
        name,
        str(len(part)),
        span(one.gpu for one in part),
        span(one.threads for one in part),
        _time(sum(seconds)) if seconds else "?",
        f"{sum(prices):.2f}" if prices else "?",
        ", ".join(f"{count} {words}" for words, count in basis.items()),
    )


def _line(width: int, name: str, *columns: str) -> str:
    jobs, gpu, cores, time, price, basis = columns
    return f"{name:<{width}} {jobs:>5} {gpu:>5} {cores:>6} {time:>9} {price:>9}  {basis}"


def _time(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}h {rest // 60:02d}m" if hours else f"{rest // 60}m {rest % 60:02d}s"


class _Records:
    """Seconds by job, from what earlier runs wrote."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.estimates = chain, Estimates(chain)

    def seconds(self, job: Job, asked: Resources) -> tuple[float | None, str]:
        """(seconds, what they rest on)"""
        if (rate := measured(job)) is not None:
            return rate * work(job), RECORDED
        if rates := self._rates.get(kind(job)):
            return median(rates) * work(job), ALIKE
        return self.estimates.seconds(job, asked), ESTIMATE

    @cached_property
    def _rates(self) -> dict[tuple[str, ...], list[float]]:
        """{kind of job: seconds a unit of work, of each that ran}"""
        rates: dict[tuple[str, ...], list[float]] = {}
        for job in self.chain.jobs.values():
            if (rate := measured(job)) is not None:
                rates.setdefault(kind(job), []).append(rate)
        return rates


def measured(job: Job) -> float | None:
    """Seconds a unit of work when the job last ran, whatever it had to do then; None if never."""
    for name in ("timing.json", RUN):
        record = _object(Path(job.out, name))
        if isinstance(seconds := record.get("seconds"), int | float):
            return float(seconds) / _work_done(job, record)
    return None


def _work_done(job: Job, record: dict[str, Any]) -> float:
    if job.stage == "training":
        return float(record.get("steps") or work(job))
    if job.stage == "prediction" and record.get("items"):
        return float(record["items"]) * work(job) / job.params["limit"]
    if job.stage == "prompts" and record.get("evaluations"):
        scored = record["evaluations"] - record.get("resumed_at", 0)
        return float(max(scored, 1) * job.params["limit"])
    return work(job)


def kind(job: Job) -> tuple[str, ...]:
    """Jobs of a kind take about as long for the same work."""
    base, params = job.inputs.get("base"), parts(job)[0].params
    asked = (params.get(key, "") for key in ("trivial", "decoding", "shots"))
    drawing = params.get("objective") or params.get("reinforcement") or {}
    return (
        job.function,
        job.wildcards.get("study", ""),
        base.path if isinstance(base, Input) else "",
        *map(str, asked),
        *(str(drawing.get(key, "")) for key in DRAWS),
    )


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
