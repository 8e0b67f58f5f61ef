"""Undo: the plan that restores what a run wrote, from the values that the journal recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from drybill.billing.agreement import Segment
from drybill.billing.invoicing import invoices as lay_out
from drybill.billing.invoicing import settle, totals
from drybill.billing.matching import Contract, Line, contracts
from drybill.billing.number import Number
from drybill.billing.policy import Product
from drybill.billing.projection import project, total
from drybill.billing.proposal import compared_row, hold, line_row, observed, propose
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import Bucket, Reason, Row
from drybill.flow.compute import hear, planners, slots_of, summaries
from drybill.flow.run import Fetched
from drybill.journal.written import Written
from drybill.mapping.load import Mapping as MappingFile
from drybill.plan.build import planned
from drybill.plan.decisions import plan_writes
from drybill.plan.guards import Allowance, RecentWrite, guard_run
from drybill.plan.plan import PLAN_VERSION, Plan


class Restoring(Struct, frozen=True):
    """The plan, and what it cannot bring back, one sentence each."""

    plan: Plan
    lost: tuple[str, ...]


def restoring(
    run: str,
    written: list[Written],
    fetched: Fetched,
    mapping: MappingFile,
    today: date,
    recent: list[RecentWrite],
    allowances: tuple[Allowance, ...],
) -> Restoring:
    """The reverse of the rows that a run wrote, against the PSA as it is now.

    `today` is one in the mapping's time zone. A line that is not as the run left it is held;
    switches and row guards are not asked, for every value was there before. Client and run guards
    are.
    """
    found: dict[tuple[str, str], Contract] = {}
    slots = slots_of(mapping.policy, fetched)
    for reading in fetched.readings.values():
        found |= contracts(reading.agreements, reading.segments, None, slots)
    undone = {each.row.id: each for each in written}
    rows: list[Row] = []
    lost: list[str] = []
    for contract in found.values():
        for product_id, lines in contract.lines.items():
            for line in lines:
                row = line_row(contract, product_id, line)
                before = undone.get(row.id)
                if before is not None and before.row.change == "end":
                    continue
                if before is not None:
                    row = _restored(before, contract, product_id, line, run)
                    lost += _issued_since(before.row, contract)
                    del undone[row.id]
                rows.append(row)
    for each in [each for each in undone.values() if each.row.change == "end"]:
        contract_of = found.get((each.row.psa, each.row.agreement_id))
        line_of = _ended(each.row, contract_of, fetched) if contract_of else None
        if contract_of and line_of:
            rows.append(_reopened(each, contract_of, line_of, run))
            lost += _issued_since(each.row, contract_of)
            del undone[each.row.id]
    lost += [
        f"{each.row.client or each.row.client_id}, {each.row.description or each.row.product}: "
        "the line is gone; restore it by hand"
        for each in undone.values()
    ]
    plan_writes(rows, planners(fetched))
    for row in rows:
        row.would_write = row.bucket.differs and not row.held_by and bool(row.steps_to_write)
    return Restoring(
        _plan(run, rows, found, fetched, mapping, today, recent, allowances),
        tuple(lost),
    )


def _ended(row: Row, contract: Contract, fetched: Fetched) -> Line | None:
    """The line that a run ended, whether it still bills some days of the period or none."""
    wanted = row.observed.line_id if row.observed else ""
    for line in contract.lines.get(row.product, ()):
        if line.last.line_id == wanted:
            return line
    for segment in fetched.readings[row.psa].segments:
        if (segment.agreement_id, segment.line_id) == (row.agreement_id, wanted):
            return Line((segment,), row.slot)
    return None


def _reopened(written: Written, contract: Contract, line: Line, run: str) -> Row:
    """The row that takes an end back. It is held where another line has taken its place."""
    before, seen = written.row, written.row.observed
    row = line_row(contract, before.product, line)
    row.product_key = before.product_key
    beside = [
        segment.line_id
        for other in contract.lines.get(before.product, ())
        if other is not line
        for segment in other.segments
    ]
    own = [segment.line_id for segment in line.segments]
    row.observed = observed(line.last, contract.agreement.terms, tuple(sorted({*beside, *own})))
    row.bucket, row.change = Bucket.CHANGE, "reopen"
    row.effective, row.ends = before.effective, seen.cancelled if seen else None
    reopened = (*line.segments[:-1], replace(line.last, cancelled=row.ends))
    row.pieces_after = project(reopened, contract.agreement, contract.period)
    row.amount_after = total(row.pieces_after, contract.agreement.currency)
    row.reasons = (Reason("RESTORED", f"run {run}"),)
    if beside or not _as_left(written, line.last):
        now = f"line {beside[0]} bills it now" if beside else f"ended on {line.last.cancelled}"
        hold(row)
        row.reasons = (Reason("CHANGED_SINCE", f"run {run} ended it on {before.effective}; {now}"),)
    return row


def _restored(written: Written, contract: Contract, product_id: str, line: Line, run: str) -> Row:
    before = written.row
    created = before.change == "create"
    product = Product(
        before.product_key,
        {contract.agreement.psa: product_id},
        at_zero="end" if created else "keep",
    )
    row = compared_row(contract, product, line, Number())
    wanted = ZERO if created or before.quantity_before is UNKNOWN else before.quantity_before
    propose(row, contract, product, line, wanted, Number())
    row.counted = wanted
    row.reasons = (Reason("RESTORED", f"run {run}"),)
    if not _as_left(written, line.last):
        hold(row)
        row.reasons = (Reason("CHANGED_SINCE", f"run {run} left {_text(before)}"),)
    return row


def _as_left(written: Written, now: Segment) -> bool:
    """Whether a line is still as the run left it, its stamp aside. A line that is alike and has
    another id is somebody else's."""
    before = written.row
    if written.line_id not in ("", now.line_id):
        return False
    if before.change == "create":
        made = (before.quantity_after, before.unit_price, before.effective)
        return (now.quantity, now.unit_price, now.effective) == made
    seen = before.observed
    if seen is None:
        return False
    begins = before.effective if before.dated else seen.effective
    ends = before.effective if before.change == "end" else seen.cancelled
    quantity = seen.quantity if before.change == "end" else before.quantity_after
    left = (quantity, seen.unit_price, begins, ends, seen.included)
    found = (now.quantity, now.unit_price, now.effective, now.cancelled, now.included)
    return left == found and seen.billing == now.billing.value


def _text(row: Row) -> str:
    return "an unknown quantity" if row.quantity_after is UNKNOWN else f"{row.quantity_after:f}"


def _issued_since(before: Row, contract: Contract) -> list[str]:
    """An invoice that was issued with what the run wrote stays as it is."""
    seen = before.observed
    if seen is None or seen.agreement.next_period_start == contract.agreement.next_period_start:
        return []
    return [
        f"agreement {contract.agreement.id}: the invoice for the period from "
        f"{seen.agreement.next_period_start} has been issued since; correct it by hand"
    ]


def _plan(
    run: str,
    rows: list[Row],
    found: Mapping[tuple[str, str], Contract],
    fetched: Fetched,
    mapping: MappingFile,
    today: date,
    recent: list[RecentWrite],
    allowances: tuple[Allowance, ...],
) -> Plan:
    rows.sort(key=lambda r: (r.psa, r.agreement_id, r.product, r.slot))
    unsaid = {name: each.capabilities.not_projected for name, each in fetched.readers.items()}
    laid_out = lay_out(found, fetched.agreements, rows, (), today, 31, unsaid)
    hear(laid_out, fetched, ())
    for invoice in laid_out:
        settle(invoice)
    frozen = tuple(planned(invoice) for invoice in laid_out)
    counts = Counter(row.bucket for row in rows)
    told = {name: reading.receipt for name, reading in fetched.readings.items()}
    options = [("undo", run), *(("allow", f"{a.guard}: {a.reason}") for a in allowances)]
    return Plan(
        version=PLAN_VERSION,
        mapping_digest=mapping.digest,
        today=today,
        timezone=str(mapping.policy.timezone),
        options=tuple(options),
        sources=summaries(fetched, told, {}, {}),
        causes=(),
        invoices=frozen,
        ignored=(),
        unmapped=(),
        totals=tuple(totals(laid_out)),
        guards=tuple(guard_run(frozen, mapping.policy.guards, recent, allowances)),
        buckets=tuple((bucket.value, counts[bucket]) for bucket in Bucket),
        complete=all(receipt.complete for receipt in told.values()),
        targets=tuple((name, reader.target) for name, reader in sorted(fetched.readers.items())),
    )
