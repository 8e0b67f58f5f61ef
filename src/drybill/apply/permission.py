"""Permission: everything that must agree before the first line is written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from drybill.apply.freshness import refuse_expired
from drybill.billing.policy import GuardLimits
from drybill.billing.row import Verdict
from drybill.errors import Problem, RefusedError
from drybill.plan.guards import Allowance, RecentWrite, guard_run
from drybill.plan.plan import Plan


def permit(
    plan: Plan,
    created: datetime,
    now: datetime,
    mapping_digest: str,
    limits: GuardLimits,
    recent: Sequence[RecentWrite],
    allowances: Sequence[Allowance],
) -> None:
    """Refuses a plan that is too old, made from another mapping, or stopped by a guard.

    Client and run guards are measured again: writes of other runs may have come since.

    Raises:
        RefusedError: with everything that stands against the plan. Nothing was written.
    """
    refuse_expired(plan, created, now, mapping_digest)
    given = [
        Allowance(f"{guard.scope}.{guard.name}", guard.lifted)
        for guard in plan.guards
        if guard.lifted
    ]
    verdicts = guard_run(plan.invoices, limits, recent, (*given, *allowances))
    stopping = [verdict for verdict in verdicts if not verdict.lifted]
    if stopping:
        raise RefusedError([_problem(verdict) for verdict in stopping])


def _problem(verdict: Verdict) -> Problem:
    about = f" ({verdict.subject})" if verdict.subject else ""
    return Problem(
        f"guard-{verdict.scope}-{verdict.name}".replace("_", "-"),
        None,
        f"guard {verdict.scope}.{verdict.name}{about}: {verdict.value}, limit {verdict.limit}",
        f"{verdict.lift}, or a part of it with --client or --only",
    )
