"""Execute: a plan's lines, one after the other, while no other run of this machine can write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from drybill.apply.freshness import refuse_moved_invoice
from drybill.apply.line import PlannedLine
from drybill.apply.lock import only_writer
from drybill.apply.outcome import Outcome
from drybill.apply.plan_source import FoundPlan
from drybill.apply.witness import unmoved
from drybill.billing.row import Row
from drybill.errors import DrybillError
from drybill.journal import Begun, Journal, Write
from drybill.psa.port import PsaReader, PsaWriter, Reading
from drybill.psa.registry import adapter_of


def execute(
    found: FoundPlan,
    readers: Mapping[str, PsaReader],
    settings: Mapping[str, Mapping[str, object]],
    journal: Journal,
    run: str,
    permit_again: Callable[[], None],
    tell: Callable[[Outcome], None],
) -> tuple[list[Outcome], list[str]]:
    """Writes the plan's lines, one after the other, and tells each outcome as it is known. With
    them come sentences about the PSA's own figures that did not follow.

    Once a line was begun nothing but an interruption raises: the others go on, and where the
    journal fails they are skipped, because nothing may be written that cannot be told.

    `permit_again` raises what stands against the plan. It is called once no other run can write:
    what was true at the question may not be true any more.

    Raises:
        LockedError: another run of this machine writes to one of the PSAs.
        RefusedError: the next invoice of a line is not the one projected, or what `permit_again`
            says; nothing was written.
        InputError, UnreachableError: a PSA cannot be read; nothing was written.
    """
    writers = {
        name: adapter_of(name, settings[name]).writer(readers[name])
        for name in {row.psa for row in found.plan.writes}
    }
    return asyncio.run(_execute(found, readers, writers, journal, run, permit_again, tell))


async def _execute(
    found: FoundPlan,
    readers: Mapping[str, PsaReader],
    writers: Mapping[str, PsaWriter],
    journal: Journal,
    run: str,
    permit_again: Callable[[], None],
    tell: Callable[[Outcome], None],
) -> tuple[list[Outcome], list[str]]:
    plan = found.plan
    outcomes: list[Outcome] = []
    async with AsyncExitStack() as held_open:
        for name in sorted({readers[name].instance: name for name in sorted(writers)}.values()):
            held_open.enter_context(only_writer(readers[name].instance, readers[name].target))
        held = {
            name: await held_open.enter_async_context(writer)
            for name, writer in sorted(writers.items())
        }
        permit_again()
        for name in held:
            await held_open.enter_async_context(readers[name].session())
        readings: dict[str, Reading] = {}
        for name in held:
            ids = frozenset(row.agreement_id for row in plan.writes if row.psa == name)
            readings[name] = await readers[name].read_lines(ids)
        refuse_moved_invoice(plan, readings)
        stopped = ""
        # A foreign plan's parent is in no journal.
        begun = journal.begun({*journal.family(found.digest), *filter(None, (plan.parent,))})
        left = journal.begun()
        recent = _recent_writes(journal, readers)
        payers = {row.id: invoice.client_id for invoice in plan.invoices for row in invoice.rows}
        for row in plan.writes:
            await asyncio.sleep(0)  # where Ctrl-C stops: between two lines
            line = PlannedLine(
                row,
                payers[row.id],
                found,
                readers[row.psa],
                held[row.psa],
                journal,
                run,
                begun.get(row.id),
                _left_half_way(row, readers[row.psa].instance, left),
                recent[row.psa],
            )
            try:
                outcome = line.outcome("skipped", None, stopped) if stopped else await line.write()
            except DrybillError as error:  # of the journal: all others became an outcome
                stopped = error.problems[0].summary
                outcome = line.outcome("unknown" if line.sent else "skipped", None, stopped)
            outcomes.append(outcome)
            tell(outcome)
        verified = {outcome.row for outcome in outcomes if outcome.verdict == "verified"}
        return outcomes, await unmoved(plan, verified, readers)


def _left_half_way(row: Row, instance: str, left: Mapping[str, Begun]) -> Begun | None:
    """Where a run of any plan, under whatever name of the PSA, left the row's line half-way."""
    for each in left.values():
        here = (each.instance, each.agreement) == (instance, row.agreement_id)
        if here and each.half_way and each.product in ("", row.product):
            return each
    return left[row.id] if row.id in left and left[row.id].half_way else None


def _recent_writes(journal: Journal, readers: Mapping[str, PsaReader]) -> dict[str, list[Write]]:
    """PSA -> its writes of the last 24 hours, of any plan, the newest last."""
    now = datetime.now(UTC)
    return {
        name: sorted(journal.recent_writes(each.instance, now), key=lambda write: write.newest)
        for name, each in readers.items()
    }
