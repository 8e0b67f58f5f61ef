"""Permission: everything that must agree before the first line is written.

A plan says what it would write and that it might when it was made. Its age, its mapping, its PSA
and the guards are asked again: other runs may have written since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from drybill.apply.freshness import refuse_expired
from drybill.apply.plan_source import FoundPlan
from drybill.billing.policy import Policy
from drybill.billing.row import Row, Verdict
from drybill.errors import Problem, RefusedError
from drybill.plan.guards import Allowance, RecentWrite, guard_run, row_verdicts
from drybill.psa.port import PsaReader

_AGAIN = "run drybill diff again"


def permit(
    found: FoundPlan,
    now: datetime,
    mapping_digest: str,
    policy: Policy,
    readers: Mapping[str, PsaReader],
    highest: Mapping[str, Decimal],
    recent: Sequence[RecentWrite],
    allowances: Sequence[Allowance],
) -> None:
    """Refuses a plan that is too old, made from another mapping or for another PSA, or that a
    guard stops. `highest` and `recent` are what the journal says now.

    Raises:
        RefusedError: with everything that stands against the plan. Nothing was written.
    """
    plan = found.plan
    refuse_expired(plan, found.created, now, mapping_digest)
    problems = [*_other_targets(found, readers)]
    for row in () if plan.restores else plan.writes:
        problems += _row_guards(row, policy, highest)
    given = [
        Allowance(f"{guard.scope}.{guard.name}", guard.lifted)
        for guard in plan.guards
        if guard.lifted
    ]
    verdicts = guard_run(plan.invoices, policy.guards, recent, (*given, *allowances))
    problems += [_guard(verdict) for verdict in verdicts if not verdict.lifted]
    if problems:
        raise RefusedError(problems)


def _other_targets(found: FoundPlan, readers: Mapping[str, PsaReader]) -> Iterator[Problem]:
    """A name may lead elsewhere than when the plan was made: a link, a file that was moved."""
    targets = dict(found.plan.targets)
    for name in sorted({row.psa for row in found.plan.writes}):
        reader = readers.get(name)
        seen = (targets.get(name), found.instances.get(name))
        if reader is None or (reader.target, reader.instance) != seen:
            summary = f"the plan was made for another PSA than `{name}` is now"
            yield Problem("other-target", None, summary, f"{_AGAIN}, with this mapping")


def _row_guards(row: Row, policy: Policy, highest: Mapping[str, Decimal]) -> Iterator[Problem]:
    lifted = {verdict.name for verdict in row.guards if verdict.lifted}
    limits = policy.products[row.product_key].limits or policy.guards.row
    for verdict in row_verdicts(row, limits, policy.guards, highest):
        if verdict.name not in lifted:
            yield _guard(verdict, row.id)


def _guard(verdict: Verdict, row: str = "") -> Problem:
    subject = row or verdict.subject
    about = f" ({subject})" if subject else ""
    fix = f"{verdict.lift}, or a part of it with --client or --only"
    if row:
        fix = "the guard has come since, or was not lifted: run drybill diff again"
    return Problem(
        f"guard-{verdict.scope}-{verdict.name}".replace("_", "-"),
        None,
        f"guard {verdict.scope}.{verdict.name}{about}: {verdict.value}, limit {verdict.limit}",
        fix,
    )
