"""Who we are is proven as each API wants it, and every token is known before it is used."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from wire import ANY_READ, answer, client, run, sent, serve

from drybill.secrets import redacted
from drybill.transport.auth import StaticHeaders, TokenCall, basic, bearer
from drybill.transport.errors import Denied, Malformed
from drybill.transport.wall import Operation

TOKEN = Operation("POST", r"/v1/token")
URL = "https://api.example.com/v1/token"
FIELDS = {"client_id": "us", "client_secret": "s3cret-of-ours", "grant_type": "client_credentials"}


def call(**settings: Any) -> TokenCall:
    return TokenCall(URL, FIELDS, ("client_secret",), **settings)


def test_basic_joins_company_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(monkeypatch, lambda _: answer([]))
    run(client(auth=lambda: basic("acme+public", "private-1")), lambda c: c.get("/x"))
    expected = b64encode(b"acme+public:private-1").decode()
    assert server.requests[0].headers["authorization"] == f"Basic {expected}"
    assert redacted(f"a private-1 b {expected}") == "a *** b ***"


def test_headers_and_bearer(monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(monkeypatch, lambda _: answer([]))
    run(client(auth=lambda: StaticHeaders({"X-Key": "key-1234"})), lambda c: c.get("/x"))
    run(client(auth=lambda: bearer("tok-1234")), lambda c: c.get("/x"))
    first, second = server.requests
    assert (first.headers["x-key"], second.headers["authorization"]) == (
        "key-1234",
        "Bearer tok-1234",
    )
    assert redacted("key-1234 tok-1234") == "*** ***"


@pytest.mark.parametrize("body", ["json", "form"])
def test_a_token_is_asked_for_once_and_used_by_all(
    monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return answer({"access_token": "tok-abcd", "expires_in": 86400})
        return answer([])

    server = serve(monkeypatch, handler)
    inside = client(auth=lambda: call(body=body), reads=(*ANY_READ, TOKEN))

    async def twice(c: Any) -> None:
        await c.get("/x")
        await c.get("/y")

    run(inside, twice)
    token, *reads = server.requests
    given = (
        sent(token)
        if body == "json"
        else {k: v[0] for k, v in parse_qs(token.content.decode()).items()}
    )
    assert given == FIELDS
    assert [r.headers["authorization"] for r in reads] == ["Bearer tok-abcd"] * 2
    assert redacted("s3cret-of-ours tok-abcd") == "*** ***"


def test_a_token_that_is_over_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(["tok-one1", "tok-two2"])

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return answer({"access_token": next(tokens), "expires_in": 86400})
        over = request.headers["authorization"].endswith("one1")
        return answer({"message": "expired"}, 401) if over else answer([])

    server = serve(monkeypatch, handler)
    run(client(auth=call, reads=(*ANY_READ, TOKEN)), lambda c: c.get("/x"))
    assert [r.method for r in server.requests] == ["POST", "GET", "POST", "GET"]


def test_a_401_that_a_new_token_does_not_cure_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        token = request.method == "POST"
        return answer({"access_token": "tok-same"}) if token else answer({"message": "no"}, 401)

    server = serve(monkeypatch, handler)
    with pytest.raises(Denied):
        run(client(auth=call, reads=(*ANY_READ, TOKEN)), lambda c: c.get("/x"))
    assert len(server.requests) == 4


def test_a_login_may_name_its_token_and_header_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return answer({"session": "tok-login"} if request.method == "POST" else [])

    server = serve(monkeypatch, handler)
    login = lambda: call(token_field="session", header="X-Session", prefix="")  # noqa: E731
    run(client(auth=login, reads=(*ANY_READ, TOKEN)), lambda c: c.get("/x"))
    assert server.requests[1].headers["x-session"] == "tok-login"


@pytest.mark.parametrize("body", [{}, [], {"access_token": ""}, {"access_token": 7}])
def test_an_answer_without_a_token_is_an_error(monkeypatch: pytest.MonkeyPatch, body: Any) -> None:
    serve(monkeypatch, lambda _: answer(body))
    with pytest.raises(Malformed, match="no token"):
        run(client(auth=call, reads=(*ANY_READ, TOKEN)), lambda c: c.get("/x"))


def test_keys_that_are_refused_say_so_in_the_vendors_words(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"error": "access_denied", "error_description": "Unauthorized s3cret-of-ours"}
    serve(monkeypatch, lambda _: answer(refused, 401))
    with pytest.raises(Denied) as caught:
        run(client(auth=call, reads=(*ANY_READ, TOKEN)), lambda c: c.get("/x"))
    assert "Unauthorized ***" in str(caught.value)
    assert "s3cret" not in str(caught.value)
