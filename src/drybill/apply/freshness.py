"""Freshness: is a plan still what was shown?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from drybill.billing.agreement import Agreement
from drybill.errors import Problem, RefusedError
from drybill.plan.plan import Plan
from drybill.psa.port import Reading

LIFETIME = timedelta(hours=24)


def refuse_expired(plan: Plan, created: datetime, now: datetime, mapping_digest: str) -> None:
    """A plan holds for 24 hours, and only for the mapping that it was made from.

    Raises:
        RefusedError: naming what has passed or changed.
    """
    problems = []
    if now - created > LIFETIME:
        hours = int((now - created).total_seconds() // 3600)
        problems.append(
            Problem(
                "plan-expired", None, f"the plan is {hours} hours old", "run drybill diff again"
            )
        )
    if created - now > timedelta(minutes=5):
        problems.append(
            Problem("plan-expired", None, "the plan comes from the future", "check this clock")
        )
    if plan.mapping_digest != mapping_digest:
        problems.append(
            Problem(
                "mapping-changed", None, "the mapping has changed since the plan was made",
                "run drybill diff again",
            )
        )  # fmt: skip
    if problems:
        raise RefusedError(problems)


def refuse_moved_invoice(plan: Plan, readings: Mapping[str, Reading]) -> None:
    """A plan expires once the PSA's next invoice is not the one projected.

    Raises:
        RefusedError: naming each agreement, the date planned and the date found.
    """
    agreements = _agreements(readings)
    problems = []
    for row in plan.writes:
        observed = row.observed
        agreement = agreements.get((row.psa, row.agreement_id))
        if agreement is not None and observed is not None:  # else its own line is refused
            planned, found = observed.agreement.next_period_start, agreement.next_period_start
            if planned != found:
                problems.append(
                    f"agreement {row.agreement_id}: next period planned {planned}, found {found}"
                )
    if problems:
        fix = "the invoice has been issued; run drybill diff again"
        raise RefusedError(
            [Problem("plan-expired", None, text, fix) for text in dict.fromkeys(problems)]
        )


def _agreements(readings: Mapping[str, Reading]) -> dict[tuple[str, str], Agreement]:
    return {
        (name, agreement.id): agreement
        for name, reading in readings.items()
        for agreement in reading.agreements
    }
