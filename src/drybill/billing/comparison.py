"""Comparison: every PSA line and every use of a vendor unit ends in exactly one bucket.

This is the heart: for each client and product the number that the vendors and the mapping give is
held against the lines that bill it. Guards, switches and trust come later and elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.agreement import Billing, Segment
from drybill.billing.claims import Claims, UseKey, claim
from drybill.billing.counting import Sources
from drybill.billing.looks import looks
from drybill.billing.matching import Agreements, Contract, Line, billed_unprojected
from drybill.billing.money import EXACT
from drybill.billing.number import Number, Numbers
from drybill.billing.policy import Client, Policy, Product
from drybill.billing.proposal import (
    add_leak,
    compared_row,
    hold,
    line_row,
    new_row,
    propose,
    propose_new,
)
from drybill.billing.quantity import UNKNOWN, ZERO, Quantity
from drybill.billing.quiet import QuietLine, quiet_lines
from drybill.billing.row import (
    Bucket,
    IgnoredUsage,
    Reason,
    Row,
    Step,
    UnmappedUsage,
)
from drybill.billing.strays import Strays
from drybill.billing.usage import UsageRecord


class Comparison(Struct):
    """All rows, and the usage that has no line. `quiet` holds lines that got no row."""

    rows: list[Row] = new_field(default_factory=list)
    quiet: list[QuietLine] = new_field(default_factory=list)
    ignored: list[IgnoredUsage] = new_field(default_factory=list)
    unmapped: list[UnmappedUsage] = new_field(default_factory=list)
    claims: Claims = new_field(default_factory=Claims)
    settled: set[UseKey] = new_field(default_factory=set)  # uses that the quiet lines bill


def compare(
    policy: Policy,
    contracts: Mapping[tuple[str, str], Contract],
    records: Iterable[UsageRecord],
    sources: Sources,
    psa_currencies: Mapping[str, str],
    every_row: bool = True,
) -> Comparison:
    """Rows of every line of every contract, and of all usage without one, in content order.

    Without `every_row`, lines that obviously stay as they are get no row: their sums, counts and
    the plan are the same, and 100,000 of them cost a quarter of the time and memory.
    """
    claims = claim(policy, records)
    strays = Strays(policy, psa_currencies)
    return _Comparer(policy, contracts, claims, sources, strays, every_row).run()


@dataclass(slots=True)
class _Comparer:
    policy: Policy
    contracts: Mapping[tuple[str, str], Contract]
    claims: Claims
    sources: Sources
    strays: Strays
    every_row: bool
    result: Comparison = field(default_factory=Comparison)
    numbers: Numbers = field(init=False)
    agreements: Agreements = field(init=False)
    by_client: dict[tuple[str, str], list[Contract]] = field(init=False)
    by_product_id: dict[tuple[str, str], Product] = field(init=False)
    flexible: dict[tuple[str, str, str], set[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.by_client = {}
        for (psa, _), contract in sorted(self.contracts.items()):
            self.by_client.setdefault((psa, contract.agreement.company_id), []).append(contract)
        self.numbers = Numbers(self.policy, self.claims, self.sources)
        self.agreements = Agreements(self.policy, self.by_client)
        self.by_product_id = {
            (psa, product_id): product
            for product in self.policy.products.values()
            for psa, product_id in product.ids.items()
        }
        self.flexible = {}
        for line in self.policy.lines:
            if line.flexible:
                key = (line.psa, line.client, line.product)
                self.flexible.setdefault(key, set()).add(line.line_id)

    def run(self) -> Comparison:
        products_of: dict[tuple[str, str], set[str]] = {}
        obvious = {} if self.every_row else self.numbers.obvious()
        for client_key, contracts in self.by_client.items():
            psa, _ = client_key
            waiting = products_of[client_key] = set()
            for contract in contracts:
                settled = set() if self.every_row else self._settle(contract, contracts, obvious)
                for product_id in contract.lines.keys() - settled:
                    product = self.by_product_id.get((psa, product_id))
                    if product is None:
                        self._unmatched(contract, product_id, Bucket.FIXED, "NO_MAPPED_PRODUCT")
                    else:
                        waiting.add(product.key)
        for use in self.claims.uses.keys() - self.result.settled:
            products_of.setdefault(use[:2], set()).add(use[2])
        for client_key, keys in products_of.items():
            for key in sorted(self._with_receivers(keys)):
                self._product(client_key, self.policy.products[key])
        for record, reason in self.claims.strays:
            self.strays.add(record, reason)
        ignored, unmapped = self.strays.settle(self.sources.clock)
        self.claims.zero |= self.strays.zero
        self.result.ignored += ignored
        self.result.unmapped += unmapped
        self.result.claims = self.claims
        self.result.rows.sort(key=lambda r: (r.psa, r.agreement_id, r.product, r.slot))
        return self.result

    def _settle(
        self,
        contract: Contract,
        siblings: Sequence[Contract],
        obvious: Mapping[tuple[str, str], Mapping[str, Decimal]],
    ) -> set[str]:
        """Notes the quiet lines of an agreement; returns their PSA products."""
        agreement = contract.agreement
        found = quiet_lines(contract, siblings, self.by_product_id, self.agreements, obvious)
        self.result.quiet += found
        psa, client_id = agreement.psa, agreement.company_id
        self.result.settled.update((psa, client_id, line.product_key) for line in found)
        return {line.product for line in found}

    def _with_receivers(self, keys: set[str]) -> set[str]:
        """The products themselves and everything that they feed, directly or through others."""
        found = set(keys)
        waiting = list(keys)
        while waiting:
            for receiver in self.policy.products[waiting.pop()].also_feeds:
                if receiver not in found:
                    found.add(receiver)
                    waiting.append(receiver)
        return found

    def _product(self, client_key: tuple[str, str], product: Product) -> None:
        psa, _ = client_key
        contracts = self.by_client.get(client_key, [])
        product_id = product.ids.get(psa)
        holders = [c for c in contracts if product_id is not None and product_id in c.lines]
        client = self.policy.clients.get(client_key)
        if client is None:
            for contract in holders:
                self._unmatched(contract, product_id or "", Bucket.ORPHAN, "CLIENT_NOT_MAPPED")
            return
        if product_id is None:
            self._stray_use(client, product, Reason("PRODUCT_NOT_IN_PSA", psa))
            return
        target = self.agreements.find(client, product)
        billing = target if isinstance(target, Contract) else next(iter(holders), None)
        number = self.numbers.of(client, product, billing)
        if not number.asked:
            for contract in holders:
                self._unmatched(contract, product_id, Bucket.ORPHAN, "NO_CUSTOMER_ID")
            return
        covered = product.key in self.policy.profiles.get(client.profile or "", frozenset())
        ignored = Reason("COVERED", client.profile or "") if covered else number.ignored
        if ignored is not None:
            for contract in holders:
                self._still(contract, product, number, Bucket.IGNORED, ignored)
            if not holders:
                self._ignored_use(client, product, number, ignored)
            return
        if isinstance(target, Reason):
            for contract in holders:
                self._still(contract, product, number, Bucket.BLOCKED, target)
            self._stray_use(client, product, target)
            return
        elsewhere = [c for c in holders if c is not target]
        if target in holders:
            self._lines(target, product, number, elsewhere, client)
        elif not elsewhere:
            self._no_line(target, product, product_id, number, client)
        if elsewhere:
            expected = Reason("WRONG_AGREEMENT", f"expected on {target.agreement.id}")
            there = (line.last.quantity for line in target.lines.get(product_id, ()))
            self._held(elsewhere, product, number, expected, _sum(there))

    # -- rows that are not compared ---------------------------------------------------------

    def _unmatched(self, contract: Contract, product_id: str, bucket: Bucket, code: str) -> None:
        for line in contract.lines[product_id]:
            row = line_row(contract, product_id, line)
            product = self.by_product_id.get((contract.agreement.psa, product_id))
            row.product_key = product.key if product else ""
            row.bucket = bucket
            row.reasons = (Reason(code),)
            if row.amount_before is None:
                row.reasons += (_missing_in_psa(line.last),)
            self.result.rows.append(row)

    def _still(
        self, contract: Contract, product: Product, number: Number, bucket: Bucket, why: Reason
    ) -> None:
        """All lines of the product stay as they are, in one bucket for one reason."""
        for line in contract.lines[product.ids[contract.agreement.psa]]:
            row = compared_row(contract, product, line, number)
            row.bucket = bucket
            row.reasons = tuple(dict.fromkeys((why, *number.reasons)))
            self.result.rows.append(row)

    def _held(
        self,
        holders: Sequence[Contract],
        product: Product,
        number: Number,
        why: Reason,
        beside: Quantity = ZERO,
    ) -> None:
        """Lines that a person must decide about; the last slot says what they would become.

        `beside` are units that lines of the same product bill on another agreement.
        """
        lines = [
            (contract, line)
            for contract in holders
            for line in contract.lines[product.ids[contract.agreement.psa]]
        ]
        rows = [compared_row(contract, product, line, number) for contract, line in lines]
        for row in rows:
            row.bucket = Bucket.BLOCKED
            row.reasons = (why, *number.reasons)
        others = _sum((beside, *(line.last.quantity for _, line in lines[:-1])))
        if number.quantity is not UNKNOWN and number.block is None and others is not UNKNOWN:
            rest = max(EXACT.subtract(number.quantity, others), ZERO)
            (contract, last), row = lines[-1], rows[-1]
            falls = last.last.quantity is not UNKNOWN and rest < last.last.quantity
            if not (falls and number.floor) and rest != last.last.quantity:
                propose(row, contract, product, last, rest, number)
                hold(row)
                row.reasons = (why, *row.reasons)
            elif rest == last.last.quantity:
                _add_own_leak(row, contract, number, last)
        self.result.rows += rows

    def _stray_use(self, client: Client, product: Product, why: Reason) -> None:
        use = self.claims.uses.get((client.psa, client.id, product.key))
        if use is None:
            return
        for record in use.records:
            self.strays.add(record, why, client, product)

    def _ignored_use(self, client: Client, product: Product, number: Number, why: Reason) -> None:
        use = self.claims.uses.get((client.psa, client.id, product.key))
        if use is None:
            return
        for record in use.records:
            self.strays.ignore(record, why, client)

    def _excluded_unknown(self, client: Client, product: Product, number: Number) -> bool:
        """Whether a trial of unknown size was left out: unknown is not 0, and is shown."""
        use = self.claims.uses.get((client.psa, client.id, product.key))
        return (
            use is not None
            and any(reason.code == "EXCLUDED" for reason in number.reasons)
            and any(record.trial and record.quantity is UNKNOWN for record in use.records)
        )

    def _leave_out(self, client: Client, product: Product) -> None:
        """A known 0 without a line is nothing to show."""
        use = self.claims.uses.get((client.psa, client.id, product.key))
        if use is not None:
            self.claims.zero |= {(r.vendor, r.customer_id, r.sku) for r in use.records}

    # -- rows that are compared -------------------------------------------------------------

    def _lines(
        self,
        contract: Contract,
        product: Product,
        number: Number,
        elsewhere: Sequence[Contract],
        client: Client,
    ) -> None:
        lines = contract.lines[product.ids[client.psa]]
        billing = [
            segment
            for line in lines
            for segment in (line.segments if contract.agreement.prorate else (line.last,))
        ]
        odd = next((r for segment in billing if (r := _unsupported(segment))), None)
        if odd is not None:
            self._still(contract, product, number, Bucket.BLOCKED, odd)
            return
        unknown = next((r for segment in billing if (r := _not_given(segment))), None)
        if unknown is not None:
            self._still(contract, product, number, Bucket.UNKNOWN, unknown)
            return
        if number.block is not None:
            self._still(contract, product, number, Bucket.BLOCKED, number.block)
            return
        billed = _sum(line.last.quantity for line in lines)
        if number.quantity is UNKNOWN or billed is UNKNOWN:
            self._unknown(contract, product, number)
            return
        if number.floor and number.quantity < billed:
            self._unknown(contract, product, number)
            return
        if number.quantity == billed:
            self._unchanged(contract, product, lines, number)
            return
        if elsewhere:
            where = ", ".join(sorted(c.agreement.id for c in elsewhere))
            why = Reason("WRONG_AGREEMENT", f"also on {where}")
            self._still(contract, product, number, Bucket.BLOCKED, why)
            return
        if any(line.last.included for line in lines) and any(
            rule.name == "subtract" for rule in product.rules
        ):
            self._held([contract], product, number, Reason("INCLUDED_TWICE"))
            return
        if there := billed_unprojected(contract, product.ids[client.psa]):
            self._held([contract], product, number, Reason("BILLED_UNPROJECTED", there))
            return
        own = self.by_client[client.psa, client.id]
        if alike := self._alike(own, product.ids[client.psa]):
            self._held([contract], product, number, Reason("PRODUCT_LOOKS_ALIKE", alike))
            return
        moving = lines[0]
        if len(lines) > 1:
            names = self.flexible.get((client.psa, client.id, product.key), set())
            named = [
                line
                for line in lines
                if any(s.line_id in names for s in (*line.earlier, *line.segments))
            ]
            if len(named) != 1:
                candidates = ", ".join(
                    f"{line.last.line_id} ({_plain(line.last.quantity)})" for line in lines
                )
                self._held([contract], product, number, Reason("AMBIGUOUS_LINES", candidates))
                return
            moving = named[0]
        others = _sum(line.last.quantity for line in lines if line is not moving)
        wanted = EXACT.subtract(number.quantity, others if others is not UNKNOWN else ZERO)
        if wanted < 0:
            detail = f"the others bill {_plain(others)}, counted {_plain(number.quantity)}"
            self._held([contract], product, number, Reason("FLEXIBLE_NEGATIVE", detail))
            return
        for line in lines:
            row = compared_row(contract, product, line, number)
            if line is moving:
                propose(row, contract, product, line, wanted, number)
                if len(lines) > 1:
                    says = f"less {_plain(others)} on the other lines of this product"
                    row.steps += (Step(wanted, says),)
            else:
                row.bucket = Bucket.UNCHANGED
                row.reasons = (Reason("IN_STEP"),)
            self.result.rows.append(row)

    def _unchanged(
        self, contract: Contract, product: Product, lines: Sequence[Line], number: Number
    ) -> None:
        reasons = (Reason("IN_STEP"), *number.reasons)
        if number.floor:
            reasons += (Reason("LOWER_BOUND"),)
        for line in lines:
            row = compared_row(contract, product, line, number)
            row.bucket = Bucket.UNCHANGED
            row.reasons = reasons
            if line is lines[-1]:
                _add_own_leak(row, contract, number, line)
            self.result.rows.append(row)

    def _unknown(self, contract: Contract, product: Product, number: Number) -> None:
        """The vendors' number is not known well enough: the lines stay as they are."""
        reasons = _unknown_first(number.reasons)
        self._still(contract, product, number, Bucket.UNKNOWN, reasons[0])

    def _no_line(
        self,
        contract: Contract,
        product: Product,
        product_id: str,
        number: Number,
        client: Client,
    ) -> None:
        """A mapped product is used and its agreement has no line for it."""
        used = bool(number.usage) or (client.psa, client.id, product.key) in self.claims.uses
        if not used and (number.absent or (number.quantity is UNKNOWN and number.block is None)):
            return  # nothing is used as far as anybody says: no line, no row
        if number.quantity == 0 and number.block is None:
            self._leave_out(client, product)
            excluded = number.excluded or self._excluded_unknown(client, product, number)
            if excluded or any(c.quantity for c in number.usage):
                why = Reason("EXCLUDED" if excluded else "RULES_TO_ZERO")
                self._ignored_use(client, product, number, why)
            return
        description = _described(self.claims, client, product)
        row = new_row(contract, product, number, client.name, description)
        self.result.rows.append(row)
        if number.block is not None:
            row.bucket, row.reasons = Bucket.BLOCKED, (number.block, *number.reasons)
            return
        if number.quantity is UNKNOWN:
            row.reasons = _unknown_first(number.reasons)
            return
        propose_new(row, contract, number, number.quantity)
        own = self.by_client[client.psa, client.id]
        later = next((c.later[product_id] for c in own if product_id in c.later), None)
        if later is not None:
            starts = later.effective.isoformat() if later.effective else ""
            row.reasons = (Reason("LINE_STARTS_LATER", f"{later.line_id} on {starts}"),)
            hold(row)
        elif there := billed_unprojected(contract, product_id):
            row.reasons = (Reason("BILLED_UNPROJECTED", there),)
            hold(row)
        elif alike := self._alike(own, product_id):
            row.reasons = (Reason("PRODUCT_LOOKS_ALIKE", alike),)
            hold(row)
        elif row.unit_price is None:
            row.reasons = (Reason("PRICE_UNKNOWN", row.currency), *number.reasons)
            hold(row)

    def _alike(self, own: Sequence[Contract], product_id: str) -> str:
        """An unmapped line that a person would take for one of this product; empty: none."""
        wanted = looks(product_id)
        for contract in own:
            for other, lines in contract.lines.items():
                mapped = (contract.agreement.psa, other) in self.by_product_id
                if not mapped and looks(other) == wanted:
                    return f"line {lines[0].last.line_id} is of `{other}`"
        return ""


def _add_own_leak(row: Row, contract: Contract, number: Number, line: Line) -> None:
    """A line that stays as it is may have been short on the invoices before."""
    if line.last.quantity is not UNKNOWN:
        add_leak(row, contract, number, line.last.quantity, line, line.last)


def _unsupported(segment: Segment) -> Reason | None:
    if segment.unsupported:
        return Reason("LINE_KIND_UNSUPPORTED", segment.unsupported)
    return None


def _missing_in_psa(segment: Segment) -> Reason:
    if (why := _unsupported(segment)) is not None:
        return why
    code = "PSA_QUANTITY_UNKNOWN" if segment.quantity is UNKNOWN else "PSA_PRICE_UNKNOWN"
    return Reason(code)


def _not_given(segment: Segment) -> Reason | None:
    if segment.quantity is UNKNOWN:
        return Reason("PSA_QUANTITY_UNKNOWN")
    if segment.unit_price is None and segment.billing is Billing.BILLABLE:
        return Reason("PSA_PRICE_UNKNOWN")
    return None


_KNOWN_CODES = frozenset({"SUPERSEDED", "EXCLUDED", "EXCEPTION_ENDS_SOON", "ABSENT_CONFIRMED"})


def _unknown_first(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """The reason that makes a number unknown leads."""
    leading = [r for r in reasons if r.code not in _KNOWN_CODES]
    return (*leading, *(r for r in reasons if r.code in _KNOWN_CODES))


def _sum(quantities: Iterable[Quantity]) -> Quantity:
    result = ZERO
    for quantity in quantities:
        if quantity is UNKNOWN:
            return UNKNOWN
        result = EXACT.add(result, quantity)
    return result


def _plain(quantity: Quantity) -> str:
    return "unknown" if quantity is UNKNOWN else f"{quantity:f}"


def _described(claims: Claims, client: Client, product: Product) -> str:
    use = claims.uses.get((client.psa, client.id, product.key))
    if use is not None:
        names = {record.product_name for record in use.records if record.product_name}
        if names:
            return min(names)
    return product.key
