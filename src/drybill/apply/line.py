"""One line: re-read, compared, and written step by step, each with intent, answer and read-back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from drybill.apply.outcome import Outcome, Verdict, labelled
from drybill.apply.plan_source import FoundPlan
from drybill.apply.standing import Standing, billed_elsewhere, standing
from drybill.billing.change import WriteStep
from drybill.billing.row import Row
from drybill.errors import DrybillError
from drybill.journal import Begun, Intent, Journal, Write
from drybill.journal import Verdict as Readback
from drybill.psa.port import Answer, PsaReader, PsaWriter, Reading

# What was sent and never answered may still be done by the PSA: for so long nothing else is written
# to its line.
SETTLING = timedelta(minutes=15)


class PlannedLine(Struct):
    """A row of the plan that is being written, with what the journal knows of it."""

    row: Row
    payer: str  # the client whose invoices the guards of later runs measure
    found: FoundPlan
    reader: PsaReader
    writer: PsaWriter
    journal: Journal
    run: str
    begun: Begun | None  # where an earlier run of this plan was stopped
    left: Begun | None  # where a run of any plan was stopped
    recent: list[Write]  # of the PSA, of any plan, the newest last
    sent: bool = False  # whether a step may have reached the PSA
    made: str = ""  # id of the new line, once the PSA has said it

    async def write(self) -> Outcome:
        """Raises only what the journal raises."""
        steps = self.row.steps_to_write
        try:
            reading = await self._read()
            before = standing(self.row, reading)
            why = await self._stands_against(before, reading)
        except Exception as error:  # an adapter may fail in any way; nothing was sent yet
            return self._refused(None, f"it cannot be read again: {_why(error)}")
        if why and self.begun is not None and not before.besides({}):
            self._record_readback(self.begun.intent, "restored", before)
            return self._refused(before, f"it is as it was before; {why}")
        if why:
            return self._refused(before, why)
        taken = before.done or 0
        seen = self.begun is not None and not self.begun.back and taken >= self.begun.number
        if seen and self.begun is not None:  # what was sent last is there
            self._record_readback(self.begun.intent, "verified", before)
        if taken == len(steps):
            return self.outcome("verified", before, "an earlier run had written it")
        home = self._on_the_way_back(before)
        next_ = home[0] if home else steps[taken]
        if until := self._may_still_arrive(next_, seen):
            why = f"it was sent and may still arrive: look again after {until:%H:%M} UTC"
            return self.outcome("unknown", before, why)
        if home:
            return await self._take_back(home, taken, "the PSA refused to go on", before)
        for number, step in enumerate(steps[taken:], taken + 1):
            stop, now = await self._take(number, step)
            if stop is not None:
                return stop
        return self.outcome("verified", now, "")

    async def _stands_against(self, before: Standing, reading: Reading) -> str:
        """Why the line must not be written; empty: nothing, or this plan began to write it."""
        row, steps = self.row, self.row.steps_to_write
        going_on = self.begun is not None and (before.done or self._on_the_way_back(before))
        if going_on and not any(step.creates for step in steps[before.done or 0 :]):
            return ""
        if row.change == "create":  # which may have come on any agreement of the client
            reading = await self.reader.read_client(row.client_id)
        why = billed_elsewhere(row, reading, ever=bool(going_on))
        if going_on:
            return why
        if before.done != 0:
            return why or before.against(0)
        if self.begun is None and self.left is not None and not self.found.plan.restores:
            resume = f"drybill runs resume {self.left.run} --apply"
            return f"run {self.left.run} left it half-way: {resume}"
        written = next((w for w in reversed(self.recent) if w.row == row.id), None)
        if written and written.verified and written.at >= self.found.created:
            return f"run {written.run} has written it since, and it is back as it was"
        return why

    def _on_the_way_back(self, before: Standing) -> tuple[WriteStep, ...]:
        """The steps that are left of the way back, where a run was stopped on it."""
        if before.done is not None or self.begun is None or not self.begun.back:
            return ()
        for step in self.row.steps_to_write:
            for at, each in enumerate(step.back[:-1], 1):
                if not before.besides(dict(each.leaves)):
                    return step.back[at:]
        return ()

    def _may_still_arrive(self, step: WriteStep, seen: bool) -> datetime | None:
        """Until when something that was sent, and is not there, is waited for. `seen` is whether
        what this plan sent for the row is there.

        To send the same number once more does no harm, whenever the first one arrives. A new line
        is known by product and payer: another mapping may have another name for the PSA, the
        agreement or the product, and so another row.
        """
        now, product = datetime.now(UTC), dict(step.values).get("product", "")
        for write in reversed(self.recent):
            if write.settled or write.newest + SETTLING <= now:
                continue
            same = write.step == (step.action, step.line_id, step.values) and not step.creates
            of_row = write.row == self.row.id and not same and not seen
            new = step.creates and write.makes == product and write.client == self.payer
            if of_row or new:
                return write.newest + SETTLING
        return None

    async def _take(self, number: int, step: WriteStep) -> tuple[Outcome | None, Standing]:
        """One step: intent, write, answer, read-back. An outcome, where it ends there."""
        intent = self.journal.record_intent(self.run, self._intent(number, step))
        self.sent = True
        answer = await self._send(step)
        self.made = answer.made or self.made
        self.journal.record_answer(self.run, intent, answer.verdict, answer.detail, answer.made)
        try:
            now = standing(self.row, await self._read(), self.made)
        except Exception as error:
            nothing = Standing(self.row, None, {})
            self._record_readback(intent, "unknown", nothing)
            return self.outcome("unknown", None, f"the read-back failed: {_why(error)}"), nothing
        if not (why := now.against(number)):
            self._record_readback(intent, "verified", now)
            return None, now
        self._record_readback(intent, "differs", now)
        if answer.verdict == "unknown" and step.creates and now.done == number - 1:
            until = datetime.now(UTC) + SETTLING
            why = f"{answer.detail}; it may still arrive: look again after {until:%H:%M} UTC"
            return self.outcome("unknown", now, why), now
        late = "it may still arrive" if answer.verdict == "unknown" else ""
        said = "; ".join(filter(None, (answer.detail, why, late)))
        if answer.verdict == "rejected":
            said = ": ".join(filter(None, (answer.code, answer.detail)))
            if now.done and now.done == number - 1:
                back = self.row.steps_to_write[now.done - 1].back
                return await self._take_back(back, now.done, said, now), now
        if now.done:
            return self.outcome("partial", now, f"{said}; {self._left_open(now.done)}"), now
        rejected = answer.verdict == "rejected" and number == 1
        return self.outcome("rejected" if rejected else "differs", now, said), now

    async def _take_back(
        self, steps: tuple[WriteStep, ...], taken: int, said: str, now: Standing
    ) -> Outcome:
        """The way back that the plan holds, where the PSA refuses to go on. Without one, or where
        that fails too, the line is left open."""
        for number, step in enumerate(steps, 1):
            intent = self.journal.record_intent(self.run, self._intent(number, step, len(steps)))
            self.sent = True
            answer = await self._send(step)
            self.journal.record_answer(self.run, intent, answer.verdict, answer.detail)
            try:
                now = standing(self.row, await self._read(), self.made)
                why = now.besides(dict(step.leaves) if number < len(steps) else {})
            except Exception as error:
                why = f"the read-back failed: {_why(error)}"
            self._record_readback(intent, "differs" if why else "verified", now)
            if why:
                late = "it may still arrive" if answer.verdict == "unknown" else ""
                why = "; ".join(filter(None, (answer.detail, why, late)))
                return self.outcome("partial", now, f"{said}; not put back either: {why}")
        if not steps:
            return self.outcome("partial", now, f"{said}; {self._left_open(taken)}")
        return self.outcome("rejected", now, f"{said}; put back as it was")

    def _left_open(self, taken: int) -> str:
        """What is still to do, where a change of several steps stopped half-way."""
        steps = self.row.steps_to_write
        rest = "; ".join(step.says for step in steps[taken:])
        return f"left open after {taken} of {len(steps)} steps, still to do: {rest}"

    def _intent(self, number: int, step: WriteStep, back: int = 0) -> Intent:
        """`back` is how many steps the way back has, if `step` is one of them."""
        row = self.row
        return Intent(
            self.found.digest, row.id, self.reader.instance, self.payer, row.currency,
            row.difference, step, row.observed, number, back or len(row.steps_to_write), bool(back),
        )  # fmt: skip

    async def _send(self, step: WriteStep) -> Answer:
        task = asyncio.current_task()
        try:
            answer = await self.writer.execute(step)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise  # Ctrl-C, and no whim of the adapter's
            return Answer("unknown", _why(error))  # whatever failed, the step may have arrived
        if not isinstance(answer, Answer):
            return Answer("unknown", "the adapter gave no answer")
        return answer

    async def _read(self) -> Reading:
        """What the PSA holds now; only this decides what happened."""
        return await self.reader.read_lines(frozenset({self.row.agreement_id}))

    def _record_readback(self, intent: int, verdict: Readback, now: Standing) -> None:
        line = now.segment.line_id if now.segment else None
        found = {"quantity": now.quantity, "line_id": line}
        self.journal.record_readback(self.run, intent, verdict, found)

    def _refused(self, now: Standing | None, why: str) -> Outcome:
        self.journal.record(self.run, "answer", {"row": self.row.id, "refused": why})
        return self.outcome("refused", now, why)

    def outcome(self, verdict: Verdict, now: Standing | None, detail: str) -> Outcome:
        return labelled(self.row, verdict, now, detail)


def _why(error: BaseException) -> str:
    """Our own errors in words; of others only the kind, for their text may hold anything."""
    if isinstance(error, DrybillError) and error.problems:
        return error.problems[0].summary
    return type(error).__name__
