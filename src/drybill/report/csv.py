"""One row per line, unmapped and ignored use, for a spreadsheet; no cell is ever a formula.

The amounts of an invoice's rows add up to it, and those of all invoices to the totals.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal

from drybill.billing.money import EXACT
from drybill.billing.row import Bucket, IgnoredUsage, Row, UnmappedUsage
from drybill.plan.plan import PlannedInvoice
from drybill.report.document import Document
from drybill.report.findings import hidden_rows, quiet_rest, quiet_rows, sums_of
from drybill.report.words import clean, last_day
from drybill.report.words import plain_money as money
from drybill.report.words import plain_quantity as quantity

COLUMNS = (
    "row", "kind", "bucket", "reasons", "psa", "client_id", "client", "agreement_id", "line_id",
    "product", "description", "currency", "quantity_before", "quantity_after", "unit_price",
    "amount_before", "amount_after", "difference", "leak", "wanted_quantity", "wanted_difference",
    "effective_date", "would_write", "invoice_date", "period_first_day", "period_last_day",
    "vendor", "customer_id", "sku", "cost", "cost_currency", "price_estimate",
    "invoice_agreement_id", "payer_id", "horizon", "period_start", "period_end",
)  # fmt: skip
# Money and quantities are numbers of ours, so their minus sign is no formula.
_NUMBERS = frozenset(
    {
        "quantity_before", "quantity_after", "unit_price", "amount_before", "amount_after",
        "difference", "leak", "wanted_quantity", "wanted_difference", "cost", "price_estimate",
    }
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render_csv(document: Document) -> str:
    """Text with a header row and `\\n` line ends. Unknown is an empty cell, never 0."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cells in _rows(document):
        writer.writerow([_cell(column, cells.get(column)) for column in COLUMNS])
    return out.getvalue()


def _cell(column: str, value: str | None) -> str:
    if value is None:
        return ""
    if column in _NUMBERS:
        return value
    value = clean(value)
    return (
        f"'{value}" if value.startswith(_FORMULA) or value.strip().startswith(_FORMULA) else value
    )


def _rows(document: Document) -> Iterator[dict[str, str | None]]:
    for invoice in document.plan.invoices:
        for row in invoice.rows:
            yield _line(row, invoice)
        quiet = quiet_rows(document, invoice) if document.show_all else []
        for row in quiet:
            yield _line(row, invoice)
        hidden = hidden_rows(document, invoice)
        if hidden:
            name = f"rows hidden by the filter ({len(hidden)})"
            yield _sum("hidden_lines", name, *sums_of(hidden), invoice)
        others, amount = quiet_rest(invoice, quiet)
        if others:
            yield _sum(
                "quiet_lines", f"unchanged or fixed lines ({others})", amount, amount, invoice
            )
        if invoice.base_amount:
            yield _sum(
                "base_amount", "base amount", invoice.base_amount, invoice.base_amount, invoice
            )
    for unmapped in document.plan.unmapped:
        yield {
            **_usage(unmapped, Bucket.UNMAPPED),
            "client": unmapped.customer_name,
            "description": unmapped.product_name,
            "currency": unmapped.currency,
            "price_estimate": money(unmapped.price_estimate),
        }
    for ignored in document.plan.ignored:
        yield _usage(ignored, Bucket.IGNORED)


def _sum(
    kind: str, description: str, before: Decimal, after: Decimal, invoice: PlannedInvoice
) -> dict[str, str | None]:
    """What an invoice holds beside the lines that have rows of their own."""
    return {
        "kind": kind,
        "psa": invoice.psa,
        "client_id": invoice.client_id,
        "client": invoice.client,
        "agreement_id": invoice.agreement_id,
        "description": description,
        "currency": invoice.currency,
        "amount_before": money(before),
        "amount_after": money(after),
        "difference": money(EXACT.subtract(after, before)),
        "would_write": "false",
        **_invoice(invoice),
    }


def _invoice(invoice: PlannedInvoice) -> dict[str, str | None]:
    return {
        "invoice_date": invoice.invoice_date.isoformat(),
        "period_first_day": invoice.period_start.isoformat(),
        "period_last_day": last_day(invoice.period_start, invoice.period_end).isoformat(),
        "invoice_agreement_id": invoice.agreement_id,
        "payer_id": invoice.client_id,
        "horizon": invoice.horizon,
        "period_start": invoice.period_start.isoformat(),
        "period_end": invoice.period_end.isoformat(),
    }


def _line(row: Row, invoice: PlannedInvoice) -> dict[str, str | None]:
    wanted = row.wanted
    unknown = row.amount_before is None or row.amount_after is None
    return {
        "row": row.id,
        "kind": "line",
        "bucket": row.bucket.value,
        "reasons": " ".join(reason.code for reason in row.reasons),
        "psa": row.psa,
        "client_id": row.client_id,
        "client": row.client,
        "agreement_id": row.agreement_id,
        "line_id": row.line_id,
        "product": row.product,
        "description": row.description,
        "currency": row.currency,
        "quantity_before": quantity(row.quantity_before),
        "quantity_after": quantity(row.quantity_after),
        "unit_price": money(row.unit_price),
        "amount_before": money(row.amount_before),
        "amount_after": money(row.amount_after),
        "difference": None if unknown else money(row.difference),
        "leak": money(row.leak),
        "wanted_quantity": quantity(wanted.quantity) if wanted else None,
        "wanted_difference": money(wanted.difference) if wanted else None,
        "effective_date": row.effective.isoformat() if row.effective else None,
        "would_write": "true" if row.would_write else "false",
        **_invoice(invoice),
        "vendor": "; ".join(dict.fromkeys(used.vendor for used in row.usage)),
        "customer_id": "; ".join(dict.fromkeys(used.customer_id for used in row.usage)),
        "sku": "; ".join(dict.fromkeys(used.sku for used in row.usage)),
    }


def _usage(usage: UnmappedUsage | IgnoredUsage, bucket: Bucket) -> dict[str, str | None]:
    return {
        "row": usage.row,
        "kind": "usage",
        "bucket": bucket.value,
        "reasons": usage.reason,
        "client_id": usage.client_id,
        "quantity_after": quantity(usage.quantity),
        "would_write": "false",
        "vendor": usage.vendor,
        "customer_id": usage.customer_id,
        "sku": usage.sku,
        "cost": money(usage.cost),
        "cost_currency": usage.cost_currency,
    }
