"""Proposals: the row of a line as it stands, and what it would become with another quantity."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from drybill.billing.agreement import Billing, Segment, Terms
from drybill.billing.change import Observed
from drybill.billing.leak import invoiced, leak_of, past_of
from drybill.billing.matching import Contract, Line
from drybill.billing.money import EXACT, round_money
from drybill.billing.number import Number
from drybill.billing.policy import Product
from drybill.billing.projection import billed_quantity, project, total
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import Bucket, Reason, Row, Wanted, row_id


def line_row(contract: Contract, product_id: str, line: Line) -> Row:
    """A line as the PSA has it, not compared with anything yet."""
    agreement, last = contract.agreement, line.last
    pieces = project(line.segments, agreement, contract.period)
    amount = total(pieces, agreement.currency)
    return Row(
        id=row_id(agreement.psa, agreement.id, product_id, line.slot),
        psa=agreement.psa,
        client_id=agreement.company_id,
        client=agreement.company_name,
        agreement_id=agreement.id,
        product=product_id,
        slot=line.slot,
        line_id=line.id,
        description=last.description,
        currency=agreement.currency,
        bucket=Bucket.FIXED,
        quantity_before=last.quantity,
        quantity_after=last.quantity,
        unit_price=last.unit_price,
        unit_cost=last.unit_cost,
        pieces_before=pieces,
        pieces_after=pieces,
        amount_before=amount,
        amount_after=amount,
    )


def compared_row(contract: Contract, product: Product, line: Line, number: Number) -> Row:
    """A line beside the number that the vendors give for it."""
    product_id = product.ids[contract.agreement.psa]
    row = line_row(contract, product_id, line)
    _take(row, product, number)
    beside = sorted({s.line_id for each in contract.lines[product_id] for s in each.segments})
    row.observed = observed(line.last, contract.agreement.terms, tuple(beside))
    return row


def new_row(
    contract: Contract, product: Product, number: Number, client: str, description: str
) -> Row:
    """A mapped product that is used and has no line on its agreement."""
    agreement = contract.agreement
    product_id = product.ids[agreement.psa]
    nothing = total((), agreement.currency)
    row = Row(
        id=row_id(agreement.psa, agreement.id, product_id, ""),
        psa=agreement.psa,
        client_id=agreement.company_id,
        client=agreement.company_name or client,
        agreement_id=agreement.id,
        product=product_id,
        description=description,
        currency=agreement.currency,
        bucket=Bucket.UNKNOWN,
        quantity_before=ZERO,
        quantity_after=ZERO,
        unit_price=product.prices.get(agreement.currency),
        amount_before=nothing,
        amount_after=nothing,
        observed=Observed(
            quantity=UNKNOWN,
            unit_price=None,
            effective=None,
            cancelled=None,
            billing="",
            included=ZERO,
            updated_at="",
            product="",
            agreement=agreement.terms,
        ),
    )
    _take(row, product, number)
    return row


def _take(row: Row, product: Product, number: Number) -> None:
    """What the vendors say, on the row that it is held against."""
    row.product_key = product.key
    row.usage = number.usage
    row.steps = number.steps
    row.counted = number.quantity
    row.committed_until = number.committed_until
    row.final = number.final
    if row.unit_cost is None and number.unit_cost is not None:
        cost, currency = number.unit_cost
        row.unit_cost = cost if currency == row.currency else None


def propose(
    row: Row, contract: Contract, product: Product, line: Line, wanted: Decimal, number: Number
) -> None:
    """Turns a line's row into a change to `wanted` units, with what that makes of its invoice.

    A dated one holds from the day on which the vendor says that the number began; without such a
    day, as every other, from the first that is not invoiced.
    """
    last = line.last
    before = last.quantity if last.quantity is not UNKNOWN else ZERO
    effective = max(contract.period.start, last.effective or contract.period.start)
    ends = wanted == 0 and product.at_zero == "end"
    dated = product.change == "dated" and not ends
    if dated and number.since is not None:
        effective = max(effective, number.since)
    end = replace(last, cancelled=effective)
    changed: tuple[Segment, ...] = (end,) if ends else (replace(last, quantity=wanted),)
    if dated:
        changed = (end, replace(last, line_id="", quantity=wanted, effective=effective))
    row.bucket = Bucket.END if ends else Bucket.CHANGE
    row.change = "end" if ends else ("increase" if wanted > before else "decrease")
    row.dated = dated
    row.quantity_after = wanted
    row.effective = effective
    row.pieces_after = project((*line.segments[:-1], *changed), contract.agreement, contract.period)
    row.amount_after = total(row.pieces_after, contract.agreement.currency)
    main = "SEATS_ADDED" if wanted > before else "NOT_USED" if wanted == 0 else "SEATS_REMOVED"
    _reason(row, main, number)
    if dated:
        row.reasons += (Reason("DATED_CHANGE", effective.isoformat()),)
    add_leak(row, contract, number, wanted, line, last)
    if last.cancelled is not None and last.cancelled < contract.period.end and not ends:
        row.reasons += (Reason("LINE_ENDS", last.cancelled.isoformat()),)


def propose_new(row: Row, contract: Contract, number: Number, quantity: Decimal) -> None:
    """Turns a new row into a line to create, from the first day that its agreement runs."""
    segment = Segment(
        line_id="",
        agreement_id=row.agreement_id,
        product=row.product,
        quantity=quantity,
        unit_price=row.unit_price,
        effective=contract.running.start,
    )
    row.bucket, row.change = Bucket.CREATE, "create"
    row.quantity_after = quantity
    row.effective = contract.running.start
    row.pieces_after = project((segment,), contract.agreement, contract.period)
    row.amount_after = total(row.pieces_after, contract.agreement.currency)
    _reason(row, "NO_LINE_YET", number)
    add_leak(row, contract, number, quantity, None, segment)


def _reason(row: Row, main: str, number: Number) -> None:
    row.reasons = (Reason(main), *number.reasons)
    if number.floor:
        row.reasons += (Reason("LOWER_BOUND"),)


def add_leak(
    row: Row,
    contract: Contract,
    number: Number,
    wanted: Decimal,
    line: Line | None,
    priced: Segment,
) -> None:
    """What periods already invoiced missed of the product, where a vendor says since when.

    All lines of the product count together, `line` (None: the one to create) with `wanted` units;
    the one row that says it is that of the line that moves, at the price of `priced`.
    """
    if number.since is None or priced.unit_price is None:
        return
    target = billed_quantity(wanted, priced.included)
    for other in contract.lines.get(row.product, ()):
        if other is not line and other.last.quantity is not UNKNOWN:
            units = billed_quantity(other.last.quantity, other.last.included)
            target = EXACT.add(target, units)
    periods = []
    if priced.billing is Billing.BILLABLE:
        periods = invoiced(contract.agreement, number.since)
    pieces = leak_of(
        target,
        past_of(contract, row.product),
        contract.agreement,
        periods,
        number.since,
        priced.unit_price,
    )
    if isinstance(pieces, tuple):
        row.leak_unknown = True
        row.reasons += (Reason("LEAK_UNKNOWN", ", ".join(pieces)),)
        return
    row.leak = round_money(ZERO, row.currency)
    for piece in pieces:
        row.leak = EXACT.add(row.leak, piece.amount)
    row.leak_pieces = tuple(pieces)
    if row.leak:
        past = Reason("PERIOD_ALREADY_INVOICED")
        in_step = row.bucket is Bucket.UNCHANGED  # then the leak is all that there is to say
        row.reasons = (past, *row.reasons) if in_step else (*row.reasons, past)


def hold(row: Row) -> None:
    """Turns a proposed difference into a blocked row that remembers what it wanted."""
    known = row.amount_before is not None and row.amount_after is not None
    row.wanted = Wanted(row.quantity_after, row.difference if known else None)
    row.bucket = Bucket.BLOCKED
    row.quantity_after = row.quantity_before
    row.pieces_after = row.pieces_before
    row.amount_after = row.amount_before


def observed(segment: Segment, terms: Terms, beside: tuple[str, ...]) -> Observed:
    """What apply must find again before it writes this line."""
    return Observed(
        segment.quantity,
        segment.unit_price,
        segment.effective,
        segment.cancelled,
        segment.billing.value,
        segment.included,
        segment.updated_at,
        segment.product,
        terms,
        beside,
        segment.line_id,
        segment.ownership,
    )
