"""Commands for what lies elsewhere: commits of the hub; a rented machine's work and results."""

from pathlib import Path
from typing import Annotated

import typer

from regen.chain import Chain
from regen.cli.app import ConfigFiles, app, load, overlays
from regen.digests import Digests

MIB = 2**20


@app.command()
def pin(
    configfile: ConfigFiles = [],  # noqa: B006
    update: Annotated[bool, typer.Option("--update", help="Also of what has a revision.")] = False,
) -> None:
    """Write the commits that the hub has now into the configuration file, as `revision`.

    Of models and of data sets. HF_ENDPOINT names another hub, HF_TOKEN opens what is gated. Where
    one cannot be had, no file is changed.
    """
    from regen.pin import pin

    changed = pin(load(configfile), [Path("config.yaml"), *configfile], update)
    for name, (file, revision) in changed.items():
        typer.echo(f"{file}: {name}: {revision}")
    if not changed:
        typer.echo("everything of the hub has its revision")


@app.command()
def bundle(
    target: Annotated[str, typer.Argument(help="What Snakemake takes: checkpoints, a study.")],
    configfile: ConfigFiles = [],  # noqa: B006
    output: Annotated[Path, typer.Option(help="Write to this file.")] = Path("bundle.tar.gz"),
) -> None:
    """Pack what another machine needs to make a target: code, configuration, and what is read."""
    from regen.bundle import bundle

    digests = Digests()
    packed = bundle(Chain(load(configfile)), target, configfile, output, digests)
    digests.save()
    if packed.changed:
        more = f" and {len(packed.changed) - 1} more" if len(packed.changed) > 1 else ""
        typer.echo(f"not committed: {packed.changed[0]}{more}; packed as it is now")
    if packed.not_pulled:
        typer.echo(f"not here: {packed.not_pulled} of the folders are recorded; dvc pull them")
    typer.echo(
        f"{output}: {packed.size / MIB:.1f} MiB; jobs to run there: {packed.jobs}; "
        f"there: snakemake {target}{overlays(configfile)} && regen export-results"
    )


@app.command("export-results")
def export_results(
    output: Annotated[Path, typer.Option(help="Write to this file.")] = Path("results.tar.gz"),
) -> None:
    """Pack what was made in the folder that a bundle was unpacked to."""
    from regen.bundle import export_results, read_note

    note, digests = read_note(), Digests()
    configfiles = [Path(name) for name in note["configfiles"]]
    packed = export_results(Chain(load(configfiles)), note, output, digests)
    digests.save()
    if packed.unmade:
        typer.echo(f"not made yet: {packed.unmade} of the folders of {note['target']}")
    named = "".join(f" --configfile {file}" for file in configfiles)
    typer.echo(
        f"{output}: {packed.size / MIB:.1f} MiB; folders made here: {packed.folders}; "
        f"at home: regen import-results {output.name}{named}"
    )


@app.command("import-results")
def import_results(
    file: Annotated[Path, typer.Argument(help="What regen export-results wrote.")],
    configfile: ConfigFiles = [],  # noqa: B006
) -> None:
    """Take results that another machine made, if they are what would be made here."""
    from regen.returned import import_results

    arrival = import_results(file, Chain(load(configfile)), Digests())
    for folder, why in arrival.refused:
        typer.echo(f"{folder}: {why}; not taken", err=True)
    typer.echo(
        f"folders: {len(arrival.taken)} taken, {len(arrival.were_here)} here already, "
        f"{len(arrival.refused)} refused"
    )
    if arrival.refused:
        raise typer.Exit(1)
