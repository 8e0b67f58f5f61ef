"""`--apply`: says what will be written and where, asks for the number of lines, and writes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from drybill.cli.screen import ReaderGone, on_terminal, talk
from drybill.errors import DrybillError, Exit, InputError, Problem

if TYPE_CHECKING:
    from drybill.apply.outcome import Outcome
    from drybill.apply.plan_source import FoundPlan
    from drybill.flow.run import Request
    from drybill.journal import Journal
    from drybill.mapping.load import Mapping as MappingFile
    from drybill.psa.port import PsaReader


def apply_plan(
    found: FoundPlan,
    mapping: MappingFile,
    readers: Mapping[str, PsaReader],
    journal: Journal,
    run: str,
    request: Request,
) -> Exit:
    """Writes a plan's lines, each with its outcome; the exit code says how it went.

    What stands against the plan is asked twice: before the question, and when all locks are held.

    Raises:
        InputError: the number was not typed.
        RefusedError: something stands against the plan. Nothing was written.
        LockedError: another run is writing to the same PSA.
    """
    from drybill.apply.execute import execute
    from drybill.apply.outcome import exit_for
    from drybill.apply.permission import permit
    from drybill.flow.memory import highest, moment, recent_writes
    from drybill.mapping.load import load
    from drybill.report.apply_result import render_end, render_outcome
    from drybill.report.words import clean, leaks

    plan, digest = found.plan, found.digest
    if not plan.writes:
        talk("Nothing was written: no line of this plan can be written.")
        return Exit.DONE

    def ask(mapping: MappingFile) -> None:
        now = datetime.now(UTC)
        permit(
            found,
            now,
            mapping.digest,
            mapping.policy,
            readers,
            highest(journal, readers, moment(plan.today, mapping.policy.timezone)),
            recent_writes(journal, readers, now, digest),
            request.allowances,
        )

    ask(mapping)
    targets = sorted({readers[row.psa].target for row in plan.writes})
    _confirm(found, f"{', '.join(targets)} of {mapping.path.resolve()}")
    told: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        told.append(outcome)
        talk(render_outcome(outcome))

    try:
        outcomes, notices = execute(
            found, readers, mapping.psas, journal, run, lambda: ask(load(mapping.path)), tell
        )
    except KeyboardInterrupt:
        of = f"{len(told)} of {len(plan.writes)} lines"
        talk(f"stopped after {of}: drybill runs resume {run} --apply")
        raise
    verified = {outcome.row for outcome in outcomes if outcome.verdict == "verified"}
    leak = leaks(row for row in plan.writes if row.id in verified)
    for notice in notices:
        talk(f"warning: {clean(notice)}")
    talk(render_end(run, outcomes, shlex.quote(str(mapping.path)), leak))
    return exit_for(outcomes)


@contextmanager
def ended(journal: Journal, run: str) -> Iterator[None]:
    """A run that an error or Ctrl-C stops has an end in the journal, too."""
    try:
        yield
    except ReaderGone:
        journal.end_run(run, Exit.DONE, {})
        raise
    except (DrybillError, KeyboardInterrupt) as error:
        code, said = Exit.INTERRUPTED, ["interrupted"]
        if isinstance(error, DrybillError):
            code, said = error.exit_code, [problem.code for problem in error.problems]
        with suppress(DrybillError):  # the journal itself may be what failed
            journal.end_run(run, code, {"stopped": said})
        raise


def _confirm(found: FoundPlan, where: str) -> None:
    """The number of lines, typed. Without a terminal the plan's id on the command line says it."""
    from drybill.report.words import moves

    count = len(found.plan.writes)
    minutes = max(int((datetime.now(UTC) - found.created).total_seconds() // 60), 0)
    age = "just made" if minutes == 0 else f"{minutes} min old"
    lines = "1 line" if count == 1 else f"{count} lines"
    told = f"{lines}, {moves(found.plan.writes)} -> {where}"
    talk(f"plan {found.digest[:8]} is what you saw, {age}. {told}")
    if not on_terminal():
        return
    talk(f"Type {count} to write: ", end="")
    if sys.stdin.readline().strip() != str(count):
        raise InputError(
            [Problem("not-confirmed", None, "nothing was written: the number was not typed")]
        )
