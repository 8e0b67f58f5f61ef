"""Usage without a line: what the mapping leads nowhere, and what a rule of it ignores.

Money here is vendor cost and, where a price is known, an estimate of the price: never one called
the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.counting import Clock, latest_rows
from drybill.billing.money import EXACT, round_money
from drybill.billing.policy import Client, Policy, Product
from drybill.billing.quantity import UNKNOWN, ZERO, Quantity
from drybill.billing.row import IgnoredUsage, Reason, UnmappedUsage, row_id
from drybill.billing.usage import UsageRecord

_Key = tuple[str, str, str, str, Reason]  # vendor, customer, SKU, term, why


class _Stray(Struct):
    records: list[UsageRecord] = new_field(default_factory=list)
    client: Client | None = None
    product: Product | None = None


@dataclass(slots=True)
class Strays:
    """Collects rows without a line and sums them by vendor, customer, SKU and term."""

    policy: Policy
    psa_currencies: Mapping[str, str]  # PSA name -> its default currency, where the mapping says
    zero: set[tuple[str, str, str]] = field(default_factory=set)  # (vendor, customer, SKU)
    _unmapped: dict[_Key, _Stray] = field(default_factory=dict)
    _ignored: dict[_Key, _Stray] = field(default_factory=dict)
    _clients: dict[tuple[str, str], Client] = field(init=False)

    def __post_init__(self) -> None:
        self._clients = {
            (vendor, customer): client
            for client in self.policy.clients.values()
            for vendor, customers in client.customers.items()
            for customer in customers
        }

    def add(
        self,
        record: UsageRecord,
        why: Reason,
        client: Client | None = None,
        product: Product | None = None,
    ) -> None:
        stray = self._unmapped.setdefault(_key(record, why), _Stray())
        stray.records.append(record)
        stray.client = client or self._clients.get((record.vendor, record.customer_id))
        if product is None and why.code == "CUSTOMER_NOT_MAPPED":
            product = self.policy.products.get(why.detail)
        stray.product = product

    def ignore(self, record: UsageRecord, why: Reason, client: Client) -> None:
        stray = self._ignored.setdefault(_key(record, why), _Stray())
        stray.records.append(record)
        stray.client = client

    def settle(self, clock: Clock) -> tuple[list[IgnoredUsage], list[UnmappedUsage]]:
        """Both lists in content order; a known quantity of 0 is left out."""
        ignored: list[IgnoredUsage] = []
        unmapped: list[UnmappedUsage] = []
        accepted = {a.row: a for a in self.policy.accepted if clock.today <= a.last_day}
        for key, stray in sorted(self._unmapped.items(), key=lambda item: _sortable(item[0])):
            use = self._unmapped_use(key, stray, clock)
            if use is None:
                continue
            acceptance = accepted.get(use.row)
            if (
                acceptance is not None
                and acceptance.psa_quantity is None
                and use.quantity is not UNKNOWN
                and acceptance.vendor_quantity == use.quantity
            ):
                ignored.append(
                    IgnoredUsage(
                        use.row,
                        use.vendor,
                        use.customer_id,
                        use.sku,
                        use.quantity,
                        use.cost,
                        use.cost_currency,
                        "ACCEPTED",
                        use.client_id or "",
                        acceptance.reason,
                    )
                )
            else:
                unmapped.append(use)
        for key, stray in sorted(self._ignored.items(), key=lambda item: _sortable(item[0])):
            vendor, customer, sku, term, why = key
            quantity, cost, currency = _sum(stray.records, clock)
            if quantity == 0:
                self.zero.add((vendor, customer, sku))
                continue
            client_id = stray.client.id if stray.client else ""
            ignored.append(
                IgnoredUsage(
                    row_id(vendor, customer, sku, term),
                    vendor,
                    customer,
                    sku,
                    quantity,
                    cost,
                    currency,
                    why.code,
                    client_id,
                    why.detail,
                )
            )
        ignored.sort(key=lambda use: (use.vendor, use.customer_id, use.sku, use.row, use.reason))
        return ignored, unmapped

    def _unmapped_use(self, key: _Key, stray: _Stray, clock: Clock) -> UnmappedUsage | None:
        vendor, customer, sku, term, why = key
        quantity, cost, cost_currency = _sum(stray.records, clock)
        if quantity == 0:
            self.zero.add((vendor, customer, sku))
            return None
        estimate, currency = self._estimate(quantity, stray)
        return UnmappedUsage(
            row=row_id(vendor, customer, sku, term),
            vendor=vendor,
            customer_id=customer,
            customer_name=min(
                (r.customer_name for r in stray.records if r.customer_name), default=""
            ),
            client_id=stray.client.id if stray.client else None,
            sku=sku,
            product_name=min((r.product_name for r in stray.records if r.product_name), default=""),
            term=term,
            quantity=quantity,
            cost=cost,
            cost_currency=cost_currency,
            price_estimate=estimate,
            currency=currency,
            reason=why.code,
            detail=why.detail,
            about=why.about,
        )

    def _estimate(self, quantity: Quantity, stray: _Stray) -> tuple[Decimal | None, str]:
        """What the units would be billed at, where the mapping gives a price for the product."""
        if stray.product is None or quantity is UNKNOWN or not stray.product.prices:
            return None, ""
        prices = stray.product.prices
        currency = self.psa_currencies.get(stray.client.psa, "") if stray.client else ""
        if currency not in prices:
            if len(prices) > 1:
                return None, ""
            currency = next(iter(prices))
        return round_money(EXACT.multiply(quantity, prices[currency]), currency), currency


def _key(record: UsageRecord, why: Reason) -> _Key:
    return record.vendor, record.customer_id, record.sku, record.term, why


def _sortable(key: _Key) -> tuple[str, ...]:
    return (*key[:4], key[4].code, key[4].detail)


def _sum(records: list[UsageRecord], clock: Clock) -> tuple[Quantity, Decimal | None, str]:
    """(units, cost, the cost's currency) of rows that speak of one product of one customer."""
    present = [r for r in records if r.as_of is None or not clock.is_future(r.as_of)]
    if not present:
        return UNKNOWN, None, ""
    rows, _, twins = latest_rows(present)
    contradictory = False
    for group in twins:
        contradictory = contradictory or len({r.quantity for r in group}) > 1
        rows.append(group[0])
    newest = max((r.period_start or date.min for r in rows), default=date.min)
    rows = [r for r in rows if (r.period_start or date.min) == newest]
    quantity: Quantity = ZERO
    cost: Decimal | None = ZERO
    currencies = set()
    for r in rows:
        if r.quantity is UNKNOWN or quantity is UNKNOWN:
            quantity = UNKNOWN
        else:
            quantity = EXACT.add(quantity, r.quantity)
        amount = _cost(r)
        currencies.add(r.currency)
        cost = None if cost is None or amount is None else EXACT.add(cost, amount)
    currency = currencies.pop() if len(currencies) == 1 else ""
    known = cost is not None and currency and not contradictory
    return (
        UNKNOWN if contradictory else quantity,
        cost if known else None,
        currency if known else "",
    )


def _cost(record: UsageRecord) -> Decimal | None:
    if record.amount is not None:
        return record.amount
    if record.unit_cost is None or record.quantity is UNKNOWN or not record.currency:
        return None
    return round_money(EXACT.multiply(record.quantity, record.unit_cost), record.currency)
