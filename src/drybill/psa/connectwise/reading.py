"""From ConnectWise's documents to agreements and dated segments; what they leave open is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from msgspec import field as new_field
from msgspec.structs import replace

from drybill.billing.agreement import (
    Agreement,
    Billing,
    Cycle,
    Segment,
    Status,
    Timing,
    in_circles,
)
from drybill.billing.invoice import Witness
from drybill.billing.money import Rounding, RoundingPoint, is_currency
from drybill.billing.period import period_before
from drybill.billing.quantity import UNKNOWN, ZERO, plain
from drybill.psa.connectwise import wire
from drybill.psa.connectwise.settings import Settings
from drybill.psa.notes import Notes
from drybill.transport.values import day

# billingOptions of a cycle. BiWeekly and BiMonthly say neither "every two" nor "twice a".
_CYCLES = {
    "Weekly": Cycle.WEEKLY,
    "Monthly": Cycle.MONTHLY,
    "Quarterly": Cycle.QUARTERLY,
    "SemiAnnual": Cycle.SEMI_ANNUAL,
    "Yearly": Cycle.ANNUAL,
    "NotRecurring": Cycle.ONE_TIME,
}
_BILLING = {
    "Billable": Billing.BILLABLE,
    "NoCharge": Billing.NO_CHARGE,
    "DoNotBill": Billing.DO_NOT_BILL,
}
_STATUS = {
    "Active": Status.ACTIVE,
    "Cancelled": Status.CANCELLED,
    "Expired": Status.EXPIRED,
    "Inactive": Status.INACTIVE,
}
ROUNDING = Rounding(point=RoundingPoint.UNIT_PRICE)
_ONE_DAY = timedelta(days=1)


class Found(Notes):
    """Agreements and segments, and what could not be read as a bill."""

    agreements: list[Agreement] = new_field(default_factory=list)
    segments: list[Segment] = new_field(default_factory=list)
    product_ids: dict[str, int] = new_field(default_factory=dict)  # as the mapping names it -> id
    additions: set[int] = new_field(default_factory=set)  # ids of all that were read


def reachable(
    agreements: Iterable[wire.Agreement], companies: frozenset[str] | None
) -> list[wire.Agreement]:
    """Agreements of the mapping's companies, with their parents and children: one invoice."""
    every = list(agreements)
    if companies is None:
        return every
    by_id = {each.id: each for each in every}
    wanted = {each.id for each in every if str(each.company.id) in companies}
    children: dict[int, list[int]] = {}
    for each in every:
        parent = each.parentAgreement.id if each.parentAgreement else None
        if parent is not None:
            children.setdefault(parent, []).append(each.id)
    waiting = list(wanted)
    while waiting:
        at = waiting.pop()
        parent_of = by_id[at].parentAgreement
        near = [*children.get(at, ()), *([parent_of.id] if parent_of and parent_of.id else [])]
        for other in near:
            if other in by_id and other not in wanted:
                wanted.add(other)
                waiting.append(other)
    return [each for each in every if each.id in wanted]


def read_agreements(
    psa: str,
    agreements: Iterable[wire.Agreement],
    cycles: Mapping[int, wire.Cycle] | None,
    settings: Settings,
    found: Found,
) -> None:
    """Fills `found.agreements`. `cycles` None: this role may not read them, their names count."""
    every = {each.id: each for each in agreements}
    circles = in_circles({str(each.id): _parent(each) for each in every.values()})
    for each in every.values():
        agreement = _agreement(psa, each, every, cycles, settings, found)
        if agreement.id in circles:
            found.note("agreements are their own ancestors; they are invoiced alone", each.id)
            agreement = replace(agreement, parent_id=None)
        found.agreements.append(agreement)


def _agreement(
    psa: str,
    each: wire.Agreement,
    every: Mapping[int, wire.Agreement],
    cycles: Mapping[int, wire.Cycle] | None,
    settings: Settings,
    found: Found,
) -> Agreement:
    parent = every.get(each.parentAgreement.id or 0) if each.parentAgreement else None
    cycle = _cycle(each, cycles) or (_cycle(parent, cycles) if parent else None)
    next_invoice = day(each.nextInvoiceDate or (parent.nextInvoiceDate if parent else None))
    currency = (each.currency.currencyCode if each.currency else None) or settings.currency or ""
    why = ""
    if cycle is None:
        name = (each.billingCycle.name if each.billingCycle else None) or "no cycle"
        why = f"their cycle is `{name}`"
    elif next_invoice is None:
        why = "they have no next invoice date"
    elif not is_currency(currency):
        why = "they name no currency; set `currency`"
    if why:
        found.note(f"agreements are not projected, {why}", each.id)
    start = day(each.billStartDate) or day(each.startDate)
    end = None if each.noEndingDateFlag else day(each.endDate)
    status = _STATUS.get(each.agreementStatus or "", Status.INACTIVE)
    timing = Timing(settings.timing)
    agreement = Agreement(
        psa=psa,
        id=str(each.id),
        company_id=str(each.company.id or ""),
        currency=currency,
        next_period_start=next_invoice or date.max,
        name=each.name or "",
        company_name=each.company.name or "",
        type=each.type.name or "",
        type_id=each.type.id,
        status=Status.CANCELLED if each.cancelledFlag else status,
        cycle=cycle or Cycle.ONE_TIME,
        timing=timing,
        start_date=start,
        end_date=end,
        prorate=bool(each.prorateFlag),
        base_amount=plain(each.billAmount) if each.billAmount is not None else None,
        parent_id=str(each.parentAgreement.id) if parent and each.parentAgreement else None,
        bill_to=str(each.billToCompany.id)
        if each.billToCompany and each.billToCompany.id
        else None,
        bill_to_name=(each.billToCompany.name if each.billToCompany else None) or "",
        rounding=ROUNDING,
        unprojected=why,
    )
    if timing is Timing.ARREARS and cycle is not Cycle.ONE_TIME and next_invoice and not why:
        # the invoice of that day bills the period that ends there
        start_of_it = period_before(agreement, next_invoice).start
        agreement = replace(agreement, next_period_start=start_of_it)
    return agreement


def _parent(each: wire.Agreement) -> str | None:
    parent = each.parentAgreement
    return str(parent.id) if parent and parent.id is not None else None


def _cycle(each: wire.Agreement, cycles: Mapping[int, wire.Cycle] | None) -> Cycle | None:
    if each.billOneTimeFlag:
        return Cycle.ONE_TIME
    if each.billingCycle is None:
        return None
    if cycles is None:
        return _CYCLES.get((each.billingCycle.name or "").replace("-", "").replace(" ", ""))
    known = cycles.get(each.billingCycle.id or 0)
    return _CYCLES.get(known.billingOptions or "") if known else None


def named(lists: Iterable[list[wire.Addition]]) -> list[list[wire.Addition]]:
    """The same, where an addition lacks its product's identifier and another one tells it."""
    every = list(lists)
    known = {
        each.product.id: each.product.identifier
        for rows in every
        for each in rows
        if each.product.id is not None and each.product.identifier
    }
    return [
        [
            replace(each, product=replace(each.product, identifier=known[each.product.id]))
            if not each.product.identifier and each.product.id in known
            else each
            for each in rows
        ]
        for rows in every
    ]


def read_additions(
    agreement: Agreement,
    additions: Iterable[wire.Addition],
    products: frozenset[str],
    settings: Settings,
    found: Found,
) -> None:
    """Fills `found.segments` with an agreement's additions, ended and future ones too."""
    for each in additions:
        if each.agreementId not in (None, int(agreement.id)) or each.id in found.additions:
            found.note("additions are listed under two agreements; they count where they were "
                       "read first", each.id)  # fmt: skip
            continue
        found.additions.add(each.id)
        product = _product(each.product, products, found)
        billing = _BILLING.get(each.billCustomer or "")
        if billing is None:
            found.note("additions have no `billCustomer`, so their amounts are unknown", each.id)
        if each.quantity is not None and each.quantity < 0:
            found.note("additions have a negative quantity, so their amounts are unknown", each.id)
            billing = None
        odd = [d for d in (each.effectiveDate, each.cancelledDate) if d and day(d) is None]
        if odd:
            found.note("additions have a date that cannot be read: they are unknown", each.id)
        cancelled = day(each.cancelledDate)
        if cancelled is not None and settings.cancelled_date == "last_day":
            cancelled += _ONE_DAY
        found.segments.append(
            Segment(
                line_id=str(each.id),
                agreement_id=agreement.id,
                product=product,
                quantity=UNKNOWN if each.quantity is None or odd else plain(each.quantity),
                unit_price=each.unitPrice if billing is not None else None,
                description=each.invoiceDescription or each.description or "",
                included=plain(each.lessIncluded) if each.lessIncluded is not None else ZERO,
                unit_cost=each.unitCost,
                billing=billing or Billing.BILLABLE,
                effective=day(each.effectiveDate),
                cancelled=cancelled,
                updated_at=each.info.lastUpdated or "",
            )
        )


def _product(product: wire.Reference, products: frozenset[str], found: Found) -> str:
    """A product's identifier; its numeric id where the mapping names it so."""
    identifier, number = product.identifier or "", str(product.id or "")
    name = number if number in products and identifier not in products else identifier
    if product.id is not None:
        known = found.product_ids.setdefault(name or number, product.id)
        if known != product.id:
            found.note(f"product ids are called `{name}` both as id and as identifier", product.id)
            return f"{name}#{product.id}"
    return name or number


def witnesses(recaps: Iterable[wire.Recap]) -> tuple[Witness, ...]:
    return tuple(
        Witness(
            str(each.id),
            each.nextInvoiceAmount,
            day(each.nextInvoiceDate),
            each.unbilledPeriods,
        )
        for each in sorted(recaps, key=lambda recap: recap.id)
    )


def bill_customer(billing: str) -> str:
    """ConnectWise's word for how a line appears."""
    return next(theirs for theirs, ours in _BILLING.items() if ours == billing)


def instant(when: date) -> str:
    """How a day is written: midnight, as ConnectWise's own examples."""
    return f"{when.isoformat()}T00:00:00Z"
