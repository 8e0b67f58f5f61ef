"""How a client proves who it is. Every secret and token is known to `secrets` before it is used."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Literal

import httpx
import msgspec

from drybill.errors import InputError, Problem
from drybill.secrets import fetch, keep
from drybill.transport.errors import Malformed, failure_of
from drybill.transport.values import day

_SHORTEST_COOKIE = 8  # characters
_LEEWAY = 60.0  # seconds before its end at which a token counts as over


class StaticHeaders(httpx.Auth):
    """Headers that hold keys; a bearer token is one of them."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Raises InputError for a value that no header can hold."""
        for name, value in headers.items():
            keep(value.removeprefix("Bearer ").removeprefix("Basic "))
            if not value.isascii() or not value.isprintable():
                summary = f"what goes into the header {name} has a character that no key has"
                fix = "copy it again: a line break or a letter with an accent is in it"
                raise InputError([Problem("secret-odd", None, summary, fix)])
        self._headers = dict(headers)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers.update(self._headers)
        yield request


def keep_cookies(response: httpx.Response) -> None:
    """Whatever a server gives to be sent back is a secret, too: not a flag, a name or a date, which
    may stand in the data."""
    for cookie in response.cookies.jar:
        value = cookie.value or ""
        if len(value) >= _SHORTEST_COOKIE and not value.isalpha() and day(value) is None:
            keep(value)


def fetch_all(references: Mapping[str, str], base: Path, table: str) -> list[str]:
    """The secrets behind the references of a table's credentials, in their order.

    `base` is the mapping's folder. Raises InputError for the first that is missing.
    """
    return [fetch(each, base, f"{table}: {name}") for name, each in references.items()]


def fetch_name(reference: str, base: Path, setting: str) -> str:
    """A login name: fetched like a secret, and none. Raises InputError where it is missing."""
    return fetch(reference, base, setting, secret_itself=False)


def basic(user: str, password: str, headers: Mapping[str, str] | None = None) -> StaticHeaders:
    """User and password, with further headers that a PSA asks for. ConnectWise's user is
    `company+public_key`."""
    keep(password)
    keep(f"{user}:{password}")
    pair = b64encode(f"{user}:{password}".encode()).decode()
    return StaticHeaders({"Authorization": f"Basic {pair}", **(headers or {})})


def bearer(token: str) -> StaticHeaders:
    """A token that was given for good."""
    return StaticHeaders({"Authorization": f"Bearer {token}"})


class TokenCall(httpx.Auth):
    """A token that another call gives: OAuth2 client credentials, or a login.

    `fields` go as JSON or as a form to `url`; the token is the answer's `token_field`, its life in
    seconds `life_field`. A 401 asks for a new one, once.
    """

    def __init__(
        self,
        url: str,
        fields: Mapping[str, str],
        secret_fields: tuple[str, ...],
        *,
        body: Literal["json", "form"] = "json",
        token_field: str = "access_token",
        life_field: str = "expires_in",
        header: str = "Authorization",
        prefix: str = "Bearer ",
    ) -> None:
        for name in secret_fields:
            keep(fields[name])
        self._request = (
            httpx.Request("POST", url, json=dict(fields))
            if body == "json"
            else httpx.Request("POST", url, data=dict(fields))
        )
        self._token_field, self._life_field = token_field, life_field
        self._header, self._prefix = header, prefix
        self._token = ""
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Raises Denied and its like for a token call that fails."""
        used = self._token if time.monotonic() < self._until else ""
        if not used:
            async with self._asking:
                if not self._token or time.monotonic() >= self._until:
                    await self._take((yield self._request))
                used = self._token
        request.headers[self._header] = self._prefix + used
        response = yield request
        if response.status_code == 401:
            async with self._asking:
                if self._token == used:
                    await self._take((yield self._request))
            request.headers[self._header] = self._prefix + self._token
            yield request

    async def _take(self, response: httpx.Response) -> None:
        await response.aread()
        keep_cookies(response)
        failure = failure_of(response)
        if failure is not None:
            raise failure
        try:
            answer = msgspec.json.decode(response.content)
            token, life = answer[self._token_field], answer.get(self._life_field, 300)
            self._until = time.monotonic() + max(float(life) - _LEEWAY, 1.0)
        except (
            msgspec.DecodeError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            RecursionError,
            OverflowError,
        ):
            raise Malformed(response.request, "the answer holds no token") from None
        if not isinstance(token, str) or not token:
            raise Malformed(response.request, "the answer holds no token")
        keep(token)
        self._token = token
