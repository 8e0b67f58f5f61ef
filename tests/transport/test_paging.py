"""Every kind of paging reads all rows, and notices when pages do not fit together."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from msgspec import Struct
from wire import Handler, answer, client, run, serve

from drybill.transport.client import Client
from drybill.transport.errors import Malformed, Shifted
from drybill.transport.limits import Limits
from drybill.transport.paging import (
    BodyCursor,
    BodyUrl,
    HeaderToken,
    LastId,
    LinkHeader,
    Offset,
    PageNumber,
    Paging,
    Single,
)


class Thing(Struct):
    id: int


ALL = [{"id": n} for n in range(1, 8)]
SIZE = 3


def _cut(start: int) -> list[dict[str, int]]:
    return ALL[start : start + SIZE]


def _numbered(request: httpx.Request, first: int) -> httpx.Response:
    page = int(request.url.params["page"]) - first
    total = {"totalElements": len(ALL), "totalPages": 3}
    return answer({"content": _cut(page * SIZE), "page": total})


def _link(request: httpx.Request) -> httpx.Response:
    page = int(request.url.params.get("page", 1))
    more = f'<https://na.elsewhere.net/v1/x?page={page + 1}&q=%26>; rel="next", <x?a>; rel="last"'
    return answer(_cut((page - 1) * SIZE), **({"link": more} if page < 3 else {}))


def _token(request: httpx.Request, where: str) -> httpx.Response:
    start = int(request.url.params.get("after", 0))
    more = str(start + SIZE) if start + SIZE < len(ALL) else ""
    if where == "header":
        return answer({"rows": _cut(start)}, **({"x_next": more} if more else {}))
    if where == "url":
        url = f"https://elsewhere.net/q?after={more}" if more else None
        return answer({"rows": _cut(start), "@odata.nextLink": url})
    return answer({"rows": _cut(start), "meta": {"next": more or None}})


def _offset(request: httpx.Request) -> httpx.Response:
    return answer({"rows": _cut(int(request.url.params["offset"])), "total": len(ALL)})


def _last_id(request: httpx.Request) -> httpx.Response:
    assert request.headers["pagination-type"] == "forward-only"
    after = int(request.url.params.get("pageId", 0))
    return answer([x for x in ALL if x["id"] > after][:SIZE])


_FORWARD = LastId("pageId", "pageSize", SIZE, {"pagination-type": "forward-only"})
_TOTALS = {"total": ("page", "totalElements"), "pages": ("page", "totalPages")}

KINDS: dict[str, tuple[Paging, str, Handler]] = {
    "page from 0": (PageNumber(rows=SIZE, **_TOTALS), "content", lambda r: _numbered(r, 0)),
    "page from 1": (PageNumber(rows=SIZE, start=1), "content", lambda r: _numbered(r, 1)),
    "offset": (Offset(rows=SIZE, total=("total",)), "rows", _offset),
    "offset without a total": (Offset(rows=SIZE), "rows", _offset),
    "cursor": (BodyCursor(("meta", "next"), "after"), "rows", lambda r: _token(r, "body")),
    "url": (BodyUrl(("@odata.nextLink",)), "rows", lambda r: _token(r, "url")),
    "header": (HeaderToken("x-next", "after"), "rows", lambda r: _token(r, "header")),
    "link": (LinkHeader(), "", _link),
    "last id": (_FORWARD, "", _last_id),
    "single": (Single(), "", lambda _: answer(ALL)),
}


def listing(c: Client, paging: Paging, rows_at: str) -> Any:
    return c.rows("/x", Thing, paging, rows_at=rows_at, id_of=lambda x: str(x.id))


@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_are_read(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    paging, rows_at, handler = KINDS[kind]
    server = serve(monkeypatch, handler)
    found = run(client(), lambda c: listing(c, paging, rows_at))
    assert [thing.id for thing in found] == list(range(1, 8))
    assert {r.url.host for r in server.requests} == {"api.example.com"}
    assert {r.url.path for r in server.requests} == {"/v1/x"}


def test_a_next_url_keeps_its_query(monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(monkeypatch, _link)
    run(client(), lambda c: listing(c, LinkHeader(), ""))
    assert server.queries == [{}, {"page": "2", "q": "&"}, {"page": "3", "q": "&"}]


def test_an_empty_listing_may_lack_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, lambda _: answer({"page": {"totalElements": 0, "totalPages": 0}}))
    paging = PageNumber(rows=SIZE, **_TOTALS)
    assert run(client(), lambda c: listing(c, paging, "content")) == []


def test_a_total_that_the_rows_do_not_reach_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"content": ALL, "page": {"totalElements": 9, "totalPages": 1}}
    server = serve(monkeypatch, lambda _: answer(body))
    with pytest.raises(Shifted, match="declared 9 rows and gave 7"):
        run(client(), lambda c: listing(c, PageNumber(rows=9, **_TOTALS), "content"))
    assert len(server.requests) == 2  # the whole listing, once more


def test_rows_that_move_while_they_are_read_are_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row that came in front pushes one onto the next page, where it shows twice."""
    moved = iter([True, True])

    def handler(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        start = page * 4 - (page if next(moved, False) else 0)
        return answer({"content": ALL[start : start + 4]})

    serve(monkeypatch, handler)
    found = run(client(), lambda c: listing(c, PageNumber(rows=4), "content"))
    assert [thing.id for thing in found] == list(range(1, 8))


def test_a_row_that_goes_while_another_comes_hides_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 1 goes and row 8 comes between two pages: row 5 moves to the page that was read, and
    every total is as it was."""
    asked = iter(range(99))

    def handler(request: httpx.Request) -> httpx.Response:
        now = ALL if next(asked) == 0 else [*ALL[1:], {"id": 8}]
        start = int(request.url.params["page"]) * 4
        return answer({"content": now[start : start + 4], "page": {"totalElements": 7}})

    server = serve(monkeypatch, handler)
    paging = PageNumber(rows=4, total=("page", "totalElements"))
    found = run(client(), lambda c: listing(c, paging, "content"))
    assert [thing.id for thing in found] == list(range(2, 9))
    assert len(server.requests) == 8


def test_a_next_url_keeps_what_it_names_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        more = None if request.url.params else "/q?f=a&f=b&after=3"
        return answer({"rows": [], "next": more})

    server = serve(monkeypatch, handler)
    run(client(), lambda c: listing(c, BodyUrl(("next",)), "rows"))
    assert server.requests[1].url.query == b"f=a&f=b&after=3"


@pytest.mark.parametrize(
    ("paging", "handler", "why"),
    [
        (BodyCursor(("next",), "after"), lambda _: answer({"rows": [], "next": "a"}), "lead back"),
        (
            HeaderToken("x-next", "after"),
            lambda r: answer({"rows": []}, x_next=r.url.params.get("after", "") + "a"),
            "more than 20 pages",
        ),
        (BodyUrl(("next",)), lambda _: answer({"rows": [], "next": "https://x/\n"}), "no URL"),
    ],
)
def test_pages_that_never_end_are_an_error(
    monkeypatch: pytest.MonkeyPatch, paging: Paging, handler: Handler, why: str
) -> None:
    serve(monkeypatch, handler)
    with pytest.raises(Malformed, match=why):
        run(client(limits=Limits(pages=20)), lambda c: listing(c, paging, "rows"))


@pytest.mark.parametrize("total", ["7", 7.0, None, True, {}])
def test_a_total_that_is_no_number_is_no_total(monkeypatch: pytest.MonkeyPatch, total: Any) -> None:
    body = {"content": ALL, "page": {"totalElements": total, "totalPages": 1}}
    serve(monkeypatch, lambda _: answer(body))
    with pytest.raises(Malformed, match="does not declare how many rows"):
        run(client(), lambda c: listing(c, PageNumber(rows=9, **_TOTALS), "content"))
