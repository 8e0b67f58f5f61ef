"""`drybill diff`: what the next invoices will say, now and if applied. Writes only with --apply."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drybill.cli import complete
from drybill.cli.tapes import Tapes
from drybill.cli.view import Format, View

if TYPE_CHECKING:
    from datetime import datetime

    from drybill.apply.plan_source import FoundPlan
    from drybill.errors import Exit
    from drybill.flow.dry_run import DryRun
    from drybill.flow.run import Past, Request
    from drybill.journal import Journal
    from drybill.mapping.load import Mapping
    from drybill.plan.plan import Plan
    from drybill.psa.port import PsaReader

Many = list[str] | None
PLAN_NAMED_FROM = 8  # characters, as many as are shown; fewer could be another plan's by now


def diff(
    mapping: Annotated[
        Path | None,
        typer.Argument(
            help="The mapping; by default DRYBILL_MAPPING, else ./mapping.toml.",
            autocompletion=complete.mappings,
            show_default=False,
        ),
    ] = None,
    invoice: Annotated[
        bool, typer.Option("--invoice", help="Whole invoices, now and if applied.")
    ] = False,
    all_rows: Annotated[bool, typer.Option("--all", help="Every row, unchanged ones too.")] = False,
    client: Annotated[
        Many,
        typer.Option(help="Only this client (id or name).", autocompletion=complete.clients),
    ] = None,
    vendor: Annotated[Many, typer.Option(help="Only usage of this vendor.")] = None,
    product: Annotated[Many, typer.Option(help="Only this product.")] = None,
    bucket: Annotated[Many, typer.Option(help="Only this bucket, such as blocked.")] = None,
    min_money: Annotated[
        str | None, typer.Option(help="Only rows that move at least this much.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to say it.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option(help="Into a file, as UTF-8.")] = None,
    save: Annotated[Path | None, typer.Option(help="Export the plan to a file.")] = None,
    plan: Annotated[
        str | None, typer.Option(help="An earlier plan: its id, its run, or a file.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write what was shown, after you confirmed it.")
    ] = False,
    as_of: Annotated[
        str | None, typer.Option(help="The day (or UTC time) to speak of; by default now.")
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="First day of the unbilled period to project.")
    ] = None,
    horizon: Annotated[
        int, typer.Option(help="Days ahead within which invoices count.", min=0, max=3660)
    ] = 31,
    only: Annotated[
        Many, typer.Option(help="Write only this row.", autocompletion=complete.rows)
    ] = None,
    skip: Annotated[
        Many, typer.Option(help="Do not write this row.", autocompletion=complete.rows)
    ] = None,
    without: Annotated[Many, typer.Option(help="Do not ask this vendor.")] = None,
    allow: Annotated[Many, typer.Option(help="Lift one guard, [ROW:]GUARD, for this plan.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; journalled with --allow.")] = None,
    trust: Annotated[
        str | None, typer.Option(help="Digest of a plan file that another machine made.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Keep all answers in a file, without secrets.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="The same run from such a file, offline.")
    ] = None,
    ticket: Annotated[
        str | None, typer.Option(help="A ticket number, journalled with the run.")
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 10 for differences, 11 for open decisions.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="One line, and none if clean and complete.")
    ] = False,
) -> None:
    """Show what the next invoices will say, and what would change.

    Nothing is written without --apply. With it, a terminal shows the table and the target and
    asks for the number of lines; without a terminal --apply needs --plan.
    """
    from datetime import UTC, datetime

    from drybill.cli import words
    from drybill.cli.screen import on_terminal
    from drybill.flow.run import Request
    from drybill.flow.selection import Selection

    now = datetime.now(UTC)
    view = View(format, output, invoice, all_rows, quiet, exit_code, save)
    _check_together(apply, plan, trust, quiet, view, on_terminal())
    tapes = Tapes(record, replay)
    if (record or replay) and (apply or plan):
        raise typer.BadParameter("--record and --replay are for dry runs without --plan")
    if record and replay:
        raise typer.BadParameter("--record and --replay: choose one")
    lifts = words.allowances(allow or [], reason)
    if plan is not None:
        fixed = {
            "--period": period, "--without": without, "--client": client, "--vendor": vendor,
            "--product": product, "--bucket": bucket, "--min-money": min_money, "--as-of": as_of,
        }  # fmt: skip
        wrong = [name for name, value in fixed.items() if value]
        if wrong:
            raise typer.BadParameter(f"{', '.join(wrong)}: a plan is fixed; use it without --plan")
        words.only_run_guards(lifts)
    request = Request(
        as_of=words.as_of(as_of, now),
        period=words.billing_day(period, "--period"),
        horizon_days=horizon,
        without=frozenset(without or ()),
        allowances=lifts,
        selection=Selection(
            clients=frozenset(client or ()),
            vendors=frozenset(vendor or ()),
            products=frozenset(product or ()),
            buckets=frozenset(words.bucket(name) for name in bucket or ()),
            min_money=words.amount(min_money, "--min-money"),
        ),
    )
    chosen = (only or [], skip or [])
    if plan is None:
        code = _fresh(mapping, request, view, chosen, apply, now, tapes, ticket)
    else:
        code = earlier(mapping, plan, trust, request, view, chosen, apply, now, ticket)
    raise typer.Exit(int(code))


def _check_together(
    apply: bool, plan: str | None, trust: str | None, quiet: bool, view: View, terminal: bool
) -> None:
    """Flags that contradict each other, before anything is asked or read."""
    from drybill.cli.words import said

    if apply and plan is None and not terminal:
        raise typer.BadParameter("--apply without a terminal needs --plan: nobody sees the table")
    if apply and (view.format is not Format.TABLE or view.output is not None or quiet):
        raise typer.BadParameter(
            "--apply shows the table: leave out --format, --output and --quiet"
        )
    named = plan is None or len(plan) >= PLAN_NAMED_FROM or Path(plan).exists()
    if apply and not terminal and not named:
        raise typer.BadParameter(
            f"--plan {said(plan or '')}: to --apply without a terminal, name at least"
            f" {PLAN_NAMED_FROM} characters of the plan that you saw"
        )
    if trust is not None and plan is None:
        raise typer.BadParameter("--trust goes with --plan FILE")


def _fresh(
    argument: Path | None,
    request: Request,
    view: View,
    chosen: tuple[list[str], list[str]],
    apply: bool,
    now: datetime,
    tapes: Tapes,
    ticket: str | None,
) -> Exit:
    """A new run: its plan is registered before anything is shown. A replayed one is nobody's."""
    from drybill.apply.plan_source import FoundPlan
    from drybill.cli.applying import apply_plan, ended
    from drybill.cli.mapping import chosen as chosen_mapping
    from drybill.cli.screen import open_journal
    from drybill.errors import worst
    from drybill.flow.dry_run import dry_run, exit_code
    from drybill.flow.memory import identity
    from drybill.journal import Journal
    from drybill.mapping.load import load

    path = chosen_mapping(argument)
    mapping = load(path)
    view.refuse_inputs(mapping, record=tapes.record)
    journal, notices = open_journal(must_write=apply)
    if tapes.replay is not None:
        journal, notices = Journal.transient(), [f"replayed from {tapes.replay}"]
    with journal:
        facts = {"command": "apply" if apply else "diff", "mapping": str(path), **_about(ticket)}
        every = view.all_rows or view.invoices

        def one_run(request: Request, past: Past | None) -> DryRun:
            return dry_run(mapping, request, journal, now, facts, chosen, every, past)

        run, request = tapes.run(one_run, request, mapping)
        code = exit_code(run.plan, view.exit_code)
        open_ = _left_open(journal, run, now) if tapes.replay is None else []
        with ended(journal, run.run):
            view.save_plan(run.content, run.digest, now, run.run)
            view.show(
                run.plan,
                run=run.run if not notices else "",
                digest=run.digest,
                mapping=str(path),
                as_of=request.as_of,
                code=code,
                quiet_rows=run.computed.quiet,
                selection=run.selection,
                notices=(*notices, *open_, *_warnings(mapping, run.plan)),
                applying=apply,
            )
            summary: dict[str, object] = {"buckets": dict(run.plan.buckets)}
            if apply:
                scope, instances = identity(path), run.fetched.instances
                found = FoundPlan(run.plan, run.digest, run.content, now, scope, instances)
                readers = run.fetched.readers
                written = apply_plan(found, mapping, readers, journal, run.run, request)
                code, summary = worst([code, written]), {**summary, "applied": run.digest}
        journal.end_run(run.run, code, summary)
    return code


def earlier(
    argument: Path | None,
    named: str,
    trust: str | None,
    request: Request,
    view: View,
    chosen: tuple[list[str], list[str]],
    apply: bool,
    now: datetime,
    ticket: str | None,
) -> Exit:
    """A plan that was made before: shown again, or applied as it was shown."""
    from msgspec.structs import replace

    from drybill.apply.plan_source import find_plan
    from drybill.cli.applying import apply_plan, ended
    from drybill.cli.mapping import chosen as chosen_mapping
    from drybill.cli.screen import open_journal
    from drybill.errors import Problem, RefusedError, worst
    from drybill.flow.dry_run import child, exit_code, record_allowances
    from drybill.flow.fetch import open_sources
    from drybill.flow.memory import identity, moment, recent_writes
    from drybill.journal import Journal
    from drybill.mapping.load import load
    from drybill.plan.content import digest_of, encode

    journal, notices = open_journal(must_write=apply)
    with journal:
        with Journal.open(write=False) as known:  # what cannot be written can still be read
            found = find_plan(named, known, trust)
        path = (
            Path(found.mapping) if argument is None and found.mapping else chosen_mapping(argument)
        )
        mapping = load(path)
        view.refuse_inputs(mapping, named)
        if apply and found.mapping not in ("", identity(path)):
            summary = f"plan {found.digest[:8]} was made with another mapping: {found.mapping}"
            fix = "leave MAPPING out, or run drybill diff again with this one"
            raise RefusedError([Problem("other-mapping", None, summary, fix)])
        readers, _ = open_sources(mapping, without=set(mapping.vendors))
        recent = recent_writes(journal, readers, now)
        if apply and found.foreign:
            cut = child(found.plan, found.digest, chosen, mapping, recent, request)
            if cut.writes:
                found, readers = _recounted(found, cut, mapping, request, journal, now)
                chosen = ([row.id for row in cut.writes], [])
        plan, digest = found.plan, found.digest
        as_of = moment(request.as_of, mapping.policy.timezone)
        facts = {"command": "apply" if apply else "diff", "plan": digest, **_about(ticket)}
        run = journal.start_run(identity(path), as_of, facts)
        with ended(journal, run):
            record_allowances(journal, run, request)
            if chosen[0] or chosen[1]:
                plan = child(plan, digest, chosen, mapping, recent, request)
                content = encode(plan)
                parent, digest = digest, digest_of(content)
                if not found.foreign:
                    journal.register_plan(
                        run, digest, content, parent, found.created, found.instances
                    )
                found = replace(found, plan=plan, digest=digest, content=content)
            code = exit_code(plan, view.exit_code)
            view.save_plan(found.content, digest, found.created, run)
            view.show(
                plan,
                run=run if not notices else "",
                digest=digest,
                mapping=str(path),
                as_of=plan.today,
                code=code,
                quiet_rows={},
                selection=request.selection,
                notices=tuple(notices),
                applying=apply,
                foreign_plan=f"{shlex.quote(named)} --trust {digest}" if found.foreign else "",
            )
            if apply:
                written = apply_plan(found, mapping, readers, journal, run, request)
                code = worst([code, written])
        journal.end_run(run, code, {"applied": digest} if apply else {})
    return code


def _about(ticket: str | None) -> dict[str, str]:
    return {"ticket": ticket.strip()} if ticket and ticket.strip() else {}


def _recounted(
    found: FoundPlan,
    chosen: Plan,
    mapping: Mapping,
    request: Request,
    journal: Journal,
    now: datetime,
) -> tuple[FoundPlan, dict[str, PsaReader]]:
    """This machine's own plan of the same day. Raises RefusedError where a chosen line of the
    foreign one is not in it, with the same amounts."""
    from drybill.apply.freshness import refuse_expired
    from drybill.apply.plan_source import FoundPlan
    from drybill.apply.recount import refuse_other_count, refuse_other_day
    from drybill.cli.applying import ended
    from drybill.cli.screen import talk
    from drybill.errors import Exit
    from drybill.flow.dry_run import dry_run
    from drybill.flow.memory import identity

    foreign = found.plan
    refuse_expired(foreign, found.created, now, mapping.digest)
    zone = mapping.policy.timezone
    refuse_other_day(foreign, now.astimezone(zone).date(), str(zone))
    facts = {"command": "recount", "plan": found.digest, "mapping": str(mapping.path)}
    run = dry_run(mapping, request, journal, now, facts)
    with ended(journal, run.run):
        refuse_other_count(chosen, run.plan)
    journal.end_run(run.run, Exit.DONE, {"recounted": found.digest})
    talk(f"plan {found.digest[:8]} was counted again here: the same lines and amounts")
    known = FoundPlan(
        run.plan, run.digest, run.content, found.created, identity(mapping.path),
        run.fetched.instances,
    )  # fmt: skip
    return known, run.fetched.readers


def _left_open(journal: Journal, run: DryRun, now: datetime) -> list[str]:
    """Earlier runs whose writing did not come to an end, as far as anybody knows."""
    from datetime import timedelta

    instances = set(run.fetched.instances.values())
    found = journal.left_open(instances, now - timedelta(hours=24))
    return [
        f"run {name} left {lines} line{'s' if lines > 1 else ''} open or unknown: "
        f"drybill runs resume {name} --apply"
        for name, lines in sorted(found.items())
    ]


def _warnings(mapping: Mapping, plan: Plan) -> list[str]:
    """How many warnings `drybill check` would show."""
    from drybill.mapping.lint import lint

    problems = [*mapping.problems, *lint(mapping, plan.today)]
    found = sum(1 for problem in problems if problem.code != "include-empty")
    words = "1 warning" if found == 1 else f"{found} warnings"
    return [f"the mapping has {words}: drybill check"] if found else []
