"""Seats of subscriptions on invoices that bill the old and the new quantity of a change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from msgspec.structs import replace

from drybill.billing.quantity import UNKNOWN
from drybill.billing.usage import LineType, UsageRecord


def count_latest(records: list[UsageRecord], per: Sequence[str]) -> tuple[list[UsageRecord], str]:
    """Of the counted rows alike in the fields `per` only those of the latest period count.

    Earlier ones become prorates, and so do those that a change of the same day replaced. Where a
    credit takes the latest charge back and nothing replaces it, how many units are left is not
    said: the quantity becomes unknown, and the second value is a sentence about it.
    """
    charges: dict[tuple[str, ...], list[int]] = {}
    credits: dict[tuple[str, ...], list[UsageRecord]] = {}
    for at, record in enumerate(records):
        key = tuple(str(getattr(record, name)) for name in per)
        if record.period_start is None or not all(key):
            continue
        if record.line_type is LineType.CREDIT:
            credits.setdefault(key, []).append(record)
        elif record.line_type.counts:
            charges.setdefault(key, []).append(at)
    counted, unknown = list(records), 0
    for key, places in charges.items():
        latest = max(records[at].period_start or date.min for at in places)
        last = [at for at in places if records[at].period_start == latest]
        kept = [
            at
            for at in last
            if not any(_takes_back(credit, records[at]) for credit in credits.get(key, ()))
        ]
        for at in places:
            if at in last and not kept:
                counted[at] = replace(records[at], quantity=UNKNOWN)
                unknown += 1
            elif at not in kept:
                counted[at] = replace(records[at], line_type=LineType.PRORATE)
    says = f"{unknown} rows were credited after their last charge: their quantity is unknown"
    return counted, says if unknown else ""


def _takes_back(credit: UsageRecord, charge: UsageRecord) -> bool:
    """A later credit, or one of the same day over the same units, as a cancellation writes it.

    The credit of a changed quantity begins with the new charge and is over the old quantity.
    """
    if credit.period_start is None or charge.period_start is None:
        return False
    if credit.period_start != charge.period_start:
        return credit.period_start > charge.period_start
    if credit.quantity is None or charge.quantity is None:
        return True
    return abs(credit.quantity) == abs(charge.quantity)
