"""What people decided beforehand: accepted differences, and which writes the mapping allows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date

from msgspec.structs import replace

from drybill.billing.change import Change, Refusal, WriteStep
from drybill.billing.policy import Acceptance, WriteSwitches
from drybill.billing.proposal import hold
from drybill.billing.quantity import UNKNOWN
from drybill.billing.row import Bucket, Reason, Row, Wanted

PlanWrite = Callable[[Change], tuple[WriteStep, ...] | Refusal]


def accept(rows: Iterable[Row], accepted: Iterable[Acceptance], today: date) -> None:
    """An accepted row counts as clean until either number moves or its last day has passed."""
    by_row = {acceptance.row: acceptance for acceptance in accepted}
    if not by_row:
        return
    for row in rows:
        acceptance = by_row.get(row.id)
        if acceptance is None or row.bucket in (Bucket.UNCHANGED, Bucket.FIXED, Bucket.IGNORED):
            continue
        seen = (acceptance.psa_quantity, acceptance.vendor_quantity)
        if row.counted is UNKNOWN and row.quantity_before == seen[0]:
            continue  # nobody says that it moved
        if (row.quantity_before, row.counted) != seen:
            row.reasons += (Reason("ACCEPTANCE_STALE", acceptance.reason),)
            continue
        if today > acceptance.last_day:
            row.reasons += (Reason("ACCEPTANCE_EXPIRED", acceptance.last_day.isoformat()),)
            continue
        if row.bucket is Bucket.UNKNOWN:
            continue  # nothing was known that could have been accepted
        if row.bucket.differs:
            hold(row)
        wanted: Wanted | None = row.wanted
        row.accepted_difference = wanted.difference if wanted else None
        row.wanted = row.change = None
        row.bucket = Bucket.IGNORED
        row.reasons = (Reason("ACCEPTED", acceptance.reason),)
        if row.leak:  # accepted was a quantity; money of the past stays open
            row.reasons += (Reason("PERIOD_ALREADY_INVOICED"),)


def plan_writes(rows: Iterable[Row], writers: Mapping[str, PlanWrite | None]) -> None:
    """Gives every difference its steps, or blocks it for what its PSA cannot do.

    A PSA whose writer is None is read only: its differences stay differences, and are held.
    """
    for row in rows:
        if not row.bucket.differs or row.change is None or row.effective is None:
            continue
        plan_write = writers[row.psa]
        if plan_write is None:
            row.held_by = "PSA_READ_ONLY"
            continue
        if row.quantity_after is UNKNOWN:
            continue
        answer = plan_write(change_of(row))
        if isinstance(answer, Refusal):
            hold(row)
            row.reasons = (Reason(answer.code, answer.detail), *row.reasons)
        else:
            row.steps_to_write = answer


def change_of(row: Row) -> Change:
    """What a difference would make true of its line. Raises ValueError for a row without one."""
    if row.change is None or row.effective is None or row.quantity_after is UNKNOWN:
        raise ValueError(f"row {row.id} is no difference")
    return Change(
        row.change,
        row.agreement_id,
        row.product,
        row.observed.line_id if row.observed else "",
        row.quantity_after,
        row.effective,
        row.unit_price if row.change == "create" or row.dated else None,
        row.description if row.change == "create" or row.dated else "",
        row.id,
        row.dated,
        row.observed,
        row.ends,
    )


def not_switched_on(row: Row, switches: WriteSwitches) -> str:
    """Why the mapping does not let this difference be written; empty: it does."""
    needed = {row.change, "create", "end"} if row.dated else {row.change}
    if not needed <= switches.fields:
        return "SWITCH_OFF"
    if not switches.all_clients and (row.psa, row.client_id) not in switches.clients:
        return "CLIENT_NOT_WRITABLE"
    return ""


def switch(rows: Iterable[Row], switches: WriteSwitches, selected: Collection[str] | None) -> None:
    """Sets `would_write`, and nothing else: no bucket and no total depends on a switch or trust.

    `selected` are the ids of the rows that the command line left in; None means all.
    """
    for row in rows:
        if not row.bucket.differs:
            continue
        if not row.final:
            row.held_by = "USAGE_NOT_FINAL"
            row.reasons += (Reason("USAGE_NOT_FINAL"),)
        elif row.held_by:
            pass
        elif held := not_switched_on(row, switches):
            row.held_by = held
        elif selected is not None and row.id not in selected:
            row.held_by = "NOT_SELECTED"
        row.would_write = not row.held_by and bool(row.steps_to_write)


def reselect(row: Row, selected: Collection[str]) -> Row:
    """The same row in a child plan: left out rows are not written."""
    if row.would_write and row.id not in selected:
        return replace(row, would_write=False, held_by="NOT_SELECTED")
    return row
