"""Undo: the plan that restores what a run wrote, from the values that the journal recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

from msgspec import Struct

from drybill.billing.agreement import Segment
from drybill.billing.invoicing import invoices as lay_out
from drybill.billing.invoicing import settle, totals
from drybill.billing.matching import Contract, Line, contracts
from drybill.billing.number import Number
from drybill.billing.policy import GuardLimits, Product
from drybill.billing.proposal import compared_row, hold, line_row, propose
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import Bucket, Reason, Row
from drybill.flow.compute import hear, planners, summaries
from drybill.flow.run import Fetched
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
    written: list[Row],
    fetched: Fetched,
    mapping_digest: str,
    day: tuple[date, str],
    limits: GuardLimits,
    recent: list[RecentWrite],
    allowances: tuple[Allowance, ...],
) -> Restoring:
    """The reverse of the rows that a run wrote, against the PSA as it is now.

    `day` is today and its time zone. A line that is not as the run left it is held; switches and
    row guards are not asked, for every value was there before. Client and run guards are.
    """
    found: dict[tuple[str, str], Contract] = {}
    for reading in fetched.readings.values():
        found |= contracts(reading.agreements, reading.segments)
    undone = {row.id: row for row in written}
    rows: list[Row] = []
    lost: list[str] = []
    for contract in found.values():
        for product_id, lines in contract.lines.items():
            for line in lines:
                row = line_row(contract, product_id, line)
                before = undone.pop(row.id, None)
                if before is not None:
                    row = _restored(before, contract, product_id, line, run)
                    lost += _issued_since(before, contract)
                rows.append(row)
    lost += [
        f"{row.client or row.client_id}, {row.description or row.product}: the line is gone, or an "
        "end that took effect; restore it by hand"
        for row in undone.values()
    ]
    plan_writes(rows, planners(fetched))
    for row in rows:
        row.would_write = row.bucket.differs and not row.held_by and bool(row.steps_to_write)
    return Restoring(
        _plan(run, rows, found, fetched, mapping_digest, day, limits, recent, allowances),
        tuple(lost),
    )


def _restored(before: Row, contract: Contract, product_id: str, line: Line, run: str) -> Row:
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
    if not _as_left(before, line.last):
        hold(row)
        row.reasons = (Reason("CHANGED_SINCE", f"run {run} left {_text(before)}"),)
    return row


def _as_left(before: Row, now: Segment) -> bool:
    """Whether a line is still as the run left it, its stamp aside."""
    if before.change == "create":
        made = (before.quantity_after, before.unit_price, before.effective)
        return (now.quantity, now.unit_price, now.effective) == made
    seen = before.observed
    if seen is None:
        return False
    left = (before.quantity_after, seen.unit_price, seen.effective, seen.cancelled, seen.included)
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
    mapping_digest: str,
    day: tuple[date, str],
    limits: GuardLimits,
    recent: list[RecentWrite],
    allowances: tuple[Allowance, ...],
) -> Plan:
    today, timezone = day
    rows.sort(key=lambda r: (r.psa, r.agreement_id, r.product, r.slot))
    unsaid = {name: each.capabilities.not_projected for name, each in fetched.readers.items()}
    laid_out = lay_out(found, fetched.agreements, rows, (), today, 31, unsaid)
    hear(laid_out, fetched)
    for invoice in laid_out:
        settle(invoice)
    frozen = tuple(planned(invoice) for invoice in laid_out)
    counts = Counter(row.bucket for row in rows)
    told = {name: reading.receipt for name, reading in fetched.readings.items()}
    options = [("undo", run), *(("allow", f"{a.guard}: {a.reason}") for a in allowances)]
    return Plan(
        version=PLAN_VERSION,
        mapping_digest=mapping_digest,
        today=today,
        timezone=timezone,
        options=tuple(options),
        sources=summaries(fetched, told, {}, {}),
        causes=(),
        invoices=frozen,
        ignored=(),
        unmapped=(),
        totals=tuple(totals(laid_out)),
        guards=tuple(guard_run(frozen, limits, recent, allowances)),
        buckets=tuple((bucket.value, counts[bucket]) for bucket in Bucket),
        complete=all(receipt.complete for receipt in told.values()),
        targets=tuple((name, reader.target) for name, reader in sorted(fetched.readers.items())),
    )
