"""Leak: money of periods already invoiced that no quantity change recovers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from drybill.billing.agreement import Agreement, Cycle, Segment
from drybill.billing.matching import Chain, Contract
from drybill.billing.money import EXACT
from drybill.billing.period import Period, days_between, period_around, period_before
from drybill.billing.projection import amount_for, billed_quantity, covering, in_force
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import LeakPiece

_ONE_DAY = timedelta(days=1)


class Past(Struct, frozen=True):
    """What may have billed a product of a client on the invoices before."""

    own: tuple[Chain, ...]  # all lines that the agreement ever had of it
    others: tuple[tuple[Agreement, Segment], ...]  # of other agreements: nobody can say for what

    def unclear(self, part: Period) -> list[str]:
        """The ids of lines elsewhere that billed the product for any of these days."""
        return [
            segment.line_id
            for agreement, segment in self.others
            if (billed := _billed_for(agreement, part)) is not None and covering([segment], billed)
        ]


def past_of(contract: Contract, product_id: str) -> Past:
    """What billed the product before. Units that another agreement of the company billed may have
    been anybody's: a line that moved, or a second one."""
    today = ((*line.earlier, *line.segments) for line in contract.lines.get(product_id, ()))
    others = (
        (other, segment)
        for other, segments in contract.company
        if other is not contract.agreement
        for segment in segments
        if segment.product == product_id and segment.quantity != 0
    )
    return Past((*contract.ended.get(product_id, ()), *today), tuple(others))


def _billed_for(agreement: Agreement, part: Period) -> Period | None:
    """The days on which a line of another agreement must have run to bill any of `part`: without
    proration, or once and for all, a line of one day bills a whole period."""
    running = in_force(agreement, part)
    if running is None or agreement.prorate:
        return running
    if agreement.cycle is Cycle.ONE_TIME:
        return in_force(agreement, Period(date.min, part.end))
    first = period_around(agreement, running.start).start
    last = period_around(agreement, running.end - _ONE_DAY).end
    return in_force(agreement, Period(first, last))


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
    target: Decimal,
    past: Past,
    agreement: Agreement,
    periods: Sequence[Period],
    since: date,
    unit_price: Decimal,
) -> list[LeakPiece] | tuple[str, ...]:
    """Money of periods already invoiced that no quantity change recovers, oldest stretch first.

    Per invoiced period since `since`: the missing (or, negative, surplus) units x unit price, by
    days where the agreement prorates, whole otherwise. `target` are the billed units of all lines
    of the product. The ids of lines instead, where they keep anybody from saying what was billed.
    """
    pieces: list[LeakPiece] = []
    for period in periods:
        running = in_force(agreement, period)
        if running is None:
            continue
        whole = days_between(period.start, period.end, agreement.day_basis)
        for part, segments in _stretches(past.own, agreement, running, since):
            unclear = [s.line_id for s in segments if s.quantity is UNKNOWN]
            unclear += past.unclear(part)
            if unclear:
                return tuple(sorted(unclear))
            missing = target
            for segment in segments:
                billed = segment.quantity if segment.quantity is not UNKNOWN else ZERO
                missing = EXACT.subtract(missing, billed_quantity(billed, segment.included))
            used = days_between(part.start, part.end, agreement.day_basis)
            used = min(used, whole) if agreement.prorate else whole
            if not missing or not used:
                continue
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
    chains: Sequence[Chain], agreement: Agreement, running: Period, since: date
) -> Iterator[tuple[Period, list[Segment]]]:
    """The days of an invoiced period since `since`, each with the segments that billed them.

    Without proration that is the whole period and the last active segment of each line.
    """
    active = [found for chain in chains if (found := covering(chain, running))]
    if not agreement.prorate:
        yield running, [found[-1] for found in active]
        return
    days = Period(max(running.start, since), running.end)
    edges = {days.start, days.end}
    for found in active:
        for segment in found:
            part = days.overlap(segment.effective, segment.cancelled)
            if part is not None:
                edges |= {part.start, part.end}
    for start, end in pairwise(sorted(edges)):
        part = Period(start, end)
        yield part, [segment for found in active for segment in covering(found, part)]
