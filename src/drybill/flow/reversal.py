"""Reversal: the row that takes back what a run wrote to one line, if the line is as it was left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from drybill.billing.agreement import Segment, Status
from drybill.billing.looks import looks
from drybill.billing.matching import Contract, Line
from drybill.billing.number import Number
from drybill.billing.policy import Product
from drybill.billing.projection import project, total
from drybill.billing.proposal import compared_row, hold, line_row, observed, propose
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import Bucket, Reason, Row
from drybill.journal.written import Written


def line_of(written: Written, contract: Contract, segments: Iterable[Segment]) -> Line | None:
    """The line that a run left, whether it still bills or not; None: it is gone."""
    row = written.row
    wanted = written.line_id or (row.observed.line_id if row.observed else "")
    for line in contract.lines.get(row.product, ()):
        if line.last.line_id == wanted:
            return line
    for segment in segments:
        if (segment.agreement_id, segment.line_id) == (row.agreement_id, wanted):
            return Line((segment,), row.slot)
    return None


def reversed_row(written: Written, contract: Contract, line: Line, run: str) -> Row:
    """Changed back, ended, or opened again; held where somebody changed the line since, and
    unchanged where it is as before already."""
    before, now = written.row, line.last
    if _as_before(written, now):
        row = line_row(contract, before.product, line)
        row.bucket, row.reasons = Bucket.UNCHANGED, (Reason("RESTORED_ALREADY", f"run {run}"),)
        return row
    if _ended(written) or before.change == "reopen":
        row = _with_end(before, contract, line)
    else:
        row = _changed_back(before, contract, line)
    row.reasons = (Reason("RESTORED", f"run {run}"),)
    if why := _moved(written, contract, line):
        hold(row)
        row.reasons = (Reason("CHANGED_SINCE", f"run {run} left {_left(written)}; {why}"),)
    return row


def _ended(written: Written) -> bool:
    """Whether the run left an end: of the line, or the first half of a dated change."""
    return written.row.change == "end" or (written.row.dated and not written.whole)


def _changed_back(before: Row, contract: Contract, line: Line) -> Row:
    created = before.change == "create"
    product = Product(
        before.product_key,
        {contract.agreement.psa: before.product},
        at_zero="end" if created else "keep",
    )
    row = compared_row(contract, product, line, Number())
    wanted = ZERO if created or before.quantity_before is UNKNOWN else before.quantity_before
    propose(row, contract, product, line, wanted, Number())
    row.counted = wanted
    return row


def _with_end(before: Row, contract: Contract, line: Line) -> Row:
    """The row that gives a line the end that it had before, or none."""
    ends = before.observed.cancelled if before.observed else None
    row = line_row(contract, before.product, line)
    row.product_key = before.product_key
    ids = {s.line_id for other in contract.lines.get(before.product, ()) for s in other.segments}
    ids |= {segment.line_id for segment in line.segments}
    row.observed = observed(line.last, contract.agreement.terms, tuple(sorted(ids)))
    row.bucket, row.change = Bucket.CHANGE, "reopen"
    row.effective, row.ends = before.effective, ends
    reopened = (*line.segments[:-1], replace(line.last, cancelled=ends))
    row.pieces_after = project(reopened, contract.agreement, contract.period)
    row.amount_after = total(row.pieces_after, contract.agreement.currency)
    return row


def _moved(written: Written, contract: Contract, line: Line) -> str:
    """What is not as the run left it; empty: nothing is."""
    now, row = line.last, written.row
    if _ended(written) and (elsewhere := _billed_elsewhere(row, contract, line)):
        return f"{elsewhere} bills it now"
    if written.superseded_by:
        return f"run {written.superseded_by} has written it since"
    if written.line_id not in ("", now.line_id):
        return f"line {now.line_id} is another one"
    left, found = _left_as(written), _found(now)
    names = ("quantity", "price", "first day", "first day off", "included units", "billing")
    for name, was, is_now in zip(names, left, found, strict=True):
        if was != is_now:
            return f"{name} is {_said(is_now)} now"
    return ""


def _billed_elsewhere(row: Row, contract: Contract, line: Line) -> str:
    """Another line of the product that bills the client from the end on; empty: there is none."""
    own = {segment.line_id for segment in line.segments}
    for agreement, segments in contract.company:
        for segment in segments:
            over = segment.cancelled is not None and segment.cancelled <= contract.running.start
            here = agreement.id == row.agreement_id and segment.line_id in own
            alike = looks(segment.product) == looks(row.product)
            if alike and not over and not here and agreement.status is Status.ACTIVE:
                return f"line {segment.line_id} on agreement {agreement.id}"
    return ""


def _as_before(written: Written, now: Segment) -> bool:
    """Whether a line holds already what it held before the run."""
    row, seen = written.row, written.row.observed
    if row.change == "create":
        return now.cancelled is not None and now.cancelled <= (now.effective or date.min)
    if seen is None:
        return False
    begins = row.effective if row.dated and written.whole else seen.effective
    before = (seen.quantity, seen.unit_price, begins, seen.cancelled, seen.included, seen.billing)
    return _found(now) == before


def _left_as(written: Written) -> tuple[object, ...]:
    row, seen = written.row, written.row.observed
    if row.change == "create" or seen is None:
        return row.quantity_after, row.unit_price, row.effective, None, ZERO, "billable"
    begins, ends, quantity = seen.effective, seen.cancelled, row.quantity_after
    if _ended(written):
        quantity, ends = seen.quantity, row.effective
    elif row.change == "reopen":
        quantity, ends = seen.quantity, row.ends
    elif row.dated:
        begins = row.effective
    return quantity, seen.unit_price, begins, ends, seen.included, seen.billing


def _found(now: Segment) -> tuple[object, ...]:
    return (
        now.quantity, now.unit_price, now.effective, now.cancelled, now.included, now.billing.value,
    )  # fmt: skip


def _left(written: Written) -> str:
    quantity, _, _, ends, *_ = _left_as(written)
    if _ended(written) or written.row.change == "reopen":
        return f"an end on {ends}" if ends else "no end"
    return _said(quantity)


def _said(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "nothing" if value is None else str(value)
