"""Jobs of a study up to its scores: trainings, answers, and the choices made on the dev split."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from regen.benchmarks.registry import get_benchmark
from regen.metrics import Metric
from regen.provenance import Input, Job
from regen.schema.prompts import Found, LocalProposer
from regen.schema.recipes import Training
from regen.schema.results import Thresholds
from regen.schema.study import Study, Variant


@dataclass(frozen=True)
class Home:
    """A study, its name, and the folder of its results; `lender` has the checkpoints it uses."""

    name: str
    study: Study
    folder: str
    lender: "Home | None" = None

    def checkpoint(self, training: str, run: str) -> str:
        return f"{(self.lender or self).folder}/checkpoints/{training}/{run}"

    def adapter(self, row: Variant, run: str) -> Input:
        """The adapter that a trained variant answers with."""
        training = str(row.training)
        folder = self.checkpoint(training, run)
        recipe = (self.lender or self).study.trainings.get(training)  # a grid's point has none
        if recipe is None or row.epoch in (None, recipe.optimisation.epochs):
            return Input(None, folder)
        return Input(f"epoch-{row.epoch}", folder)


def grid_jobs(home: Home, selection: str) -> Iterator[Job]:
    """A training at each point of a grid, its answers on the dev split, and the best one."""
    jobs: list[Job] = []
    points = home.study.points(selection)
    seed = home.study.selections[selection].seed
    for point, recipe in points.items():
        row = Variant(training=point, prompt=recipe.prompt)
        jobs += [
            training_job(home, point, recipe, seed),
            prediction_job(home, point, row, f"seed-{seed}", "dev"),
            scoring_job(home, point, f"seed-{seed}", "dev"),
        ]
    if points:
        asked = {point: point for point in points}
        jobs.append(selection_job(home, selection, asked))
    # The recipes wait for the grid's winner, so that their training comes after this one.
    yield from (replace(job, part=f"selection-{selection}") for job in jobs)


def choice_jobs(home: Home, selection: str) -> Iterator[Job]:
    """Variants on the dev split, and the best of them."""
    choice = home.study.selections[selection]
    for variant in choice.among:
        yield from answer_jobs(home, variant, f"seed-{choice.seed}", "dev")
    asked = {variant: str(home.study.variants[variant].training) for variant in choice.among}
    yield selection_job(home, selection, asked)


def answer_jobs(home: Home, variant: str, run: str, split: str) -> tuple[Job, Job]:
    """A variant's predictions and their scores."""
    row = home.study.variants[variant]
    asked = prediction_job(home, variant, row, run, split)
    return asked, scoring_job(home, variant, run, split)


def selection_job(home: Home, selection: str, asked: dict[str, str]) -> Job:
    """asked: {variant, or point of a grid: its training}."""
    choice = home.study.selections[selection]
    scores = f"{home.folder}/scores"
    run = f"seed-{choice.seed}"
    return Job(
        stage="selection",
        out=f"{home.folder}/selection/{selection}",
        function="regen.selection:select",
        wildcards={"study": home.name, "selection": selection},
        inputs={
            "scores": tuple(Input("items.jsonl", f"{scores}/{one}/{run}/dev") for one in asked),
            "summaries": tuple(
                Input("summary.json", home.checkpoint(training, run)) for training in asked.values()
            ),
        },
        params={
            "metric": choice.metric,
            "larger_is_better": metrics_of(home.study)[choice.metric].larger_is_better,
        },
        outputs=("selection.json",),
    )


def training_job(home: Home, training: str, recipe: Training, seed: int) -> Job:
    inputs = {
        "base": Input(None, f"models/{home.study.base}"),
        "data": Input(None, f"data/{home.study.dataset}"),
    }
    if recipe.selected is not None:
        folder = f"{home.folder}/selection/{recipe.selected}"
        inputs["selection"] = Input("selection.json", folder)
    if recipe.start is not None:
        inputs["start"] = Input(None, home.checkpoint(recipe.start, f"seed-{seed}"))
    function, settings = "regen.training:train", {}
    if recipe.reinforcement is not None:
        function = "regen.reinforcement:reinforce"
        settings = {"reinforcement": recipe.reinforcement.model_dump()}
    return Job(
        stage="training",
        out=home.checkpoint(training, f"seed-{seed}"),
        function=function,
        wildcards={"study": home.name, "training": training, "seed": str(seed)},
        inputs=inputs,
        params={
            "benchmark": home.study.benchmark,
            "prompt": recipe.prompt,
            "lora": recipe.lora.model_dump(),
            "optimisation": recipe.optimisation.model_dump(),
            **({"objective": recipe.objective.model_dump()} if recipe.objective else {}),
            "limit": recipe.items or home.study.items.train,
            "seed": seed,
            **settings,
        },
        outputs=(
            "adapter_model.safetensors",
            "adapter_config.json",
            "log.jsonl",
            "summary.json",
        ),
        beside=tuple(f"epoch-{n}" for n in kept_epochs(recipe)),
        measured=("timing.json",),
        code=(benchmark_module(home.study.benchmark),),
    )


def kept_epochs(recipe: Training) -> range:
    """The epochs after which the adapter lies in a folder of its own; after the last, it is all."""
    return range(1, recipe.optimisation.epochs if recipe.optimisation.keep_epochs else 1)


def prompts_job(home: Home, name: str) -> Job:
    """A search for a prompt with one frozen model: the base, or the checkpoint of one seed."""
    of, search = home.study, home.study.prompt_searches[name]
    inputs = {
        "base": Input(None, f"models/{search.base or of.base}"),
        "data": Input(None, f"data/{of.dataset}"),
    }
    if search.training is not None:
        seed = of.seeds[0] if search.checkpoint is None else search.checkpoint
        inputs["adapter"] = Input(None, home.checkpoint(search.training, f"seed-{seed}"))
    if isinstance(search.proposer, LocalProposer):
        inputs["proposer_model"] = Input(None, f"models/{search.proposer.model}")
    if search.budget_of is not None:
        inputs["budget_of"] = Input("prompt.json", f"{home.folder}/prompts/{search.budget_of}")
    return Job(
        stage="prompts",
        out=f"{home.folder}/prompts/{name}",
        function="regen.prompts.search:optimise",
        wildcards={"study": home.name, "search": name},
        inputs=inputs,
        params={
            **search.model_dump(exclude={"training", "base", "checkpoint", "budget_of"}),
            "benchmark": of.benchmark,
            "limit": of.items.dev,
            "train_limit": of.items.train,
        },
        outputs=("prompt.json", "history.jsonl"),
        measured=("timing.json",),
        code=(benchmark_module(of.benchmark),),
    )


def prediction_job(home: Home, variant: str, row: Variant, run: str, split: str) -> Job:
    inputs = {"data": Input(None, f"data/{home.study.dataset}")}
    if row.trivial is None:
        inputs["base"] = Input(None, f"models/{row.base or home.study.base}")
    if row.training is not None:
        inputs["adapter"] = home.adapter(row, run)
    params: dict[str, Any] = {
        "benchmark": home.study.benchmark,
        "variant": variant,
        "split": split,
        "limit": getattr(home.study.items, split),
    }
    if row.trivial is not None:
        params |= {"trivial": row.trivial, "train_limit": home.study.items.train}
    else:
        params["decoding"] = row.decoding.model_dump()
        if isinstance(row.prompt, Found):
            inputs["prompt_file"] = Input(
                "prompt.json", f"{home.folder}/prompts/{row.prompt.search}"
            )
        else:
            params["prompt"] = row.prompt
    if row.shots:
        params |= {"shots": row.shots, "train_limit": home.study.items.train}
    if run != "base":
        params["seed"] = int(run.removeprefix("seed-"))
    return Job(
        stage="prediction",
        out=f"{home.folder}/predictions/{variant}/{run}/{split}",
        function="regen.prediction:predict",
        wildcards={"study": home.name, "variant": variant, "run": run, "split": split},
        inputs=inputs,
        params=params,
        outputs=("predictions.jsonl",),
        measured=("timing.json",),
        code=(benchmark_module(home.study.benchmark),),
    )


def agreement_job(home: Home, options: str, generated: str) -> Job:
    """options, generated: a variant asked for logits, and the same asked for text."""

    def folders(variant: str) -> tuple[Input, ...]:
        predictions = f"{home.folder}/predictions/{variant}"
        runs = runs_of(home.study, home.study.variants[variant])
        return tuple(Input(None, f"{predictions}/{run}/test") for run in runs)

    return Job(
        stage="agreement",
        out=f"{home.folder}/agreement/{generated}",
        function="regen.agreement:agreement",
        wildcards={"study": home.name, "variant": generated},
        inputs={"options": folders(options), "generated": folders(generated)},
        outputs=("agreement.json", "items.jsonl"),
        measured=("timing.json",),
    )


def calibration_jobs(home: Home, variant: str, temperatures: list[float]) -> Iterator[Job]:
    """A variant's answers on dev, and what they say of its probabilities on test."""
    row = home.study.variants[variant]
    runs = runs_of(home.study, row)
    for run in runs:
        yield prediction_job(home, variant, row, run, "dev")
    predictions = f"{home.folder}/predictions/{variant}"
    yield Job(
        stage="calibration",
        out=f"{home.folder}/calibration/{variant}",
        function="regen.calibration:calibrate",
        wildcards={"study": home.name, "variant": variant},
        inputs={
            split: tuple(Input("predictions.jsonl", f"{predictions}/{run}/{split}") for run in runs)
            for split in ("dev", "test")
        },
        params={"benchmark": home.study.benchmark, "temperatures": temperatures},
        outputs=("calibration.json",),
        code=(benchmark_module(home.study.benchmark),),
    )


def thresholds_job(home: Home, wanted: Thresholds) -> Job:
    scores = f"{home.folder}/scores"
    return Job(
        stage="thresholds",
        out=f"{home.folder}/thresholds",
        function="regen.thresholds:thresholds",
        wildcards={"study": home.name},
        inputs={
            "scores": tuple(
                Input("items.jsonl", f"{scores}/{variant}/{run}/test")
                for variant in wanted.variants
                for run in runs_of(home.study, home.study.variants[variant])
            ),
            "data": Input(None, f"data/{home.study.dataset}"),
        },
        params={
            "split": "test",
            "axes": [
                {"name": name, "log": axis.scale == "log"} for name, axis in wanted.axes.items()
            ],
            "metric": wanted.metric,
            "guess": wanted.guess,
            "level": wanted.level,
            "seed": wanted.seed,
        },
        outputs=("thresholds.json",),
    )


def scoring_job(home: Home, variant: str, run: str, split: str) -> Job:
    predictions = f"{home.folder}/predictions/{variant}/{run}/{split}"
    inputs = {
        "predictions": Input("predictions.jsonl", predictions),
        "data": Input(None, f"data/{home.study.dataset}"),
    }
    if home.study.encoder is not None:
        inputs["encoder"] = Input(None, f"models/{home.study.encoder}")
    draws = home.study.draws
    if draws is not None:
        if draws.perplexity:
            inputs["base"] = Input(None, f"models/{home.study.base}")
        if split != "dev":
            inputs["dev"] = Input("items.jsonl", f"{home.folder}/scores/{draws.bar}/base/dev")
    params = {
        "benchmark": home.study.benchmark,
        "split": split,
        "limit": getattr(home.study.items, split),
    }
    return Job(
        stage="scoring",
        out=f"{home.folder}/scores/{variant}/{run}/{split}",
        function="regen.scoring:score",
        wildcards={"study": home.name, "variant": variant, "run": run, "split": split},
        inputs=inputs,
        params=params if draws is None else params | {"draws": {"most": draws.most}},
        outputs=("items.jsonl", "summary.json"),
        code=(benchmark_module(home.study.benchmark),),
    )


def runs_of(study: Study, variant: Variant) -> list[str]:
    """The runs that a variant has: one a seed if it is trained, else the one called "base"."""
    return [f"seed-{seed}" for seed in study.seeds] if variant.training else ["base"]


def metrics_of(study: Study) -> Mapping[str, Metric]:
    return get_benchmark(study.benchmark).metrics


def benchmark_module(name: str) -> str:
    return f"regen.benchmarks.{name.replace('-', '_')}"
