"""Long work shows itself: what a source has done of how much, and what it waits for."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    def done(self, source: str, what: str, count: int, of: int | None) -> None:
        """`count` of `of` (None: nobody knows) pages, agreements, ... were read."""
        ...

    def waiting(self, source: str, why: str) -> None:
        """A request waits: for the rate limit, or before another attempt."""
        ...


class Silent:
    def done(self, source: str, what: str, count: int, of: int | None) -> None:
        pass

    def waiting(self, source: str, why: str) -> None:
        pass


_TOLD: ContextVar[Progress | None] = ContextVar("progress", default=None)


def current() -> Progress:
    """Who is told; adapters opened deep inside find it here."""
    return _TOLD.get() or Silent()


def tell(progress: Progress | None) -> None:
    """Names who is told from here on, in this context; None: nobody."""
    _TOLD.set(progress)
