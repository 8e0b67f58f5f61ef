"""What long reads have done so far: one line on a terminal's stderr, nothing anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_EVERY_NS = 100_000_000  # between two drawings
_CLEAR = "\r\x1b[2K"


class Line:
    """The sources side by side, each with the last thing that it said."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._drawn = 0

    def done(self, source: str, what: str, count: int, of: int | None) -> None:
        self._said[source] = f"{source}: {what} {count}" + (f" of {of}" if of else "")
        self._draw()

    def waiting(self, source: str, why: str) -> None:
        self._said[source] = f"{source}: waits ({why})"
        self._draw()

    def _draw(self) -> None:
        now = time.monotonic_ns()
        if now - self._drawn >= _EVERY_NS:
            from drybill.cli.screen import width
            from drybill.report.words import clean

            self._drawn = now
            text = clean("   ".join(self._said.values()))[: width() - 1]
            sys.stderr.write(f"{_CLEAR}{text}")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._drawn:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()


@contextmanager
def shown() -> Iterator[None]:
    """Shows the progress of what is read inside, where somebody sits at stderr."""
    if not sys.stderr.isatty():
        yield
        return
    from drybill.transport.progress import tell

    line = Line()
    tell(line)
    try:
        yield
    finally:
        tell(None)
        line.clear()
