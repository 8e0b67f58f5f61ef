"""Tryton's REST interface: where it is, what of it is read, and what is written."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar, TypeVar

from msgspec import Struct

from drybill.transport.auth import StaticHeaders, bearer, fetch_all
from drybill.transport.client import Answer, Client
from drybill.transport.paging import Ask, Page
from drybill.transport.wall import Operation
from drybill_tryton.settings import Settings

T = TypeVar("T")

SUBSCRIPTION = "sale.subscription"
LINE = "sale.subscription.line"
SERVICE = "sale.subscription.service"
CONSUMPTION = "sale.subscription.line.consumption"

Domain = tuple[tuple[object, ...], ...]
_AT_A_TIME = 200  # ids in one domain: a URL has an end

_ROOT = r"/(?:[\w.-]+/)*rest/model/"
READS = tuple(
    Operation("GET", _ROOT + re.escape(model))
    for model in (SUBSCRIPTION, LINE, SERVICE, CONSUMPTION)
)
# Consumptions and invoices are made with buttons and wizards: none of them stands here.
WRITES = (
    Operation("POST", _ROOT + re.escape(SUBSCRIPTION) + r"/\d+/(draft|quote|run)"),
    Operation("PUT", _ROOT + re.escape(LINE) + r"/\d+"),
    Operation("POST", _ROOT + re.escape(LINE)),
)


class ById(Struct, frozen=True):
    """Page after page in the order of ids: rows that come or go meanwhile shift nothing.

    `Content-Range: records 0-500/1234` says how many rows there are from the last id on.
    """

    fields: tuple[str, ...]
    domain: Domain = ()
    rows: int = 500
    total: tuple[str, ...] = ()
    shifts: ClassVar[bool] = False

    def first(self) -> Ask:
        return self._ask(self.domain)

    def after(self, page: Page) -> Ask | None:
        said = re.fullmatch(r"records 0-(\d+)/(\d+|\*)", page.headers.get("Content-Range", ""))
        if said is None:
            more = page.rows >= self.rows
        else:
            more = said[2] == "*" or int(said[2]) > page.rows
        if not more or not page.rows:
            return None
        return self._ask((*self.domain, ("id", ">", int(page.last_id))))

    def _ask(self, domain: Domain) -> Ask:
        fields = tuple(("f", each) for each in self.fields)  # a name that is repeated
        params = (*fields, ("d", _encoded(domain)), ("o", _encoded([["id", "ASC"]])))
        return Ask(params, {"Range": f"records=0-{self.rows}"})


class Api:
    """One connection. To be used inside `async with api.open()`."""

    def __init__(
        self, name: str, settings: Settings, base: Path, *, may_write: bool = False
    ) -> None:
        """`base` is the mapping's folder; `may_write` lets the declared writes through the wall."""
        self._name, self._settings, self._base = name, settings, base
        self.client = Client(
            name,
            f"{settings.url}/{settings.database}",
            READS,
            writes=WRITES if may_write else (),
            auth=self._auth,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Raises InputError where the key is missing."""
        async with self.client.open():
            yield

    async def first(self, model: str) -> None:
        """One row, to see whether this key may read such records."""
        ask = ById((), rows=1).first()  # no fields: a record's name
        await self.client.get(f"/rest/model/{model}", ask.params, ask.headers)

    async def rows(
        self, model: str, kind: type[T], fields: Sequence[str], domain: Domain = ()
    ) -> list[T]:
        return await self.client.rows(
            f"/rest/model/{model}",
            kind,
            ById(tuple(fields), domain),
            id_of=lambda row: str(row.id),  # type: ignore[attr-defined]
            what=f"pages of {model}",
        )

    async def rows_of(
        self,
        model: str,
        kind: type[T],
        fields: Sequence[str],
        name: str,
        ids: Collection[int],
        domain: Domain = (),
    ) -> list[T]:
        """Rows of the domain whose field `name` is one of these ids."""
        found: list[T] = []
        wanted = sorted(ids)
        for start in range(0, len(wanted), _AT_A_TIME):
            part = wanted[start : start + _AT_A_TIME]
            found += await self.rows(model, kind, fields, (*domain, (name, "in", part)))
        return found

    async def write(
        self, method: str, path: str, body: object, fields: Sequence[str] = ()
    ) -> Answer:
        """Sent once; the answer holds the record's `fields`."""
        query = "&".join(f"f={each}" for each in fields)
        return await self.client.write(method, f"/rest/model/{path}?{query}", body)

    def _auth(self) -> StaticHeaders:
        references = {"key": self._settings.credentials.key}
        (key,) = fetch_all(references, self._base, f"psa.{self._name}")
        return bearer(key)


def _encoded(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode()
