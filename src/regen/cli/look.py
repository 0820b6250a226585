"""Commands that look at what is there: configuration, status, trace, report; and dvc.yaml."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
import yaml

from regen.chain import Chain
from regen.cli.app import Changes, ConfigFiles, app, load, overlays
from regen.digests import Digests
from regen.errors import InputError
from regen.files import dumps, write_text
from regen.schema import json_schema

config_app = typer.Typer(no_args_is_help=True, help="Look at the configuration.")
app.add_typer(config_app, name="config")


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
    check: Annotated[bool, typer.Option("--check", help="Fail unless all of it is fresh.")] = False,
) -> None:
    """Say what is fresh, stale and why, missing, or edited by hand. Changes nothing."""
    from regen.status import FRESH, NOT_HERE, status

    digests = Digests()
    states = status(Chain(load(configfile)), digests)
    digests.save()
    if json:
        typer.echo(dumps(states))
    else:
        for state in states:
            if everything or state.state != FRESH:
                typer.echo(f"{state.state:<15} {state.folder}  {state.reason}".rstrip())
        counts = Counter(state.state for state in states)
        typer.echo(", ".join(f"{n} {state}" for state, n in counts.items()))
    if check and any(state.state not in (FRESH, NOT_HERE) for state in states):
        raise typer.Exit(1)


@app.command()
def plan(
    target: Annotated[
        str, typer.Argument(help="What Snakemake takes: paper, tables, a study, a file.")
    ] = "paper",
    configfile: ConfigFiles = [],  # noqa: B006
    budget: Annotated[
        float | None, typer.Option(min=0, help="Fail if it would cost more than this.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Job by job.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON, job by job.")] = False,
) -> None:
    """Say what would run, on what, how long, and what it would cost. Runs nothing."""
    from regen.forecast import forecast, over_budget, render
    from regen.targets import jobs_of, would_run

    chain, digests = Chain(load(configfile)), Digests()
    found = forecast(chain, would_run(chain, jobs_of(chain, target), digests))
    digests.save()
    prices = chain.config.prices
    typer.echo(dumps(found) if json else render(found, prices, everything))
    limit = budget if budget is not None or prices is None else prices.budget
    if limit is not None and (problem := over_budget(found, limit, prices)):
        raise InputError(problem)


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
def report(
    configfile: ConfigFiles = [],  # noqa: B006
    readme: Annotated[
        Path | None, typer.Option(help="Write the table and the times into this file instead.")
    ] = None,
) -> None:
    """Print the main tables, how long each stage took, and where the paper is."""
    from regen.report import show, write_readme

    chain = Chain(load(configfile))
    if readme:
        write_readme(chain, readme)
    else:
        show(chain)


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
