"""AlgaPSA's own word on its next invoices: a preview of each line's window.

A preview names its services and no ids, and its unit price is the total: what counts is the
quantity and the total of each item.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from msgspec.structs import replace

from drybill.billing.agreement import Agreement, Segment, Status, Timing
from drybill.billing.invoice import Witness, WitnessLine
from drybill.billing.money import minor_units
from drybill.billing.period import invoice_date, period_from
from drybill.psa.algapsa import wire
from drybill.psa.algapsa.api import Api
from drybill.psa.algapsa.reading import Found, major
from drybill.transport.errors import HttpError

NO_SESSION = (
    "no witness: AlgaPSA's preview needs a login session, and the mapping names none "
    "(`credentials.session`)"
)


async def witnesses(api: Api, found: Found) -> tuple[tuple[Witness, ...], list[str]]:
    """One preview per active line of cadence `contract`, one after the other, and what failed.

    A preview that fails is sent once, and ends the asking: the session is over, or the server is.
    """
    told: list[Witness] = []
    missing: dict[str, list[str]] = {}
    stopped = ""
    for agreement, line in zip(found.agreements, found.lines, strict=True):
        if agreement.status is not Status.ACTIVE:
            continue
        if line.cadence_owner != "contract":
            missing.setdefault("their windows are not named over the API", []).append(agreement.id)
            continue
        if stopped:
            missing.setdefault(stopped, []).append(agreement.id)
            continue
        try:
            answer = await api.preview(selector(agreement, line))
            said = answer.decode(wire.PreviewAnswer).data
        except HttpError as error:
            status = f"{error.status}: " if error.status else ""
            why = f"the preview answered {status}{error.said}; is the session still valid?"
            missing.setdefault(why, []).append(agreement.id)
            # Without a login every preview fails; with one, another line's may be given.
            if error.status in (0, 401, 403) or "authenticat" in error.said.casefold():
                stopped = why
            continue
        if not said.success or said.data is None:
            missing.setdefault(said.error or "the preview gives no reason", []).append(agreement.id)
        elif said.data.currencyCode != agreement.currency:
            why = f"the preview is in {said.data.currencyCode}"
            missing.setdefault(why, []).append(agreement.id)
        else:
            own = [each for each in found.segments if each.agreement_id == agreement.id]
            told.append(witness(agreement, own, said.data))
    return tuple(told), [
        f"no witness for contract lines, {why}: {', '.join(ids)}" for why, ids in missing.items()
    ]


def selector(agreement: Agreement, line: wire.ContractLine) -> dict[str, Any]:
    """The window that bills the next period: its own days in advance, the cycle after in arrears.

    `identityKey` joins the parts that are there by ":", as in recorded requests.
    """
    start, end = window(agreement)
    execution = {
        "kind": "contract_cadence_window",
        "cadenceOwner": "contract",
        "clientId": line.client_id,
        "contractId": line.contract_id,
        "contractLineId": line.contract_line_id,
        "windowStart": start.isoformat(),
        "windowEnd": end.isoformat(),
    }
    key = ":".join(value for value in execution.values() if value)
    return {
        "selector_input": {
            "clientId": line.client_id,
            "windowStart": start.isoformat(),
            "windowEnd": end.isoformat(),
            "executionWindow": {**execution, "identityKey": key},
        }
    }


def window(agreement: Agreement) -> tuple[date, date]:
    """First day, and the day after the last."""
    period = period_from(agreement, agreement.next_period_start)
    if agreement.timing is Timing.ARREARS:
        period = period_from(agreement, period.end)
    return period.start, period.end


def witness(agreement: Agreement, segments: Sequence[Segment], said: wire.Preview) -> Witness:
    """Amounts without tax, which is not projected."""
    digits = minor_units(agreement.currency)
    lines = []
    for item in said.items:
        if not item.total and item.servicePeriodStart is None:
            continue  # the heading: "Contract: ..."
        total = None if item.total is None else major(item.total, digits)
        id = _line_id(item.description or "", segments)
        lines.append(WitnessLine(id, item.description or "", item.quantity, total))
    period = period_from(agreement, agreement.next_period_start)
    return Witness(
        agreement.id,
        None if said.subtotal is None else major(said.subtotal, digits),
        invoice_date(agreement, period),
        lines=_unique(lines),
    )


def _line_id(description: str, segments: Iterable[Segment]) -> str:
    """The one line that the client reads under this name; empty: none, or several."""
    named = [each.line_id for each in segments if each.description == description]
    return named[0] if len(named) == 1 else ""


def _unique(lines: Sequence[WitnessLine]) -> tuple[WitnessLine, ...]:
    """A line of which the preview speaks twice is none of the two items."""
    ids = [line.line_id for line in lines]
    return tuple(
        replace(line, line_id="") if ids.count(line.line_id) > 1 else line for line in lines
    )
