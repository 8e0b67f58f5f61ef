"""Nothing that was not declared leaves the process, and some calls never do."""

from __future__ import annotations

import httpx
import pytest
from wire import BASE, Server, answer, client, run, sent, serve

from drybill.transport.client import Client, checked_base
from drybill.transport.errors import HttpError, WallError
from drybill.transport.wall import Operation

READS = (Operation("GET", r"/v1/finance/agreements"),)
WRITES = (
    Operation("PATCH", r"/v1/finance/agreements/\d+"),
    *(Operation(method, r".*") for method in ("POST", "PUT", "DELETE")),
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return serve(monkeypatch, lambda _: answer([]))


def test_what_is_declared_passes(server: Server) -> None:
    run(client(reads=READS), lambda c: c.get("/finance/agreements"))
    run(client(reads=READS, writes=WRITES), lambda c: c.write("PATCH", "/finance/agreements/1", []))
    assert [r.method for r in server.requests] == ["GET", "PATCH"]


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE", "GET"])
def test_a_reader_sends_nothing_that_it_did_not_declare(server: Server, method: str) -> None:
    with pytest.raises(WallError):
        run(client(reads=READS), lambda c: c.write(method, "/finance/agreements/1", []))
    assert server.requests == []


@pytest.mark.parametrize(
    "path",
    [
        "/finance/agreements/7/invoice",
        "/finance/agreements/7/invoice/",
        "/x/finance/agreements/7/invoice",
        "/finance/invoices",
    ],
)
def test_no_permission_opens_a_call_that_creates_an_invoice(server: Server, path: str) -> None:
    with pytest.raises(WallError, match="real invoice"):
        run(client(reads=READS, writes=WRITES), lambda c: c.write("POST", path, {}))
    assert server.requests == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/invoices"),
        ("POST", "/api/v1/invoices/"),
        *(
            ("POST", f"/api/v1/invoices/{rest}")
            for rest in (
                "generate", "manual", "bulk", "bulk/send", "bulk/credit", "bulk/delete",
                "recurring", "7/finalize", "7/send", "7/payment", "7/credit", "7/approve",
                "7/reject", "7/duplicate", "7/tax", "7/pdf", "preview/generate", "%67enerate",
            )
        ),
        ("POST", "/api/v1/financial/bulk/invoices"),
        ("POST", "/api/v1/financial/billing/calculate"),
        ("POST", "/api/v1/financial/invoices/7/finalize"),
        ("POST", "/api/v1/quickbooks/invoices/import"),
        ("POST", "/api/v1/integrations/quickbooks/invoices/export"),
        ("PUT", "/api/v1/invoices/7"),
        ("PUT", "/api/v1/invoices/recurring/7"),
        ("DELETE", "/api/v1/invoices/7"),
    ],
)  # fmt: skip
def test_nor_one_of_algapsas(server: Server, method: str, path: str) -> None:
    with pytest.raises(WallError, match="real invoice"):
        run(client(reads=READS, writes=WRITES), lambda c: c.write(method, path, {}))
    assert server.requests == []


def test_a_read_by_post_is_declared_like_any_other(server: Server) -> None:
    preview = "/api/v1/invoices/preview"
    reads = (Operation("POST", r"/v1/api/v1/invoices/preview"),)
    run(client(reads=reads), lambda c: c.query(preview, {"a": 1}))
    assert [(r.method, sent(r)) for r in server.requests] == [("POST", {"a": 1})]
    for path in (f"{preview}/", "/api/v1/invoices/preview2", "/api/v1/other"):
        with pytest.raises(WallError):
            run(client(reads=reads), lambda c, path=path: c.query(path, {}))  # type: ignore[misc]
    assert len(server.requests) == 1


@pytest.mark.parametrize("path", ["/finance%2Fagreements", "/finance/agreements/..", "//finance"])
def test_a_path_written_another_way_is_another_path(server: Server, path: str) -> None:
    with pytest.raises((WallError, HttpError)):
        run(client(reads=READS), lambda c: c.get(path))
    assert server.requests == []


def test_no_other_host_is_asked_and_no_redirect_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = {"location": "https://evil.example.net/v1/finance/agreements"}
    server = serve(monkeypatch, lambda _: httpx.Response(302, headers=moved))
    with pytest.raises(HttpError, match="answered 302"):
        run(client(reads=READS), lambda c: c.get("/finance/agreements"))
    assert [r.url.host for r in server.requests] == ["api.example.com"]


def test_an_origin_is_scheme_host_and_port(server: Server) -> None:
    reads = (Operation("GET", r".*"),)
    for base in ("http://api.example.com/v1", "https://api.example.com:8443/v1"):
        inside = Client("test", base, reads)
        inside.base = httpx.URL(BASE)

        async def ask(c: Client) -> object:
            c.base = httpx.URL("https://other.example.com/v1")
            return await c.get("/x")

        with pytest.raises(WallError, match="another host"):
            run(inside, ask)
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://api.example.com", "https://"),
        ("ftp://x", "must be a URL"),
        ("api.example.com", "must be a URL"),
        ("https://user:pass@x.com", "no user"),
        ("https://x.com?a=1", "no query"),
        ("http://127.0.0.1.example.com", "https://"),
    ],
)
def test_a_base_url_is_safe(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        checked_base(url, "url")


@pytest.mark.parametrize("url", ["https://x.com/", "http://127.0.0.1:8000", "http://[::1]:1"])
def test_https_and_loopback_are(url: str) -> None:
    assert checked_base(url, "url") == url.rstrip("/")
