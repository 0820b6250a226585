"""The command line: `regen --help`."""

import sys

from regen.cli import files, look, stages
from regen.cli.app import app
from regen.errors import InputError

__all__ = ["app", "files", "look", "main", "stages"]


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
