"""One HTTP client for all adapters: wall, limits, retries, deadlines, paging, typed answers."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import msgspec

from drybill import __version__, secrets
from drybill.transport import cassette
from drybill.transport.auth import keep_cookies
from drybill.transport.bounded import Bounded
from drybill.transport.errors import (
    Broken,
    Disconnected,
    HttpError,
    Malformed,
    RateLimited,
    Rejected,
    ServerFailed,
    Shifted,
    TimedOut,
    WallError,
    failure_of,
)
from drybill.transport.limits import Gate, Limits
from drybill.transport.paging import Ask, Page, Paging, Single, at
from drybill.transport.progress import Progress, current
from drybill.transport.wall import Operation, Wall

T = TypeVar("T")
_ENCODE = msgspec.json.Encoder(decimal_format="number")
_MAGNITUDE = 30  # digits before or after the point
_LONGEST_WAIT = 120.0  # seconds of Retry-After that are waited for; longer is an error
Transient = Callable[[HttpError], bool]
Params = Mapping[str, str] | tuple[tuple[str, str], ...]


class Answer:
    """A 2xx answer. Secrets that the server repeats are taken out of it before anyone sees it."""

    def __init__(self, response: httpx.Response, body: bytes) -> None:
        self.request, self.headers, self.body = response.request, response.headers, body

    def decode(self, kind: type[T]) -> T:
        """The body as `kind`, numbers as Decimal from their text. Raises Malformed."""
        return self.decode_part(self.body, kind)

    def decode_part(self, content: bytes | msgspec.Raw, kind: type[T]) -> T:
        """The same for a part of the body."""
        try:
            return _sane(self.request, msgspec.json.decode(content, type=kind))
        except msgspec.ValidationError as error:
            raise Malformed(self.request, f"another answer than documented: {error}") from None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise Broken(self.request, self._what()) from None

    def _what(self) -> str:
        kind = self.headers.get("content-type", "").partition(";")[0]
        if "json" in kind and self.body:
            return "an answer that is JSON only in part: it was cut off"
        return f"an answer that is not JSON ({kind or 'no content type'})"


class Client:
    """A connection to one host. To be used inside `async with client.open()`."""

    def __init__(
        self,
        source: str,
        base: str,
        reads: tuple[Operation, ...],
        *,
        writes: tuple[Operation, ...] = (),
        auth: Callable[[], httpx.Auth] | None = None,
        headers: Mapping[str, str] | None = None,
        limits: Limits = Limits(),
        transient: Transient = lambda error: True,
        refused: Callable[[bytes], str] = lambda body: "",
    ) -> None:
        """`auth` is called when the client opens: only then are secrets fetched.

        `reads` and `writes` are all that the wall lets through; `transient` may say of a 5xx that
        another attempt is of no use. `refused` finds in the body of a 2xx the words by which an API
        says that it is none; empty: it is one. `source` is the mapping's name for people.
        """
        self.source, self.base = source, httpx.URL(base.rstrip("/"))
        self._reads, self._writes = reads, writes
        self._auth, self._headers = auth, dict(headers or {})
        self._limits, self._transient, self._refused = limits, transient, refused
        self.said_at: datetime | None = None  # by the server's clock, its first answer
        self._http: httpx.AsyncClient | None = None
        self._gate: Gate | None = None
        self._progress: Progress = current()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Raises InputError where a secret is missing."""
        self.said_at = None
        offline = cassette.replaying()
        auth = None if offline or self._auth is None else self._auth()
        inner = httpx.AsyncHTTPTransport(
            verify=_trusted() if self.base.scheme == "https" else _nobody(),
            proxy=_proxy(self.base),
            limits=httpx.Limits(max_connections=self._limits.at_once),
        )
        self._progress = current()
        self._gate = Gate(self._limits, self.source, self._progress)
        client = httpx.AsyncClient(
            transport=Wall(
                Bounded(inner, self._limits.body), self.base, self._reads + self._writes
            ),
            auth=auth,
            headers={"User-Agent": f"drybill/{__version__}", **self._headers},
            timeout=httpx.Timeout(self._limits.timeout, connect=15.0),
            follow_redirects=False,
        )
        async with client:
            self._http = client
            try:
                yield
            finally:
                self._http = self._gate = None

    async def get(
        self,
        path: str,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One read, with retries. Raises HttpError."""
        import stamina

        _silence_stamina()
        hook = _Backoff(self._transient, self._progress, self.source)
        attempts = stamina.retry_context(
            on=hook,
            attempts=self._limits.attempts,
            timeout=self._limits.deadline,
            wait_initial=self._limits.wait,
            wait_max=30.0,
            wait_jitter=self._limits.wait,
        )
        async for attempt in attempts:
            with attempt:
                answer = await self._send("GET", path, params, headers, None)
                answer.decode(msgspec.Raw)  # half a body is worth another attempt
                return answer
        raise AssertionError("stamina raises the last error")

    async def query(
        self, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One read that is a POST, sent once as a write would be. Raises HttpError.

        The wall knows it as a declared read: method and whole path.
        """
        cassette.read_by_post(self._url(path).path)
        return await self._send("POST", path, None, headers, _ENCODE.encode(body))

    def _url(self, path: str) -> httpx.URL:
        return self.base.copy_with(raw_path=self.base.raw_path.rstrip(b"/") + path.encode())

    async def write(self, method: str, path: str, body: object) -> Answer:
        """One write, sent once and never again by itself. Raises HttpError."""
        return await self._send(method, path, None, None, _ENCODE.encode(body))

    async def rows(
        self,
        path: str,
        kind: type[T],
        paging: Paging = Single(),
        *,
        rows_at: str = "",
        params: Mapping[str, str] | None = None,
        id_of: Callable[[T], str],
        what: str = "pages",
    ) -> list[T]:
        """All rows of a listing, page after page.

        `rows_at` is the key under which the body holds them; empty: it is the list itself. A body
        may lack that key only where it declares that there are none. Where pages do not fit
        together (an id twice, another total than declared), the listing is read once more, and
        after that given up.

        Raises:
            HttpError: a page cannot be read, or the pages do not fit together.
        """
        async with _deadline(self._limits.deadline, self.base, path):
            try:
                return await self._whole(path, kind, paging, rows_at, params, id_of, what)
            except Shifted:
                return await self._whole(path, kind, paging, rows_at, params, id_of, what)

    async def _whole(
        self,
        path: str,
        kind: type[T],
        paging: Paging,
        rows_at: str,
        params: Mapping[str, str] | None,
        id_of: Callable[[T], str],
        what: str,
    ) -> list[T]:
        """A listing whose pages shift when a row goes is read twice, if it has several: one row
        that goes and one that comes meanwhile leave every total as it was."""
        rows, pages = await self._rows(path, kind, paging, rows_at, params, id_of, what)
        if paging.shifts and pages > 1:
            again, _ = await self._rows(path, kind, paging, rows_at, params, id_of, what)
            if {id_of(row) for row in rows} != {id_of(row) for row in again}:
                request = httpx.Request("GET", f"{self.base}{path}")
                raise Shifted(request, "it gave other rows when it was read again")
        return rows

    async def _rows(
        self,
        path: str,
        kind: type[T],
        paging: Paging,
        rows_at: str,
        params: Mapping[str, str] | None,
        id_of: Callable[[T], str],
        what: str,
    ) -> tuple[list[T], int]:
        """The rows, and on how many pages they came."""
        found: list[T] = []
        seen: set[str] = set()
        asked: list[Ask] = []
        ask: Ask | None = paging.first()
        declared: object = None
        while ask is not None:
            answer = await self.get(path, _joined(params, ask), ask.headers)
            if ask in asked:
                raise Malformed(answer.request, "its pages lead back to one that was read")
            if len(asked) >= self._limits.pages:
                raise Malformed(answer.request, f"more than {self._limits.pages} pages")
            asked.append(ask)
            body: Any = None
            if rows_at:
                parts = answer.decode(dict[str, msgspec.Raw])
                listed = parts.pop(rows_at, None)
                body = {key: answer.decode_part(raw, Any) for key, raw in parts.items()}
                none = paging.total and at(body, paging.total) == 0
                if listed is None and not none:
                    raise Malformed(answer.request, f"an answer without `{rows_at}`")
                rows = answer.decode_part(listed or msgspec.Raw(b"[]"), list[kind])  # type: ignore[valid-type]
            else:
                rows = answer.decode(list[kind])  # type: ignore[valid-type]
            last = ""
            for row in rows:
                last = id_of(row)
                if last in seen:
                    raise Shifted(answer.request, f"{last} came twice: rows moved while reading")
                seen.add(last)
            found += rows
            total = at(body, paging.total) if paging.total else None
            if paging.total and (not isinstance(total, int) or isinstance(total, bool)):
                raise Malformed(answer.request, "it does not declare how many rows there are")
            if declared is not None and total is not None and total != declared:
                raise Shifted(answer.request, f"it declared {declared} rows, then {total}")
            declared = total if total is not None else declared
            page = Page(ask, body, answer.headers, len(rows), len(found), last, len(asked) - 1)
            pages = at(body, getattr(paging, "pages", ())) if body else None
            self._progress.done(
                self.source, what, len(asked), pages if isinstance(pages, int) else None
            )
            try:
                ask = paging.after(page)
            except ValueError:
                raise Malformed(answer.request, "it names a next page that is no URL") from None
            if ask is None and isinstance(declared, int) and declared != len(found):
                raise Shifted(answer.request, f"it declared {declared} rows and gave {len(found)}")
        return found, len(asked)

    def _note_time(self, response: httpx.Response) -> None:
        """The earliest `Date` header: what was read is at least as new as that."""
        with suppress(ValueError, TypeError, OverflowError):
            said = parsedate_to_datetime(response.headers.get("date", ""))
            if said.tzinfo is not None and (self.said_at is None or said < self.said_at):
                self.said_at = said.astimezone(UTC)

    async def _send(
        self,
        method: str,
        path: str,
        params: Params | None,
        headers: Mapping[str, str] | None,
        content: bytes | None,
    ) -> Answer:
        if self._http is None or self._gate is None:
            raise RuntimeError("this client is not open")
        extra = {"Content-Type": "application/json"} if content is not None else {}
        request = self._http.build_request(
            method,
            self._url(path),
            params=httpx.QueryParams(params) if params else None,
            headers={**extra, **(headers or {})},
            content=content,
        )
        async with self._gate.passing():
            try:
                response = await self._answered(self._http, request)
            except HttpError as error:
                cassette.note_failure(request, error)
                raise
        self._note_time(response)
        keep_cookies(response)
        failure = failure_of(response)
        if failure is not None:
            if failure.status == 401:  # which no recording holds
                cassette.note_failure(request, failure)
            raise failure
        said = self._refused(response.content)
        if said:
            raise Rejected(request, said, status=response.status_code)
        return Answer(response, secrets.redacted_body(response.content))

    async def _answered(self, http: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        """The answer, whatever it says. Raises HttpError where none came."""
        try:
            async with asyncio.timeout(self._limits.answer):
                return await http.send(request)
        except (WallError, HttpError):
            raise
        except (httpx.TimeoutException, TimeoutError):
            raise TimedOut(request, "no answer in time") from None
        except httpx.DecodingError:
            raise Malformed(request, "a body that cannot be unpacked") from None
        except (httpx.TransportError, ssl.SSLError) as error:
            raise Disconnected(request, _broken(error)) from None
        except Exception as error:
            if not cassette.not_recorded(error):
                raise
            noted = cassette.noted_failure(request)
            raise noted or Disconnected(request, "the recording does not hold it") from None


@cache
def _silence_stamina() -> None:
    """Waits are told by `Progress`; stamina would log them to stderr, too."""
    from stamina.instrumentation import set_on_retry_hooks

    set_on_retry_hooks([])


class _Backoff:
    """Which failures of a read are worth another attempt, and after how many seconds."""

    def __init__(self, transient: Transient, progress: Progress, source: str) -> None:
        self._transient, self._progress, self._source = transient, progress, source

    def __call__(self, error: Exception) -> bool | float:
        again = self._again(error)
        if again is not False and cassette.replaying():
            return 0.0
        if again is not False:
            self._progress.waiting(self._source, "another attempt")
        return again

    def _again(self, error: Exception) -> bool | float:
        if isinstance(error, RateLimited | ServerFailed):
            if isinstance(error, ServerFailed) and not self._transient(error):
                return False
            if error.retry_after is not None:
                return error.retry_after if error.retry_after <= _LONGEST_WAIT else False
            return True
        return isinstance(error, TimedOut | Disconnected | Broken)


def _sane(request: httpx.Request, value: T) -> T:
    """The value, if its numbers are numbers: finite, and of a size that can be written out."""
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > _MAGNITUDE:
            raise Malformed(request, f"a number that is none: {str(value)[:20]}")
    elif isinstance(value, list):
        for item in value:
            _sane(request, item)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _sane(request, getattr(value, name))
    return value


def _joined(params: Mapping[str, str] | None, ask: Ask) -> Params:
    """The listing's own parameters with those of the page, which go first where both name one."""
    named = {name for name, _ in ask.params}
    return (*((k, v) for k, v in (params or {}).items() if k not in named), *ask.params)


def _broken(error: Exception) -> str:
    """What an exchange broke on, without the addresses that its text may hold."""
    if isinstance(error, httpx.RemoteProtocolError):
        return "the answer was cut off"
    if isinstance(error, httpx.ConnectError):
        text = str(error)
        return "its certificate is not trusted" if "CERTIFICATE" in text else "no connection"
    return f"the connection broke ({type(error).__name__})"


def _nobody() -> ssl.SSLContext:
    """For loopback without TLS: a context that would trust no certificate, and loads none."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _trusted() -> ssl.SSLContext:
    """The machine's own authorities; SSL_CERT_FILE and SSL_CERT_DIR name others."""
    return httpx.create_ssl_context()


def _proxy(base: httpx.URL) -> str | None:
    """HTTPS_PROXY and its like, unless NO_PROXY names the host."""
    if proxy_bypass(base.host):
        return None
    return getproxies().get(base.scheme) or getproxies().get("all")


@asynccontextmanager
async def _deadline(seconds: float, base: httpx.URL, path: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        request = httpx.Request("GET", f"{base}{path}")
        raise TimedOut(request, f"not read to its end within {seconds:g} seconds") from None


def checked_base(url: str, setting: str) -> str:
    """A base URL: https, or plain http on loopback. Raises ValueError with a sentence."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"`{setting}` must be a URL such as https://api.example.com")
    if parts.username or parts.password:
        raise ValueError(f"`{setting}` must hold no user or password")
    if parts.query or parts.fragment:
        raise ValueError(f"`{setting}` must hold no query")
    try:
        known = (parts.port or 443) > 0
    except ValueError:
        known = False
    if not known or not re.fullmatch(r"[\w.:\[\]-]+", parts.netloc, re.ASCII):
        raise ValueError(f"`{setting}` must name a host, and a port from 1 to 65535 if any")
    if parts.path not in ("", "/"):
        raise ValueError(f"`{setting}` must end with the host: leave `{parts.path}` out")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(f"`{setting}` must begin with https://: plain http is for loopback only")
    return url.rstrip("/")
