"""A plan of another machine is believed as far as this machine counts the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from drybill.billing.row import Row
from drybill.errors import Problem, RefusedError
from drybill.plan.decisions import change_of
from drybill.plan.plan import Plan


def refuse_other_day(plan: Plan, today: date, timezone: str) -> None:
    """A foreign plan speaks of today, here: what this machine saw yesterday must not be forgotten,
    and of a day to come nobody knows.

    Raises:
        RefusedError: before anything is counted.
    """
    if (plan.today, plan.timezone) != (today, timezone):
        said = f"the plan speaks of {plan.today} in {plan.timezone}, and here it is {today}"
        summary = f"{said} in {timezone}"
        fix = "make it today, without --as-of"
        raise RefusedError([Problem("plan-expired", None, summary, fix)])


def refuse_other_count(foreign: Plan, here: Plan) -> None:
    """Every line that the foreign plan would write is written by the plan counted here, too: the
    same change of the same line, for the same money.

    Raises:
        RefusedError: naming each row. Nothing was written.
    """
    own = {row.id: row for row in here.rows}
    problems = [
        Problem(
            "counted-otherwise", None, f"row {row.id}: {why}", "run drybill diff on this machine"
        )
        for row in foreign.writes
        for why in _otherwise(row, own.get(row.id))
    ]
    if problems:
        raise RefusedError(problems)


def _otherwise(row: Row, own: Row | None) -> Iterator[str]:
    """What this machine says instead, the first thing only."""
    if own is None:
        yield "counted here, nothing differs"
    elif not own.would_write:
        reason = own.reasons[0].code if own.reasons else own.bucket
        yield f"counted here, it is {own.bucket} and not written ({own.held_by or reason})"
    elif (
        not row.bucket.differs
        or row.change is None
        or row.quantity_after is None
        or row.effective is None
    ):
        yield "it is no difference and is to be written"
    elif change_of(row) != change_of(own):
        yield f"counted here, {own.change} to {own.quantity_after:f} from {own.effective}"
    elif _shown(row) != _shown(own):
        yield "the plan shows another line or another amount than is counted here"


def _shown(row: Row) -> tuple[object, ...]:
    """What a person decided on, and what is read again before the write."""
    return (
        row.bucket,
        row.psa,
        row.product_key,
        row.client_id,
        row.currency,
        row.line_id,
        row.observed,
        row.quantity_before,
        row.amount_before,
        row.amount_after,
        row.final,
        row.steps_to_write,
    )
