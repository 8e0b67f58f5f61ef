"""`drybill undo`: restores what a run wrote, after showing what that does to the invoices."""

from __future__ import annotations

from typing import Annotated

import typer


def undo(
    run: Annotated[str, typer.Argument(help="The run whose writes to take back.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Restore, after you confirmed it.")
    ] = False,
    allow: Annotated[list[str] | None, typer.Option(help="Lift one client or run guard.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; journalled.")] = None,
    all_rows: Annotated[bool, typer.Option("--all", help="Every row, unchanged ones too.")] = False,
) -> None:
    """Show the plan that restores what a run wrote; with --apply, restore it.

    Every value comes from the journal, so switches and row guards are not asked; client and run
    guards are. A line that somebody changed since is left alone. A terminal asks for the number of
    lines; without one, --apply restores only what an earlier undo RUN has shown.
    """
    from datetime import UTC, datetime
    from pathlib import Path

    from drybill.apply.plan_source import FoundPlan
    from drybill.cli import words
    from drybill.cli.applying import apply_plan, ended
    from drybill.cli.progress import shown
    from drybill.cli.screen import on_terminal, open_journal, put
    from drybill.cli.view import Format, View
    from drybill.errors import Exit, InputError, Problem
    from drybill.flow.fetch import fetch
    from drybill.flow.memory import identity, recent_writes
    from drybill.flow.run import Request
    from drybill.flow.undo import restoring
    from drybill.journal.written import written_by
    from drybill.mapping.load import load
    from drybill.plan.content import digest_of, encode

    lifts = words.allowances(allow or [], reason) if allow else ()
    words.only_run_guards(lifts)
    now = datetime.now(UTC)
    journal, notices = open_journal(must_write=apply)
    with journal:
        undone = journal.run(run)
        written = written_by(journal, undone)
        path = Path(undone.mapping)
        mapping = load(path)
        with shown():
            fetched = fetch(mapping, set(mapping.vendors))
        found = restoring(
            undone.id,
            written,
            fetched,
            mapping,
            now.astimezone(mapping.policy.timezone).date(),
            recent_writes(journal, fetched.readers, now),
            lifts,
        )
        content = encode(found.plan)
        digest = digest_of(content)
        shown_before = on_terminal() or journal.has_plan(digest)
        if apply and found.plan.writes and not shown_before:
            summary = "nobody has seen this plan: without a terminal it must be shown first"
            fix = f"drybill undo {undone.id}, and then the same with --apply"
            raise InputError([Problem("not-confirmed", None, summary, fix)])
        facts = {"command": "undo", "of": undone.id, "reason": reason or ""}
        own = journal.start_run(identity(path), now, facts)
        with ended(journal, own):
            journal.register_plan(own, digest, content, None, now, fetched.instances)
            view = View(Format.TABLE, None, False, all_rows, False, False, None)
            request = Request(as_of=now, allowances=lifts)
            view.show(
                found.plan,
                run=own,
                digest=digest,
                mapping=str(path),
                as_of=now,
                code=Exit.DONE,
                quiet_rows={},
                selection=request.selection,
                notices=(*notices, *found.lost),
                applying=apply,
            )
            code = Exit.DONE
            if apply:
                known = FoundPlan(
                    found.plan, digest, content, now, identity(path), fetched.instances
                )
                code = apply_plan(known, mapping, fetched.readers, journal, own, request)
            else:
                put("Nothing was restored.\n")
        journal.end_run(own, code, {"applied": digest} if apply else {})
    raise typer.Exit(int(code))
