"""Tryton's writer: one call per step, its answer compared, never sent twice."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import date
from decimal import Decimal
from types import TracebackType
from typing import Self

from drybill.billing.change import WriteStep
from drybill.psa.port import Answer
from drybill.transport.errors import Denied, HttpError, NotFound, RateLimited, Rejected
from drybill_tryton import wire
from drybill_tryton.api import LINE, SUBSCRIPTION, Api

_NOT_DONE = (Denied, NotFound, RateLimited, Rejected)  # the server read it and did not do it
_STATES = {"draft": "draft", "quote": "quotation", "run": "running"}  # button -> state after it


class TrytonWriter:
    """The lock of this machine is held by whoever applies; Tryton itself knows none."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises InputError where the key is missing."""
        await self._open.enter_async_context(self._api.open())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._open.aclose()

    async def execute(self, step: WriteStep) -> Answer:
        """A 2xx is believed only where the record that comes with it is as it should be.

        Neither is a 400 believed: Tryton may have kept what it refused (a read-back decides).
        """
        try:
            made = await self._call(step)
        except _NOT_DONE as error:
            return Answer("rejected", _said(error))
        except HttpError as error:
            return Answer("unknown", _said(error))
        return _compared(step, made)

    async def _call(self, step: WriteStep) -> wire.Written:
        if step.action in _STATES:
            path = f"{SUBSCRIPTION}/{int(step.agreement_id)}/{step.action}"
            answer = await self._api.write("POST", path, {}, ("state",))
        else:
            body = {name: _json(name, value) for name, value in step.values}
            if step.action == "put":
                path = f"{LINE}/{int(step.line_id)}"
                answer = await self._api.write("PUT", path, body, wire.WRITTEN_FIELDS)
            else:
                body["subscription"] = int(step.agreement_id)
                answer = await self._api.write("POST", LINE, body, wire.WRITTEN_FIELDS)
        return answer.decode(wire.Written)


def _json(name: str, value: str) -> object:
    if name == "quantity":
        return Decimal(value)
    if name == "unit_price":
        return wire.decimal(Decimal(value))
    if name in ("start_date", "end_date"):
        return wire.day(date.fromisoformat(value)) if value else None
    if name == "consumption_delay":
        return {"__class__": "timedelta", "seconds": int(value)}
    return value if name == "description" else int(value)  # the others are ids


def _compared(step: WriteStep, made: wire.Written) -> Answer:
    wanted = dict(step.values)
    now: dict[str, object] = {
        "quantity": made.quantity,
        "unit_price": made.unit_price and made.unit_price.decimal,
        "start_date": made.start_date and made.start_date.date.isoformat(),
        "end_date": made.end_date and made.end_date.date.isoformat(),
    }
    if step.action in _STATES:
        wanted, now = {"state": _STATES[step.action]}, {"state": made.state}
    for name, found in now.items():
        if name in wanted and not _same(found, wanted[name]):
            return Answer("unknown", f"answered as done, and {name} is {found}")
    if step.creates:
        return Answer("accepted", f"line {made.id}", str(made.id))
    return Answer("accepted", step.says)


def _same(found: object, wanted: str) -> bool:
    return found == Decimal(wanted) if isinstance(found, Decimal) else (found or "") == wanted


def _said(error: HttpError) -> str:
    return f"{error.status}: {error.said}" if error.status else error.said
