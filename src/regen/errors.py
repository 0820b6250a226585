"""The one exception that a user sees as a single line."""


class InputError(Exception):
    """Bad input: the message says what is wrong, where, and what to do, in one line.

    The command line prints it as ``error: <message>`` and exits with status 2.
    """
