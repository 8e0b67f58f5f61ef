"""`--apply`: says what will be written and where, asks for the number of lines, and writes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from drybill.cli.screen import ReaderGone, on_terminal, talk
from drybill.errors import DrybillError, Exit, InputError, Problem, RefusedError

if TYPE_CHECKING:
    from drybill.apply.execute import Outcome
    from drybill.flow.run import Request
    from drybill.journal import Journal
    from drybill.mapping.load import Mapping as MappingFile
    from drybill.plan.plan import Plan
    from drybill.psa.port import PsaReader


def apply_plan(
    plan: Plan,
    digest: str,
    created: datetime,
    mapping: MappingFile,
    readers: Mapping[str, PsaReader],
    journal: Journal,
    run: str,
    request: Request,
    now: datetime,
) -> Exit:
    """Writes a plan's lines, each with its outcome; the exit code says how it went.

    Raises:
        InputError: the number was not typed.
        RefusedError: something stands against the plan. Nothing was written.
        LockedError: another run is writing to the same PSA.
    """
    from drybill.apply.execute import execute, exit_for
    from drybill.apply.permission import permit
    from drybill.flow.memory import recent_writes
    from drybill.report.apply_result import render_end, render_outcome

    if not plan.writes:
        talk("Nothing was written: no line of this plan can be written.")
        return Exit.DONE
    instances = [reader.instance for reader in readers.values()]
    recent = recent_writes(journal, instances, now, digest)
    permit(plan, created, now, mapping.digest, mapping.policy.guards, recent, request.allowances)
    used = {row.psa for row in plan.writes}
    targets = {name: target for name, target in plan.targets if name in used}
    if targets != {name: readers[name].target for name in used if name in readers}:
        fix = "run drybill diff again, with this mapping"
        problem = Problem("other-target", None, "the plan was made for another PSA", fix)
        raise RefusedError([problem])
    where = f"{', '.join(sorted(targets.values()))} of {mapping.path.resolve()}"
    _confirm(plan, digest, created, now, where)
    told: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        told.append(outcome)
        talk(render_outcome(outcome))

    try:
        outcomes = execute(plan, digest, readers, mapping.psas, journal, run, tell)
    except KeyboardInterrupt:
        talk(f"stopped after {len(told)} of {len(plan.writes)} lines: drybill runs show {run}")
        raise
    talk(render_end(run, outcomes))
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


def _confirm(plan: Plan, digest: str, created: datetime, now: datetime, where: str) -> None:
    """The number of lines, typed. Without a terminal the plan's id on the command line says it."""
    from drybill.report.words import moves

    count = len(plan.writes)
    minutes = max(int((now - created).total_seconds() // 60), 0)
    age = "just made" if minutes == 0 else f"{minutes} min old"
    lines = "1 line" if count == 1 else f"{count} lines"
    told = f"{lines}, {moves(plan.writes)} -> {where}"
    talk(f"plan {digest[:8]} is what you saw, {age}. {told}")
    if not on_terminal():
        return
    talk(f"Type {count} to write: ", end="")
    if sys.stdin.readline().strip() != str(count):
        raise InputError(
            [Problem("not-confirmed", None, "nothing was written: the number was not typed")]
        )
