"""A dry run: fetch, compute, register the plan, remember what later runs need. It writes nothing
to any PSA."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from drybill.billing.row import Bucket
from drybill.errors import Exit, InputError, Problem, worst
from drybill.flow.compute import compute
from drybill.flow.fetch import fetch
from drybill.flow.memory import identity, moment, recall, remember
from drybill.flow.run import Computed, Fetched, Past, Request
from drybill.flow.selection import Selection, check_names, with_ids
from drybill.journal import Journal
from drybill.mapping.load import Mapping as MappingFile
from drybill.plan.build import cut
from drybill.plan.content import digest_of, encode
from drybill.plan.guards import RecentWrite
from drybill.plan.plan import Plan

# Up to so many lines every unchanged one has a row too, for `explain` to show later.
EVERY_ROW_UP_TO = 10_000

# How long after its beginning, or by how wrong a clock, a run's own answers may be dated.
_OFF = timedelta(hours=1)
_AHEAD = timedelta(minutes=30)

_UNDECIDED = (Bucket.BLOCKED, Bucket.UNKNOWN, Bucket.UNMAPPED, Bucket.ORPHAN)


class DryRun(Struct, frozen=True, kw_only=True):
    """What one run found: the plan that counts, under its digest, registered in the journal."""

    run: str
    plan: Plan
    digest: str
    content: bytes
    created: datetime
    computed: Computed
    fetched: Fetched
    past: Past  # what it depended on, beside what was fetched
    selection: Selection  # with the ids behind the names that were given


def dry_run(
    mapping: MappingFile,
    request: Request,
    journal: Journal,
    now: datetime,
    facts: Mapping[str, object],
    chosen: tuple[Collection[str], Collection[str]] = ((), ()),
    every_row: bool = False,
    past: Past | None = None,
) -> DryRun:
    """One run. `every_row` asks for a row of every line however many there are. `chosen` are row
    ids (or unique prefixes) of --only and --skip: with any, the plan is a child of the whole one.
    `past` is what a recorded run depended on; None asks the journal.

    Raises:
        InputError: for anything wrong in the mapping's files or in a source's answer.
        UnreachableError: when a PSA cannot be asked.
    """
    fetched = fetch(mapping, request.without)
    request = replace(request, as_of=_once_answered(request.as_of, fetched))
    as_of = moment(request.as_of, mapping.policy.timezone)
    if past is None:
        past = recall(journal, mapping, fetched, as_of, now)
        past = replace(past, doubtful=_doubtful(fetched, now))
    _doubt(fetched, past.doubtful)
    segments = [s for reading in fetched.readings.values() for s in reading.segments]
    receipts = {name: usage.receipt for name, usage in fetched.usages.items()}
    check_names(request.selection, mapping.policy, fetched.agreements, segments, receipts)
    selection = with_ids(request.selection, mapping.policy, fetched.agreements)
    request = replace(request, selection=selection)
    if len(segments) > EVERY_ROW_UP_TO and not every_row:
        request = replace(request, every_row=False)
    computed = compute(mapping, fetched, request, past)
    plan = computed.plan
    content = encode(plan)
    digest = digest_of(content)
    instances = fetched.instances
    with journal.batch():
        run = journal.start_run(identity(mapping.path), as_of, facts)
        record_allowances(journal, run, request)
        journal.register_plan(run, digest, content, None, now, instances)
        remember(journal, run, computed, fetched)
        if chosen[0] or chosen[1]:
            plan = child(plan, digest, chosen, mapping, past.recent, request)
            parent, content = digest, encode(plan)
            digest = digest_of(content)
            journal.register_plan(run, digest, content, parent, now, instances)
    return DryRun(
        run=run,
        plan=plan,
        digest=digest,
        content=content,
        created=now,
        computed=computed,
        fetched=fetched,
        past=past,
        selection=selection,
    )


def _once_answered(as_of: date | datetime, fetched: Fetched) -> date | datetime:
    """A live source answers after the run began, by a clock of its own: what it says then is no
    usage of the future. A clock that is further ahead is a wrong one, and stays in the future."""
    if not isinstance(as_of, datetime):
        return as_of
    told = [u.receipt.as_of for u in fetched.usages.values() if u.receipt.live and u.receipt.as_of]
    return max([as_of, *(when for when in told if when <= as_of + _AHEAD)])


def _doubtful(fetched: Fetched, now: datetime) -> frozenset[str]:
    """Live sources whose answers are dated an hour or more from now: by a wrong clock, or from some
    cache on the way."""
    return frozenset(
        name
        for name, usage in fetched.usages.items()
        if usage.receipt.live and usage.receipt.as_of and abs(usage.receipt.as_of - now) > _OFF
    )


def _doubt(fetched: Fetched, names: Collection[str]) -> None:
    """A source whose clock is not to be trusted states no as-of: two of its answers are never a day
    apart."""
    for name in names:
        usage = fetched.usages[name]
        said = f"its answers are dated {usage.receipt.as_of:%Y-%m-%d %H:%M} UTC, which is not now"
        problems = (*usage.receipt.problems, f"{said}: no absence is confirmed by them")
        receipt = replace(usage.receipt, as_of=None, problems=problems)
        fetched.usages[name] = replace(usage, receipt=receipt)


def record_allowances(journal: Journal, run: str, request: Request) -> None:
    """Every guard that a run lifts is journalled with its reason."""
    for allowance in request.allowances:
        lifted = {"guard": allowance.guard, "row": allowance.row, "reason": allowance.reason}
        journal.record(run, "allow", lifted)


def child(
    plan: Plan,
    digest: str,
    chosen: tuple[Collection[str], Collection[str]],
    mapping: MappingFile,
    recent: Sequence[RecentWrite],
    request: Request,
) -> Plan:
    """The plan cut down to --only or by --skip. Raises InputError for ids that fit no row."""
    only, skip = (find_rows(plan, prefixes) for prefixes in chosen)
    selected = {row.id for row in plan.writes if (not only or row.id in only)} - skip
    words = [("only", id) for id in sorted(only)] + [("skip", id) for id in sorted(skip)]
    option = (" and ".join(dict.fromkeys(w for w, _ in words)), " ".join(id for _, id in words))
    return cut(plan, digest, selected, option, mapping.policy.guards, recent, request.allowances)


def find_rows(plan: Plan, prefixes: Collection[str]) -> set[str]:
    """Row ids by unique prefix. Raises InputError naming every prefix that fits none or several."""
    ids = [row.id for row in plan.rows]
    found, problems = set(), []
    for prefix in prefixes:
        fitting = [id for id in ids if prefix and id.startswith(prefix.lower())]
        if len(fitting) == 1:
            found.add(fitting[0])
            continue
        summary = f"no row of the plan begins with `{prefix}`"
        fix = "ids stand in the table: drybill diff --all"
        if fitting:
            summary, fix = f"`{prefix}` fits {len(fitting)} rows", ", ".join(sorted(fitting)[:5])
        problems.append(Problem("row-not-found", None, summary, fix))
    if problems:
        raise InputError(problems)
    return found


def exit_code(plan: Plan, differences_count: bool) -> Exit:
    """The run's exit code; with `--exit-code` differences and open decisions count, too."""
    codes = [Exit.DONE]
    if any(not source.asked or source.denied for source in plan.sources):
        codes.append(Exit.UNREACHABLE)
    if any(source.asked and not source.complete for source in plan.sources):
        codes.append(Exit.REFUSED)
    if differences_count:
        buckets = dict(plan.buckets)
        if any(buckets.get(bucket.value) for bucket in _UNDECIDED):
            codes.append(Exit.NEEDS_DECISION)
        if any(buckets.get(bucket.value) for bucket in Bucket if bucket.differs):
            codes.append(Exit.DIFFERENCES)
    return worst(codes)
