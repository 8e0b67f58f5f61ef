"""Permission: everything that must agree before the first line is written.

A plan says what it would write and that it may. It is believed in the first only: whatever plan it
is, of this machine or trusted by its digest, the mapping's switches, the guards and the adapter
are asked again.
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
from drybill.plan.decisions import change_of, not_switched_on
from drybill.plan.guards import Allowance, RecentWrite, guard_run, row_verdicts
from drybill.plan.plan import Plan
from drybill.psa.planning import plan_write
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
    """Refuses a plan that is too old, made from another mapping or for another PSA, that would
    write what the mapping does not allow, or that a guard stops.

    Guards are measured again: writes of other runs may have come since. `highest` and `recent`
    are what the journal says now.

    Raises:
        RefusedError: with everything that stands against the plan. Nothing was written.
    """
    plan = found.plan
    refuse_expired(plan, found.created, now, mapping_digest)
    if len(plan.writes) > len({(row.psa, _line_of(row)) for row in plan.writes}):
        summary = "a line is to be written twice"
        raise RefusedError([Problem("plan-contradicts", None, summary, _AGAIN)])
    problems = [*_of_another_day(found, now, policy), *_other_targets(found, readers)]
    for row in plan.writes:
        problems += _row_problems(row, policy, highest, believed=not found.foreign)
    given = [
        Allowance(f"{guard.scope}.{guard.name}", guard.lifted)
        for guard in plan.guards
        if guard.lifted and not found.foreign
    ]
    verdicts = guard_run(plan.invoices, policy.guards, recent, (*given, *allowances))
    problems += [_guard(verdict) for verdict in verdicts if not verdict.lifted]
    if problems:
        raise RefusedError(problems)


def refuse_other_steps(plan: Plan, readers: Mapping[str, PsaReader]) -> None:
    """The steps must be those that the adapter plans for the change that was shown.

    To be called once the readers have read: an adapter may plan by what its PSA offers.

    Raises:
        RefusedError: naming each row. Nothing was written.
    """
    problems = [
        Problem(
            "other-steps", None,
            f"row {row.id}: its steps are not those of the change that it shows", _AGAIN,
        )
        for row in plan.writes
        if plan_write(readers[row.psa], change_of(row)) != row.steps_to_write
    ]  # fmt: skip
    if problems:
        raise RefusedError(problems)


def _of_another_day(found: FoundPlan, now: datetime, policy: Policy) -> Iterator[Problem]:
    """A foreign plan must be of a day that has come: nothing else says when it was made."""
    if found.foreign and found.plan.today > now.astimezone(policy.timezone).date():
        summary = f"the plan speaks of {found.plan.today}, which is to come"
        yield Problem("plan-expired", None, summary, "make it without --as-of")


def _other_targets(found: FoundPlan, readers: Mapping[str, PsaReader]) -> Iterator[Problem]:
    """A name may lead elsewhere than when the plan was made: a link, a file that was moved."""
    targets = dict(found.plan.targets)
    for name in sorted({row.psa for row in found.plan.writes}):
        reader = readers.get(name)
        same = reader is not None and reader.target == targets.get(name)
        if reader is not None and name in found.instances:
            same = same and reader.instance == found.instances[name]
        if not same:
            summary = f"the plan was made for another PSA than `{name}` is now"
            yield Problem("other-target", None, summary, f"{_AGAIN}, with this mapping")


def _line_of(row: Row) -> str:
    return row.steps_to_write[0].line_id if row.steps_to_write else row.id


def _row_problems(
    row: Row, policy: Policy, highest: Mapping[str, Decimal], *, believed: bool
) -> Iterator[Problem]:
    """`believed`: guards that the plan calls lifted are; whoever made a foreign one cannot lift."""
    if why := _contradiction(row, policy):
        summary = f"row {row.id} contradicts itself: {why}"
        yield Problem("plan-contradicts", None, summary, _AGAIN)
        return
    if held := not_switched_on(row, policy.writes):
        summary = f"row {row.id}: the mapping does not allow to {row.change} here ({held})"
        yield Problem("not-switched-on", None, summary, "see [writes] in the mapping")
    lifted = {verdict.name for verdict in row.guards if verdict.lifted and believed}
    limits = policy.products[row.product_key].limits or policy.guards.row
    for verdict in row_verdicts(row, limits, policy.guards, highest):
        if verdict.name not in lifted:
            yield _guard(verdict, row.id)


def _contradiction(row: Row, policy: Policy) -> str:
    """What no run of drybill writes into a plan; empty: nothing."""
    seen, before, after = row.observed, row.quantity_before, row.quantity_after
    product = policy.products.get(row.product_key)
    if not row.bucket.differs or row.change is None or seen is None or row.effective is None:
        return "it is no difference and is to be written"
    if product is None or product.ids.get(row.psa) != row.product:
        return f"{row.product} is not the mapping's product"
    if (row.client_id, row.currency) != (seen.agreement.company_id, seen.agreement.currency):
        return "it names another client or currency than its agreement"
    if not row.final or row.held_by:
        return "it is to be written and held"
    if row.change == "end" and product.at_zero != "end":
        return "the mapping ends no line of this product"
    if before is None or after is None or after < 0:
        return "its quantities are not known"
    if row.effective < seen.agreement.next_period_start:
        return "it changes what has been invoiced"
    if row.change == "create":
        price = product.prices.get(row.currency)
        fits = before == 0 and seen.quantity is None and row.unit_price == price
        return "" if fits else "what it creates is not what the mapping says"
    if (seen.quantity, seen.product) != (before, row.product):
        return "it shows another line than it saw"
    rises = {"increase": after > before, "decrease": after < before, "end": after == 0}
    return "" if rises[row.change] else f"{before:f} to {after:f} is no {row.change}"


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
