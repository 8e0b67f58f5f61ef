"""Accepting: a row of the last plan, with both numbers, becomes an entry of the mapping."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from msgspec import Struct

from drybill.billing.quantity import UNKNOWN, text
from drybill.billing.row import Bucket, IgnoredUsage, Row
from drybill.errors import InputError, Problem
from drybill.flow.explain import find
from drybill.flow.memory import identity
from drybill.journal import Journal
from drybill.mapping.accept import add_acceptance
from drybill.mapping.load import load


class Accepted(Struct, frozen=True):
    row: str
    psa: str
    vendor: str
    file: Path


def accept_row(
    journal: Journal, mapping: Path, prefix: str, reason: str, last_day: date, now: datetime
) -> Accepted:
    """Stores both numbers of a row in the mapping's included file, and the act in the journal.

    Raises:
        InputError: no such row, or nothing known in it that could be accepted.
    """
    policy = load(mapping).policy
    if last_day < now.astimezone(policy.timezone).date():
        problem = f"--last-day {last_day} has passed"
        raise InputError([Problem("last-day-passed", None, problem, "name a day to come")])
    explained = find(prefix, None, mapping)
    subject = explained.subject
    if isinstance(subject, IgnoredUsage):
        raise _not_acceptable(subject.row, "is ignored by a rule already")
    if isinstance(subject, Row):
        row, psa, vendor = subject.id, subject.quantity_before, subject.counted
        if subject.bucket in (Bucket.UNCHANGED, Bucket.FIXED, Bucket.IGNORED):
            raise _not_acceptable(row, f"is {subject.bucket.value}: there is nothing to accept")
        if subject.bucket is Bucket.UNKNOWN:
            raise _not_acceptable(row, "is unknown: an unknown number cannot be accepted")
    else:
        row, psa, vendor = subject.row, None, subject.quantity
    if psa is UNKNOWN and vendor is UNKNOWN:
        raise _not_acceptable(row, "has no known number")
    file = add_acceptance(mapping, row, {"psa": psa, "vendor": vendor}, reason, last_day)
    seen = {"psa": text(psa), "vendor": text(vendor)}
    run = journal.start_run(identity(mapping), now, {"command": "accept"})
    body = {"row": row, "seen": seen, "reason": reason, "last_day": last_day.isoformat()}
    journal.record(run, "accept", body)
    journal.end_run(run, 0, {})
    return Accepted(row, seen["psa"] or "none", seen["vendor"] or "none", file)


def _not_acceptable(row: str, why: str) -> InputError:
    return InputError([Problem("not-acceptable", None, f"row {row} {why}")])
