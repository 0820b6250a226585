"""Training and asking with settings that the configuration does not have.

What comes of it lies in results/scratch/ or in a folder of the user's own, never where a stage of
the paper reads.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from regen.benchmarks.registry import get_benchmark
from regen.chain import Chain
from regen.chain.study import runs_of
from regen.cli.making import SCRATCH, build, quick_try, scratch
from regen.errors import InputError, nearest
from regen.files import dumps, read_json, write_json
from regen.provenance import Input, Job
from regen.records import Prediction, read_predictions
from regen.schema.study import Study

OWN_FOLDERS = ("results", "models", "data", "paper", "recorded", "src", "rules")
"""Folders of the project in which nothing is made by hand, but for results/scratch."""


def training_job(
    chain: Chain,
    study: str,
    training: str | None,
    seed: int,
    lora: Mapping[str, Any],
    out: Path | None,
    limit: int | None = None,
) -> Job:
    """The recipe's job with another seed or adapter, into `out` or results/scratch/."""
    configured = _study(chain, study)
    recipe = training or next(iter(configured.trainings), "none")
    job = chain.job("training", study=study, training=recipe, seed=str(configured.seeds[0]))
    changed = {**job.params["lora"], **lora}
    chosen = {"selection"} if {"r", "alpha"} & set(lora) else set()  # a hand overrules a grid
    inputs = {name: one for name, one in job.inputs.items() if name not in chosen}
    own = f"{Path(job.out).parent}/by-hand-{_digest(changed)}/seed-{seed}"
    params = {**job.params, "lora": changed, "seed": seed}
    job = replace(job, out=own, inputs=inputs, params=params)
    job = quick_try(job, limit) if limit is not None else replace(job, out=scratch(job.out))
    return replace(job, out=_allowed(out)) if out else job


def train_seeds(
    chain: Chain, jobs: Mapping[int, Job], study: str, split: str, out: Path, force: bool
) -> None:
    """Train every seed, ask each adapter about the split, and print the summary over the seeds."""
    from regen.statistics.summarize import render, summarize_files

    predictions = []
    for seed, job in jobs.items():
        build(chain, job, force)
        asked = prediction_job(chain, study, None, None, split, checkpoint=Path(job.out))
        limit = min(asked.params["limit"], job.params["limit"])
        asked = replace(
            asked,
            out=f"{_allowed(out)}/predictions/seed-{seed}/{split}",
            params={**asked.params, "seed": seed, "limit": limit},
        )
        build(chain, asked, force)
        predictions.append(Path(asked.out, "predictions.jsonl"))
    typer.echo(render(summarize_files(predictions, name=f"{study}, {split}")), nl=False)


def prediction_job(
    chain: Chain,
    study: str,
    variant: str | None,
    run: str | None,
    split: str,
    *,
    checkpoint: Path | None = None,
    prompt_file: Path | None = None,
    temperature: float | None = None,
    limit: int | None = None,
) -> Job:
    """A variant's job with another adapter, prompt or softmax temperature, in results/scratch/.

    Without a variant, the study's reference answers, with the checkpoint's adapter.
    """
    configured = _study(chain, study)
    name = variant or configured.reference
    row = configured.variants.get(name)
    runs = runs_of(configured, row) if row else ["base"]
    job = chain.job("prediction", study=study, variant=name, run=run or runs[0], split="test")
    if "base" not in job.inputs:
        raise InputError(f"--variant {name}: is no language model; leave these options out")
    params, inputs = dict(job.params), dict(job.inputs)
    if split not in ("train", "dev", "test"):
        raise InputError(f"--split {split}: is none of train, dev, test")
    params |= {"split": split, "limit": getattr(configured.items, split)}
    if checkpoint is not None:
        if not (checkpoint / "outputs.sha256").exists():
            raise InputError(
                f"--checkpoint {checkpoint}: is no finished training; train one with: regen train"
            )
        inputs["adapter"] = Input(None, str(checkpoint))
        params["variant"] = "by-hand"
        params["seed"] = read_json(checkpoint / "manifest.json")["params"]["seed"]
    if prompt_file is not None:
        if not prompt_file.is_file():
            raise InputError(f"--prompt-file {prompt_file}: is not there; write a prompt to it")
        inputs["prompt_file"] = Input(str(prompt_file))
    if temperature is not None:
        if row and row.decoding.mode == "generate":
            raise InputError(
                f"--temperature: {name} answers in text, there is no softmax to divide"
            )
        params["softmax_temperature"] = temperature
    study_folder = job.out.partition("/predictions/")[0]
    job = replace(job, inputs=inputs, params=params)
    where = _digest([[one.path for one in job.all_inputs()], params])
    if limit is not None:
        job = quick_try(job, limit)
    return replace(job, out=scratch(f"{study_folder}/predictions/by-hand/{where}/{split}"))


def save_predictions(job: Job, file: Path) -> None:
    """Write the answers of a prediction folder as one JSON object of lists.

    predictions (null where the text was not parsed) and ground_truth; and, where answers were
    chosen by their logits, probabilities: a list of {"prob_speech", "prob_nonspeech"} and the like
    """
    records = read_predictions(Path(job.out, "predictions.jsonl"))
    content: dict[str, Any] = {
        "predictions": [record.prediction for record in records],
        "ground_truth": [record.target for record in records],
    }
    if records and all(record.options for record in records):
        content["probabilities"] = _probabilities(job.params["benchmark"], records)
    write_json(file, content)
    typer.echo(f"wrote {file}")


def _probabilities(benchmark: str, records: Sequence[Prediction]) -> list[dict[str, float]]:
    task = get_benchmark(benchmark)
    names = {option: f"prob_{task.extract_answer(option).lower()}" for option in task.options}
    return [
        {names[option]: found["probability"] for option, found in (record.options or {}).items()}
        for record in records
    ]


def _study(chain: Chain, name: str) -> Study:
    studies = chain.config.studies
    if name not in studies:
        raise InputError(f"--study: there is no study {name!r}{nearest(name, studies)}")
    return studies[name]


def _allowed(folder: Path) -> str:
    """The folder as it was given. Raises InputError inside what the paper is made from."""
    try:
        inside = folder.resolve().relative_to(Path.cwd()).parts
    except ValueError:
        return str(folder)
    if not inside or (inside[0] in OWN_FOLDERS and inside[:2] != tuple(SCRATCH.split("/"))):
        raise InputError(
            f"--output-dir {folder}: lies where the paper's own results lie; choose {SCRATCH}/... "
            "or a folder of your own"
        )
    return str(folder)


def _digest(value: Any) -> str:
    return hashlib.sha256(dumps(value).encode()).hexdigest()[:8]
