"""Leak: money of periods already invoiced that no quantity change recovers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from drybill.billing.agreement import Agreement, Segment
from drybill.billing.matching import Chain, Contract, Line
from drybill.billing.money import EXACT
from drybill.billing.period import Period, days_between, period_before
from drybill.billing.projection import amount_for, billed_quantity, covering, in_force
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import LeakPiece


class Past(Struct, frozen=True):
    """What may have billed a product of a client on the invoices before."""

    own: tuple[Chain, ...]  # whose units count for the row
    others: tuple[tuple[Agreement, Segment], ...]  # billed it too, nobody can say for which row

    def unclear(self, part: Period) -> list[str]:
        """The ids of other lines that billed the product on any of these days."""
        return [
            segment.line_id
            for agreement, segment in self.others
            if (running := in_force(agreement, part)) is not None and covering([segment], running)
        ]


def past_of(contract: Contract, product_id: str, line: Line | None) -> Past:
    """What billed this line's units before; without a line, what billed the product.

    Lines of the product that ended belong to its only line of today. Beside several lines, and on
    another agreement of the company, they may have been anybody's units.
    """
    agreement = contract.agreement
    own = ((*line.earlier, *line.segments),) if line else ()
    ended = contract.ended.get(product_id, ())
    others = [
        (other, segment)
        for other, segments in contract.company
        if other is not agreement
        for segment in segments
        if segment.product == product_id and segment.quantity != 0
    ]
    if len(contract.lines.get(product_id, ())) > 1:
        others += [(agreement, segment) for chain in ended for segment in chain]
        return Past(own, tuple(others))
    return Past((*ended, *own), tuple(others))


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
    past: Past,
    agreement: Agreement,
    periods: Sequence[Period],
    since: date,
    unit_price: Decimal,
    included: Decimal,
) -> list[LeakPiece] | tuple[str, ...]:
    """Money of periods already invoiced that no quantity change recovers, oldest stretch first.

    Per invoiced period since `since`: the missing (or, negative, surplus) billed units x unit
    price, by days where the agreement prorates, whole otherwise. The ids of lines instead, where
    they keep anybody from saying what was billed then.
    """
    pieces: list[LeakPiece] = []
    target = billed_quantity(wanted, included)
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
