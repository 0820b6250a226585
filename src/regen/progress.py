"""Progress of long work, on stderr: a bar on a terminal, otherwise a plain line now and then."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 20.0


def track(items: Iterable[T], total: int, label: str, done: int = 0) -> Iterator[T]:
    """Yield `items` and show how far along they are. `done` were finished before, of `total`."""
    if sys.stderr.isatty():
        yield from _bar(items, total, label, done)
        return
    started = last = time.monotonic()
    for number, item in enumerate(items, done + 1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            left = (now - started) / (number - done) * (total - number)
            print(f"{label}: {number}/{total}, about {left:.0f} s left", file=sys.stderr)


def _bar(items: Iterable[T], total: int, label: str, done: int) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total, completed=done)
        for item in items:
            yield item
            progress.advance(task)
