"""What a plan amounts to: how much was checked, what needs a person, the verdict in one word."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from drybill.billing.money import EXACT
from drybill.billing.quantity import ZERO
from drybill.billing.row import Bucket, Row, UnmappedUsage, Verdict
from drybill.plan.plan import Plan, PlannedInvoice
from drybill.report.document import Document

Outcome = Literal["nothing_checked", "incomplete", "needs_decision", "differences", "leak", "clean"]

_COMPARED = (Bucket.UNCHANGED, Bucket.CHANGE, Bucket.CREATE, Bucket.END, Bucket.BLOCKED)
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


def findings(plan: Plan) -> Findings:
    buckets = dict(plan.buckets)
    accepted = sum(
        row.bucket is Bucket.IGNORED and row.accepted_difference is not None for row in plan.rows
    )
    checked = sum(buckets.get(bucket.value, 0) for bucket in _COMPARED) + accepted
    open_rows = buckets.get(Bucket.UNMAPPED.value, 0)
    open_rows += sum(buckets.get(bucket.value, 0) for bucket in _UNDECIDED)
    verdict: Outcome = "clean"
    if not checked:
        verdict = "nothing_checked"
    elif not plan.complete or any(sums.incomplete_invoices for sums in plan.totals):
        verdict = "incomplete"
    elif open_rows:
        verdict = "needs_decision"
    elif plan.has_changes:
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


def quiet_rows(document: Document, invoice: PlannedInvoice) -> list[Row]:
    """The unchanged and fixed rows of an invoice without a leak; empty unless asked for."""
    key = (invoice.psa, invoice.agreement_id, invoice.currency, invoice.invoice_date.isoformat())
    return document.quiet.get(key, [])


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
