"""Failures become errors with a place and the words of the vendor; only reads are tried again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest
from msgspec import Struct
from wire import QUICK, Server, answer, client, run, sent, serve

from drybill.transport.client import Client
from drybill.transport.errors import (
    Broken,
    Denied,
    Disconnected,
    HttpError,
    Malformed,
    NotFound,
    RateLimited,
    Rejected,
    ServerFailed,
    TimedOut,
)
from drybill.transport.limits import Limits
from drybill.transport.wall import Operation

WRITE = (Operation("PATCH", r"/v1/x"),)


def html(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text="<html>", headers={"content-type": "text/html"})


def cut(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text='[{"id": 1', headers={"content-type": "application/json"})


def raising(error: Callable[[], Exception]) -> Callable[[httpx.Request], httpx.Response]:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error()

    return handler


def failing(status: int, **body: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: answer(body, status)


TIMEOUT = {"code": "ConnectWiseApi", "message": "A timeout has occured. Please try again."}
FAILURES: dict[str, tuple[Callable[[httpx.Request], httpx.Response], type[HttpError], str, int]] = {
    # what comes, the error, its words, how often a read is sent
    "401": (failing(401, code="Unauthorized", message="Unauthorized"), Denied, "Unauthorized", 1),
    "403": (failing(403, message="No role"), Denied, "No role", 1),
    "408": (failing(408, message="timeout"), TimedOut, "timeout", 3),
    "404": (failing(404), NotFound, "no message", 1),
    "400": (
        failing(400, message="invalid", errors=[{"message": "The field product is required."}]),
        Rejected,
        "invalid; The field product is required.",
        1,
    ),
    "429": (failing(429, error="X", message="Too many requests."), RateLimited, "Too many", 3),
    "500": (failing(500, **TIMEOUT), ServerFailed, "A timeout has occured", 3),
    "302": (failing(302), Rejected, "302", 1),
    "timeout": (raising(lambda: httpx.ReadTimeout("")), TimedOut, "no answer in time", 3),
    "cut": (cut, Broken, "cut off", 3),
    "html": (html, Broken, "not JSON (text/html)", 3),
    "broken": (raising(lambda: httpx.RemoteProtocolError("x")), Disconnected, "cut off", 3),
    "no connection": (raising(lambda: httpx.ConnectError("x")), Disconnected, "no connection", 3),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_names_host_path_status_and_the_words(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    handler, kind, says, times = FAILURES[name]
    server = serve(monkeypatch, handler)
    with pytest.raises(kind) as caught:
        run(client(), lambda c: c.get("/x", {"q": "secret-looking"}))
    assert type(caught.value) is kind
    summary = caught.value.problems[0].summary
    assert summary.startswith("GET api.example.com/v1/x")
    assert says in summary
    assert "secret-looking" not in summary
    assert len(server.requests) == times


@pytest.mark.parametrize("name", FAILURES)
def test_a_write_is_sent_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    handler, _, _, _ = FAILURES[name]
    server = serve(monkeypatch, handler)
    if name in ("cut", "html"):  # it arrived; only a read-back decides what it did
        run(client(writes=WRITE), lambda c: c.write("PATCH", "/x", []))
    else:
        with pytest.raises(HttpError):
            run(client(writes=WRITE), lambda c: c.write("PATCH", "/x", []))
    assert len(server.requests) == 1


def test_a_read_that_comes_through_at_last_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([answer({}, 503), answer({}, 429, retry_after="0"), answer({"id": 1})])
    server = serve(monkeypatch, lambda _: next(answers))
    got = run(client(), lambda c: c.get("/x"))
    assert (got.decode(dict[str, int]), len(server.requests)) == ({"id": 1}, 3)


def test_retry_after_is_waited_for_and_never_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([answer({}, 429, retry_after="0.3"), answer([])])
    serve(monkeypatch, lambda _: next(answers))
    begun = time.monotonic()
    run(client(), lambda c: c.get("/x"))
    assert time.monotonic() - begun >= 0.3
    server = serve(monkeypatch, lambda _: answer({}, 429, retry_after="7200"))
    with pytest.raises(RateLimited):
        run(client(), lambda c: c.get("/x"))
    assert len(server.requests) == 1


def test_a_5xx_that_an_adapter_knows_better_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = serve(monkeypatch, failing(500, message="String was not recognized"))
    with pytest.raises(ServerFailed):
        run(client(transient=lambda error: "timeout" in error.said), lambda c: c.get("/x"))
    assert len(server.requests) == 1


class Thing(Struct):
    quantity: Decimal | None = None


def test_numbers_are_decimals_of_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"quantity": 12345678901234567.10}'
    serve(monkeypatch, lambda _: httpx.Response(200, content=text))
    thing = run(client(), lambda c: c.get("/x")).decode(Thing)
    assert str(thing.quantity) == "12345678901234567.10"
    server = serve(monkeypatch, lambda _: answer({}))
    run(client(writes=WRITE), lambda c: c.write("PATCH", "/x", [{"value": Decimal("0.10")}]))
    assert server.requests[0].content == b'[{"value":0.10}]'
    assert sent(server.requests[0]) == [{"value": 0.1}]


def test_another_field_than_documented_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, lambda _: answer({"quantity": True}))
    with pytest.raises(Malformed, match=r"documented: Expected .* at `\$.quantity`"):
        run(client(), lambda c: c.get("/x")).decode(Thing)


def test_no_more_requests_at_once_or_in_a_window_than_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, most, times = 0, 0, []

    async def handle(_: object, request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        times.append(time.monotonic())
        await asyncio.sleep(0.01)
        running -= 1
        return httpx.Response(200, json=[], request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    limits = Limits(at_once=3, requests=10, window=0.4)

    async def many(c: Client) -> None:
        await asyncio.gather(*(c.get("/x") for _ in range(25)))

    run(client(limits=limits), many)
    assert most == 3
    windows = [len([t for t in times if begun <= t < begun + 0.38]) for begun in times]
    assert max(windows) <= 10


def test_a_deadline_ends_a_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handle(_: object, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5)
        return httpx.Response(200, json=[], request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    slow = client(limits=Limits(deadline=0.05))
    with pytest.raises(TimedOut, match=r"within 0.05 seconds"):
        run(slow, lambda c: c.rows("/x", Thing, id_of=lambda _: ""))


def test_certificates_are_always_checked_and_proxies_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[dict[str, Any]] = []

    class Spy(httpx.AsyncHTTPTransport):
        def __init__(self, **settings: Any) -> None:
            made.append(settings)
            super().__init__(**settings)

    monkeypatch.setattr("drybill.transport.client.httpx.AsyncHTTPTransport", Spy)
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")

    async def nothing(_: Client) -> None:
        pass

    run(client(limits=QUICK), nothing)
    monkeypatch.setenv("no_proxy", "api.example.com")
    run(client(limits=QUICK), nothing)
    assert [bool(each["proxy"]) for each in made] == [True, False]
    assert all(each["verify"].check_hostname and each["verify"].verify_mode for each in made)


def test_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    server: Server = serve(monkeypatch, lambda _: answer([]))
    run(client(headers={"clientId": "abc"}), lambda c: c.get("/x"))
    (request,) = server.requests
    assert request.headers["clientid"] == "abc"
    assert request.headers["user-agent"].startswith("drybill/")


# Servers that mean no good, or know no better


DEEP = b"[" * 200_000
HOSTILE: dict[str, tuple[httpx.Response, str]] = {
    "NaN": (answer({"quantity": "NaN"}), "a number that is none"),
    "sNaN": (answer({"quantity": "sNaN"}), "a number that is none"),
    "infinity": (answer({"quantity": "-Infinity"}), "a number that is none"),
    "huge": (httpx.Response(200, content=b'{"quantity": 1e999999}'), "a number that is none"),
    "tiny": (httpx.Response(200, content=b'{"quantity": 1e-999999}'), "a number that is none"),
    "deep": (httpx.Response(200, content=DEEP), "not JSON"),
    "no UTF-8": (httpx.Response(200, content=b'{"quantity": "\xff"}'), "documented"),
    "deep error": (httpx.Response(400, content=DEEP), "not JSON"),
    "an error that is no UTF-8": (httpx.Response(400, content=b'{"message": "\xff"}'), "not JSON"),
    "a wait without a zone": (
        answer({}, 429, retry_after="Wed, 25 Nov 2026 10:00:00 -0000"),
        "no message",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_server_says_is_one_clear_message(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    response, why = HOSTILE[name]
    content, status, headers = response.content, response.status_code, response.headers

    serve(monkeypatch, lambda _: httpx.Response(status, content=content, headers=headers))

    async def ask(c: Client) -> Thing:
        return (await c.get("/x")).decode(Thing)

    with pytest.raises(HttpError) as caught:
        run(client(), ask)
    if why != "documented":
        assert why in str(caught.value)


def test_two_cookies_of_one_name_are_both_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    from drybill.secrets import redacted

    headers = [("set-cookie", "s=cookie-one; Path=/a"), ("set-cookie", "s=cookie-two; Path=/b")]
    serve(monkeypatch, lambda _: httpx.Response(200, json=[], headers=headers))
    run(client(), lambda c: c.get("/x"))
    assert redacted("cookie-one cookie-two") == "*** ***"


def test_a_secret_is_taken_out_however_it_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    from drybill.secrets import keep

    words = ("canary-plain", "canary\\back\\slash", "canärie-fünf", "canary  of two", "canary\ttab")
    for word in words:
        keep(word)
    escaped = "".join(f"\\u{ord(c):04x}" for c in words[0])
    body = json.dumps({"names": list(words), "quantity": "@"}).replace('"@"', f'"{escaped}"')
    serve(monkeypatch, lambda _: httpx.Response(200, content=body.encode()))
    said = run(client(), lambda c: c.get("/x")).decode(dict[str, Any])
    assert said == {"names": ["***"] * 5, "quantity": "***"}


@pytest.mark.parametrize("spaces", [180, 190, 195, 199])
def test_a_message_is_cut_after_it_was_cleaned(
    monkeypatch: pytest.MonkeyPatch, spaces: int
) -> None:
    from drybill.secrets import keep

    keep("canary-straddles-the-cut")
    said = "x" * spaces + "canary-straddles-the-cut" + " and canary  of two"
    serve(monkeypatch, lambda _: answer({"message": said}, 400))
    with pytest.raises(Rejected) as caught:
        run(client(), lambda c: c.get("/x"))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("handler", [failing(503), failing(429), html, cut, failing(500)])
def test_a_read_by_post_is_sent_once_whatever_comes(
    monkeypatch: pytest.MonkeyPatch, handler: Callable[[httpx.Request], httpx.Response]
) -> None:
    server = serve(monkeypatch, handler)

    async def ask(c: Client) -> object:
        return (await c.query("/preview", {})).decode(dict[str, int])

    with pytest.raises(HttpError):
        run(client(reads=(Operation("POST", r"/v1/preview"),)), ask)
    assert len(server.requests) == 1


def test_a_2xx_that_says_no_is_an_error_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(monkeypatch, lambda _: answer({"success": False, "said": "no such window"}))
    with pytest.raises(Rejected, match="answered 200: no such window"):
        run(
            client(refused=lambda body: json.loads(body).get("said", "")),
            lambda c: c.get("/x"),
        )
    assert len(server.requests) == 1


def test_messages_are_found_under_an_error_that_is_an_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    details = [{"message": "Number must be at least 1"}]
    error = {"code": "VALIDATION_ERROR", "message": "Invalid request data", "details": details}
    serve(monkeypatch, failing(400, success=False, error=error))
    with pytest.raises(Rejected, match="400: Invalid request data; Number must be at least 1"):
        run(client(), lambda c: c.get("/x"))
