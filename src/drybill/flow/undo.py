"""Undo: the plan that restores what a run wrote, from the values that the journal recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

from msgspec import Struct

from drybill.billing.invoicing import invoices as lay_out
from drybill.billing.invoicing import settle, totals
from drybill.billing.matching import Contract, contracts
from drybill.billing.proposal import line_row
from drybill.billing.row import Bucket, Row
from drybill.flow.compute import hear, planners, slots_of, summaries
from drybill.flow.reversal import line_of, reversed_row
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
    rows: list[Row] = []
    lost: list[str] = []
    taken: set[tuple[str, str, str]] = set()  # lines that have a row: psa, agreement, line
    for each in written:
        contract = found.get((each.row.psa, each.row.agreement_id))
        segments = fetched.readings[each.row.psa].segments
        line = line_of(each, contract, segments) if contract else None
        if contract is None or line is None:
            lost.append(_gone(each))
            continue
        row = reversed_row(each, contract, line, run)
        lost += _issued_since(each.row, contract)
        if row.bucket is Bucket.UNCHANGED:
            lost.append(f"{_name(each.row)}: taken back already")
        if row.bucket is not Bucket.UNCHANGED or line in contract.lines.get(each.row.product, ()):
            rows.append(row)
            taken.add((row.psa, row.agreement_id, line.id))
    for contract in found.values():
        for product_id, lines in contract.lines.items():
            key = (contract.agreement.psa, contract.agreement.id)
            rows += [
                line_row(contract, product_id, line)
                for line in lines
                if (*key, line.id) not in taken
            ]
    plan_writes(rows, planners(fetched))
    for row in rows:
        row.would_write = row.bucket.differs and not row.held_by and bool(row.steps_to_write)
    return Restoring(
        _plan(run, rows, found, fetched, mapping, today, recent, allowances),
        tuple(lost),
    )


def _name(row: Row) -> str:
    return f"{row.client or row.client_id}, {row.description or row.product}"


def _gone(written: Written) -> str:
    if not written.whole:
        return f"{_name(written.row)}: left half-way; drybill runs resume finishes it"
    if written.row.change == "create":
        return f"{_name(written.row)}: the line that the run made is gone already"
    return f"{_name(written.row)}: the line is gone; restore it by hand"


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
