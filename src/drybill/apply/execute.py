"""Execute: per line re-read, compare, journal the intent, write, journal the answer, read back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from drybill.apply.freshness import find, moved, not_as_planned, refuse_moved_invoice
from drybill.apply.lock import only_writer
from drybill.billing.change import WriteStep
from drybill.billing.row import Row
from drybill.errors import DrybillError, Exit
from drybill.journal import Intent, Journal
from drybill.plan.plan import Plan
from drybill.psa.port import Answer, PsaReader, PsaWriter, Reading
from drybill.psa.registry import adapter_of

Verdict = Literal["verified", "differs", "unknown", "refused", "rejected", "skipped"]


class Outcome(Struct, frozen=True):
    """What became of one planned line."""

    row: str
    label: str
    before: Decimal | None
    planned: Decimal | None
    found: Decimal | None
    verdict: Verdict
    detail: str = ""


def execute(
    plan: Plan,
    digest: str,
    readers: Mapping[str, PsaReader],
    settings: Mapping[str, Mapping[str, object]],
    journal: Journal,
    run: str,
    permit_again: Callable[[], None],
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    """Writes the plan's lines, one after the other, and tells each outcome as it is known.

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
        for name in {row.psa for row in plan.writes}
    }
    return asyncio.run(_execute(plan, digest, readers, writers, journal, run, permit_again, tell))


async def _execute(
    plan: Plan,
    digest: str,
    readers: Mapping[str, PsaReader],
    writers: Mapping[str, PsaWriter],
    journal: Journal,
    run: str,
    permit_again: Callable[[], None],
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    async with AsyncExitStack() as held_open:
        for name in sorted(writers):
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
        begun = journal.begun(filter(None, (digest, plan.parent)))
        payers = {row.id: invoice.client_id for invoice in plan.invoices for row in invoice.rows}
        for row in plan.writes:
            await asyncio.sleep(0)  # where Ctrl-C stops: between two lines
            payer = payers[row.id]
            line = _Line(
                row, payer, digest, readers[row.psa], held[row.psa], journal, run,
                begun.get(row.id),
            )  # fmt: skip
            try:
                outcome = line.outcome("skipped", None, stopped) if stopped else await line.write()
            except DrybillError as error:  # of the journal: all others became an outcome
                stopped = error.problems[0].summary
                outcome = line.outcome("unknown" if line.sent else "skipped", None, stopped)
            outcomes.append(outcome)
            tell(outcome)
    return outcomes


class _Line(Struct):
    row: Row
    payer: str  # the client whose invoices the guards of later runs measure
    digest: str
    reader: PsaReader
    writer: PsaWriter
    journal: Journal
    run: str
    begun: int | None = None  # the intent of a run that was stopped before it knew the outcome
    sent: bool = False  # whether a step may have reached the PSA

    async def write(self) -> Outcome:
        """Raises only what the journal raises."""
        found, why, done = await self._stands_against()
        if done and self.begun is not None:
            told = {"quantity": found}
            self.journal.record_readback(self.run, self.begun, "verified", told)
            return self.outcome("verified", found, "an earlier run had written it")
        if why:
            self.journal.record(self.run, "answer", {"row": self.row.id, "refused": why})
            return self.outcome("refused", found, why)
        for step in self.row.steps_to_write:
            intent = self.journal.record_intent(self.run, self._intent(step))
            self.sent = True
            answer = await self._send(step)
            self.journal.record_answer(self.run, intent, answer.verdict, answer.detail)
            verdict, found, why = await self._read_back()
            self.journal.record_readback(self.run, intent, verdict, {"quantity": found})
            if answer.verdict == "rejected" and verdict == "differs":
                return self.outcome("rejected", found, answer.detail)
            if verdict != "verified":
                return self.outcome(verdict, found, why)
        return self.outcome("verified", found, "")

    async def _stands_against(self) -> tuple[Decimal | None, str, bool]:
        """The quantity found, why the line must not be written (an empty text for nothing), and
        whether it is what the plan makes of it already."""
        try:
            reading = await self._read()
            # What would be created may have come on another agreement of the client.
            around = reading
            if self.row.change == "create":
                around = await self.reader.read_client(self.row.client_id)
        except Exception as error:  # an adapter may fail in any way; nothing was sent yet
            return None, f"it cannot be read again: {_why(error)}", False
        segment = find(self.row, reading)
        done = segment is not None and not not_as_planned(self.row, segment)
        return segment.quantity if segment else None, moved(self.row, reading, around), done

    def _intent(self, step: WriteStep) -> Intent:
        row = self.row
        return Intent(
            self.digest, row.id, self.reader.instance, self.payer, row.currency,
            row.difference, step, row.observed,
        )  # fmt: skip

    async def _send(self, step: WriteStep) -> Answer:
        try:
            return await self.writer.execute(step)
        except Exception as error:  # whatever failed, the step may have arrived
            return Answer("unknown", _why(error))

    async def _read_back(
        self,
    ) -> tuple[Literal["verified", "differs", "unknown"], Decimal | None, str]:
        """What the PSA holds now; only this decides what happened."""
        try:
            reading = await self._read()
        except Exception as error:
            return "unknown", None, f"the read-back failed: {_why(error)}"
        segment = find(self.row, reading)
        if segment is None:
            return "differs", None, "the line is not there"
        why = not_as_planned(self.row, segment)
        return "differs" if why else "verified", segment.quantity, why

    async def _read(self) -> Reading:
        return await self.reader.read_lines(frozenset({self.row.agreement_id}))

    def outcome(self, verdict: Verdict, found: Decimal | None, detail: str) -> Outcome:
        row = self.row
        label = f"{row.client or row.client_id}, {row.description or row.product}"
        return Outcome(
            row.id, label, row.quantity_before, row.quantity_after, found, verdict, detail
        )


def _why(error: Exception) -> str:
    """Our own errors in words; of others only the kind, for their text may hold anything."""
    if isinstance(error, DrybillError) and error.problems:
        return error.problems[0].summary
    return type(error).__name__


def exit_for(outcomes: list[Outcome]) -> Exit:
    """0 all verified; 6 an unknown outcome; 4 written in part; 3 nothing written, all refused."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if "unknown" in verdicts:
        return Exit.UNKNOWN_OUTCOME
    if verdicts <= {"verified"}:
        return Exit.DONE
    if verdicts <= {"refused", "rejected", "skipped"}:
        return Exit.REFUSED
    return Exit.APPLIED_IN_PART
