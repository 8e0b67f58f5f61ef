"""One line for cron: empty only if everything was checked, complete, and in order, past too."""

from __future__ import annotations

from drybill.billing.row import Bucket
from drybill.errors import Exit
from drybill.report import words
from drybill.report.document import Document
from drybill.report.findings import findings
from drybill.report.words import clean

_COUNTED = (Bucket.BLOCKED, Bucket.UNKNOWN, Bucket.ORPHAN, Bucket.UNMAPPED)


def render_quiet(document: Document) -> str:
    """`drybill 7f3a91c2: 1 under +66.00 USD; 1 blocked; huntress INCOMPLETE; exit 3`, or ``."""
    plan = document.plan
    found = findings(plan, document.whole)
    silent_sources = [source for source in plan.sources if source.complete and not source.records]
    partial_sources = [source for source in plan.sources if not source.complete]
    contradicted = sum(not invoice.witness_agrees for invoice in plan.invoices)
    if (
        found.verdict == "clean"
        and document.exit_code is Exit.DONE
        and not (silent_sources or partial_sources or contradicted)
    ):
        return ""
    parts = ["NOTHING WAS CHECKED"] if found.verdict == "nothing_checked" else []
    parts += _money(document)
    buckets = dict(plan.buckets)
    open_rows = [f"{buckets[b.value]:,} {b.value}" for b in _COUNTED if buckets.get(b.value)]
    if open_rows:
        parts.append(", ".join(open_rows))
    incomplete = sum(sums.incomplete_invoices for sums in plan.totals)
    if incomplete:
        parts.append(f"{words.count(incomplete, 'invoice')} with UNKNOWN LINES")
    if contradicted:
        parts.append(f"{words.count(contradicted, 'invoice')} of which its PSA says ANOTHER AMOUNT")
    parts += [f"{clean(source.name)} INCOMPLETE" for source in partial_sources]
    parts += [f"{clean(source.name)} NO ROWS" for source in silent_sources]
    if found.stops:
        names = dict.fromkeys(f"{guard.scope}.{guard.name}" for guard in found.stops)
        parts.append(f"guard {', '.join(names)}")
    if document.hidden is not None and document.hidden.rows:
        parts.append(f"{words.count(document.hidden.rows, 'row')} hidden")
    parts.append(f"exit {int(document.exit_code)}")
    return f"drybill {words.short(document.run.plan_digest)}: {'; '.join(parts)}\n"


def _money(document: Document) -> list[str]:
    """Differences and leaks per currency and horizon, under- and over-billed apart."""
    parts = []
    for sums in document.plan.totals:
        moves = [
            row.difference
            for invoice in document.plan.invoices
            if (invoice.currency, invoice.horizon) == (sums.currency, sums.horizon)
            for row in invoice.rows
            if row.bucket.differs
        ]
        later = "later, " if sums.horizon == "later" else ""
        for name, amount, number in (
            ("under", sums.under_billed, sum(move > 0 for move in moves)),
            ("over", sums.over_billed, sum(move < 0 for move in moves)),
        ):
            if number:
                money = words.signed(amount, sums.currency)
                parts.append(f"{later}{number:,} {name} {money} {sums.currency}")
        without = sum(move == 0 for move in moves)
        if without:
            parts.append(f"{later}{without:,} changed without {sums.currency} difference")
        leaks = [
            words.signed(leak, sums.currency) for leak in (sums.leak_up, sums.leak_down) if leak
        ]
        if leaks:
            parts.append(f"{later}leak {' and '.join(leaks)} {sums.currency}")
    return parts
