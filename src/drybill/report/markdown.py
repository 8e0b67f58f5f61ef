"""The run as Markdown for a ticket: totals first, then causes and rows. Data stays data."""

from __future__ import annotations

import re
from collections.abc import Sequence

from drybill.plan.plan import PlannedInvoice
from drybill.report import words
from drybill.report.closing import lacking
from drybill.report.document import Document
from drybill.report.entries import (
    Entry,
    dearest,
    usage_money,
    usage_more,
    usage_name,
    worth_showing,
)
from drybill.report.findings import findings, quiet_rows, short_ids
from drybill.report.invoices import entries_of
from drybill.report.opening import hidden_by, state
from drybill.report.table import ROWS_SHOWN

# What has a meaning anywhere, an emoji's name, and what has one at the start of an item only.
_SPECIAL = re.compile(r"([\\`*_\[\]|~]|:(?=\w+:)|^[-+#=]|^\d+(?=[.)]))")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render_markdown(document: Document) -> str:
    """GitHub-flavoured tables; the same rows as the screen shows."""
    plan, run = document.plan, document.run
    found = findings(plan, document.whole)
    head = f"APPLIED, run {run.id}" if run.wrote else "DRY RUN, nothing is written"
    lines = [
        f"### drybill: {escape(head)}",
        "",
        f"Plan `{words.short(run.plan_digest)}`, {words.moment(run.as_of)}, {escape(run.mapping)}. "
        f"{_verdict(document)}",
        "",
    ]
    lines += [f"- {escape(notice)}" for notice in document.notices]
    if document.hidden is not None:
        lines.append(f"- **{escape(hidden_by(document.hidden))}**; totals are of everything")
    for source in plan.sources:
        problems = "".join(f"; {escape(problem)}" for problem in source.problems)
        label = state(source)
        lines.append(
            f"- {escape(source.name)}: {label if label == 'complete' else f'**{label}**'}, "
            f"{words.count(source.records, 'row')}{problems}"
        )
    lines += _totals(document)
    lines += _causes(document)
    lines += _invoices(document)
    if plan.unmapped:
        ids = short_ids(document)
        shown = plan.unmapped if document.show_all else dearest(plan.unmapped, ROWS_SHOWN)
        lines += ["", f"#### Unmapped usage ({len(plan.unmapped):,})", ""]
        lines += _table(
            ("row", "usage", "quantity", "money", "reason"),
            [
                (
                    ids[use.row],
                    escape(usage_name(use)),
                    words.quantity(use.quantity),
                    escape(", ".join(usage_money(use))),
                    escape(usage_more(use)),
                )
                for use in shown
            ],
        )
        if len(shown) < len(plan.unmapped):
            lines += ["", f"and {len(plan.unmapped) - len(shown):,} more"]
    for guard in found.stops:
        says = f"guard {guard.scope}.{guard.name}: {guard.value}, limit {guard.limit}"
        lines += ["", f"**--apply would be refused**: {escape(says)}"]
    done = f"Written by run {escape(run.id)}." if run.wrote else "Nothing was written."
    writable = "" if run.wrote else f" {words.count(len(plan.writes), 'line')} can be written;"
    lines += ["", f"**{done}**{writable} {words.count(len(found.undecided), 'row')} open."]
    return "\n".join(lines) + "\n"


def escape(data: str) -> str:
    """Foreign text that neither Markdown nor HTML takes for its own."""
    return _SPECIAL.sub(_escaped, words.clean(data).strip().translate(_HTML))


def _escaped(match: re.Match[str]) -> str:
    special = match.group()
    return f"&#{ord(special[0])};{special[1:]}" if special[0].isdigit() else f"\\{special}"


def _verdict(document: Document) -> str:
    found = findings(document.plan, document.whole)
    if found.verdict == "nothing_checked":
        return "**NOTHING WAS CHECKED.**"
    loud = f"**{lacking(document)}:** " if found.verdict == "incomplete" else ""
    return f"{loud}{found.checked:,} of {words.count(found.rows, 'row')} checked."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], right: int = 99) -> list[str]:
    """Cells are Markdown already. `right`: the first right-aligned column."""
    rule = ["--:" if column >= right else "---" for column in range(len(head))]
    return [
        f"| {' | '.join(head)} |",
        f"| {' | '.join(rule)} |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _totals(document: Document) -> list[str]:
    if not document.plan.totals:
        return []
    head = ["invoices", "currency", "now", "if applied", "under-billed", "over-billed"]
    head += ["held back", "accepted", "leak", "not checked", "with unknown lines"]
    rows = []
    for sums in document.plan.totals:
        code = sums.currency
        up_and_down = (
            (sums.held_up, sums.held_down),
            (sums.accepted_up, sums.accepted_down),
            (sums.leak_up, sums.leak_down),
        )
        held, accepted, leak = (
            " / ".join(words.signed(amount, code) for amount in pair if amount) or "-"
            for pair in up_and_down
        )
        rows.append(
            (
                "next" if sums.horizon == "now" else "later",
                code,
                words.money(sums.before, code),
                words.money(sums.after, code),
                words.signed(sums.under_billed, code),
                words.signed(sums.over_billed, code),
                held,
                accepted,
                leak,
                words.money(sums.not_checked, code),
                str(sums.incomplete_invoices),
            )
        )
    return ["", *_table(head, rows, right=2)]


def _causes(document: Document) -> list[str]:
    lines: list[str] = []
    for cause in document.plan.causes:
        money = [f"{words.money(m.amount, m.currency)} {m.currency} {m.kind}" for m in cause.money]
        facts = ", ".join((words.count(cause.rows, "row"), *money))
        fence = "`" * (2 + max((len(run) for run in re.findall("`+", cause.fix)), default=1))
        fix = [f"  {words.clean(line)}" for line in cause.fix.split("\n")]
        lines += ["", f"- {escape(cause.cause)}: {facts}", f"  {fence}", *fix, f"  {fence}"]
    return ["", "#### What would clear most", *lines] if lines else []


def _invoices(document: Document) -> list[str]:
    plan = document.plan
    ids = short_ids(document)
    every = list(plan.rows)
    shown = {row.id for row in every}
    if not document.show_all:
        shown = worth_showing(every, ROWS_SHOWN, document.applying)
    lines: list[str] = []
    for invoice in plan.invoices:
        quiet = quiet_rows(document, invoice) if document.show_all else []
        if quiet or any(row.id in shown for row in invoice.rows):
            entries = entries_of(invoice, document, shown, ids)
            lines += ["", _title(invoice), "", *_rows(entries)]
    if len(every) > len(shown):
        lines += ["", f"and {words.count(len(every) - len(shown), 'more row')}"]
    return lines


def _title(invoice: PlannedInvoice) -> str:
    client = escape(invoice.client or invoice.client_id)
    later = ", after the horizon" if invoice.horizon == "later" else ""
    loud = ", **UNKNOWN LINES**" if invoice.unknown_lines else ""
    return (
        f"#### {client}: agreement {escape(invoice.agreement_id)}, invoice "
        f"{words.day(invoice.invoice_date)}, {invoice.currency}{later}{loud}"
    )


def _rows(entries: Sequence[Entry]) -> list[str]:
    """Lines, base amount and sum: a column of amounts adds up."""
    head = ("", "row", "line", "reason", "quantity", "unit", "now", "if applied", "difference")
    cells = []
    for entry in entries:
        before, after = entry.amount
        reason = "; ".join(filter(None, (entry.reason, *entry.more)))
        quantity = " -> ".join(filter(None, entry.quantity))
        numbers = (quantity, entry.price, before, after or before, entry.change)
        cells.append(
            (
                f"`{entry.mark}`" if entry.mark else "",
                entry.id,
                escape(entry.name),
                escape(reason),
                *numbers,
            )
        )
    return _table(head, cells, right=4)
