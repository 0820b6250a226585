"""The application object, and what all commands share."""

from pathlib import Path
from typing import Annotated

import typer

from regen.config import check, read
from regen.schema import Config

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""A paper whose every number is derived.

    Each stage of the chain is a command, the same that the workflow calls:
    data, base, train, optimize-prompt, predict, score, select, statistics, table, figure, simulate,
    appendix, paper. Without --set or --limit
    a command makes the very folder that the paper uses; with them, a quick try in results/scratch/.
    """,
)

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


def load(configfiles: list[Path], changes: list[str] | None = None) -> Config:
    return check(read([Path("config.yaml"), *configfiles], changes or []))


def overlays(configfiles: list[Path]) -> str:
    """The same choice of configuration, as Snakemake takes it."""
    return f" --configfile {' '.join(map(str, configfiles))}" if configfiles else ""
