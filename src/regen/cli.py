"""The command line. The rules call the same commands that a person types."""

import errno
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
import yaml

from regen.chain import Chain
from regen.config import check, read
from regen.errors import InputError
from regen.files import dumps, write_text
from regen.provenance import Digests, Input, Job, run
from regen.schema import Config, json_schema

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""A paper whose every number is derived.

    Each stage of the chain is a command, the same that the workflow calls:
    data, base, train, predict, score, statistics, table, figure, paper. Without --set or --limit
    a command makes the very folder that the paper uses; with them, a quick try in results/scratch/.
    """,
)
config_app = typer.Typer(no_args_is_help=True, help="Look at the configuration.")
app.add_typer(config_app, name="config")

ConfigFiles = Annotated[
    list[Path],
    typer.Option(
        "--configfile",
        help="Overlay over config.yaml, such as config/smoke.yaml; may be repeated.",
    ),
]
Changes = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one value, such as studies.speech.trainings.lora.lora.r=4; a quick try.",
    ),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Only so many items; a quick try in results/scratch/.")
]
Force = Annotated[bool, typer.Option("--force", help="Run although nothing changed.")]
StudyName = Annotated[str, typer.Option("--study", help="A study of the configuration.")]
VariantName = Annotated[str, typer.Option("--variant", help="A variant of the study.")]
RunName = Annotated[
    str, typer.Option("--run", help="seed-42 and the like, or base for what has no seed.")
]
SplitName = Annotated[str, typer.Option("--split", help="train, dev or test.")]

SCRATCH = "results/scratch"
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}


def load(configfiles: list[Path], changes: list[str] | None = None) -> Config:
    return check(read([Path("config.yaml"), *configfiles], changes or []))


def overlays(configfiles: list[Path]) -> str:
    """The same choice of configuration, as Snakemake takes it."""
    return f" --configfile {' '.join(map(str, configfiles))}" if configfiles else ""


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
def paper(
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Compile the paper."""
    make("paper", configfile, changes, force=force)


@config_app.command("check")
def config_check(configfile: ConfigFiles = [], changes: Changes = []) -> None:  # noqa: B006
    """Say whether the configuration is valid, in one line if it is not."""
    config = load(configfile, changes)
    jobs = Chain(config).jobs
    typer.echo(f"scale {config.scale}: valid; {len(config.studies)} studies, {len(jobs)} jobs")


@config_app.command("show")
def config_show(
    configfile: ConfigFiles = [],  # noqa: B006
    changes: Changes = [],  # noqa: B006
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print the configuration with every default filled in."""
    values = load(configfile, changes).model_dump(mode="json")
    typer.echo(dumps(values) if json else yaml.safe_dump(values, sort_keys=False), nl=False)


@config_app.command("schema")
def config_schema(
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> None:
    """Print the JSON schema that editors read, or write it to a file."""
    text = dumps(json_schema()) + "\n"
    if output:
        write_text(output, text)
    else:
        typer.echo(text, nl=False)


@app.command()
def status(
    configfile: ConfigFiles = [],  # noqa: B006
    everything: Annotated[bool, typer.Option("--all", help="Also what is fresh.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what is fresh, stale and why, missing, or edited by hand. Changes nothing."""
    from regen.status import FRESH, status

    digests = Digests()
    states = status(Chain(load(configfile)), digests)
    digests.save()
    if json:
        typer.echo(dumps(states))
        return
    for state in states:
        if everything or state.state != FRESH:
            typer.echo(f"{state.state:<15} {state.folder}  {state.reason}".rstrip())
    counts = Counter(state.state for state in states)
    typer.echo(", ".join(f"{n} {state}" for state, n in counts.items()))


@app.command()
def trace(
    address: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY/TABLE ROW COLUMN | NUMBER",
            help="A cell, such as: speech/comparison lora accuracy; "
            "or a number of the text, such as: speech/lora/accuracy/mean.",
        ),
    ],
    configfile: ConfigFiles = [],  # noqa: B006
    items: Annotated[int, typer.Option(min=0, help="Show the answers to so many items.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="As JSON, with every item.")] = False,
) -> None:
    """Print what a cell rests on, down to the items and the raw data."""
    from regen.trace import render, trace_cell, trace_number

    chain, digests = Chain(load(configfile)), Digests()
    if len(address) == 3:
        found = trace_cell(chain, address[0], address[1], address[2], digests)
    elif len(address) == 1:
        found = trace_number(chain, address[0], digests)
    else:
        raise InputError("trace: name a cell as STUDY/TABLE ROW COLUMN, or one number of the text")
    digests.save()
    typer.echo(dumps(found) if json else render(found, items, overlays(configfile)))


@app.command()
def report(configfile: ConfigFiles = []) -> None:  # noqa: B006
    """Print the tables, how long each stage took, and where the paper is."""
    from regen.report import show

    show(Chain(load(configfile)))


@app.command()
def dvc(check_only: Annotated[bool, typer.Option("--check", help="Only compare.")] = False) -> None:
    """Write dvc.yaml from config.yaml, so that `dvc repro` does what Snakemake does."""
    from regen.versioning import DVC_FILE, dvc_yaml

    text = dvc_yaml(Chain(load([])))
    same = DVC_FILE.exists() and DVC_FILE.read_text(encoding="utf-8") == text
    if check_only and not same:
        raise InputError("dvc.yaml: is not what config.yaml says; write it again with: regen dvc")
    if not same:
        write_text(DVC_FILE, text)
    typer.echo(f"{DVC_FILE}: {'up to date' if same else 'written'}")


def main(arguments: list[str] | None = None) -> None:
    """Bad input is one line and status 2; an interrupt is one line and status 130."""
    try:
        app(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
