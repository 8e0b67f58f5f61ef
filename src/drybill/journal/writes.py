"""Writes to a PSA as the journal tells them: what was intended, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from drybill.billing.change import Observed, WriteStep
from drybill.journal.database import Database
from drybill.journal.entries import Entry, select


class Intent(Struct, frozen=True):
    """What is about to be written: one step of one row of a plan."""

    plan: str  # digest
    row: str
    instance: str  # of the PSA
    client: str
    currency: str
    difference: Decimal | None  # of the row, in money of the projected invoice
    step: WriteStep
    observed: Observed | None


class Write(Struct, frozen=True):
    """A row of a plan that was written, or may have been; `verified` once read back as meant."""

    plan: str
    row: str
    run: str
    client: str
    currency: str
    difference: Decimal | None
    at: datetime  # of the first intent
    verified: bool


def begun(database: Database, plans: Iterable[str]) -> dict[str, int]:
    """Row -> the newest intent of these plans whose outcome is not known to be the one meant.

    A rejected one is none: nothing was written.
    """
    wanted = set(plans)
    found: dict[str, int] = {}
    rows: dict[int, str] = {}
    where = "kind IN ('intent', 'answer', 'readback') ORDER BY seq"
    for entry in select(database, where):
        body = entry.body or {}
        if entry.kind == "intent" and body.get("plan") in wanted:
            rows[entry.seq] = body["row"]
            found[body["row"]] = entry.seq
        elif (row := rows.get(body.get("intent", -1))) and found.get(row) == body["intent"]:
            verified = entry.kind == "readback" and body["verdict"] == "verified"
            if verified or (entry.kind == "answer" and body.get("verdict") == "rejected"):
                del found[row]
    return found


def verified(database: Database, plans: Iterable[str]) -> set[str]:
    """Rows of these plans that were read back as meant."""
    wanted = set(plans)
    return {row for _, plan, row in _verified(database) if plan in wanted}


def verified_in(database: Database, run: str) -> set[str]:
    """Rows that one run wrote, or read back as written, whatever plan they are of."""
    return {row for reader, _, row in _verified(database) if reader == run}


def _verified(database: Database) -> Iterator[tuple[str, str, str]]:
    """(run that read it back, plan, row) of everything that was read back as meant."""
    intents: dict[int, tuple[str, str]] = {}
    for entry in select(database, "kind IN ('intent', 'readback') ORDER BY seq"):
        body = entry.body or {}
        if entry.kind == "intent" and body:
            intents[entry.seq] = body["plan"], body["row"]
        elif body.get("verdict") == "verified" and body["intent"] in intents:
            yield (entry.run, *intents[body["intent"]])


def recent(database: Database, instance: str, since: str) -> list[Write]:
    """Writes to one PSA whose first intent is later than `since`, oldest first."""
    steps: dict[int, tuple[Entry, dict[str, Any]]] = {}
    rejected: set[int] = set()
    verdicts: dict[int, str] = {}
    where = "at > ? AND kind IN ('intent', 'answer', 'readback') ORDER BY seq"
    for entry in select(database, where, since):
        body = entry.body or {}
        if entry.kind == "intent" and body.get("instance") == instance:
            steps[entry.seq] = (entry, body)
        elif entry.kind == "answer" and body.get("verdict") == "rejected":
            rejected.add(body["intent"])
        elif entry.kind == "readback":
            verdicts[body["intent"]] = body["verdict"]
    writes: dict[tuple[str, str], Write] = {}
    for seq, (entry, body) in steps.items():
        verified = verdicts.get(seq) == "verified"
        if seq in rejected and not verified:
            continue
        key = body["plan"], body["row"]
        earlier = writes.get(key)
        difference = body["difference"]
        writes[key] = Write(
            plan=body["plan"],
            row=body["row"],
            run=entry.run,
            client=body["client"],
            currency=body["currency"],
            difference=None if difference is None else Decimal(difference),
            at=earlier.at if earlier else entry.at,
            verified=verified,
        )
    return list(writes.values())
