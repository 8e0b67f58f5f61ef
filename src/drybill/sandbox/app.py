"""The sandbox's application: all servers, the faults in front of them, a log of all requests."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drybill.sandbox import algapsa, connectwise, pax8
from drybill.sandbox.store import Store

FAULTS = {
    "latency": "answers `value` milliseconds later",
    "429": "too many requests, with Retry-After: 0",
    "500": "an error that no other attempt cures",
    "timeout": "ConnectWise's way to say it took too long: a 500 with a text",
    "503": "not available",
    "cut": "half a body",
    "html": "a page for people, with status 200",
    "lost": "does it, and breaks the connection before the answer",
    "refuse": "breaks the connection before anything is done",
    "late": "answers 504 at once, and does it `value` milliseconds later",
    "edit": "somebody else changes the line first",
    "silent": "a PATCH or PUT answers 200 and changes nothing",
    "refusal": "AlgaPSA's way to say no: a 200 with success: false",
    "shift": "a page repeats the last row of the one before",
}
_BODIES: dict[str, tuple[int, dict[str, Any]]] = {
    "429": (429, {"error": "ConnectWiseAPI", "message": "Too many requests. Please try again."}),
    "500": (
        500,
        {"code": "ConnectWiseApi", "message": "String was not recognized.", "errors": None},
    ),
    "503": (503, {"code": "ConnectWiseApi", "message": "Service unavailable", "errors": None}),
    "timeout": (
        500,
        {
            "code": "ConnectWiseApi",
            "message": "A timeout has occured. Please try again.",
            "errors": None,
        },
    ),
}


def application(store: Store) -> ASGIApp:
    """The whole sandbox as an ASGI application."""

    async def set_fault(request: Request) -> Response:
        body = await request.json()
        if body.get("kind") not in FAULTS:
            return JSONResponse({"message": f"kinds are {', '.join(FAULTS)}"}, 400)
        store.add_fault(**body)
        return JSONResponse({"set": body["kind"]})

    async def clear(request: Request) -> Response:
        store.clear_faults()
        return JSONResponse({})

    own = [
        Route("/_sandbox/faults", set_fault, methods=["POST"]),
        Route("/_sandbox/faults", clear, methods=["DELETE"]),
    ]
    servers = Starlette(
        routes=[*own, *connectwise.routes(store), *algapsa.routes(store), *pax8.routes(store)]
    )
    return _Faulty(servers, store)


class _Faulty:
    """In front of the servers: notes each request, and lets it meet the fault that waits for it."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app, self._store = app, store
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox/"):
            await self._app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        self._store.note_request(
            scope["method"],
            scope["path"],
            scope["query_string"].decode(),
            json.dumps(headers),
            body.decode("utf-8", "replace"),
        )

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        fault = self._store.take_fault(scope["method"], scope["path"])
        if fault is not None and fault[0] == "latency":
            await asyncio.sleep(fault[1] / 1000)
            fault = self._store.take_fault(scope["method"], scope["path"], but="latency")
        if fault is not None and fault[0] == "late":
            self._do_later(fault[1], scope, again)
            body504 = {"code": "ConnectWiseApi", "message": "Gateway timeout", "errors": None}
            await JSONResponse(body504, 504)(scope, receive, send)
            return
        await self._meet(fault[0] if fault else "", scope, again, send)

    def _do_later(self, milliseconds: float, scope: Scope, receive: Receive) -> None:
        async def nobody(message: Message) -> None:
            """Whoever asked has had another answer."""

        async def later() -> None:
            await asyncio.sleep(milliseconds / 1000)
            await self._app(scope, receive, nobody)

        task = asyncio.create_task(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _meet(self, fault: str, scope: Scope, receive: Receive, send: Send) -> None:
        if fault == "refuse":
            await _break_off(send)
        if fault == "edit":
            connectwise.ConnectWise(self._store).edit(scope["path"])
            algapsa.AlgaPsa(self._store).edit(scope["path"])
        bodies = algapsa.BODIES if scope["path"].startswith("/api/v1/") else _BODIES
        if fault in bodies:
            status, body = bodies[fault]
            headers = {"Retry-After": "0"} if fault == "429" else {}
            await JSONResponse(body, status, headers)(scope, receive, send)
            return
        if fault == "html":
            page = Response("<html><body>Just a moment...</body></html>", 200, None, "text/html")
            await page(scope, receive, send)
            return
        scope.setdefault("state", {})["fault"] = fault
        if fault not in ("lost", "cut", "shift"):
            await self._app(scope, receive, send)
            return
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, keep)
        if fault == "lost":
            await _break_off(send)
        if fault == "shift":
            sent = _repeated(sent)
        else:
            sent[-1] = {**sent[-1], "body": sent[-1]["body"][: len(sent[-1]["body"]) // 2]}
        for message in sent:
            await send(message)
        if fault == "cut":
            raise _BrokenConnection


async def _break_off(send: Send) -> None:
    """The beginning of an answer, and no more of it."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    raise _BrokenConnection


class _BrokenConnection(ConnectionError):
    """The server closes the socket without a word."""


def _repeated(messages: list[Message]) -> list[Message]:
    """A page on which the first row stands twice, as when rows move between two pages."""
    start, body = messages[0], json.loads(messages[-1]["body"])
    rows = body if isinstance(body, list) else body.get("content", body.get("data", []))
    if rows:
        rows.insert(0, rows[0])
    content = json.dumps(body).encode()
    headers = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
    headers.append((b"content-length", str(len(content)).encode()))
    return [{**start, "headers": headers}, {**messages[-1], "body": content}]
