"""`drybill runs`: what happened. Reads the journal only."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="Show what earlier runs saw, planned and wrote.",
    rich_markup_mode=None,
    invoke_without_command=True,
)


@app.callback()
def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
) -> None:
    """Show what earlier runs saw, planned and wrote."""
    if context.invoked_subcommand is not None:
        return
    from drybill.cli.screen import put, width
    from drybill.journal import Journal
    from drybill.report.runs import render_runs

    with Journal.open(write=False) as journal:
        put(render_runs(journal.runs(limit), width()))


@app.command()
def show(run: Annotated[str, typer.Argument(help="The run's id, or its beginning.")]) -> None:
    """Show everything that the journal holds of one run."""
    from drybill.cli.screen import put, width
    from drybill.journal import Journal
    from drybill.report.runs import render_run

    with Journal.open(write=False) as journal:
        put(render_run(journal.run(run), journal.run_entries(run), width()))


@app.command()
def resume(
    run: Annotated[str, typer.Argument(help="The run that was stopped, or its beginning.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Read back what was begun, and write the rest.")
    ] = False,
) -> None:
    """Finish an --apply that was killed or interrupted, without writing any line twice.

    A line whose outcome nobody knows is read first: it counts as done if it is what was planned,
    is written if it is as the plan saw it, and is left alone if it is anything else.
    """
    from datetime import UTC, datetime

    from drybill.cli.diff import earlier
    from drybill.cli.screen import put
    from drybill.cli.view import Format, View
    from drybill.errors import InputError, Problem
    from drybill.flow.run import Request
    from drybill.journal import Journal
    from drybill.journal.written import applied_plan
    from drybill.plan.content import decode

    with Journal.open(write=False) as journal:
        found = journal.run(run)
        registered = applied_plan(journal, found)
        plans = journal.family(registered.digest)
        done, open_ = journal.verified(plans), journal.begun(plans)
    if registered.content is None:
        summary = f"the contents of plan {registered.digest[:8]} were purged"
        raise InputError([Problem("plan-purged", None, summary)])
    rows = decode(registered.content).writes
    left = [row.id for row in rows if row.id not in done]
    unknown = [row for row in left if row in open_]
    put(
        f"run {found.id}, plan {registered.digest[:8]}: {len(rows) - len(left)} of {len(rows)}"
        f" lines are written, {len(unknown)} were begun and not brought to their end,"
        f" {len(left) - len(unknown)} were not begun\n"
    )
    if not left or not apply:
        put("Nothing was written.\n" if left else "There is nothing left to do.\n")
        return
    view = View(Format.TABLE, None, False, False, False, False, None)
    now = datetime.now(UTC)
    request = Request(as_of=now)
    code = earlier(None, registered.digest, None, request, view, (left, []), True, now, None)
    raise typer.Exit(int(code))


@app.command()
def recheck(run: Annotated[str, typer.Argument(help="The run, or its beginning.")]) -> None:
    """Read again what a run wrote, and say which lines still hold it. Nothing is written.

    The exit code is 10 where a line is different by now.
    """
    from pathlib import Path

    from drybill.apply.recheck import recheck as read_again
    from drybill.cli.progress import shown
    from drybill.cli.screen import put
    from drybill.errors import Exit
    from drybill.flow.fetch import open_sources
    from drybill.journal import Journal
    from drybill.journal.written import written_by
    from drybill.mapping.load import load
    from drybill.report.apply_result import render_outcome

    with Journal.open(write=False) as journal:
        found = journal.run(run)
        written = written_by(journal, found)
    mapping = load(Path(found.mapping))
    readers, _ = open_sources(mapping, without=set(mapping.vendors))
    with shown():
        outcomes = read_again(written, readers)
    for outcome in outcomes:
        put(f"{render_outcome(outcome)}\n")
    moved = sum(outcome.verdict != "verified" for outcome in outcomes)
    put(f"run {found.id}: {len(outcomes) - moved} of {len(outcomes)} lines hold what it wrote\n")
    if not all(each.whole for each in written):
        put(f"  what it did not bring to an end: drybill runs resume {found.id} --apply\n")
    raise typer.Exit(int(Exit.DIFFERENCES if moved else Exit.DONE))


_KEPT = 35  # days within which a guard may look back


@app.command()
def purge(
    before: Annotated[str, typer.Option(help="A day, at least 35 days ago: YYYY-MM-DD.")],
) -> None:
    """Remove what runs before a day saw and planned; their digests and the chain stay.

    Ids, names and highest quantities that guards remember are kept.
    """
    from datetime import UTC, datetime, time, timedelta

    from drybill.cli import words
    from drybill.cli.screen import put
    from drybill.journal import Journal

    day = words.day(before, "--before")
    last = datetime.now(UTC).date() - timedelta(days=_KEPT)
    if day is None or day > last:
        raise typer.BadParameter(f"--before {before}: guards look back; {last} is the latest day")
    with Journal.open(write=True) as journal:
        gone = journal.purge(datetime.combine(day, time.min, UTC))
    put(f"{gone:,} contents were removed; drybill runs verify still walks the chain\n")


@app.command()
def verify() -> None:
    """Check the journal's hash chain from its first entry to its last."""
    from drybill.cli.screen import complain, put
    from drybill.errors import Exit
    from drybill.journal import Journal

    with Journal.open(write=False) as journal:
        problems = journal.verify()
        place = journal.place
    if problems:
        complain(problems)
    if any(problem.level == "error" for problem in problems):
        raise typer.Exit(int(Exit.REFUSED))
    put(f"the chain of {place} is whole\n")
