"""The one exception that a user sees as a single line."""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Bad input: the message says what is wrong, where, and what to do, in one line.

    The command line prints it as ``error: <message>`` and exits with status 2.
    """


def nearest(name: str, names: Iterable[str]) -> str:
    """ "; did you mean 'x'?", or the names there are."""
    names = [str(n) for n in names]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return (
        f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(names) or 'none'}"
    )
