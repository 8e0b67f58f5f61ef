"""From Tryton's records to agreements and dated segments; what cannot be projected is said.

Tryton knows no proration. A line is consumed on the days of its recurrence, strictly before its
end date, for the whole quantity; an invoice takes all consumptions that no other invoice holds.
So "from" and "until" of a segment are first days of the periods that the invoice bills or no
longer bills, whatever day of the month the line begins or ends on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec import field as new_field
from msgspec.structs import replace

from drybill.billing.agreement import Agreement, Billing, Cycle, Segment, Status, Timing
from drybill.billing.money import Rounding, RoundingMode, UnknownCurrency, minor_unit
from drybill.billing.period import Period, period_from
from drybill.billing.quantity import UNKNOWN, Quantity, plain
from drybill_tryton import wire
from drybill_tryton.schedule import Consuming, Invoicing, delay_of, schedule_of

# currency.round of an invoice line's quantity times its unit price (trytond's default)
ROUNDING = Rounding(RoundingMode.HALF_EVEN)
RUNNING = "running"
_STATUS = {RUNNING: Status.ACTIVE, "closed": Status.EXPIRED, "cancelled": Status.CANCELLED}
_ONE_DAY = timedelta(days=1)
_LISTED = 8


class Signed(Struct, frozen=True):
    """What a write has to know of a subscription."""

    invoicing: Invoicing
    running: bool
    end: date | None  # nothing is consumed on this day nor later


class Known(Struct, frozen=True):
    """What a write has to know of a line."""

    digits: int  # of its unit
    consuming: Consuming | None
    made: bool  # what the next invoice bills of it is made already
    over: bool  # its end took effect: it is consumed no more, whatever its end date becomes


class Found(Struct):
    """Agreements and segments, and what could not be read as a bill, each reason once."""

    agreements: list[Agreement] = new_field(default_factory=list)
    segments: list[Segment] = new_field(default_factory=list)
    signed: dict[str, Signed] = new_field(default_factory=dict)  # by the subscription's id
    known: dict[str, Known] = new_field(default_factory=dict)  # by the line's id
    unread: dict[str, list[str]] = new_field(default_factory=dict)  # reason -> ids

    @property
    def notices(self) -> list[str]:
        told = []
        for reason, ids in sorted(self.unread.items()):
            listed = ", ".join(ids[:_LISTED]) + (", ..." if len(ids) > _LISTED else "")
            told.append(f"{reason}: {listed}")
        return told

    def note(self, reason: str, what: object) -> None:
        self.unread.setdefault(reason, []).append(str(what))


def read_subscriptions(
    psa: str,
    subscriptions: Iterable[wire.Subscription],
    lines: Iterable[wire.Line],
    consumptions: Iterable[wire.Consumption],
    products: frozenset[str],
) -> Found:
    """`consumptions` are those that no invoice holds yet. `products` are the mapping's ids."""
    found = Found()
    waiting: dict[int, list[Decimal]] = {}
    for made in consumptions:
        waiting.setdefault(made.line, []).append(plain(made.quantity))
    of: dict[int, list[wire.Line]] = {}
    for line in lines:
        of.setdefault(line.subscription, []).append(line)
    for each in subscriptions:
        signed = of.get(each.id, [])
        to_invoice = {line.id: waiting[line.id] for line in signed if line.id in waiting}
        agreement = _agreement(psa, each, signed, bool(to_invoice), found)
        found.agreements.append(agreement)
        for line in signed:
            quantities = to_invoice.get(line.id, [])
            found.segments.append(_segment(each, agreement, line, quantities, products, found))
    return found


def _agreement(
    psa: str,
    each: wire.Subscription,
    lines: Iterable[wire.Line],
    waiting: bool,
    found: Found,
) -> Agreement:
    """`waiting`: something of it is consumed that no invoice holds yet."""
    name = f"{each.number or each.id} ({each.party.name or each.party.id})"
    starts = (each.invoice_start_date or each.start_date).date
    schedule = schedule_of(each.invoice_recurrence, starts)
    status = _STATUS.get(each.state, Status.INACTIVE)
    if status is Status.EXPIRED and waiting:
        status = Status.ACTIVE  # its last invoice is still to come
    agreement = Agreement(
        psa=psa,
        id=str(each.id),
        company_id=str(each.party.id),
        currency=each.currency.code or "",
        next_period_start=starts,
        name=" ".join(filter(None, (each.number, each.description))),
        company_name=each.party.name or "",
        status=status,
        state=each.state,
        cycle=schedule.cycle if schedule else Cycle.ONE_TIME,
        bill_to=str(each.invoice_party.id) if each.invoice_party else None,
        bill_to_name=(each.invoice_party.name if each.invoice_party else None) or "",
        rounding=ROUNDING,
    )
    why = "drybill has no such recurrence"
    if schedule is not None:
        delays = [bool(delay_of(line.consumption_delay)) for line in lines]
        invoicing = Invoicing(schedule, arrears=bool(delays) and all(delays))
        agreement, why = _dated(agreement, each, invoicing)
        if not why:
            end = each.end_date.date if each.end_date else None
            found.signed[agreement.id] = Signed(invoicing, each.state == RUNNING, end)
            last_day = _last_day(each, lines, invoicing, waiting, _period(agreement))
            agreement = replace(agreement, end_date=last_day)
    if why:
        found.note(f"subscriptions are not projected, {why}", name)
    elif each.state in ("draft", "quotation"):
        found.note(f"subscriptions in {each.state} are not billed, until they run", name)
    return replace(agreement, unprojected=why)


def _dated(
    agreement: Agreement, each: wire.Subscription, invoicing: Invoicing
) -> tuple[Agreement, str]:
    """The agreement with its next period, and why its invoices cannot be known all the same."""
    schedule = invoicing.schedule
    invoiced = each.next_invoice_date.date if each.next_invoice_date else None
    if invoiced is None:  # it never ran; or it is closed, and everything is invoiced
        invoiced = schedule.on_or_after(schedule.start)
    following = invoiced and schedule.after(invoiced)
    if invoiced is None or following is None:
        return agreement, "they have no next invoice"
    try:
        rounding = each.currency.rounding
        odd = rounding is None or rounding.decimal != minor_unit(agreement.currency)
    except UnknownCurrency:
        odd = True
    if odd:
        return agreement, f"Tryton rounds `{agreement.currency}` in a way of its own"
    agreement = replace(
        agreement,
        next_period_start=invoicing.period_start(invoiced),
        timing=Timing.ARREARS if invoicing.arrears else Timing.ADVANCE,
    )
    if _period(agreement).end != invoicing.period_start(following):  # a 31st that is left out
        return agreement, "their next invoices are no cycle apart"
    return agreement, ""


def _period(agreement: Agreement) -> Period:
    return period_from(agreement, agreement.next_period_start)


def _last_day(
    each: wire.Subscription,
    lines: Iterable[wire.Line],
    invoicing: Invoicing,
    waiting: bool,
    period: Period,
) -> date | None:
    """The last day of the last period that is billed; None: it has no end.

    A line that is consumed late in its period is invoiced after the subscription has ended.
    """
    if each.end_date is None:
        return None
    missed = invoicing.schedule.on_or_after(each.end_date.date)
    consumings = [consuming for line in lines if (consuming := consuming_of(each, line))]
    over = [consuming.over(invoicing) for consuming in consumings]
    over += [missed and invoicing.period_start(missed), period.end if waiting else None]
    return max((day for day in over if day), default=period.start) - _ONE_DAY


def _segment(
    each: wire.Subscription,
    agreement: Agreement,
    line: wire.Line,
    waiting: list[Decimal],
    products: frozenset[str],
    found: Found,
) -> Segment:
    """`waiting` are the quantities of its consumptions that no invoice holds yet."""
    id, signed = str(line.id), found.signed.get(agreement.id)
    consuming = consuming_of(each, line)
    over_for_good = line.next_consumption_date is None and line.consumed_until is not None
    found.known[id] = Known(line.unit.digits, consuming, made=bool(waiting), over=over_for_good)
    quantity = UNKNOWN if line.quantity is None else plain(line.quantity)
    billing, first = Billing.BILLABLE, line.start_date.date
    over = line.end_date.date if line.end_date else None
    if line.consumption_recurrence is None:
        billing = Billing.DO_NOT_BILL
    elif signed is not None:
        invoicing, period = signed.invoicing, _period(agreement)
        if consuming is not None:
            first, over = consuming.first(invoicing) or first, consuming.over(invoicing)
        if waiting and over is not None and over <= period.start:
            over = period.end  # its last consumption is still to be invoiced
        if over is None or over > period.start:
            if consuming is None or consuming.schedule.cycle is not agreement.cycle:
                found.note("lines are billed in another rhythm than their subscription", id)
                quantity = UNKNOWN
            elif agreement.status is Status.ACTIVE:
                invoiced = period.end if invoicing.arrears else period.start
                to_come = consuming.made_until(invoiced)
                quantity = _invoiced(quantity, to_come, waiting, id, found)
                if not to_come and not waiting and first <= period.start:  # a 31st, again
                    found.note("lines are not on every invoice of their subscription", id)
                    quantity = UNKNOWN
    return Segment(
        line_id=id,
        agreement_id=agreement.id,
        product=product_of(line.service, products),
        quantity=quantity,
        unit_price=line.unit_price.decimal if line.unit_price else None,
        description=line.description or line.service.product.name or "",
        billing=billing,
        effective=first,
        cancelled=over,
        updated_at=(stamp.text if (stamp := line.write_date or line.create_date) else ""),
    )


def _invoiced(
    quantity: Quantity, to_come: int, waiting: list[Decimal], id: str, found: Found
) -> Quantity:
    """What the next invoice will say of a line: of one consumption, or it is not known."""
    if waiting:
        found.note("lines are consumed already: the next invoice says what they said then", id)
    if to_come + len(waiting) > 1:
        found.note("lines come to several consumptions on the next invoice: not projected", id)
        return UNKNOWN
    return waiting[0] if waiting else quantity


def consuming_of(each: wire.Subscription, line: wire.Line) -> Consuming | None:
    start = line.start_date.date
    schedule = schedule_of(line.consumption_recurrence, start)
    if schedule is None:
        return None
    ends = [day.date for day in (line.end_date, each.end_date) if day]
    following = line.next_consumption_date.date if line.next_consumption_date else None
    if following is None and line.consumed_until is None:
        following = schedule.on_or_after(start)  # it never ran
    elif following is None and line.consumed_until is not None:
        ends.append(line.consumed_until.date + _ONE_DAY)  # it is over, whatever its end date says
    return Consuming(schedule, delay_of(line.consumption_delay), following, min(ends, default=None))


def product_of(service: wire.Service, products: frozenset[str]) -> str:
    """The product's code; the service's id where the mapping names it so, or there is no code."""
    code, number = service.product.code or "", str(service.id)
    return number if not code or (number in products and code not in products) else code


def services_by_product(
    services: Iterable[wire.Service], products: frozenset[str]
) -> Mapping[str, list[wire.Service]]:
    found: dict[str, list[wire.Service]] = {}
    for each in services:
        found.setdefault(product_of(each, products), []).append(each)
    return found
