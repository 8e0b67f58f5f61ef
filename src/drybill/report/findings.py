"""What a plan amounts to: how much was checked, what needs a person, the verdict in one word."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from drybill.billing.money import EXACT
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import Bucket, Row, UnmappedUsage, Verdict
from drybill.plan.plan import Plan, PlannedInvoice
from drybill.report.document import Document

Outcome = Literal["nothing_checked", "incomplete", "needs_decision", "differences", "leak", "clean"]

_COMPARED = (Bucket.UNCHANGED, Bucket.CHANGE, Bucket.CREATE, Bucket.END)
_UNDECIDED = (Bucket.BLOCKED, Bucket.UNKNOWN, Bucket.ORPHAN)
_NEEDS_PERSON = frozenset(_UNDECIDED)
_MIN_PREFIX = 4


class Findings(Struct, frozen=True):
    """`checked` counts rows whose number was compared with a known usage, accepted ones too."""

    rows: int
    checked: int
    verdict: Outcome
    undecided: tuple[Row | UnmappedUsage, ...]  # what needs a person
    kept: tuple[Row, ...]  # differ, and would not be written: switch, trust, finality, selection
    stops: tuple[Verdict, ...]  # client and run guards that would stop --apply


def findings(plan: Plan, whole: Plan | None = None) -> Findings:
    """`whole` is the plan before a filter narrowed it: a filter neither checks nor decides."""
    whole = whole or plan
    buckets = dict(plan.buckets)
    checked = sum(buckets.get(bucket.value, 0) for bucket in _COMPARED)
    checked += sum(map(_was_compared, whole.rows))
    open_rows = buckets.get(Bucket.UNMAPPED.value, 0)
    open_rows += sum(buckets.get(bucket.value, 0) for bucket in _UNDECIDED)
    verdict: Outcome = "clean"
    if not checked:
        verdict = "nothing_checked"
    elif not plan.complete or any(sums.incomplete_invoices for sums in plan.totals):
        verdict = "incomplete"
    elif open_rows:
        verdict = "needs_decision"
    elif whole.has_changes:
        verdict = "differences"
    elif any(sums.leak_up or sums.leak_down for sums in plan.totals):
        verdict = "leak"
    return Findings(
        rows=sum(buckets.values()),
        checked=checked,
        verdict=verdict,
        undecided=(*(row for row in plan.rows if row.bucket in _NEEDS_PERSON), *plan.unmapped),
        kept=tuple(row for row in plan.rows if row.bucket.differs and not row.would_write),
        stops=tuple(guard for guard in plan.guards if not guard.lifted),
    )


def _was_compared(row: Row) -> bool:
    """Accepted, or held back although both its numbers are known."""
    if row.bucket is Bucket.BLOCKED:
        return row.counted is not UNKNOWN and row.quantity_before is not UNKNOWN
    return row.bucket is Bucket.IGNORED and row.accepted_difference is not None


def hidden_rows(document: Document, invoice: PlannedInvoice) -> tuple[Row, ...]:
    """The rows of an invoice that a filter keeps from view."""
    return () if document.hidden is None else document.hidden.of.get(invoice.key, ())


def sums_of(rows: Sequence[Row]) -> tuple[Decimal, Decimal]:
    """What rows come to now and if applied, where both amounts are known."""
    before = after = ZERO
    for row in rows:
        if row.amount_before is not None and row.amount_after is not None:
            before = EXACT.add(before, row.amount_before)
            after = EXACT.add(after, row.amount_after)
    return before, after


def quiet_rows(document: Document, invoice: PlannedInvoice) -> list[Row]:
    """The unchanged and fixed rows of an invoice without a leak; empty unless asked for."""
    return document.quiet.get(invoice.key, [])


def quiet_rest(invoice: PlannedInvoice, shown: Sequence[Row]) -> tuple[int, Decimal]:
    """How many quiet rows are not among the `shown` ones, and their sum now (= if applied)."""
    amount = invoice.quiet_amount
    for row in shown:
        amount = EXACT.subtract(amount, row.amount_before or ZERO)
    return invoice.quiet_rows - len(shown), amount


def short_ids(document: Document) -> dict[str, str]:
    """Every row id of a document with the prefix that people type, of one length for all."""
    ids = {row.id for row in document.plan.rows}
    ids.update(row.id for rows in document.quiet.values() for row in rows)
    ids.update(usage.row for usage in document.plan.unmapped)
    ids.update(usage.row for usage in document.plan.ignored)
    return prefixes(ids)


def prefixes(ids: Collection[str]) -> dict[str, str]:
    """Row ids with the shortest prefixes that tell them apart, all of one length."""
    length = _MIN_PREFIX
    while len({row[:length] for row in ids}) < len(ids):
        length += 1
    return {row: row[:length] for row in ids}
