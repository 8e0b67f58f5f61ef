"""Invoices as the client will receive them: title, lines, base amount, sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from drybill.billing.money import EXACT
from drybill.billing.row import Bucket, Row
from drybill.plan.plan import PlannedInvoice
from drybill.report import closing, opening, words
from drybill.report.document import Document
from drybill.report.entries import Entry, entry_of
from drybill.report.findings import (
    findings,
    hidden_rows,
    quiet_rest,
    quiet_rows,
    short_ids,
    sums_of,
)
from drybill.report.layout import Sheet, cells
from drybill.report.ledger import Ledger
from drybill.report.marks import LOUD, STRONG
from drybill.report.words import clean


def render_invoices(document: Document, width: int) -> Sheet:
    """Whole invoices, now and if applied. Single lines for all rows need `document.quiet`."""
    document = replace(document, show_all=True)
    sheet = Sheet(width)
    found = findings(document.plan, document.whole)
    ids = short_ids(document)
    opening.title(sheet, document)
    opening.sources(sheet, document.plan.sources)
    shown = set(ids)
    groups = [
        (invoice, entries_of(invoice, document, shown, ids)) for invoice in document.plan.invoices
    ]
    ledger = Ledger(sheet, [entry for _, entries in groups for entry in entries])
    for invoice, entries in groups:
        sheet.blank()
        invoice_title(sheet, invoice, document)
        ledger.heading()
        for entry in entries:
            ledger.write(entry)
    closing.totals(sheet, document, "now")
    closing.totals(sheet, document, "later")
    closing.counts(sheet, document, found)
    closing.stops(sheet, found.stops)
    closing.next_step(sheet, document, found)
    return sheet


def entries_of(
    invoice: PlannedInvoice, document: Document, shown: set[str], ids: Mapping[str, str]
) -> list[Entry]:
    """The shown rows, what the others come to, the base amount, and the sum of it all."""
    entries = [entry_of(row, invoice, ids) for row in invoice.rows if row.id in shown]
    quiet = quiet_rows(document, invoice) if document.show_all else []
    entries += [entry_of(row, invoice, ids) for row in quiet]
    others, rest = quiet_rest(invoice, quiet)
    if others:
        amount = words.money(rest, invoice.currency)
        name = f"{words.count(others, 'line')} {_quiet_word(document)}"
        entries.append(Entry("=", name, amount=(amount, ""), quiet=True))
    left_out = [row for row in invoice.rows if row.id not in shown]
    if left_out:
        entries.append(_unshown(f"{words.count(len(left_out), 'more row')}: --all", left_out))
    hidden = hidden_rows(document, invoice)
    if hidden:
        entries.append(_unshown(f"{words.count(len(hidden), 'row')} hidden by the filter", hidden))
    if invoice.base_amount:
        base = words.money(invoice.base_amount, invoice.currency)
        entries.append(Entry("", "base amount", amount=(base, ""), quiet=True))
    entries.append(sum_of(invoice))
    return entries


def _unshown(name: str, rows: Sequence[Row]) -> Entry:
    """Rows that are not shown, with what they come to, so that the column adds up."""
    before, after = sums_of(rows)
    currency, moved = rows[0].currency, EXACT.subtract(after, before)
    return Entry(
        "",
        name,
        amount=(words.money(before, currency), words.money(after, currency) if moved else ""),
        change=words.signed(moved, currency) if moved else "",
        quiet=True,
    )


def sum_of(invoice: PlannedInvoice) -> Entry:
    """The projected part of an invoice: the sum of its lines and its base amount."""
    return Entry(
        "",
        "sum" if not invoice.unknown_lines else "sum of known lines",
        amount=(
            words.money(invoice.before, invoice.currency),
            words.money(invoice.after, invoice.currency),
        ),
        change=words.signed(invoice.difference, invoice.currency) if invoice.difference else "",
        quiet=True,
    )


def _quiet_word(document: Document) -> str:
    """Fixed lines were not compared with anything, so "unchanged" must not claim them."""
    buckets = dict(document.plan.buckets)
    if not buckets.get(Bucket.FIXED.value):
        return "unchanged"
    return "unchanged or fixed" if buckets.get(Bucket.UNCHANGED.value) else "fixed"


def _contradicted(sheet: Sheet, invoice: PlannedInvoice) -> None:
    """What the PSA itself says otherwise, of the invoice and of each line that it tells."""
    if invoice.witness is not None and invoice.witness != invoice.before:
        says = f"{words.money(invoice.witness, invoice.currency)} {invoice.currency}"
        before = words.money(invoice.before, invoice.currency)
        sheet.prose(f"WITNESS: the PSA itself says {says}, not {before}", "  ", "    ", style=LOUD)
    for line in invoice.witness_lines:
        if line.agrees:
            continue
        said = _times(line.said.quantity, line.said.amount, invoice.currency)
        here = _times(line.quantity, line.amount, invoice.currency)
        says = f"WITNESS: {clean(line.said.description)}: the PSA itself says {said}, not {here}"
        sheet.prose(says, "  ", "    ", style=LOUD)


def _times(quantity: Decimal | None, amount: Decimal | None, currency: str) -> str:
    if quantity is None and amount is None:
        return "nothing"
    return f"{words.quantity(quantity)} for {words.money(amount, currency)}"


def invoice_title(sheet: Sheet, invoice: PlannedInvoice, document: Document) -> None:
    client = clean(invoice.client or invoice.client_id)
    facts = f"agreement {clean(invoice.agreement_id)}"
    if invoice.agreement:
        facts += f" ({clean(invoice.agreement)})"
    if len({i.psa for i in document.plan.invoices}) > 1:
        facts = f"{clean(invoice.psa)}, {facts}"
    facts += f", invoice {words.day(invoice.invoice_date)}"
    period = words.days(invoice.period_start, invoice.period_end)
    facts += f" for {period}, {invoice.currency}"
    if cells(client) + 3 + cells(facts) <= sheet.width:
        sheet.add((client, STRONG), "   ", facts)
    else:
        sheet.prose(client, style=STRONG)
        sheet.prose(facts, "  ", "  ")
    if invoice.unknown_lines:
        says = words.count(invoice.unknown_lines, "line")
        says += " without quantity or price in the PSA, outside every sum"
        sheet.prose(f"UNKNOWN LINES: {says}", "  ", "    ", style=LOUD)
    _contradicted(sheet, invoice)
    if len(invoice.unbilled_periods) > 1:
        starts = ", ".join(start.isoformat() for start in invoice.unbilled_periods)
        says = f"not invoiced yet, periods from {starts}: this is the first"
        sheet.prose(says, "  ", "    ", style=LOUD)
    if document.show_all and invoice.not_projected:
        says = ", ".join(clean(part) for part in invoice.not_projected)
        sheet.prose(f"not projected: {says}", "  ", "    ")
