"""Leak: money of periods already invoiced that no quantity change recovers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from drybill.billing.agreement import Agreement, Segment
from drybill.billing.money import EXACT
from drybill.billing.period import Period, days_between, period_before
from drybill.billing.projection import amount_for, billed_quantity, covering, in_force
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import LeakPiece


def invoiced(agreement: Agreement, since: date) -> list[Period]:
    """The periods already invoiced in which a quantity that began on `since` was wrong."""
    periods: list[Period] = []
    edge = agreement.next_period_start
    earliest = max(since, agreement.start_date or since)
    while edge > earliest:
        period = period_before(agreement, edge)
        if period.start >= edge:
            break
        if in_force(agreement, period) is not None:
            periods.append(period)
        edge = period.start
    return periods


def leak_of(
    wanted: Decimal,
    segments: Sequence[Segment],
    agreement: Agreement,
    periods: Sequence[Period],
    since: date,
    unit_price: Decimal,
    included: Decimal,
) -> list[LeakPiece] | None:
    """Money of periods already invoiced that no quantity change recovers, oldest stretch first.

    Per invoiced period since `since`: the missing (or, negative, surplus) billed units x unit
    price, by days where the agreement prorates, whole otherwise. None where the PSA does not say
    what was billed then.
    """
    pieces: list[LeakPiece] = []
    target = billed_quantity(wanted, included)
    for period in periods:
        running = in_force(agreement, period)
        if running is None:
            continue
        whole = days_between(period.start, period.end, agreement.day_basis)
        for part, segment in _stretches(segments, agreement, running, since):
            if segment is not None and segment.quantity is UNKNOWN:
                return None
            billed = ZERO
            if segment is not None and segment.quantity is not UNKNOWN:
                billed = billed_quantity(segment.quantity, segment.included)
            missing = EXACT.subtract(target, billed)
            if not missing:
                continue
            used = days_between(part.start, part.end, agreement.day_basis)
            used = min(used, whole) if agreement.prorate else whole
            amount = amount_for(
                missing,
                unit_price,
                used,
                whole,
                agreement.currency,
                agreement.rounding,
            )
            pieces.append(LeakPiece(part.start, part.end, missing, unit_price, used, whole, amount))
    return sorted(pieces, key=lambda piece: piece.first_day)


def _stretches(
    segments: Sequence[Segment], agreement: Agreement, running: Period, since: date
) -> Iterator[tuple[Period, Segment | None]]:
    """The days of an invoiced period since `since`, each with the segment that billed them.

    Without proration that is the whole period and its last active segment.
    """
    active = covering(segments, running)
    if not agreement.prorate:
        yield running, active[-1] if active else None
        return
    edge, end = max(running.start, since), running.end
    for segment in active:
        part = Period(edge, end).overlap(segment.effective, segment.cancelled)
        if part is None:
            continue
        if edge < part.start:
            yield Period(edge, part.start), None
        yield part, segment
        edge = part.end
    if edge < end:
        yield Period(edge, end), None
