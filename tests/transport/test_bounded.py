"""An answer has a size and a time that a run can bear."""

from __future__ import annotations

import gzip
import time

import httpx
import pytest
from wire import answer, client, run, serve

from drybill.transport.errors import Malformed, TimedOut
from drybill.transport.limits import Limits
from drybill.transport.wall import Operation

SMALL = Limits(body=1_048_576, attempts=1)


def packed(size: int) -> httpx.Response:
    body = gzip.compress(b'["' + b"x" * size + b'"]')
    return httpx.Response(
        200, content=body, headers={"content-encoding": "gzip", "content-type": "application/json"}
    )


def test_a_body_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, lambda _: packed(3 * 1_048_576))
    with pytest.raises(Malformed, match="an answer of more than 1 MiB"):
        run(client(limits=SMALL), lambda c: c.get("/x"))


def test_a_packed_body_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, lambda _: packed(5))
    found = run(client(), lambda c: c.get("/x"))
    assert found.decode(list[str]) == ["xxxxx"]


def test_a_body_that_is_not_what_it_says_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(
        monkeypatch,
        lambda _: httpx.Response(
            200, stream=httpx.ByteStream(b"{}"), headers={"content-encoding": "gzip"}
        ),
    )
    with pytest.raises(Malformed, match="cannot be unpacked"):
        run(client(), lambda c: c.get("/x"))


def test_an_answer_that_drips_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drips(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            import asyncio

            while True:
                await asyncio.sleep(0.02)
                yield b" "

    serve(monkeypatch, lambda _: httpx.Response(200, stream=Drips()))
    began = time.monotonic()
    limits = Limits(answer=0.3, attempts=1)
    with pytest.raises(TimedOut):
        run(
            client(limits=limits, writes=(Operation("PATCH", r"/v1/x"),)),
            lambda c: c.write("PATCH", "/x", {}),
        )
    assert time.monotonic() - began < 5


def test_a_short_cookie_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, lambda _: answer({"name": "Acme true 1"}, set_cookie="seen=true"))
    for _ in range(2):
        found = run(client(), lambda c: c.get("/x"))
    assert found.decode(dict[str, str]) == {"name": "Acme true 1"}


def test_a_body_that_is_packed_more_than_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    body = gzip.compress(gzip.compress(b"[]"))
    headers = {"content-encoding": "gzip, gzip"}
    serve(
        monkeypatch, lambda _: httpx.Response(200, stream=httpx.ByteStream(body), headers=headers)
    )
    with pytest.raises(Malformed, match="packed more than once"):
        run(client(), lambda c: c.get("/x"))


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 -0100", "soon", ""])
def test_a_date_that_is_none_is_no_time(monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    serve(monkeypatch, lambda _: answer([], date=date))
    inside = client()
    run(inside, lambda c: c.get("/x"))
    assert inside.said_at is None
