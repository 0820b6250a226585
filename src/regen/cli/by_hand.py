"""Training and asking with settings that the configuration does not have.

What comes of it lies in results/scratch/ or in a folder of the user's own, never where a stage of
the paper reads.
"""

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import typer

from regen.benchmarks.registry import get_benchmark
from regen.chain import Chain
from regen.chain.study import runs_of
from regen.cli.making import SCRATCH, build, quick_try, scratch
from regen.errors import InputError, nearest
from regen.files import dumps, read_json, write_json
from regen.prompts.items import files_of, items_of_csv
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
    """Train every seed, ask each adapter about the split, and print a summary of the scores."""
    from regen.statistics.summarize import render, summarize_files

    scores = []
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
        scored = _scoring_job(chain, study, asked, f"{_allowed(out)}/scores/seed-{seed}/{split}")
        build(chain, scored, force)
        scores.append(Path(scored.out, "items.jsonl"))
    metric = next(iter(get_benchmark(_study(chain, study).benchmark).metrics))
    found = summarize_files(scores, name=f"{study}, {split}", metric=metric)
    typer.echo(render(found), nl=False)


def _scoring_job(chain: Chain, study: str, asked: Job, out: str) -> Job:
    """The scores of answers by hand, without what only the paper's own variants have."""
    name = _study(chain, study).reference
    job = next(one for one in chain.of_stage("scoring", study) if one.wildcards["variant"] == name)
    inputs = {
        "predictions": Input("predictions.jsonl", asked.out),
        "data": job.inputs["data"],
    }
    params = {key: asked.params[key] for key in ("benchmark", "split", "limit")}
    return replace(job, out=out, inputs=inputs, params=params)


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
        params |= {"variant": "by-hand", "seed": _seed_of(checkpoint)}
        inputs["adapter"] = Input(None, str(checkpoint))
    if prompt_file is not None:
        if not prompt_file.is_file():
            raise InputError(f"--prompt-file {prompt_file}: is not there; write a prompt to it")
        inputs["prompt_file"] = Input(str(prompt_file))
    if temperature is not None:
        if not math.isfinite(temperature):
            raise InputError(f"--temperature {temperature}: is no finite number; try 1.5")
        options = get_benchmark(configured.benchmark).options
        if not options or params["decoding"]["mode"] == "generate":
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


def prompts_job(
    chain: Chain,
    study: str,
    search: str | None,
    *,
    checkpoint: Path | None = None,
    dev_csv: Path | None = None,
    iterations: int | None = None,
    out: Path | None = None,
    limit: int | None = None,
) -> Job:
    """A search with another checkpoint, items or length, into `out` or results/scratch/.

    Without a search, the study's first one.
    """
    configured = _study(chain, study)
    name = search or next(iter(configured.prompt_searches), "none")
    job = chain.job("prompts", study=study, search=name)
    params = dict(job.params)
    inputs = {key: one for key, one in job.inputs.items() if key != "budget_of"}
    if checkpoint is not None:
        _seed_of(checkpoint)
        inputs["adapter"] = Input(None, str(checkpoint))
    if dev_csv is not None:
        if not dev_csv.is_file():
            raise InputError(f"--dev-csv {dev_csv}: is not there")
        items = items_of_csv(get_benchmark(configured.benchmark), dev_csv)
        inputs["dev_csv"] = Input(str(dev_csv))
        inputs["dev_files"] = tuple(Input(os.path.relpath(path)) for path in files_of(items))
        params["limit"] = len(items)
    if iterations is not None:
        named = len(get_benchmark(configured.benchmark).prompts)
        params |= {"iterations": iterations, "patience": None}
        params["evaluations"] = named + iterations * params["per_step"]
    where = _digest([[one.path for one in inputs.values() if isinstance(one, Input)], params])
    job = replace(job, inputs=inputs, params=params)
    if limit is not None:
        job = quick_try(job, limit)
    folder = f"{chain.results}/{study}/prompts/by-hand-{name}-{where}"
    return replace(job, out=_allowed(out) if out else scratch(folder))


def check_saving(job: Job, file: Path) -> None:
    """Raise InputError where the answers of `job` could not be saved; asked before the work."""
    option = f"--save-predictions {file}"
    samples = job.params.get("decoding", {}).get("samples", 1)
    if samples > 1:
        raise InputError(
            f"{option}: {job.params['variant']} draws {samples} answers an item, the file has room "
            "for one; leave the option out, or choose a variant with one sample"
        )
    _allowed(file, "--save-predictions")
    if file.exists() and not file.is_file():
        raise InputError(f"{option}: is a folder or no plain file; name a file such as a.json")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise InputError(f"{option}: cannot be written there ({error.strerror})") from None


def save_predictions(job: Job, file: Path) -> None:
    """Write the answers of a prediction folder as one JSON object of lists, one value an item.

    predictions (null where the text was not parsed), ground_truth, items, groups; the seed, if the
    answers are a training's; and, where answers were chosen by their logits, probabilities: a list
    of {"prob_speech", "prob_nonspeech"} and the like. Where the benchmark scores by more than
    equality: metric, the name of its first one, and scores.
    """
    from regen.statistics.reading import scored_by_equality

    records = read_predictions(Path(job.out, "predictions.jsonl"))
    content: dict[str, Any] = {
        "predictions": [record.prediction for record in records],
        "ground_truth": [record.target for record in records],
        "items": [record.item for record in records],
        "groups": [record.group for record in records],
    }
    if records and records[0].seed is not None:
        content["seed"] = records[0].seed
    if records and all(record.options for record in records):
        content["probabilities"] = _probabilities(job.params["benchmark"], records)
    if not scored_by_equality(job.params["benchmark"]):
        content |= _scores(job, records)
    write_json(file, content)
    typer.echo(f"wrote {file}")


def _scores(job: Job, records: Sequence[Prediction]) -> dict[str, Any]:
    """The benchmark's first metric of each answer, and its name."""
    task = get_benchmark(job.params["benchmark"])
    data = job.inputs["data"]
    assert isinstance(data, Input)
    split, limit = job.params["split"], job.params["limit"]
    items = {item.item: item for item in task.load_dataset(Path(data.path), split, limit)}
    metric = next(iter(task.metrics))
    scores = []
    for record in records:
        item = items[record.item]
        scores.append(task.score(item, [task.from_record(item, record)])[metric])
    return {"metric": metric, "scores": scores}


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


def _seed_of(checkpoint: Path) -> int:
    """The seed of a finished training. Raises InputError for any other folder."""
    manifest = checkpoint / "manifest.json"
    found = read_json(manifest) if manifest.is_file() else None
    found = found if isinstance(found, dict) else {}
    params = found.get("params")
    seed = params.get("seed") if isinstance(params, dict) else None
    finished = found.get("stage") == "training" and (checkpoint / "outputs.sha256").exists()
    if not finished or not isinstance(seed, int):
        raise InputError(
            f"--checkpoint {checkpoint}: is no finished training; train one with: regen train"
        )
    return seed


def _allowed(folder: Path, option: str = "--output-dir") -> str:
    """The folder or file as it was given. Raises InputError inside what the paper is made from."""
    try:
        inside = folder.resolve().relative_to(Path.cwd()).parts
    except ValueError:
        return str(folder)
    if not inside or (inside[0] in OWN_FOLDERS and inside[:2] != tuple(SCRATCH.split("/"))):
        raise InputError(
            f"{option} {folder}: lies where the paper's own results lie; choose {SCRATCH}/... "
            "or a folder of your own"
        )
    return str(folder)


def _digest(value: Any) -> str:
    return hashlib.sha256(dumps(value).encode()).hexdigest()[:8]
