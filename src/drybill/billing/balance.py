"""Balance: what must be true of every run, checked in every run and not only in tests.

A failure here is a defect of ours; nothing computed may be shown or written after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from drybill.billing.comparison import Comparison
from drybill.billing.invoice import Invoice, Totals
from drybill.billing.matching import Contract
from drybill.billing.money import EXACT
from drybill.billing.quantity import ZERO
from drybill.billing.quiet import QuietLine
from drybill.billing.row import Row


class Unbalanced(AssertionError):
    """A line, a vendor unit or a cent that was lost or counted twice."""


def check_lines(
    contracts: Mapping[tuple[str, str], Contract],
    rows: Iterable[Row],
    quiet: Sequence[QuietLine],
) -> None:
    """Every line in scope is one row or one quiet line, and no row id names two things."""
    lines = sum(len(lines) for contract in contracts.values() for lines in contract.lines.values())
    seen: set[tuple[str, str, str]] = set()
    ids: set[str] = set()
    for row in rows:
        if row.id in ids:
            raise Unbalanced(f"two rows have the id {row.id}")
        ids.add(row.id)
        if row.line_id is not None:
            key = (row.psa, row.line_id, row.product)
            if key in seen:
                raise Unbalanced(f"line {row.line_id} stands in two rows")
            seen.add(key)
    if lines != len(seen) + len(quiet):
        raise Unbalanced(
            f"{lines} lines, but {len(seen)} rows of lines and {len(quiet)} quiet ones"
        )


def check_uses(comparison: Comparison) -> None:
    """Every known vendor unit of a mapped client and product is shown somewhere."""
    shown = {(use.vendor, use.customer_id, use.sku) for use in comparison.ignored}
    shown |= {(use.vendor, use.customer_id, use.sku) for use in comparison.unmapped}
    shown |= comparison.claims.zero
    compared = {(row.psa, row.client_id, row.product_key) for row in comparison.rows}
    for key in comparison.claims.uses.keys() - compared - comparison.settled:
        for r in comparison.claims.uses[key].records:
            if r.quantity and (r.vendor, r.customer_id, r.sku) not in shown:
                raise Unbalanced(f"{r.quantity:f} units of {r.customer_id} {r.sku} stand nowhere")


def check_money(invoices: Iterable[Invoice], totals: Iterable[Totals]) -> None:
    """before + differences = after, for every invoice and for every total."""
    for invoice in invoices:
        difference = ZERO
        for row in invoice.rows:
            difference = EXACT.add(difference, row.difference)
        if EXACT.add(invoice.before, difference) != invoice.after:
            raise Unbalanced(f"the invoice of agreement {invoice.agreement_id} does not balance")
    for total in totals:
        if EXACT.add(total.under_billed, total.over_billed) != total.difference:
            raise Unbalanced(f"the total in {total.currency} is not the sum of its differences")
        if EXACT.add(total.before, total.difference) != total.after:
            raise Unbalanced(f"the total in {total.currency} does not balance")
