"""Which windows are invoiced: AlgaPSA lists its invoices, and not what is still open.

A charge of a recorded invoice bears the name of its contract line and the last day of its service
period; it names no line by id. An invoice that cannot be told to its line makes the lines that it
may stand for unknown, rather than open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, timedelta

from msgspec import Struct
from msgspec import field as new_field

from drybill.psa.algapsa import wire
from drybill.transport.values import day

_ONE_DAY = timedelta(days=1)
_VOID = frozenset(("cancelled", "canceled", "void"))
ReadCharges = Callable[[str], Awaitable[list[wire.Charge]]]


class Invoiced(Struct):
    """Of one client's lines, by `key_of`: the day up to which each is invoiced, exclusive."""

    until: dict[str, date] = new_field(default_factory=dict)
    untold: dict[str, str] = new_field(default_factory=dict)  # line -> the invoice that is in doubt


def midnight(text: str | None) -> date | None:
    """The day of a date that came as a midnight. With another time of day it was midnight
    elsewhere, and the day that is written may be the one before: None, as for what is no date."""
    at = (text or "")[10:]
    return day(text) if at in ("", "T00:00:00Z", "T00:00:00.000Z") else None


def key_of(line: wire.ContractLine) -> str:
    """A contract line under one client's contract."""
    return f"{line.contract_line_id}@{line.client_contract_id or line.client_id}"


def recurring(invoices: Iterable[wire.Invoice]) -> dict[str, list[wire.Invoice]]:
    """The recurring invoices of each client, the latest service period first."""
    found: dict[str, list[wire.Invoice]] = {}
    for each in invoices:
        if each.recurring_service_period_end and (each.status or "").lower() not in _VOID:
            found.setdefault(each.client_id or "", []).append(each)
    for own in found.values():
        own.sort(key=lambda i: (i.recurring_service_period_end or "", i.invoice_id), reverse=True)
    return found


async def invoiced(
    lines: Sequence[wire.ContractLine], invoices: Sequence[wire.Invoice], charges_of: ReadCharges
) -> Invoiced:
    """Reads the charges of one client's invoices, the latest first, until every line is found.

    Raises HttpError.
    """
    found = Invoiced()
    for invoice in invoices:
        candidates = [
            line for line in lines if invoice.client_contract_id in (None, line.client_contract_id)
        ]
        if all(key in found.until or key in found.untold for key in map(key_of, candidates)):
            continue
        for charge in await charges_of(invoice.invoice_id):
            if charge.service_period_start is None or charge.is_discount:
                continue  # no part of a window
            last = midnight(charge.service_period_end)
            # a contract's only line needs no name: there is no other that it could stand for
            named = [line for line in candidates if _bears_name(charge, line)] or candidates
            if last is not None and len(named) == 1:
                key = key_of(named[0])
                found.until[key] = max(found.until.get(key, date.min), last + _ONE_DAY)
                continue
            for line in named:
                if key_of(line) not in found.until:
                    found.untold.setdefault(key_of(line), invoice.invoice_number or "")
    return found


def _bears_name(charge: wire.Charge, line: wire.ContractLine) -> bool:
    names = {line.contract_line_name, line.invoice_line_description} - {None, ""}
    return charge.name in names or charge.description in names
