"""Writes to a PSA as the journal tells them: what was intended, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

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
    number: int = 1  # of the row's steps, from 1
    of: int = 1  # how many steps the row has
    back: bool = False  # a step of the way back, whose steps are counted by themselves


class _Intended(Struct):
    """An intent as the journal holds it, as far as it is read again."""

    plan: str
    row: str
    client: str
    currency: str
    difference: Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$")] | None
    step: dict[str, Any]
    instance: str = ""
    number: int = 1
    of: int = 1
    back: bool = False


class _Answered(Struct):
    intent: int | None = None  # None: the line was refused before any
    verdict: str = ""


class _ReadBack(Struct):
    intent: int
    verdict: str
    found: dict[str, Any] = {}


_SHAPES = {"intent": _Intended, "answer": _Answered, "readback": _ReadBack}


def _told(database: Database, where: str, *values: object) -> Iterator[Entry]:
    """The entries, each with the fields of its kind. Raises InputError for a damaged journal."""
    for entry in select(database, where, *values):
        if entry.body is not None:
            try:
                msgspec.convert(entry.body, _SHAPES[entry.kind])
            except msgspec.ValidationError:
                summary = f"entry {entry.seq} of the journal lacks what an {entry.kind} has"
                raise database.damaged(summary) from None
        yield entry


class Write(Struct, frozen=True):
    """A row of a plan that was written, or may have been; `verified` once read back as meant."""

    plan: str
    row: str
    run: str
    client: str
    currency: str
    difference: Decimal | None
    at: datetime  # of the first intent
    newest: datetime  # intent
    settled: bool  # whether the outcome of that one is known: rejected, or read back as meant
    step: tuple[str, str, tuple[tuple[str, str], ...]]  # of that one: action, line, values
    makes: str | None  # product of the new line that it makes, as the PSA names it; None: none
    verified: bool


class Begun(Struct, frozen=True):
    """A row whose writing was begun and not brought to its end, by its newest intent."""

    intent: int
    instance: str  # of the PSA
    run: str
    at: datetime
    number: int  # of the row's steps, from 1
    of: int
    back: bool  # it was on the way back
    agreement: str
    product: str  # of the line; empty for a line to create

    @property
    def half_way(self) -> bool:
        """Whether the line may be in a state that is neither what was nor what was meant."""
        return self.of > 1 or self.back


def begun(database: Database, plans: Iterable[str] | None = None) -> dict[str, list[Begun]]:
    """Row -> what of these plans (None: of all) began to write it, where nobody knows that the row
    came to its end; the newest last.

    A first step that was rejected is none: nothing was written. One that was taken back, or found
    as it was before, is at its end.
    """
    wanted = None if plans is None else set(plans)
    found: dict[str, list[Begun]] = {}
    intents: dict[int, dict[str, Any]] = {}
    where = "kind IN ('intent', 'answer', 'readback') ORDER BY seq"
    for entry in _told(database, where):
        body = entry.body or {}
        if entry.kind == "intent" and body and (wanted is None or body["plan"] in wanted):
            intents[entry.seq] = body
            found.setdefault(body["row"], []).append(
                Begun(
                    intent=entry.seq,
                    instance=body.get("instance", ""),
                    run=entry.run,
                    at=entry.at,
                    number=body.get("number", 1),
                    of=body.get("of", 1),
                    back=body.get("back", False),
                    agreement=body["step"].get("agreement_id", ""),
                    product=(body.get("observed") or {}).get("product", ""),
                )
            )
        elif intent := intents.get(body.get("intent", -1)):
            row, rejected = intent["row"], body.get("verdict") == "rejected"
            over = _read_back_whole(entry, intent) or body.get("verdict") == "restored"
            if over or (intent.get("back") and _verified_last(entry, intent)):
                found.pop(row, None)
            elif rejected and intent.get("number", 1) == 1 and not intent.get("back"):
                found[row] = [b for b in found.get(row, ()) if b.intent != body["intent"]]
    return {row: each for row, each in found.items() if each}


def _read_back_whole(entry: Entry, intent: dict[str, Any]) -> bool:
    """Whether an entry says that the last of a row's steps was read back as meant."""
    return not intent.get("back") and _verified_last(entry, intent)


def _verified_last(entry: Entry, intent: dict[str, Any]) -> bool:
    verdict = (entry.body or {}).get("verdict")
    last = intent.get("number", 1) == intent.get("of", 1)
    return entry.kind == "readback" and verdict == "verified" and last


def verified(database: Database, plans: Iterable[str]) -> set[str]:
    """Rows of these plans that were read back as meant."""
    wanted = set(plans)
    return {row for _, _, plan, row, _ in _verified(database) if plan in wanted}


def verified_in(database: Database, run: str) -> dict[str, str]:
    """Rows that one run wrote, or read back as written, whatever plan they are of and whoever read
    them back, each with the id of the line that was found; empty where none was kept."""
    return {
        row: line for writer, reader, _, row, line in _verified(database) if run in (writer, reader)
    }


def _verified(database: Database) -> Iterator[tuple[str, str, str, str, str]]:
    """(run that wrote it, run that read it back, plan, row, line id) of everything that was read
    back as meant."""
    intents: dict[int, Entry] = {}
    for entry in _told(database, "kind IN ('intent', 'readback') ORDER BY seq"):
        body = entry.body or {}
        if entry.kind == "intent" and body:
            intents[entry.seq] = entry
            continue
        intent = intents.get(body.get("intent", -1))
        meant = (intent.body or {}) if intent else {}
        if intent is not None and _read_back_whole(entry, meant):
            line = body.get("found", {}).get("line_id") or ""
            yield intent.run, entry.run, meant["plan"], meant["row"], line


def newest_writers(database: Database) -> dict[str, tuple[str, str]]:
    """Row -> the run whose write of it was verified last, and the run that read that back. A write
    that was undone is none, nor is the undoing of it."""
    undoes: dict[str, str] = {}
    for entry in select(database, "kind = 'run' ORDER BY seq"):
        facts = (entry.body or {}).get("facts")
        if isinstance(facts, dict) and facts.get("command") == "undo":
            undoes[entry.run] = str(facts.get("of"))
    written: dict[str, list[tuple[str, str]]] = {}
    for writer, reader, _, row, _ in _verified(database):
        stack = written.setdefault(row, [])
        if stack and undoes.get(writer) in stack[-1]:
            stack.pop()
        else:
            stack.append((writer, reader))
    return {row: stack[-1] for row, stack in written.items() if stack}


def recent(database: Database, instance: str, since: str) -> list[Write]:
    """Writes to one PSA whose first intent is later than `since`, oldest first."""
    steps: dict[int, tuple[Entry, dict[str, Any]]] = {}
    rejected: set[int] = set()
    verdicts: dict[int, str] = {}
    where = "at > ? AND kind IN ('intent', 'answer', 'readback') ORDER BY seq"
    for entry in _told(database, where, since):
        body = entry.body or {}
        if entry.kind == "intent" and body.get("instance") == instance:
            steps[entry.seq] = (entry, body)
        elif entry.kind == "answer" and body.get("verdict") == "rejected":
            rejected.add(body["intent"])
        elif entry.kind == "readback":
            verdicts[body["intent"]] = body["verdict"]
    writes: dict[tuple[str, str], Write] = {}
    for seq, (entry, body) in steps.items():
        back = body.get("back", False)
        if back and verdicts.get(seq) == "verified" and body["number"] == body["of"]:
            writes.pop((body["plan"], body["row"]), None)  # nothing is left of it
            continue
        whole = body.get("number", 1) == body.get("of", 1)
        verified = whole and not back and verdicts.get(seq) == "verified"
        if seq in rejected and not verified and not back and body.get("number", 1) == 1:
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
            newest=entry.at,
            settled=seq in rejected or verdicts.get(seq) == "verified",
            step=(
                body["step"].get("action", ""),
                body["step"].get("line_id", ""),
                tuple((str(k), str(v)) for k, v in body["step"].get("values", ())),
            ),
            makes=dict(body["step"]["values"]).get("product", "")
            if body["step"].get("creates")
            else None,
            verified=verified,
        )
    return list(writes.values())
