"""What writers over HTTP share: a connection while they write, and the answer to a failed step."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from drybill.psa.port import Answer
from drybill.transport.errors import Denied, HttpError, NotFound, RateLimited, Rejected

_BY_STATUS = {401: "PSA_KEYS_REFUSED", 409: "PSA_CONFLICT"}
_BY_KIND = {
    Denied: "PSA_RIGHTS_MISSING",
    NotFound: "PSA_LINE_GONE",
    RateLimited: "PSA_BUSY",
    Rejected: "PSA_RULE",
}
_NOT_DONE = tuple(_BY_KIND)  # the server read a write and did not do it


class Opens(Protocol):
    def open(self) -> AbstractAsyncContextManager[object]: ...


A = TypeVar("A", bound=Opens)


class HttpWriter(Generic[A]):
    """A writer whose connection is open from `__aenter__` to `__aexit__`.

    The lock of this machine is held by whoever applies.
    """

    def __init__(self, api: A) -> None:
        self._api = api
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises InputError where a secret is missing."""
        await self._open.enter_async_context(self._api.open())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._open.aclose()


def failed(error: HttpError, said: str) -> Answer:
    """The answer to a step that raised: rejected with its reason code, or nobody knows."""
    if not isinstance(error, _NOT_DONE):
        return Answer("unknown", said)
    code = _BY_STATUS.get(error.status) or next(
        code for kind, code in _BY_KIND.items() if isinstance(error, kind)
    )
    return Answer("rejected", said, code=code)


def words_of(error: HttpError) -> str:
    """`404: no such line`, or what kept the request from being answered."""
    return f"{error.status}: {error.said}" if error.status else error.said
