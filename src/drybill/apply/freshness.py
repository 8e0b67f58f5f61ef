"""Freshness: is a plan still what was shown, and is each line still what the plan saw?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from msgspec.structs import asdict, replace

from drybill.billing.agreement import Agreement, Segment, Status
from drybill.billing.change import Observed
from drybill.billing.looks import looks
from drybill.billing.proposal import observed
from drybill.billing.row import Row
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
        if agreement is None:
            problems.append(f"agreement {row.agreement_id} is not there any more")
        elif observed is not None:
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


def moved(row: Row, reading: Reading, around: Reading) -> str:
    """What differs between what the plan saw and what the PSA holds now; empty: nothing.

    `reading` holds the line's agreement; `around`, for a line to create, the whole PSA.
    """
    agreement = _agreements({row.psa: reading}).get((row.psa, row.agreement_id))
    if agreement is None or row.observed is None:
        return "the agreement is not there any more"
    if row.change == "create":
        there = replace(row.observed, agreement=agreement.terms)
        return _differences(row.observed, there) or _billed_already(row, agreement, around)
    segment_found = find(row, reading)
    if segment_found is None:
        return f"line {row.line_id} is not there any more"
    found = observed(segment_found, agreement.terms, row.observed.beside)
    return _differences(row.observed, found) or _one_more(row, reading)


def _one_more(row: Row, reading: Reading) -> str:
    """A line of the product that came since: together they would bill more than was counted."""
    known = row.observed.beside if row.observed else ()
    for segment in reading.segments:
        there = (segment.agreement_id, segment.product) == (row.agreement_id, row.product)
        if there and segment.line_id not in known and _bills(segment, row.effective):
            return f"line {segment.line_id} bills this product, too"
    return ""


def _bills(segment: Segment, day: date | None) -> bool:
    """Whether a segment is there on the day from which a change holds."""
    if day is None:
        return True
    starts, ends = segment.effective, segment.cancelled
    return (starts is None or starts <= day) and (ends is None or ends > day)


def _billed_already(row: Row, agreement: Agreement, reading: Reading) -> str:
    """A line of the product on any agreement of the client: adopt, never duplicate."""
    own = {
        other.id
        for other in reading.agreements
        if other.company_id == agreement.company_id and other.status is Status.ACTIVE
    }
    for segment in reading.segments:
        if segment.agreement_id in own and looks(segment.product) == looks(row.product):
            last = segment.cancelled
            if last is None or row.effective is None or last > row.effective:
                there = f" on agreement {segment.agreement_id}"
                where = there if segment.agreement_id != row.agreement_id else ""
                return f"line {segment.line_id} bills this product already{where}"
    return ""


def not_as_planned(row: Row, segment: Segment) -> str:
    """What a written line holds that the plan did not mean; empty: it is as planned.

    A PSA may stamp `updated_at`; nothing else but the planned field may have moved.
    """
    if row.observed is None:
        return "the plan does not say what it saw"
    if row.change == "create":
        made = (segment.product, segment.quantity, segment.unit_price, segment.effective)
        meant = (row.product, row.quantity_after, row.unit_price, row.effective)
        return "" if made == meant else "the new line is not the one planned"
    meant_now = replace(row.observed, quantity=row.quantity_after)
    if row.change == "end":
        meant_now = replace(row.observed, cancelled=row.effective)
    seen = row.observed
    found = replace(observed(segment, seen.agreement, seen.beside), updated_at=seen.updated_at)
    return _differences(meant_now, found)


def find(row: Row, reading: Reading) -> Segment | None:
    """The segment that the row's steps write."""
    wanted = row.steps_to_write[0].line_id if row.steps_to_write else ""
    if row.change == "create" and not wanted:  # the PSA gives the id
        made = [s for s in reading.segments if _is_new(row, s)]
        return made[0] if len(made) == 1 else None
    for segment in reading.segments:
        if segment.line_id == wanted and segment.agreement_id == row.agreement_id:
            return segment
    return None


def _is_new(row: Row, segment: Segment) -> bool:
    return (segment.agreement_id, segment.product) == (
        row.agreement_id,
        row.product,
    ) and segment.effective == row.effective


def _differences(planned: Observed, found: Observed) -> str:
    """Every field that moved, with the value planned and the value found."""
    if planned == found:
        return ""
    from deepdiff import DeepDiff

    difference = DeepDiff(_flat(planned), _flat(found))
    said = []
    for kind in ("values_changed", "type_changes"):
        for path, change in sorted(difference.get(kind, {}).items()):
            name = path.removeprefix("root['").removesuffix("']")
            old, new = _text(change["old_value"]), _text(change["new_value"])
            said.append(f"{name}: planned {old}, found {new}")
    return "; ".join(said)


def _flat(observed: Observed) -> dict[str, object]:
    return {**asdict(observed), **asdict(observed.agreement), "agreement": None}


def _text(value: object) -> str:
    return "nothing" if value is None or value == "" else str(value)


def _agreements(readings: Mapping[str, Reading]) -> dict[tuple[str, str], Agreement]:
    return {
        (name, agreement.id): agreement
        for name, reading in readings.items()
        for agreement in reading.agreements
    }
