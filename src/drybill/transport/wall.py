"""The wall: a request that an adapter did not declare never leaves the process."""

from __future__ import annotations

import re

import httpx
from msgspec import Struct

from drybill.transport.errors import WallError

# Calls that create real invoices or change them. Nothing opens this list, `--apply` neither.
NEVER = (
    ("POST", re.compile(r".*/finance/agreements/[^/]+/invoice/?")),
    ("POST", re.compile(r".*/finance/invoices/?")),
    # AlgaPSA: generate, manual, bulk, recurring, finalize, send, payment, credit and all others
    ("POST", re.compile(r".*/api/v1/invoices(/(?!preview/?$).*)?")),
    ("PUT", re.compile(r".*/api/v1/invoices/.*")),
    ("DELETE", re.compile(r".*/api/v1/invoices/.*")),
    ("POST", re.compile(r".*/api/v1/financial/.*")),
    ("POST", re.compile(r".*/api/v1/(integrations/)?quickbooks/invoices/.*")),
)


class Operation(Struct, frozen=True):
    """A call that an adapter declares: method, and a pattern of the whole path."""

    method: str
    path: str

    def allows(self, request: httpx.Request) -> bool:
        return (
            request.method == self.method
            and re.fullmatch(self.path, request.url.path) is not None
            and b"%" not in request.url.raw_path.partition(b"?")[0]
        )


class Wall(httpx.AsyncBaseTransport):
    """Lets declared operations of one origin through, and nothing else."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, origin: httpx.URL, operations: tuple[Operation, ...]
    ) -> None:
        self._inner = inner
        self._origin = _origin(origin)
        self._operations = operations

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises WallError, before anything is sent."""
        path = request.url.path
        if _origin(request.url) != self._origin:
            raise WallError(f"{request.method} to another host: {request.url.host}")
        if any(request.method == m and pattern.fullmatch(path) for m, pattern in NEVER):
            raise WallError(f"{request.method} {path} creates or changes a real invoice")
        if not any(operation.allows(request) for operation in self._operations):
            raise WallError(f"{request.method} {path} is not declared here")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
    return url.scheme, url.host, port
