"""Finds what an id of the table stands for, offline, in the plans that the journal holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec import field as new_field
from msgspec.structs import replace

from drybill.billing.row import IgnoredUsage, Row, UnmappedUsage
from drybill.errors import InputError, Problem
from drybill.flow.memory import identity, quiet_rows
from drybill.journal import Journal, RegisteredPlan
from drybill.mapping.load import load
from drybill.plan.content import decode
from drybill.plan.plan import Plan, PlannedInvoice


class Explained(Struct, frozen=True):
    """One row or use of a plan, with the invoice that it stands on."""

    subject: Row | UnmappedUsage | IgnoredUsage
    invoice: PlannedInvoice | None
    plan: Plan
    digest: str
    places: Mapping[str, str] = new_field(default_factory=dict)  # mapping entry -> file:line:column


def find(prefix: str, named: str | None, mapping: Path | None = None) -> Explained:
    """The row whose id begins with `prefix`, in the plan named, else in the last one.

    Raises:
        InputError: no plan, or none or several rows that begin so.
    """
    wanted = prefix.strip().lower()
    with Journal.open(write=False) as journal:
        registered = _plan(journal, named, mapping)
        if registered is None or registered.content is None:
            fix = "run drybill diff first"
            raise InputError([Problem("no-plan", None, "the journal holds no plan yet", fix)])
        plan = decode(registered.content)
        found: list[Explained] = []
        for invoice in plan.invoices:
            for row in invoice.rows:
                if row.id.startswith(wanted):
                    found.append(Explained(row, invoice, plan, registered.digest))
        uses: list[UnmappedUsage | IgnoredUsage] = [*plan.unmapped, *plan.ignored]
        for use in uses:
            if use.row.startswith(wanted):
                found.append(Explained(use, None, plan, registered.digest))
        if not found:
            for row in quiet_rows(journal, registered.run):
                if row.id.startswith(wanted):
                    found.append(Explained(row, _invoice(plan, row), plan, registered.digest))
    if len(found) == 1 and wanted:
        return replace(found[0], places=_places(found[0], Path(registered.mapping)))
    summary = f"plan {registered.digest[:8]} has no row and no reason code `{prefix}`"
    fix = "ids stand in the table: drybill diff --all"
    if found:
        summary = f"`{prefix}` fits {len(found)} rows of plan {registered.digest[:8]}"
        fix = ", ".join(_id(one.subject) for one in found[:5])
    raise InputError([Problem("row-not-found", None, summary, fix)])


def _plan(journal: Journal, named: str | None, mapping: Path | None) -> RegisteredPlan | None:
    if named is not None:
        return journal.plan(named)
    return journal.last_plan(identity(mapping) if mapping else None)


def _invoice(plan: Plan, row: Row) -> PlannedInvoice | None:
    """The invoice of a quiet row, where it can be told: its agreement's only one of its period.

    A child's line stands on the invoice of its root, which a row does not name.
    """
    days = [piece.first_day for piece in row.pieces_before]
    fitting = [
        invoice
        for invoice in plan.invoices
        if (invoice.psa, invoice.agreement_id, invoice.currency)
        == (row.psa, row.agreement_id, row.currency)
        and all(invoice.period_start <= first < invoice.period_end for first in days)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _id(subject: Row | UnmappedUsage | IgnoredUsage) -> str:
    return subject.id if isinstance(subject, Row) else subject.row


def _places(explained: Explained, mapping: Path) -> dict[str, str]:
    """Where the entries behind the steps are written, while the mapping is still the plan's."""
    if not isinstance(explained.subject, Row):
        return {}
    if mapping.is_relative_to(Path.cwd()):
        mapping = mapping.relative_to(Path.cwd())
    try:
        loaded = load(mapping)
    except InputError:
        return {}
    if loaded.digest != explained.plan.mapping_digest:
        return {}
    return {
        step.path: str(loaded.place(step.path)) for step in explained.subject.steps if step.path
    }
