"""How an API hands out its pages, and how one notices that they do not fit together.

A kind of paging says what to ask first and what to ask after a page; it holds no state. A next
URL gives its query only: the host and the path stay ours.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import httpx
from msgspec import Struct

Keys = tuple[str, ...]  # the way to a value inside a JSON object


class Ask(Struct, frozen=True):
    """What one page's request adds: query parameters and headers."""

    params: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}


class Page(Struct, frozen=True):
    """What came: the answer, how many rows were on it, on all up to it, and the last one's id."""

    ask: Ask
    body: Any  # decoded, without its rows where they are many
    headers: httpx.Headers
    rows: int
    rows_so_far: int
    last_id: str
    number: int  # counted from 0


class Paging(Protocol):
    @property
    def total(self) -> Keys:
        """Where the body declares how many rows there are; empty: nowhere."""
        ...

    @property
    def shifts(self) -> bool:
        """Whether a row that goes while pages are read moves others from page to page."""
        ...

    def first(self) -> Ask: ...

    def after(self, page: Page) -> Ask | None:
        """What to ask next; None: that was the last page."""
        ...


class PageNumber(Struct, frozen=True):
    """`?page=N&size=M`, counted from 0 or 1."""

    page: str = "page"
    size: str = "size"
    rows: int = 200
    start: int = 0
    total: Keys = ()
    pages: Keys = ()  # where the body says how many pages there are
    shifts: ClassVar[bool] = True

    def first(self) -> Ask:
        return self._ask(0)

    def after(self, page: Page) -> Ask | None:
        count = at(page.body, self.pages) if self.pages else None
        more = page.number + 1 < count if isinstance(count, int) else _more(page, self.total)
        return self._ask(page.number + 1) if more else None

    def _ask(self, number: int) -> Ask:
        return Ask(((self.page, str(self.start + number)), (self.size, str(self.rows))))


class Offset(Struct, frozen=True):
    """`?offset=N&limit=M`."""

    offset: str = "offset"
    limit: str = "limit"
    rows: int = 200
    total: Keys = ()
    shifts: ClassVar[bool] = True

    def first(self) -> Ask:
        return Ask(((self.offset, "0"), (self.limit, str(self.rows))))

    def after(self, page: Page) -> Ask | None:
        if not _more(page, self.total):
            return None
        return Ask(((self.offset, str(page.rows_so_far)), (self.limit, str(self.rows))))


class BodyCursor(Struct, frozen=True):
    """A cursor in the body, sent back as a parameter."""

    cursor: Keys
    param: str
    params: tuple[tuple[str, str], ...] = ()
    total: Keys = ()
    shifts: ClassVar[bool] = False

    def first(self) -> Ask:
        return Ask(self.params)

    def after(self, page: Page) -> Ask | None:
        cursor = at(page.body, self.cursor)
        return Ask((*self.params, (self.param, str(cursor)))) if cursor else None


class BodyUrl(Struct, frozen=True):
    """The next page's URL in the body, such as OData's `@odata.nextLink`."""

    url: Keys
    params: tuple[tuple[str, str], ...] = ()
    total: Keys = ()
    shifts: ClassVar[bool] = False

    def first(self) -> Ask:
        return Ask(self.params)

    def after(self, page: Page) -> Ask | None:
        url = at(page.body, self.url)
        return Ask(query_of(url)) if isinstance(url, str) and url else None


class LinkHeader(Struct, frozen=True):
    """The next page's URL in the `Link` header (RFC 8288)."""

    params: tuple[tuple[str, str], ...] = ()
    total: Keys = ()
    shifts: ClassVar[bool] = False

    def first(self) -> Ask:
        return Ask(self.params)

    def after(self, page: Page) -> Ask | None:
        url = next_link(page.headers)
        return Ask(query_of(url)) if url else None


class HeaderToken(Struct, frozen=True):
    """A token in a header of the answer, sent back as a parameter."""

    header: str
    param: str
    params: tuple[tuple[str, str], ...] = ()
    total: Keys = ()
    shifts: ClassVar[bool] = False

    def first(self) -> Ask:
        return Ask(self.params)

    def after(self, page: Page) -> Ask | None:
        token = page.headers.get(self.header)
        return Ask((*self.params, (self.param, token))) if token else None


class LastId(Struct, frozen=True):
    """The id of the last row as a parameter: rows that come or go meanwhile shift nothing."""

    param: str
    size: str
    rows: int
    headers: dict[str, str] = {}
    total: Keys = ()
    shifts: ClassVar[bool] = False

    def first(self) -> Ask:
        return Ask(((self.size, str(self.rows)),), self.headers)

    def after(self, page: Page) -> Ask | None:
        if not page.rows or (page.rows < self.rows and not next_link(page.headers)):
            return None
        return Ask(((self.size, str(self.rows)), (self.param, page.last_id)), self.headers)


class Single(Struct, frozen=True):
    """Everything in one answer."""

    total: Keys = ()
    shifts: ClassVar[bool] = False

    def first(self) -> Ask:
        return Ask()

    def after(self, page: Page) -> Ask | None:
        return None


def _more(page: Page, total: Keys) -> bool:
    """Whether a page may be followed by another: until the declared total is there, or else until
    one is empty, as a server may give fewer rows a page than it was asked for."""
    count = at(page.body, total) if total else None
    return page.rows > 0 and (not isinstance(count, int) or page.rows_so_far < count)


def at(body: Any, keys: Keys) -> Any:
    """The value at the end of a way through objects; None where it breaks off."""
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def query_of(url: str) -> tuple[tuple[str, str], ...]:
    """The query parameters of a URL, in their order; whatever host it names is not asked.

    Raises ValueError for what is no URL.
    """
    try:
        return tuple(httpx.URL(url).params.multi_items())
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None


def next_link(headers: httpx.Headers) -> str:
    """The URL with rel="next"; empty: there is none."""
    answer = httpx.Response(200, headers=headers)
    return str(answer.links.get("next", {}).get("url", ""))
