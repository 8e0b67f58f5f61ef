"""From Pax8's documents to usage records: which rows are seats, and which are not known to be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from drybill.billing.money import EXACT
from drybill.billing.quantity import UNKNOWN, ZERO, Quantity, plain
from drybill.billing.usage import Finality, LineType, QuantityKind, UsageRecord
from drybill.transport.values import day
from drybill.vendors.pax8 import wire

_ONE_DAY = timedelta(days=1)
TYPES = {
    "subscription": LineType.RECURRING,
    "prorate": LineType.PRORATE,
    "one-time": LineType.ONE_TIME,
    "rebate": LineType.CREDIT,
    "payment-credit": LineType.CREDIT,
    "service-credit": LineType.CREDIT,
    "invoice-credit": LineType.CREDIT,
    "service-charge": LineType.FEE,
}


def of_subscription(
    vendor: str,
    each: wire.Subscription,
    product: wire.Product | None,
    company: str,
    statuses: frozenset[str],
    as_of: datetime | None,
) -> UsageRecord:
    """Seats now: a status that is not counted has a quantity that nobody knows, Cancelled 0."""
    quantity = _units(each.quantity)
    trial = "Trial" in (each.status, each.billingTerm)
    line_type = LineType.RECURRING
    if each.billingTerm == "One-Time":
        line_type = LineType.ONE_TIME
    elif trial:
        line_type = LineType.OTHER
    if each.status == "Cancelled":
        quantity = ZERO
    elif each.status not in statuses or each.billingTerm == "Activation":
        quantity = UNKNOWN
    commitment = each.commitmentTerm or wire.Commitment()
    return UsageRecord(
        vendor=vendor,
        customer_id=each.companyId,
        sku=(product.sku if product else None) or "",
        quantity=quantity,
        customer_name=company,
        product_name=each.productName or (product.name if product else None) or "",
        vendor_sku=(product.vendorSku if product else None) or "",
        product_id=each.productId,
        subscription_id=each.id,
        kind=QuantityKind.ENTITLEMENT,
        as_of=as_of,
        finality=Finality.LIVE,
        line_type=line_type,
        unit_cost=each.partnerCost,
        currency=each.currencyCode or "",
        # an end that cannot be read is an end that nobody knows: nothing goes down before it
        commitment_end=day(commitment.endDate) or (date.max if commitment.endDate else None),
        term=term_of(each),
        trial=trial,
    )


def of_item(
    vendor: str,
    each: wire.Item,
    product: wire.Product | None,
    finality: Finality,
    as_of: datetime | None,
) -> UsageRecord:
    """One row of an invoice or its draft. Arrears are usage; credits and prorates no seats."""
    line_type = TYPES.get(each.type or "", LineType.OTHER)
    if line_type is LineType.RECURRING and (each.term or "").casefold() == "arrears":
        line_type = LineType.USAGE
    start, end = period(each.startPeriod, each.endPeriod)
    return UsageRecord(
        vendor=vendor,
        customer_id=each.companyId,
        sku=each.sku or "",
        quantity=_units(each.quantity),
        customer_name=each.companyName or "",
        product_name=each.productName or each.description or "",
        vendor_sku=(product.vendorSku if product else None) or "",
        product_id=each.productId or "",
        subscription_id=each.subscriptionId or "",
        kind=QuantityKind.BILLED,
        unit=each.unitOfMeasure or "",
        period_start=start,
        period_end=end,
        as_of=as_of,
        finality=finality,
        line_type=line_type,
        unit_cost=each.cost,
        amount=each.costTotal,
        currency=each.currencyCode or "",
        term=term(each.term),
        trial=(each.term or "") == "Trial",
    )


def of_usage(
    vendor: str,
    summary: wire.UsageSummary,
    line: wire.UsageLine,
    start: date,
    products: Mapping[str, wire.Product],
    company: str,
    as_of: datetime | None,
) -> UsageRecord:
    """The total so far of the month that begins on `start`: a later day replaces an earlier one
    and is never added to it. Final is what Pax8 has invoiced, so none of these."""
    end = (start + timedelta(days=32)).replace(day=1)
    product = products.get(line.productId or summary.productId or "")
    return UsageRecord(
        vendor=vendor,
        customer_id=summary.companyId,
        sku=(product.sku if product else None) or "",
        quantity=_units(line.quantity),
        customer_name=company,
        product_name=line.productName or "",
        vendor_sku=(product.vendorSku if product else None) or "",
        product_id=line.productId or summary.productId or "",
        subscription_id=summary.subscriptionId or "",
        kind=QuantityKind.METERED_TOTAL,
        unit=line.unitOfMeasure or "",
        period_start=start,
        period_end=end,
        as_of=as_of,
        finality=Finality.LIVE,
        line_type=LineType.USAGE,
        amount=line.partnerTotal,
        currency=line.currencyCode or "",
        trial=bool(line.isTrial),
    )


def _units(said: Decimal | None) -> Quantity:
    """Fewer than none are nobody's seats: unknown."""
    return UNKNOWN if said is None or said < 0 else plain(said)


def term_of(each: wire.Subscription) -> str:
    """The commitment, or else how it is billed; empty where neither is said."""
    return term((each.commitmentTerm or wire.Commitment()).term or each.billingTerm)


def term(said: str | None) -> str:
    """`Annual` and `1-Year` are one commitment: annual. `3 Year` and `3-Year` are another."""
    text = (said or "").strip().casefold().replace(" ", "-")
    return {"1-year": "annual", "annual": "annual", "1-month": "monthly"}.get(text, text)


def period(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    """A half-open period. Pax8's invoices say the day after the last, its drafts the last day: an
    end on the day of the month on which the period began is taken for the first kind."""
    start, end = day(first), day(last)
    if start is None or end is None:
        return start, None
    return start, end if end.day == start.day and end > start else end + _ONE_DAY


def differences(
    records: list[UsageRecord], others: list[UsageRecord], measure: str, other: str
) -> list[str]:
    """Where a second measure says another number of units, by customer and SKU."""
    told = []
    ours, theirs = _sums(records), _sums(others)
    for customer, sku in sorted(ours.keys() | theirs.keys()):
        one, two = ours.get((customer, sku)), theirs.get((customer, sku))
        if one != two:
            told.append(f"{customer} {sku}: {measure} {_said(one)}, {other} {_said(two)}")
    return told


def _sums(records: list[UsageRecord]) -> dict[tuple[str, str], Quantity]:
    sums: dict[tuple[str, str], Quantity] = {}
    for each in records:
        if not each.line_type.counts:
            continue
        key, before = (each.customer_id, each.sku or each.product_id), ZERO
        if key in sums:
            known = sums[key]
            if known is UNKNOWN:
                continue
            before = known
        units: Decimal | None = each.quantity
        sums[key] = UNKNOWN if units is UNKNOWN else EXACT.add(before, units)
    return {key: units for key, units in sums.items() if units != 0}


def _said(quantity: Quantity) -> str:
    return "unknown or nothing" if quantity is UNKNOWN else f"{quantity:f}"
