"""Answers of a bounded size: what unpacks into more than a run can hold is refused on the way."""

from __future__ import annotations

import httpx

from drybill.transport.errors import Malformed

_UNPACKED = ("content-encoding", "content-length", "transfer-encoding")


class Bounded(httpx.AsyncBaseTransport):
    """Reads every answer to its end, unpacked, and no further than `most` bytes."""

    def __init__(self, inner: httpx.AsyncBaseTransport, most: int) -> None:
        self._inner, self._most = inner, most

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises Malformed for an answer that is larger."""
        response = await self._inner.handle_async_request(request)
        if "," in response.headers.get("content-encoding", ""):  # each could be a bomb in a bomb
            await response.aclose()
            raise Malformed(request, "an answer that is packed more than once")
        body = bytearray()
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > self._most:
                    megabytes = self._most // 1_048_576
                    raise Malformed(request, f"an answer of more than {megabytes} MiB")
        finally:
            await response.aclose()
        headers = [(k, v) for k, v in response.headers.raw if k.decode().lower() not in _UNPACKED]
        return httpx.Response(
            response.status_code,
            headers=headers,
            content=bytes(body),
            request=request,
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()
