"""A server of a few lines: a function from request to response, behind the real client and wall."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest

from drybill.transport.client import Client
from drybill.transport.limits import Limits
from drybill.transport.wall import Operation

T = TypeVar("T")
Handler = Callable[[httpx.Request], httpx.Response]
BASE = "https://api.example.com/v1"
QUICK = Limits(wait=0.001, attempts=3)
ANY_READ = (Operation("GET", r"/v1/.*"),)


class Server:
    """Remembers what it was asked."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.handler(request)

    @property
    def queries(self) -> list[dict[str, str]]:
        return [dict(request.url.params) for request in self.requests]


def serve(monkeypatch: pytest.MonkeyPatch, handler: Handler) -> Server:
    """Puts the server where the network would be: under the wall."""
    server = Server(handler)

    async def handle(_: object, request: httpx.Request) -> httpx.Response:
        await request.aread()
        response = server(request)
        response.request = request
        return response

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    return server


def answer(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=named)


def client(**settings: Any) -> Client:
    settings = {"reads": ANY_READ, "limits": QUICK, **settings}
    return Client("test", BASE, **settings)


def run(client: Client, work: Callable[[Client], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with client.open():
            return await work(client)

    return asyncio.run(inside())


def sent(request: httpx.Request) -> Any:
    return json.loads(request.content)
