"""How hard a host may be asked: so many at once, and so many in any window of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from drybill.transport.progress import Progress


class Limits(Struct, frozen=True):
    """What one host allows. Times are seconds."""

    at_once: int = 4
    requests: int = 600  # in any window of `window` seconds
    window: float = 60.0
    timeout: float = 60.0  # of one request, between two bytes
    answer: float = 300.0  # of one request, to the last byte of its answer
    body: int = 64 * 1_048_576  # bytes of one answer, unpacked
    deadline: float = 1_800.0  # of one listing or read with all its retries
    attempts: int = 5  # of one read
    wait: float = 0.5  # before the second attempt; doubles, with jitter of its own size
    pages: int = 2_000  # of one listing: more is taken for a circle


class Gate:
    """Lets requests through as the limits allow."""

    def __init__(self, limits: Limits, source: str, progress: Progress) -> None:
        from pyrate_limiter import InMemoryBucket, Limiter, Rate

        rate = Rate(limits.requests, max(int(limits.window * 1000), 1))
        self._limiter = Limiter(InMemoryBucket([rate]))
        self._slots = asyncio.Semaphore(limits.at_once)
        self._source, self._progress = source, progress

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        async with self._slots:
            if not await self._limiter.try_acquire_async(self._source, blocking=False):
                self._progress.waiting(self._source, "rate limit")
                await self._limiter.try_acquire_async(self._source)
            yield
