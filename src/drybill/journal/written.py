"""What a run wrote, as the journal holds it: for looking at it again, and for taking it back."""

from __future__ import annotations

from msgspec import Struct

from drybill.billing.row import Row
from drybill.errors import InputError, Problem
from drybill.journal.journal import Journal, RegisteredPlan, Run
from drybill.plan.content import decode


class Written(Struct, frozen=True):
    """A row that a run wrote, and the line that it left."""

    row: Row
    line_id: str = ""  # empty: not known
    whole: bool = True  # False: nobody read back that all its steps were taken
    superseded_by: str = ""  # run that has written the row since; empty: none has


def applied_plan(journal: Journal, run: Run) -> RegisteredPlan:
    """The plan that a run applied, or was about to. Raises InputError where there is none."""
    named = (run.summary or {}).get("applied") or run.facts.get("plan") or run.id
    return journal.plan(str(named))


def written_by(journal: Journal, run: Run) -> list[Written]:
    """The rows that it wrote, or began to, in the order of the plan.

    Raises:
        InputError: the run wrote nothing, or what it wrote was purged.
    """
    content = applied_plan(journal, run).content
    lines, open_ = journal.verified_in(run.id), journal.begun_in(run.id)
    if content is None or not (lines or open_):
        summary = f"run {run.id} wrote no line that the journal still holds"
        raise InputError([Problem("nothing-written", None, summary)])
    newest = journal.newest_writers()
    return [
        Written(
            row,
            lines.get(row.id, ""),
            row.id in lines,
            "" if run.id in newest.get(row.id, (run.id,)) else newest[row.id][0],
        )
        for row in decode(content).writes
        if row.id in lines or row.id in open_
    ]
