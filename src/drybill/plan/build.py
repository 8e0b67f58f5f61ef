"""Builds the plan: freezes what was computed, in an order that depends on content alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from drybill.billing.causes import causes
from drybill.billing.comparison import Comparison
from drybill.billing.invoice import Invoice
from drybill.billing.money import EXACT, round_money
from drybill.billing.policy import GuardLimits
from drybill.billing.quantity import ZERO
from drybill.billing.row import Bucket, Row
from drybill.plan.decisions import reselect
from drybill.plan.guards import Allowance, RecentWrite, guard_run
from drybill.plan.plan import Plan, PlannedInvoice


def planned(invoice: Invoice) -> PlannedInvoice:
    """An invoice with its rows that differ or leak; the quiet ones as a count and a sum."""
    loud: list[Row] = []
    amount = EXACT.add(round_money(ZERO, invoice.currency), invoice.quiet_amount)
    for row in invoice.rows:
        if not row.quiet:
            loud.append(row)
        elif row.amount_before is not None:
            amount = EXACT.add(amount, row.amount_before)
    return PlannedInvoice(
        psa=invoice.psa,
        client_id=invoice.client_id,
        client=invoice.client,
        agreement_id=invoice.agreement_id,
        agreement=invoice.agreement,
        currency=invoice.currency,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        invoice_date=invoice.invoice_date,
        horizon=invoice.horizon,
        base_amount=invoice.base_amount,
        before=invoice.before,
        after=invoice.after,
        not_projected=invoice.not_projected,
        unbilled_periods=invoice.unbilled_periods,
        unknown_lines=invoice.unknown_lines,
        leak=invoice.leak,
        witness=invoice.witness,
        witness_lines=invoice.witness_lines,
        rows=tuple(loud),
        quiet_rows=len(invoice.rows) - len(loud) + invoice.quiet_lines,
        quiet_amount=amount,
    )


def count_buckets(comparison: Comparison) -> tuple[tuple[str, int], ...]:
    """How many rows and uses ended in each bucket; every one in exactly one."""
    counts = Counter(row.bucket for row in comparison.rows)
    counts.update(line.bucket for line in comparison.quiet)
    counts[Bucket.IGNORED] += len(comparison.ignored)
    counts[Bucket.UNMAPPED] += len(comparison.unmapped)
    return tuple((bucket.value, counts[bucket]) for bucket in Bucket)


def cut(
    plan: Plan,
    digest: str,
    selected: Collection[str],
    option: tuple[str, str],
    limits: GuardLimits,
    recent: Sequence[RecentWrite],
    allowances: Sequence[Allowance],
) -> Plan:
    """A child plan that writes only the selected rows; everything else in it stays as shown."""
    invoices = tuple(
        replace(invoice, rows=tuple(reselect(row, selected) for row in invoice.rows))
        for invoice in plan.invoices
    )
    near = (row for each in invoices if each.horizon == "now" for row in each.rows)
    return replace(
        plan,
        causes=tuple(causes(near, plan.unmapped)),
        invoices=invoices,
        guards=tuple(guard_run(invoices, limits, recent, allowances)),
        options=(*plan.options, option),
        parent=digest,
    )
