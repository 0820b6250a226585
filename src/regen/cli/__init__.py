"""The command line: `regen --help`."""

import sys

import typer
from typer.exceptions import TyperException

from regen.cli import elsewhere, evaluate, experiments, files, look, stages
from regen.cli.app import app
from regen.errors import InputError
from regen.warm import spare_words

__all__ = ["app", "elsewhere", "evaluate", "experiments", "files", "look", "main", "stages"]


def main(arguments: list[str] | None = None) -> None:
    """Bad input is one line and status 2; an interrupt is one line and status 130."""
    spare_words()
    try:
        sys.exit(app(arguments, standalone_mode=False) or 0)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    except TyperException as error:  # what the options' own checks raise
        if words := " ".join(error.format_message().split()):
            print(f"error: {words} (regen --help)", file=sys.stderr)
        sys.exit(2)
