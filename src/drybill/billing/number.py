"""The number: what the vendors say that a line's quantity is, after every rule, with its trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches

from msgspec import Struct

from drybill.billing.claims import Claims, Use
from drybill.billing.counting import Part, Sources, count, is_final
from drybill.billing.matching import Contract
from drybill.billing.money import EXACT
from drybill.billing.period import Period, period_before
from drybill.billing.policy import (
    Client,
    Combine,
    Policy,
    Product,
    UsageBasis,
    UsageException,
    VendorKey,
)
from drybill.billing.quantity import UNKNOWN, ZERO, Quantity, plain
from drybill.billing.row import Counted, Reason, Step
from drybill.billing.rules import apply_exception, apply_rules, excluded_steps, in_effect

_SOON = timedelta(days=30)
_NO_USE = Use()


class Number(Struct):
    """A line's quantity as the vendors and the mapping have it.

    `floor` marks a lower bound. `absent`: no source has the product. `fed` is the number after
    the exceptions and before the rules: what a feed passes on.
    """

    quantity: Quantity = UNKNOWN
    floor: bool = False
    absent: bool = False
    asked: bool = False  # the client has a customer id at some vendor of this product
    ignored: Reason | None = None
    block: Reason | None = None
    reasons: tuple[Reason, ...] = ()
    usage: tuple[Counted, ...] = ()
    steps: tuple[Step, ...] = ()
    fed: Quantity = UNKNOWN
    fed_floor: bool = False
    final: bool = True
    committed_until: date | None = None
    since: date | None = None
    unit_cost: tuple[Decimal, str] | None = None  # with its currency
    excluded: Decimal = ZERO


@dataclass(slots=True)
class Numbers:
    """Computes the numbers of all clients, giver before receiver."""

    policy: Policy
    claims: Claims
    sources: Sources
    _exceptions: dict[tuple[str, str, str], UsageException] = field(init=False)
    _givers: dict[str, list[Product]] = field(init=False)

    def __post_init__(self) -> None:
        self._exceptions = {(e.psa, e.client, e.product): e for e in self.policy.exceptions}
        self._givers = {}
        for product in self.policy.products.values():
            for receiver in product.also_feeds:
                self._givers.setdefault(receiver, []).append(product)

    def givers(self, product: Product) -> Sequence[Product]:
        """Products whose units this one counts once more."""
        return self._givers.get(product.key, ())

    def obvious(self) -> dict[tuple[str, str], dict[str, Decimal]]:
        """By client, the products where one current row alone decides, with what `of` would say.

        Most uses of a large run are like that, and are worth no trace.
        """
        single = {
            product.key
            for product in self.policy.products.values()
            if len(product.sources) == 1
            and not product.rules
            and not product.also_feeds
            and product.usage is UsageBasis.NOW
            and not self.givers(product)
        }
        whole = {
            name: receipt.customers
            for name, receipt in self.sources.receipts.items()
            if receipt.complete and not receipt.denied
        }
        clients, is_future = self.policy.clients, self.sources.clock.is_future
        found: dict[tuple[str, str], dict[str, Decimal]] = {}
        for use_key, use in self.claims.uses.items():
            if len(use.rows) != 1 or use_key[2] not in single or use.contested is not None:
                continue
            key, row = use.rows[0]
            client = clients[use_key[:2]]
            if (
                row.quantity is not UNKNOWN
                and row.period_start is None
                and row.since is None
                and row.customer_id in whole.get(key.vendor, ())
                and len(client.customers[key.vendor]) == 1
                and not client.profile
                and (key.kind is None or key.kind is row.kind)
                and (row.as_of is None or not is_future(row.as_of))
                and use_key not in self._exceptions
            ):
                found.setdefault(use_key[:2], {})[use_key[2]] = row.quantity
        return found

    def of(self, client: Client, product: Product, contract: Contract | None) -> Number:
        """The number of one client's product; the contract's period says which usage counts."""
        number = Number()
        reasons: list[Reason] = []
        parts = self._parts(client, product, contract, number, reasons)
        if not number.asked:
            return number
        self._combine(product, parts, number, reasons)
        number.steps += excluded_steps(product.rules, number.quantity, number.excluded)
        exception = self._exceptions.get((client.psa, client.id, product.key))
        if exception is not None:
            self._except(exception, number, reasons)
        number.fed, number.fed_floor = number.quantity, number.floor
        if number.quantity is not UNKNOWN:
            if number.quantity < 0:
                number.block = number.block or Reason(
                    "NEGATIVE_QUANTITY", f"{number.quantity:f} after the exception"
                )
            elif product.rules:
                number.quantity, steps = apply_rules(number.quantity, product.rules)
                number.steps += steps
                if number.quantity < 0:
                    number.block = number.block or Reason(
                        "NEGATIVE_QUANTITY", f"{number.quantity:f} after the rules"
                    )
        number.reasons = tuple(dict.fromkeys(reasons))
        return number

    def _parts(
        self,
        client: Client,
        product: Product,
        contract: Contract | None,
        number: Number,
        reasons: list[Reason],
    ) -> list[Part]:
        use = self.claims.uses.get((client.psa, client.id, product.key), _NO_USE)
        period = _usage_period(product, contract)
        parts: list[Part] = []
        feeds: list[Number] = []
        for key in product.sources:
            customers = client.customers.get(key.vendor)
            if not customers:
                continue
            number.asked = True
            rows = use.of(key)
            part = count(product, key, customers, rows, self.sources, period)
            parts.append(part)
            reasons += part.reasons
            if part.absent and (unheard := self._unheard(key)):
                reasons.append(unheard)
            number.usage += tuple(part.usage)
            number.excluded = EXACT.add(number.excluded, part.excluded)
            number.block = number.block or part.block
            says = f"{key.vendor} {key.code}"
            if len(part.usage) > 1:
                says += ": " + " + ".join(_amount(c.quantity) for c in part.usage)
            elif part.absent:
                says += ": not there"
            number.steps += (Step(part.quantity, says, key.path),)
        for giver in self.givers(product):
            fed = self.of(client, giver, contract)
            if not fed.asked:
                continue
            number.asked = True
            part = Part(fed.fed, fed.fed_floor, fed.absent, list(fed.reasons), fed.block)
            parts.append(part)
            reasons += part.reasons
            number.block = number.block or part.block
            number.usage += fed.usage
            number.final = number.final and fed.final
            number.committed_until = _latest(number.committed_until, fed.committed_until)
            feeds.append(fed)
            number.steps += (Step(part.quantity, f"fed by {giver.key}", giver.path),)
        number.block = number.block or use.contested
        self._facts(parts, feeds, number)
        return parts

    def _unheard(self, key: VendorKey) -> Reason | None:
        """A code that no row of a vendor has that answered: misspelt, or gone for everybody."""
        codes = self.claims.codes.get((key.vendor, key.field))
        if not codes or key.code in codes:
            return None
        similar = get_close_matches(key.code, sorted(codes), 1)
        detail = f"{key.vendor} {key.code}" + (f", similar: {similar[0]}" if similar else "")
        return Reason("SKU_IN_NO_ROW", detail, (key.vendor, key.code, *similar))

    def _facts(self, parts: Sequence[Part], feeds: Sequence[Number], number: Number) -> None:
        """What the counted rows say beside their quantities."""
        records = [record for part in parts for record in part.records]
        begun = [*(fed.since for fed in feeds), *(record.since for record in records)]
        if begun and all(begun):
            number.since = max(day for day in begun if day is not None)
        if not records:
            return
        kinds = {r.kind for r in records if r.kind is not None}
        if len(kinds) > 1 and number.block is None:
            names = ", ".join(sorted(kind.value for kind in kinds))
            number.block = Reason("KIND_AMBIGUOUS", names)
        number.final = number.final and all(is_final(r) for r in records)
        for r in records:
            number.committed_until = _latest(number.committed_until, r.commitment_end)
        costs = {(r.unit_cost, r.currency) for r in records}
        if len(costs) == 1:
            cost, currency = next(iter(costs))
            number.unit_cost = (cost, currency) if cost is not None else None

    def _combine(
        self, product: Product, parts: Sequence[Part], number: Number, reasons: list[Reason]
    ) -> None:
        """One number of several parts. Where a source lacks the product, sum and max are lower
        bounds and min is unknown."""
        lacking = [part for part in parts if part.absent]
        present = [part for part in parts if not part.absent]
        if number.block or any(not part.known for part in present):
            return
        if not present:
            number.absent = True
            return
        how = product.combine or Combine.SUM
        values = [part.quantity for part in present if part.quantity is not UNKNOWN]
        number.floor = bool(lacking) or any(part.floor for part in present)
        if len(parts) == 1:
            number.quantity = values[0]
            return
        if how is Combine.MIN and number.floor:
            return
        if how is Combine.SUM:
            total = ZERO
            for value in values:
                total = EXACT.add(total, value)
        else:
            total = max(values) if how is Combine.MAX else min(values)
        number.quantity = total
        number.steps += (Step(total, f"{how.value} of {len(parts)}", product.path),)

    def _except(self, exception: UsageException, number: Number, reasons: list[Reason]) -> None:
        today = self.sources.clock.today
        if not in_effect(exception, today):
            number.block = number.block or Reason(
                "EXCEPTION_EXPIRED", f'"{exception.reason}", {exception.last_day.isoformat()}'
            )
            return
        if exception.last_day - today <= _SOON:
            reasons.append(Reason("EXCEPTION_ENDS_SOON", exception.last_day.isoformat()))
        if exception.ignore:
            number.ignored = Reason("EXCLUDED", f'"{exception.reason}"')
            return
        if number.quantity is UNKNOWN:
            return
        number.quantity, step = apply_exception(number.quantity, exception)
        number.quantity = plain(number.quantity)
        if exception.set is not None:
            number.floor = False
        number.steps += (step,)


def _usage_period(product: Product, contract: Contract | None) -> Period:
    """The period that the usage must speak of; for `now` it plays no part."""
    if contract is None or product.usage is UsageBasis.NOW:
        return Period(date.min, date.min)
    if product.usage is UsageBasis.PREVIOUS_PERIOD:
        return period_before(contract.agreement, contract.period.start)
    return contract.period


def _amount(quantity: Quantity) -> str:
    return "?" if quantity is UNKNOWN else f"{quantity:f}"


def _latest(one: date | None, other: date | None) -> date | None:
    if one is None or other is None:
        return one or other
    return max(one, other)
