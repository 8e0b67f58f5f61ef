"""How much of the PSA and of each vendor a mapping covers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from drybill.billing.agreement import Agreement, Billing, Segment, Status
from drybill.billing.money import EXACT
from drybill.billing.policy import Policy, VendorKey
from drybill.billing.quantity import ZERO
from drybill.billing.usage import UsageRecord
from drybill.mapping.load import Mapping


@dataclass(frozen=True, slots=True)
class Share:
    """`mapped` of `total`: counts, or amounts of one currency."""

    mapped: Decimal
    total: Decimal

    @property
    def percent(self) -> Decimal | None:
        """Of 100; None where there was nothing to cover, which is not "all of it"."""
        if self.total == 0:
            return None
        return EXACT.divide(EXACT.multiply(self.mapped, Decimal(100)), self.total)


@dataclass(frozen=True, slots=True)
class Coverage:
    clients: Share  # companies with an active agreement
    products: Share  # products on active lines
    lines: Share  # active lines: product and client are mapped
    vendor_rows: dict[str, Share]  # vendor -> usage rows that some client's product line counts
    money: dict[str, Share]  # currency -> quantity x unit price of the active lines, per cycle
    unknown_lines: int  # active lines without quantity or price, which `money` leaves out


def coverage(
    mapping: Mapping,
    agreements: Iterable[Agreement],
    segments: Iterable[Segment],
    records: Iterable[UsageRecord],
) -> Coverage:
    """Counts active agreements and the lines that are billed in or after their next period.

    Do-not-bill lines count as lines but bring no money. Amounts are quantity times unit price,
    neither rounded nor prorated nor reduced by included units.
    """
    policy = mapping.policy
    active = {a.id: a for a in agreements if a.status is Status.ACTIVE}
    companies = {(a.psa, a.company_id) for a in active.values()}
    ours = {(psa, id_) for product in policy.products.values() for psa, id_ in product.ids.items()}
    products: set[tuple[str, str]] = set()
    lines = mapped_lines = unknown = 0
    money: dict[str, tuple[Decimal, Decimal]] = {}
    for segment in segments:
        agreement = active.get(segment.agreement_id)
        if agreement is None or _is_over(segment, agreement):
            continue
        product = (agreement.psa, segment.product)
        mapped = product in ours and (agreement.psa, agreement.company_id) in policy.clients
        products.add(product)
        lines += 1
        mapped_lines += mapped
        if segment.billing is not Billing.BILLABLE:
            continue
        if segment.quantity is None or segment.unit_price is None:
            unknown += 1
            continue
        amount = EXACT.multiply(segment.quantity, segment.unit_price)
        under, total = money.get(agreement.currency, (ZERO, ZERO))
        under = EXACT.add(under, amount) if mapped else under
        money[agreement.currency] = (under, EXACT.add(total, amount))
    return Coverage(
        clients=_count(len(companies & policy.clients.keys()), len(companies)),
        products=_count(len(products & ours), len(products)),
        lines=_count(mapped_lines, lines),
        vendor_rows=_vendor_rows(policy, records, mapping.vendors),
        money={currency: Share(*amounts) for currency, amounts in sorted(money.items())},
        unknown_lines=unknown,
    )


def _is_over(segment: Segment, agreement: Agreement) -> bool:
    return segment.cancelled is not None and segment.cancelled <= agreement.next_period_start


def _count(mapped: int, total: int) -> Share:
    return Share(Decimal(mapped), Decimal(total))


def _vendor_rows(
    policy: Policy, records: Iterable[UsageRecord], vendors: Iterable[str]
) -> dict[str, Share]:
    customers = {
        (vendor, customer)
        for client in policy.clients.values()
        for vendor, ids in client.customers.items()
        for customer in ids
    }
    keys: dict[tuple[str, str, str], list[VendorKey]] = {}
    for product in policy.products.values():
        for key in product.sources:
            keys.setdefault((key.vendor, key.field, key.code), []).append(key)
    rows = {vendor: [0, 0] for vendor in vendors}
    for record in records:
        if not record.line_type.counts:
            continue
        counts = rows.setdefault(record.vendor, [0, 0])
        counts[1] += 1
        owned = (record.vendor, record.customer_id) in customers
        counts[0] += owned and _counts(record, keys)
    return {vendor: _count(*counts) for vendor, counts in sorted(rows.items())}


def _counts(record: UsageRecord, keys: dict[tuple[str, str, str], list[VendorKey]]) -> bool:
    codes = (
        ("sku", record.sku),
        ("vendor_sku", record.vendor_sku),
        ("product_id", record.product_id),
    )
    return any(
        key.term in (None, "any", record.term) and key.kind in (None, record.kind)
        for name, code in codes
        for key in keys.get((record.vendor, name, code), ())
    )
