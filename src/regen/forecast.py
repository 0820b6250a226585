"""What a target would cost: which jobs would run, on what, for how long, at what price.

Seconds come from what was measured: of the job itself when it last ran, else of jobs like it (same
stage, study and base model), by what they have to do (steps, answers). Where nothing like it ran,
they are estimated from the model's size and from tokens: those that are read, learned and written,
in training, too, where a recipe draws answers. Estimates rest on ASSUMED, and are called estimates
wherever they are shown.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from regen.benchmarks.registry import get_benchmark
from regen.chain import Chain
from regen.provenance import RUN, Input, Job
from regen.schema.common import Prices, Resources
from regen.schema.models import HubModel, QuantisedModel, RoundedModel
from regen.status import State

RECORDED = "recorded"
ALIKE = "jobs like it"
ESTIMATE = "estimate"

ASSUMED = {
    "tokens an item, where its data are not here": 800.0,
    "characters a token": 4.0,
    "tokens a sound": 750.0,
    "seconds to start a job": 15.0,
    "GPU, FLOP/s": 1e14,
    "GPU, bytes/s": 1e12,
    "core, FLOP/s": 5e10,
    "core, bytes/s": 3e9,
}
"""What estimates rest on: a GPU of the A100's kind at a third of its peak, and an ordinary core.
Beside that, that every answer is as long as it may be."""
SIZES = {"gguf": 135e6, "tiny_llama": 1e6, "tiny_audio": 3e5, "tiny_text": 5e4}
"""Parameters of the models that this package makes itself, by builder, before they are made."""
BYTES = 2
"""of a weight"""
READING, LEARNING = 2, 6
"""FLOP a parameter and token (Kaplan et al. 2020, arXiv 2001.08361): forward; forward and backward,
of which a frozen base needs two thirds, and recomputing activations takes the rest."""
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


def parts(job: Job) -> tuple[Job, ...]:
    """What a job does one after the other: a run of a sweep trains, then answers dev."""
    if job.stage != "sweep":
        return (job,)
    stages = ("training", "prediction")
    return tuple(replace(job, stage=stage, params=job.params[stage]) for stage in stages)


def work(job: Job) -> float:
    """How much a job has to do, in what its time grows with: steps, answers; else 1."""
    if job.stage == "training":
        how = job.params["optimisation"]
        if "reinforcement" in job.params:
            return float(job.params["reinforcement"]["num_steps"])
        steps = how["epochs"] * -(-job.params["limit"] // how["batch_size"])
        return float(min(steps, how["max_steps"] or steps))
    if job.stage == "sweep":
        return work(parts(job)[0])
    if job.stage == "prediction":
        return float(job.params["limit"] * job.params.get("decoding", {}).get("samples", 1))
    if job.stage == "prompts":
        return float(job.params["evaluations"] * job.params["limit"])
    return 1.0


@dataclass(frozen=True)
class _Pace:
    """How fast a base model is on what a job asks for.

    loading: seconds; flop: seconds of a FLOP for each parameter that a token meets; token: seconds
    of reading those once, as a new token does for all rows that are answered together
    """

    loading: float
    flop: float
    token: float

    def answering(self, rows: float, question: float, new: float) -> float:
        """Seconds in which so many rows together read a question and write an answer, in tokens."""
        return rows * question * READING * self.flop + new * self.token


class _Records:
    """Seconds by job, from what earlier runs wrote."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._known: dict[tuple[str, str], tuple[float, float]] = {}

    def seconds(self, job: Job, asked: Resources) -> tuple[float | None, str]:
        """(seconds, what they rest on)"""
        if (rate := measured(job)) is not None:
            return rate * work(job), RECORDED
        if rates := self._rates.get(kind(job)):
            return median(rates) * work(job), ALIKE
        return self._estimate(job, asked), ESTIMATE

    @cached_property
    def _rates(self) -> dict[tuple[str, ...], list[float]]:
        """{kind of job: seconds a unit of work, of each that ran}"""
        rates: dict[tuple[str, ...], list[float]] = {}
        for job in self.chain.jobs.values():
            if (rate := measured(job)) is not None:
                rates.setdefault(kind(job), []).append(rate)
        return rates

    def _estimate(self, job: Job, asked: Resources) -> float | None:
        start = ASSUMED["seconds to start a job"]
        base = job.inputs.get("base")
        if not isinstance(base, Input):
            return start
        sizes = self._parameters(Path(base.path).name)
        if sizes is None:
            return None
        whole, active = sizes
        device, count = ("GPU", asked.gpu) if asked.gpu else ("core", asked.threads)
        flops, rate = (count * ASSUMED[f"{device}, {what}/s"] for what in ("FLOP", "bytes"))
        pace = _Pace(BYTES * whole / rate, active / flops, BYTES * active / rate)
        return start + sum(pace.loading + self._doing(part, pace) for part in parts(job))

    def _doing(self, job: Job, pace: _Pace) -> float:
        """Seconds of what a job does with its base model once that is loaded."""
        question, answer = self._tokens(job)
        if job.stage == "training":
            return _training_seconds(job, question, answer, pace)
        if job.stage == "scoring":  # reads each answer after its question
            asked = next(one for one in self.chain.upstream(job) if one.stage == "prediction")
            said = asked.params.get("decoding", {}).get("max_new_tokens", answer)
            return work(asked) * (question + said) * READING * pace.flop
        decoding = job.params.get("decoding", {})
        together, new = decoding.get("batch_size", 1), decoding.get("max_new_tokens", 1)
        return work(job) / together * pace.answering(together, question + answer, new)

    def _tokens(self, job: Job) -> tuple[float, float]:
        """Of a question, and of its answer; all of the question's where the data are not here."""
        data = job.inputs.get("data")
        known = (data.path if isinstance(data, Input) else "", str(job.params.get("benchmark")))
        if known not in self._known:
            here = Path(known[0], "train.jsonl").exists()
            assumed = (ASSUMED["tokens an item, where its data are not here"], 0.0)
            self._known[known] = tokens_an_item(Path(known[0]), known[1]) if here else assumed
        return self._known[known]

    def _parameters(self, base: str) -> tuple[float, float] | None:
        """(all parameters, those that a token meets) of a base model, from its files or its name.

        Qwen3-Omni-30B-A3B has 30 billion, of which a token meets 3.
        """
        model = self.chain.config.models[base]
        weights = Path("models", base, "model.safetensors")
        if weights.exists():
            count = _parameters_in(weights)
            return count, count
        if isinstance(model, QuantisedModel | RoundedModel):
            return self._parameters(model.of)
        if isinstance(model, HubModel):
            said = re.findall(r"(?i)(?<![\w.])(a?)(\d+(?:\.\d+)?)([bm])(?![a-z\d])", model.id)
            sizes = {a: float(n) * (1e9 if u in "bB" else 1e6) for a, n, u in said}
            whole = sizes.get("")
            return None if whole is None else (whole, sizes.get("A", sizes.get("a", whole)))
        own = SIZES.get(model.builder)
        return None if own is None else (own, own)


def _training_seconds(job: Job, question: float, answer: float, pace: _Pace) -> float:
    """Of all steps, with what they draw; question, answer: tokens of an item."""
    how, steps = job.params["optimisation"], work(job)
    batch, learning = how["batch_size"], LEARNING * pace.flop
    if settings := job.params.get("reinforcement"):
        question = min(question, settings["max_prompt_length"])  # what is asked in more is left out
        new, often = settings["max_new_tokens"], settings["num_iterations"]
        # So many times they are read again: by what it started from, and by what drew them.
        again = (settings["beta"] > 0) + (often > 1)
        # Each process reads the weights, for its own share of the rows.
        drawing = pace.answering(batch, question, how["processes"] * new)
        drawing += again * batch * (question + new) * READING * pace.flop
        return steps * batch * (question + new) * learning + -(-steps // often) * drawing
    seconds = steps * batch * (question + answer) * learning
    if settings := job.params.get("objective"):
        rows = min(batch, settings["max_examples"]) * settings["n_generations"]
        new = settings["max_new_tokens"]
        drawing = pace.answering(rows, question, new)
        if settings["kind"] == "set_diversity":
            drawing += rows * (question + new) * learning
        seconds += -(-steps // settings["every_n_steps"]) * drawing
    return float(seconds)


def tokens_an_item(data: Path, benchmark: str) -> tuple[float, float]:
    """Of a question, and of its answer, on average over the first items that are trained on."""
    task = get_benchmark(benchmark)
    items = task.load_dataset(data, "train")[:50]
    asked = [task.prompt(item, task.template("baseline")) for item in items]
    characters = sum(len(one.text) for one in asked), sum(len(task.completion(i)) for i in items)
    read, said = (count / ASSUMED["characters a token"] for count in characters)
    heard = sum(len(one.audio) for one in asked) * ASSUMED["tokens a sound"]
    return (read + heard) / len(items), said / len(items)


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
        return float(record["evaluations"] * job.params["limit"])
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


def _parameters_in(weights: Path) -> float:
    from safetensors import safe_open

    with safe_open(weights, "np") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    count = 0.0
    for shape in shapes:
        size = 1.0
        for side in shape:
            size *= side
        count += size
    return count


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
