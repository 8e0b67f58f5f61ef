"""What can go wrong with an HTTP source, as typed errors that say where and in whose words.

All of them are `UnreachableError`s: the source could not be asked, or not in a way that counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from drybill.errors import Problem, UnreachableError
from drybill.secrets import redacted

_SHOWN = 200  # characters of a vendor's message


class HttpError(UnreachableError):
    """An answer that is none. `status` is 0 where none came."""

    code = "http-failed"

    def __init__(
        self, request: httpx.Request, said: str, *, status: int = 0, fix: str = ""
    ) -> None:
        where = f"{request.url.host}{request.url.path}"
        answer = f" answered {status}" if status else ""
        summary = redacted(f"{request.method} {where}{answer}: {said}")
        super().__init__([Problem(self.code, None, summary, fix)])
        self.status = status
        self.said = redacted(said)

    @classmethod
    def recalled(cls, problem: Problem, status: int, said: str) -> HttpError:
        """The same error once more, from what was kept of it."""
        error = cls.__new__(cls)
        UnreachableError.__init__(error, [problem])
        error.status, error.said = status, said
        return error


class TimedOut(HttpError):
    """No answer in time: a write may have arrived."""

    code = "http-timeout"


class Disconnected(HttpError):
    """The connection failed or broke off: a write may have arrived."""

    code = "http-connection"


class Denied(HttpError):
    """401 or 403."""

    code = "http-denied"


class NotFound(HttpError):
    """404 or 410."""

    code = "http-not-found"


class RateLimited(HttpError):
    """429."""

    code = "http-rate-limited"
    retry_after: float | None = None  # seconds, as the server says


class ServerFailed(HttpError):
    """5xx: a write may have arrived."""

    code = "http-server"
    retry_after: float | None = None


class Rejected(HttpError):
    """Another 4xx, a redirect, a 2xx that says no: the server read it and did not do it."""

    code = "http-rejected"


class Malformed(HttpError):
    """An answer that is not what its documents say: HTML, half of a JSON, other fields."""

    code = "http-malformed"


class Broken(Malformed):
    """A body that is no JSON at all: cut off, or a page for people."""


class Shifted(Malformed):
    """Pages that do not fit together: rows came or went while they were read."""


class WallError(RuntimeError):
    """A request that this run must not make: a defect of ours, never the user's fault."""


def failure_of(response: httpx.Response) -> HttpError | None:
    """The error that a status stands for; None for 2xx."""
    status = response.status_code
    if 200 <= status < 300:
        return None
    request, said = response.request, message_of(response)
    if status == 408:  # the server gave up waiting, for nobody knows how much of the request
        return TimedOut(request, said, status=status)
    if status in (401, 403):
        fix = "check the keys, and what their role may read" if status == 403 else "check the keys"
        return Denied(request, said, status=status, fix=fix)
    if status in (404, 410):
        return NotFound(request, said, status=status)
    if status == 429:
        limited = RateLimited(request, said, status=status, fix="try again later")
        limited.retry_after = _retry_after(response)
        return limited
    if status >= 500:
        failed = ServerFailed(request, said, status=status)
        failed.retry_after = _retry_after(response)
        return failed
    return Rejected(request, said, status=status)


def message_of(response: httpx.Response) -> str:
    """The server's own words, as short as they can be: JSON's messages, else what it is."""
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        kind = response.headers.get("content-type", "no content type").partition(";")[0]
        return f"an answer that is not JSON ({kind})" if response.content else "an empty answer"
    return words_of(body)


def words_of(body: Any) -> str:
    """The messages of a decoded body, each once, without secrets."""
    words = list(dict.fromkeys(_messages(body)))
    said = redacted("; ".join(words)) or "no message"
    return said if len(said) <= _SHOWN else said[:_SHOWN] + "..."


def _messages(body: Any) -> Iterator[str]:
    if isinstance(body, list):
        for item in body:
            yield from _messages(item)
    elif isinstance(body, dict):
        for key in ("message", "error_description", "title", "detail"):
            value = body.get(key)
            if isinstance(value, str) and value.strip():
                yield re.sub(r"\s+", " ", redacted(value)).strip()
        if isinstance(body.get("error"), str) and "message" not in body:
            yield redacted(body["error"])
        for key in ("error", "errors", "details"):
            yield from _messages(body.get(key))


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; a date is read, too (RFC 9110, 10.2.3)."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    said = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", said):
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return None
    if until.tzinfo is None:  # "-0000": a time of nobody knows where
        return None
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)
