"""The one exception that a user sees as a single line."""

import difflib
from collections.abc import Iterable

MOST_NAMES = 12
"""Names that one line lists."""


class InputError(Exception):
    """Bad input: the message says what is wrong, where, and what to do, in one line.

    The command line prints it as ``error: <message>`` and exits with status 2.
    """


def nearest(name: str, names: Iterable[str]) -> str:
    """ "; did you mean 'x'?", or the names there are."""
    names = [str(n) for n in names]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    shown = ", ".join(names[:MOST_NAMES]) or "none"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"; there are: {shown}{more}"
