"""How long a job takes of which nothing is known but what it has to do: a model's size, and tokens.

All rests on ASSUMED. Counted are the tokens that are read, learned and written, in training, too,
where a recipe draws answers; weights that are loaded, and fetched from the hub; and what a server
is waited for: a judge's answers, proposals, labels.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from regen.benchmarks.registry import get_benchmark
from regen.chain import Chain
from regen.provenance import Input, Job
from regen.schema.common import Resources
from regen.schema.models import HubModel, QuantisedModel, RoundedModel

ASSUMED = {
    "tokens an item, where its data are not here": 800.0,
    "characters a token": 4.0,
    "tokens a sound": 750.0,
    "seconds to start a job": 15.0,
    "GPU, FLOP/s": 1e14,
    "GPU, bytes/s": 1e12,
    "GPU, seconds of a new token at least": 0.025,
    "core, FLOP/s": 5e10,
    "core, bytes/s": 3e9,
    "hub, bytes/s": 5e7,
    "seconds that a server takes to answer": 3.0,
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


def waiting(job: Job) -> float:
    """Seconds in which a job waits for a server's answers, of which some come at the same time."""
    answers = 0.0
    if job.stage == "training" and (judge := job.params.get("reinforcement", {}).get("judge")):
        often = job.params["reinforcement"]["num_iterations"]
        outputs = -(-work(job) // often) * job.params["optimisation"]["batch_size"]
        answers = outputs / judge["at_once"]
    elif job.stage == "prompts" and (proposer := job.params["proposer"])["kind"] == "endpoint":
        answers = job.params["iterations"] * -(-job.params["per_step"] // proposer["at_once"])
    elif job.stage == "data":
        labeller, augmenter = job.params.get("labeller", {}), job.params.get("augmenter", {})
        sizes = job.params.get("sizes", {})
        made = job.params.get("augmented", 0) * sizes.get("train", 0)
        if labeller.get("kind") == "endpoint":
            answers += (sum(sizes.values()) - made) / labeller["at_once"] + made
        if augmenter.get("kind") == "endpoint":
            answers += made
    return answers * ASSUMED["seconds that a server takes to answer"]


@dataclass(frozen=True)
class _Pace:
    """How fast a base model is on what a job asks for.

    loading: seconds; flop: seconds of a FLOP for each parameter that a token meets; token: seconds
    of reading those once, as a new token does for all rows that are answered together, and at
    least of calling what does it
    """

    loading: float
    flop: float
    token: float
    least: float

    def answering(self, rows: float, question: float, new: float, processes: int = 1) -> float:
        """Seconds in which so many rows together read a question and write an answer, in tokens.

        Each of several processes reads the weights, for its own share of the rows.
        """
        each = max(processes * self.token, self.least)
        return rows * question * READING * self.flop + new * each


class Estimates:
    """Seconds by job."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._known: dict[tuple[str, str], tuple[float, float]] = {}

    def seconds(self, job: Job, asked: Resources) -> float | None:
        """None where the model's size is not known."""
        start = ASSUMED["seconds to start a job"] + waiting(job)
        if job.function == "regen.models.hub:hub":
            found = self._parameters(job.wildcards["base"])
            return None if found is None else start + BYTES * found[0] / ASSUMED["hub, bytes/s"]
        base = job.inputs.get("base")
        if not isinstance(base, Input):
            return start
        sizes = self._parameters(Path(base.path).name)
        if sizes is None:
            return None
        whole, active = sizes
        device, count = ("GPU", asked.gpu) if asked.gpu else ("core", asked.threads)
        flops, rate = (count * ASSUMED[f"{device}, {what}/s"] for what in ("FLOP", "bytes"))
        least = ASSUMED["GPU, seconds of a new token at least"] if asked.gpu else 0.0
        pace = _Pace(BYTES * whole / rate, active / flops, BYTES * active / rate, least)
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
        drawing = pace.answering(batch, question, new, how["processes"])
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
