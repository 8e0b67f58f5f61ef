"""The machine output `drybill.diff/1`: every fact of a run as plain text, in a stable order."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from drybill.billing.invoice import Cause, Totals, WitnessedLine
from drybill.billing.row import (
    Bucket,
    Counted,
    IgnoredUsage,
    LeakPiece,
    Row,
    Step,
    UnmappedUsage,
    Verdict,
)
from drybill.plan.plan import PlannedInvoice, SourceSummary
from drybill.report.document import Document
from drybill.report.findings import findings, hidden_rows, quiet_rows, sums_of
from drybill.report.words import plain_money as money
from drybill.report.words import plain_quantity as quantity

SCHEMA = "drybill.diff/1"
# Control and direction characters that JSON lets stand raw: they steer the terminal of `cat`.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)

_Object = dict[str, Any]


def render_json(document: Document) -> bytes:
    """UTF-8 with a newline at the end. Quantities and money are strings, unknown is null."""
    made = msgspec.json.format(_encoded(_document(document)), indent=2).decode()
    return _UNSEEN.sub(_escaped, made).encode() + b"\n"


def _escaped(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _encoded(made: _Object) -> bytes:
    try:
        return msgspec.json.encode(made)
    except UnicodeEncodeError:  # half a character, from a path or a vendor's JSON
        return msgspec.json.encode(_whole(made))


def _whole(made: Any) -> Any:
    """The same without half characters, which UTF-8 cannot hold."""
    match made:
        case str():
            return made.encode("utf-8", "replace").decode()
        case dict():
            return {_whole(key): _whole(value) for key, value in made.items()}
        case list():
            return [_whole(value) for value in made]
    return made


def _document(document: Document) -> _Object:
    plan, run = document.plan, document.run
    found = findings(plan, document.whole)
    buckets = dict(plan.buckets)
    return {
        "schema": SCHEMA,
        "run": {
            "id": run.id,
            "mapping": run.mapping,
            "mapping_digest": plan.mapping_digest,
            "as_of": run.as_of,
            "timezone": plan.timezone,
            "plan_digest": run.plan_digest,
            "complete": plan.complete,
            "wrote": run.wrote,
            "applyable": plan.applyable,
            "has_changes": plan.has_changes,
            "today": plan.today.isoformat(),
            "options": [{"name": name, "value": value} for name, value in plan.options],
            "targets": [{"psa": psa, "target": target} for psa, target in plan.targets],
            "parent": plan.parent,
        },
        "complete": plan.complete,
        "checked": found.checked,
        "verdict": found.verdict,
        "sources": [_source(source) for source in plan.sources],
        "causes": [_cause(cause) for cause in plan.causes],
        "invoices": [_invoice(invoice, document) for invoice in plan.invoices],
        "ignored": [_ignored(usage) for usage in plan.ignored],
        "unmapped": [_unmapped(usage) for usage in plan.unmapped],
        "totals": [_totals(totals) for totals in plan.totals],
        "guards": [_run_guard(guard) for guard in plan.guards],
        "buckets": {bucket.value: buckets.get(bucket.value, 0) for bucket in Bucket},
        "hidden": None
        if document.hidden is None
        else {
            "rows": document.hidden.rows,
            "filters": list(document.hidden.filters),
            "money": [
                {"currency": currency, "amount": money(amount)}
                for currency, amount in document.hidden.money
            ],
        },
        "notices": list(document.notices),
        "exit_code": int(document.exit_code),
    }


def _source(source: SourceSummary) -> _Object:
    return {
        "name": source.name,
        "kind": source.kind,
        "complete": source.complete,
        "customers": source.customers,
        "records": source.records,
        "as_of": source.as_of,
        "problems": list(source.problems),
        "role": source.role,
        "measure": source.measure,
    }


def _cause(cause: Cause) -> _Object:
    return {
        "cause": cause.cause,
        "rows": cause.rows,
        "money": [
            {"currency": part.currency, "amount": money(part.amount), "kind": part.kind}
            for part in cause.money
        ],
        "fix": cause.fix,
        "row_ids": list(cause.row_ids),
    }


def _invoice(invoice: PlannedInvoice, document: Document) -> _Object:
    rows = [*invoice.rows]
    if document.show_all:
        rows += quiet_rows(document, invoice)
    stopped = document.plan.stopped(invoice)
    hidden = hidden_rows(document, invoice)
    hidden_before, hidden_after = sums_of(hidden)
    return {
        "psa": invoice.psa,
        "client_id": invoice.client_id,
        "client": invoice.client,
        "agreement_id": invoice.agreement_id,
        "currency": invoice.currency,
        "period_start": invoice.period_start.isoformat(),
        "period_end": invoice.period_end.isoformat(),
        "invoice_date": invoice.invoice_date.isoformat(),
        "horizon": invoice.horizon,
        "base_amount": money(invoice.base_amount),
        "before": money(invoice.before),
        "after": money(invoice.after),
        "difference": money(invoice.difference),
        "not_projected": list(invoice.not_projected),
        "unknown_lines": invoice.unknown_lines,
        "unbilled_periods": [start.isoformat() for start in invoice.unbilled_periods],
        "leak": money(invoice.leak),
        "witness": None
        if invoice.witness is None
        else {"amount": money(invoice.witness), "agrees": invoice.witness_agrees},
        # Encoded one by one: thousands of living dicts would keep the garbage collector busy.
        "lines": [msgspec.Raw(_encoded(_line(row, stopped))) for row in rows],
        "agreement": invoice.agreement,
        "quiet_lines": invoice.quiet_rows,
        "quiet_amount": money(invoice.quiet_amount),
        "hidden_lines": len(hidden),
        "hidden_before": money(hidden_before),
        "hidden_after": money(hidden_after),
        "witness_lines": [_witnessed(line) for line in invoice.witness_lines],
    }


def _witnessed(line: WitnessedLine) -> _Object:
    said = line.said
    return {
        "line_id": said.line_id,
        "description": said.description,
        "quantity": quantity(said.quantity),
        "amount": money(said.amount),
        "agrees": line.agrees,
    }


def _line(row: Row, stopped: bool) -> _Object:
    return {
        "row": row.id,
        "agreement_id": row.agreement_id,
        "line_id": row.line_id,
        "product": row.product,
        "description": row.description,
        "bucket": row.bucket.value,
        "reasons": [reason.code for reason in row.reasons],
        "usage": [_counted(counted) for counted in row.usage],
        "quantity_before": quantity(row.quantity_before),
        "quantity_after": quantity(row.quantity_after),
        "unit_price": money(row.unit_price),
        "amount_before": money(row.amount_before),
        "amount_after": money(row.amount_after),
        "difference": money(row.difference),
        "leak": money(row.leak),
        "wanted": None
        if row.wanted is None
        else {
            "quantity": quantity(row.wanted.quantity),
            "difference": money(row.wanted.difference),
        },
        "effective_date": row.effective.isoformat() if row.effective else None,
        "would_write": row.would_write and not stopped,
        "guards": [_guard(guard) for guard in row.guards],
        "client_id": row.client_id,
        "client": row.client,
        "product_key": row.product_key or None,
        "slot": row.slot,
        "details": [
            {"code": reason.code, "detail": reason.detail}
            for reason in row.reasons
            if reason.detail
        ],
        "counted": quantity(row.counted),
        "steps": [_step(step) for step in row.steps],
        "unit_cost": money(row.unit_cost),
        "leak_pieces": [_leak_piece(piece) for piece in row.leak_pieces],
        "accepted_difference": money(row.accepted_difference),
        "change": row.change,
        "final": row.final,
        "held_by": row.held_by or None,
        "writes": [step.says for step in row.steps_to_write],
    }


def _counted(counted: Counted) -> _Object:
    return {
        "vendor": counted.vendor,
        "customer_id": counted.customer_id,
        "sku": counted.sku,
        "quantity": quantity(counted.quantity),
        "measure": counted.measure,
        "as_of": counted.as_of or None,
        "subscription_id": counted.subscription_id,
    }


def _leak_piece(piece: LeakPiece) -> _Object:
    return {
        "period_start": piece.first_day.isoformat(),
        "period_end": piece.until.isoformat(),
        "missing": quantity(piece.missing),
        "unit_price": money(piece.unit_price),
        "used_days": piece.used_days,
        "period_days": piece.period_days,
        "amount": money(piece.amount),
    }


def _step(step: Step) -> _Object:
    return {"value": quantity(step.value), "says": step.says, "path": step.path}


def _guard(guard: Verdict) -> _Object:
    return {
        "name": guard.name,
        "value": guard.value,
        "limit": guard.limit,
        "stops": guard.stops,
        "lift": guard.lift,
        "lifted": guard.lifted or None,
    }


def _run_guard(guard: Verdict) -> _Object:
    return {"scope": guard.scope, **_guard(guard), "subject": guard.subject}


def _ignored(usage: IgnoredUsage) -> _Object:
    return {
        "vendor": usage.vendor,
        "customer_id": usage.customer_id,
        "sku": usage.sku,
        "quantity": quantity(usage.quantity),
        "cost": money(usage.cost),
        "cost_currency": usage.cost_currency or None,
        "reason": usage.reason,
        "row": usage.row,
        "client_id": usage.client_id or None,
        "detail": usage.detail,
    }


def _unmapped(usage: UnmappedUsage) -> _Object:
    return {
        "row": usage.row,
        "vendor": usage.vendor,
        "customer_id": usage.customer_id,
        "customer_name": usage.customer_name,
        "client_id": usage.client_id,
        "sku": usage.sku,
        "quantity": quantity(usage.quantity),
        "cost": money(usage.cost),
        "cost_currency": usage.cost_currency or None,
        "price_estimate": money(usage.price_estimate),
        "currency": usage.currency or None,
        "reason": usage.reason,
        "product_name": usage.product_name,
        "term": usage.term,
        "detail": usage.detail,
    }


def _totals(totals: Totals) -> _Object:
    return {
        "currency": totals.currency,
        "horizon": totals.horizon,
        "before": money(totals.before),
        "after": money(totals.after),
        "difference": money(totals.difference),
        "under_billed": money(totals.under_billed),
        "over_billed": money(totals.over_billed),
        "held_unknown": totals.held_unknown,
        "held_up": money(totals.held_up),
        "held_down": money(totals.held_down),
        "accepted": money(totals.accepted),
        "accepted_up": money(totals.accepted_up),
        "accepted_down": money(totals.accepted_down),
        "leak_up": money(totals.leak_up),
        "leak_down": money(totals.leak_down),
        "not_checked": money(totals.not_checked),
        "incomplete_invoices": totals.incomplete_invoices,
    }
