"""Projection: what the segments of a line come to on the invoice of one period.

Rules and their sources: a whole period is billed quantity x unit price, rounded once per line to
the currency's minor units; part of a period multiplies by used days / days of the period (day
ratio over the period, not the calendar month: killbill TestInvoiceDateUtilsWithoutFixedProration).
Included units are free and never make an amount negative (free units: lago package tests).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from drybill.billing.agreement import Agreement, Billing, Segment
from drybill.billing.money import (
    EXACT,
    Rounding,
    RoundingPoint,
    minor_unit,
    round_money,
    rounded_share,
)
from drybill.billing.period import Period, days_between
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import Piece

_ONE_DAY = timedelta(days=1)


def billed_quantity(quantity: Decimal, included: Decimal) -> Decimal:
    """Units that are charged: what goes beyond the included ones, never below 0."""
    if not included:
        return max(quantity, ZERO)
    return max(EXACT.subtract(quantity, included), ZERO)


def amount_for(
    billed: Decimal,
    unit_price: Decimal,
    used_days: int,
    period_days: int,
    currency: str,
    rounding: Rounding = Rounding(),
) -> Decimal:
    """One line's amount in `currency`, rounded where the PSA rounds.

    A whole period is rounded once, after the quantity. Of a part, `Rounding.point` LINE rounds
    there, too; UNIT_PRICE rounds the prorated price of one unit first and multiplies then
    (ConnectWise's published 34.06 per unit).
    """
    exact = EXACT.multiply(billed, unit_price)
    if used_days == period_days:
        return round_money(exact, currency, rounding.mode)
    if rounding.point is RoundingPoint.UNIT_PRICE:
        price = rounded_share(unit_price, used_days, period_days, currency, rounding.mode)
        return round_money(EXACT.multiply(price, billed), currency, rounding.mode)
    return rounded_share(exact, used_days, period_days, currency, rounding.mode)


def in_force(agreement: Agreement, period: Period) -> Period | None:
    """The days of a period on which the agreement itself runs; its end date is its last day."""
    last_day = agreement.end_date
    until = last_day + _ONE_DAY if last_day and last_day < date.max else None
    if (agreement.start_date or period.start) <= period.start and (
        until or period.end
    ) >= period.end:
        return period
    return period.overlap(agreement.start_date, until)


def covering(segments: Iterable[Segment], running: Period) -> list[Segment]:
    """The segments of one line that have a day in the range, in the order of their dates."""
    return [
        s
        for s in segments
        if (s.effective is None and s.cancelled is None)
        or running.overlap(s.effective, s.cancelled) is not None
    ]


def project(segments: Sequence[Segment], agreement: Agreement, period: Period) -> tuple[Piece, ...]:
    """The pieces of one line in a period; the line's amount is the sum of theirs.

    Without proration a line that is active on any day is billed for the whole period, and of
    touching segments only the last active one counts.
    """
    running = in_force(agreement, period)
    if running is None:
        return ()
    active = [
        (part, segment)
        for segment in segments
        if (part := running.overlap(segment.effective, segment.cancelled)) is not None
    ]
    if not agreement.prorate:
        active = [(period, active[-1][1])] if active else []
    basis = agreement.day_basis
    whole = days_between(period.start, period.end, basis)
    pieces = []
    for part, segment in active:
        used = min(days_between(part.start, part.end, basis), whole) if part != period else whole
        pieces.append(_piece(segment, agreement, part, used, whole))
    return tuple(pieces)


def _piece(segment: Segment, agreement: Agreement, part: Period, used: int, whole: int) -> Piece:
    return Piece(
        line_id=segment.line_id,
        quantity=segment.quantity,
        included=segment.included,
        unit_price=segment.unit_price,
        billing=segment.billing,
        first_day=part.start,
        until=part.end,
        used_days=used,
        period_days=whole,
        amount=amount_of(segment, agreement, used, whole),
    )


def amount_of(segment: Segment, agreement: Agreement, used: int, whole: int) -> Decimal | None:
    """What a segment comes to for `used` of `whole` days, in currency; None: not known."""
    if segment.billing is not Billing.BILLABLE:
        return round_money(ZERO, agreement.currency)  # known without quantity or price
    if segment.quantity is UNKNOWN or segment.unit_price is None:
        return None
    billed = billed_quantity(segment.quantity, segment.included)
    price, currency = segment.unit_price, agreement.currency
    return amount_for(billed, price, used, whole, currency, agreement.rounding)


def whole_period(agreement: Agreement) -> Callable[[Segment], Decimal | None]:
    """`amount_of` for whole periods, with what an agreement's lines share looked up once."""
    unit, mode = minor_unit(agreement.currency), agreement.rounding.mode.decimal
    nothing = round_money(ZERO, agreement.currency)
    multiply = EXACT.multiply

    def amount(segment: Segment) -> Decimal | None:
        if segment.billing is not Billing.BILLABLE:
            return nothing
        if segment.quantity is UNKNOWN or segment.unit_price is None:
            return None
        billed = billed_quantity(segment.quantity, segment.included)
        return multiply(billed, segment.unit_price).quantize(unit, mode, EXACT)

    return amount


def total(pieces: Sequence[Piece], currency: str) -> Decimal | None:
    """The sum of the pieces' amounts; None as soon as one of them is unknown."""
    if len(pieces) == 1:
        return pieces[0].amount
    amount = round_money(ZERO, currency)
    for piece in pieces:
        if piece.amount is None:
            return None
        amount = EXACT.add(amount, piece.amount)
    return amount
