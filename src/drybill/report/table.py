"""The face of the product: one run as a screen, most important last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from drybill.billing.invoice import Horizon
from drybill.billing.row import QUIET, Bucket, IgnoredUsage, Row, UnmappedUsage
from drybill.plan.plan import PlannedInvoice
from drybill.report import closing, opening, words
from drybill.report.document import Document
from drybill.report.entries import (
    Entry,
    dearest,
    usage_money,
    usage_more,
    usage_name,
    worth_showing,
)
from drybill.report.findings import findings, short_ids
from drybill.report.invoices import entries_of, invoice_title, render_invoices
from drybill.report.layout import Sheet
from drybill.report.ledger import Ledger
from drybill.report.marks import STRONG, mark_style

__all__ = ["ROWS_SHOWN", "render_invoices", "render_table"]

ROWS_SHOWN = 20
_HORIZONS: tuple[Horizon, Horizon] = ("now", "later")


def render_table(document: Document, width: int) -> Sheet:
    """The whole run for `width` cells: a rich renderable, or text by its `plain`.

    By default the causes and the rows with most money; everything with `show_all`.
    """
    sheet = Sheet(width)
    plan = document.plan
    found = findings(plan, document.whole)
    opening.title(sheet, document)
    opening.sources(sheet, plan.sources)
    opening.causes(sheet, document)
    _invoices(sheet, document)
    _usage(sheet, document)
    closing.totals(sheet, document, "now")
    closing.counts(sheet, document, found)
    closing.stops(sheet, found.stops)
    closing.next_step(sheet, document, found)
    return sheet


def _invoices(sheet: Sheet, document: Document) -> None:
    """Invoices within the horizon, then the later ones with totals of their own."""
    ids = short_ids(document)
    picked: dict[Horizon, list[tuple[PlannedInvoice, list[Entry]]]] = {}
    hidden: dict[Horizon, list[Row]] = {}
    for horizon in _HORIZONS:
        invoices = [i for i in document.plan.invoices if i.horizon == horizon]
        rows = [row for invoice in invoices for row in invoice.rows]
        shown = {row.id for row in rows}
        if not document.show_all:
            shown = worth_showing(rows, ROWS_SHOWN, document.applying)
        hidden[horizon] = [row for row in rows if row.id not in shown]
        picked[horizon] = [
            (invoice, entries_of(invoice, document, shown, ids))
            for invoice in invoices
            if document.show_all or _worth_showing(invoice, shown)
        ]
    every = [entry for group in picked.values() for _, entries in group for entry in entries]
    ledger = Ledger(sheet, every)
    for horizon in _HORIZONS:
        invoices = [i for i in document.plan.invoices if i.horizon == horizon]
        if horizon == "later" and not invoices:
            continue
        if horizon == "later":
            sheet.blank()
            says = "Later invoices, dated after the horizon: not in the totals below"
            sheet.prose(says, style=STRONG)
        if picked[horizon]:
            sheet.blank()
            ledger.heading()
        for invoice, entries in picked[horizon]:
            invoice_title(sheet, invoice, document)
            for entry in entries:
                ledger.write(entry)
        _left_out(sheet, invoices, len(picked[horizon]), hidden[horizon])
        if horizon == "later":
            closing.totals(sheet, document, "later")


def _worth_showing(invoice: PlannedInvoice, shown: set[str]) -> bool:
    """Rows with most money, and what makes an invoice's own sums doubtful, are never left out."""
    alarming = bool(invoice.unknown_lines) or len(invoice.unbilled_periods) > 1
    alarming = alarming or not invoice.witness_agrees
    return alarming or any(row.id in shown for row in invoice.rows)


def _left_out(
    sheet: Sheet, invoices: Sequence[PlannedInvoice], shown: int, hidden: Sequence[Row]
) -> None:
    others = len(invoices) - shown
    if hidden:
        numbers = Counter(row.bucket for row in hidden)
        kinds = [
            f"{numbers[b]:,} {b.value}{' with a leak' if b in QUIET else ''}"
            for b in Bucket
            if numbers[b]
        ]
        sheet.prose(
            f"and {words.count(len(hidden), 'more row')} ({', '.join(kinds)}): --all", style=STRONG
        )
    elif others:
        again = "other " if shown else ""
        sheet.add(f"{words.count(others, f'{again}invoice')} without a difference: --all")


def _usage(sheet: Sheet, document: Document) -> None:
    plan = document.plan
    if plan.unmapped:
        shown = plan.unmapped if document.show_all else dearest(plan.unmapped, ROWS_SHOWN)
        sheet.blank()
        sheet.add(("Usage that leads to no line (unmapped)", STRONG))
        _usage_rows(sheet, shown, "*", short_ids(document))
        if len(shown) < len(plan.unmapped):
            more = words.count(len(plan.unmapped) - len(shown), "more unmapped use")
            sheet.add((f"and {more}: --all", STRONG))
    if plan.ignored and document.show_all:
        sheet.blank()
        sheet.prose("Usage that a rule ignores, or a person accepted", style=STRONG)
        _usage_rows(sheet, plan.ignored, "=", short_ids(document))
    elif plan.ignored:
        sheet.blank()
        accepted = sum(1 for use in plan.ignored if use.reason == "ACCEPTED")
        ruled = len(plan.ignored) - accepted
        told = [f"{words.count(ruled, 'use')} ignored by a rule"] if ruled else []
        told += [f"{words.count(accepted, 'use')} accepted by a person"] if accepted else []
        sheet.prose(f"= {', '.join(told)}: --all")


def _usage_rows(
    sheet: Sheet,
    usage: Sequence[UnmappedUsage | IgnoredUsage],
    mark: str,
    ids: Mapping[str, str],
) -> None:
    for use in usage:
        sheet.prose(usage_name(use), f"{mark} ", "  ", style=mark_style(mark))
        parts = [f"quantity {words.quantity(use.quantity)}", *usage_money(use)]
        sheet.flow(parts, "   ", "    ", "    ")
        sheet.prose(f"{ids[use.row]}  {usage_more(use)}", "    ", "      ")
