"""Tryton's writer: one call per step, its answer compared, never sent twice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from drybill.billing.change import WriteStep
from drybill.psa.port import Answer
from drybill.psa.writing import HttpWriter, failed, words_of
from drybill.transport.errors import HttpError
from drybill_tryton import wire
from drybill_tryton.api import LINE, SUBSCRIPTION, Api

_STATES = {"draft": "draft", "quote": "quotation", "run": "running"}  # button -> state after it


class TrytonWriter(HttpWriter[Api]):
    """Tryton itself knows no lock."""

    async def execute(self, step: WriteStep) -> Answer:
        """A 2xx is believed only where the record that comes with it is as it should be.

        Neither is a 400 believed: Tryton may have kept what it refused (a read-back decides).
        """
        try:
            made = await self._call(step)
        except HttpError as error:
            return failed(error, words_of(error))
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
