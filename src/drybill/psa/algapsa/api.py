"""AlgaPSA's API: where it is, what of it is read, what is written, and how it says no."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drybill.psa.algapsa.settings import Settings
from drybill.psa.algapsa.wire import Invoice, Invoices, Refused
from drybill.transport import cassette
from drybill.transport.auth import StaticHeaders, fetch_all, fetch_name
from drybill.transport.client import Answer, Client
from drybill.transport.errors import words_of
from drybill.transport.limits import Limits
from drybill.transport.paging import PageNumber
from drybill.transport.wall import Operation

T = TypeVar("T")

ROOT = "/api/v1"
PREVIEW = f"{ROOT}/invoices/preview"
_ID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_AT = r"(?:/[\w.-]+)*/api/v1"
READS = (
    Operation("GET", _AT + r"/clients"),
    Operation("GET", _AT + r"/contracts"),
    Operation("GET", _AT + r"/client-contract-lines"),
    Operation("GET", _AT + rf"/contract-lines/{_ID}/services"),
    Operation("GET", _AT + r"/services"),
    Operation("GET", _AT + r"/invoices"),
    Operation("GET", _AT + rf"/invoices/{_ID}/items"),
)
# Reads by POST, for a login alone: without a session nothing declares them.
PREVIEWS = (Operation("POST", _AT + r"/invoices/preview"),)
WRITES = (Operation("PUT", _AT + rf"/contract-lines/{_ID}/services/{_ID}"),)
PAGES = PageNumber("page", "limit", 100, 1, ("pagination", "total"), ("pagination", "totalPages"))


class Api:
    """One connection with one key. To be used inside `async with api.open()`."""

    def __init__(
        self, name: str, settings: Settings, base: Path, *, may_write: bool = False
    ) -> None:
        """`base` is the mapping's folder; `may_write` takes the second key, if there is one, and
        lets the declared write through the wall."""
        self._name, self._settings, self._base, self._may_write = name, settings, base, may_write
        self.previews = settings.credentials.session is not None and settings.witness != "off"
        self._session = ""
        self._issued: tuple[Invoices, list[Invoice]] | None = None  # the newest, and all
        self.client = Client(
            name,
            settings.url,
            READS + (PREVIEWS if self.previews and not may_write else ()),
            writes=WRITES if may_write else (),
            auth=self._auth,
            headers={"Accept": "application/json"},
            limits=Limits(at_once=settings.at_once, requests=settings.requests_per_minute),
            refused=refused,
        )

    def tenant(self) -> str:
        """The tenant's id, as far as the mapping names it. A recording holds no references.

        Raises InputError where what it refers to is missing.
        """
        reference = self._settings.credentials.tenant
        if reference is None:
            return ""
        if cassette.replaying():
            return cassette.MASKED
        return fetch_name(reference, self._base, f"psa.{self._name}: tenant")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Raises InputError where a secret is missing."""
        async with self.client.open():
            yield

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return await self.client.get(ROOT + path, params)

    async def rows(
        self,
        path: str,
        kind: type[T],
        *,
        params: Mapping[str, str] | None = None,
        id_of: Callable[[T], str],
    ) -> list[T]:
        """All rows of a listing: as many as it declares, or an error."""
        return await self.client.rows(
            ROOT + path, kind, PAGES, rows_at="data", params=params, id_of=id_of, what="pages"
        )

    async def invoices(self) -> list[Invoice]:
        """All of them. The list is long and read for each line that is written: what was read once
        holds while as many are declared and the newest hundred are the same."""
        at, newest = "/invoices", {"sort": "created_at", "order": "desc"}
        top = (await self.get(at, {**newest, "page": "1", "limit": "100"})).decode(Invoices)
        if self._issued is None or self._issued[0] != top:
            every = await self.rows(at, Invoice, params=newest, id_of=lambda each: each.invoice_id)
            self._issued = top, every
        return self._issued[1]

    async def preview(self, body: object) -> Answer:
        """What an invoice would hold. With the session beside the key, which alone is not enough;
        sent once."""
        cookie = {"Cookie": f"{self._settings.cookie}={self._session}"}
        return await self.client.query(PREVIEW, body, cookie)

    async def write(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Sent once."""
        return await self.client.write("PUT", ROOT + path, body)

    def _auth(self) -> StaticHeaders:
        keys = self._settings.credentials
        pair = (self._may_write and self._settings.write_credentials) or keys
        references = {"api_key": pair.api_key}
        if self.previews and not self._may_write and keys.session is not None:
            references["session"] = keys.session
        key, *session = fetch_all(references, self._base, f"psa.{self._name}")
        self._session = "".join(session)
        tenant = self.tenant()
        return StaticHeaders({"x-api-key": key, **({"x-tenant-id": tenant} if tenant else {})})


def refused(body: bytes) -> str:
    """Why a 2xx is none: `success: false`, with whatever words come with it."""
    try:
        if msgspec.json.decode(body, type=Refused).success:
            return ""
        return words_of(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""  # a list, or no JSON: whoever decodes it says so
