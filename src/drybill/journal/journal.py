"""The journal as its users see it: runs, plans, attachments, intents and their outcomes."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from drybill.billing.usage import Receipt
from drybill.errors import InputError, Problem
from drybill.journal import entries, writes
from drybill.journal.database import (
    Database,
    now,
    open_database,
    open_memory,
    state_folder,
    utc_text,
)
from drybill.journal.entries import Entry, Kind
from drybill.journal.history import History, storable
from drybill.journal.writes import Begun, Intent, Write

# Digits in the order of their code points, so that run ids sort as text in the order of time;
# without i, l, o and u, which people misread.
_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"

# "restored": found as it was before the write that it answers
Verdict = Literal["verified", "differs", "unknown", "restored"]


class Run(Struct, frozen=True):
    """One execution. `ended` and `exit_code` are None while it goes on, or if it was killed."""

    id: str
    mapping: str
    as_of: datetime
    started: datetime
    facts: Mapping[str, Any]
    ended: datetime | None = None
    exit_code: int | None = None
    summary: Mapping[str, Any] | None = None


class RegisteredPlan(Struct, frozen=True):
    """A plan that this journal has seen. `content` is None once it was purged."""

    digest: str
    run: str
    mapping: str
    created: datetime
    parent: str | None
    content: bytes | None
    instances: Mapping[str, str]  # PSA name -> which PSA that was when the plan was made


class Journal:
    """One open journal; a context manager. Every method that writes is durable on return,
    unless it stands inside `batch()`.

    Besides what is named, every method raises InputError for a damaged file, LockedError if
    another run keeps it locked, JournalUnavailable if the disk fails or is full.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.history = History(database)

    @classmethod
    def open(
        cls, folder: Path | None = None, *, write: bool, clock: Callable[[], datetime] = now
    ) -> Journal:
        """The journal in `folder`, by default the one of this machine.

        For reading, nothing is made or changed; where there is no journal, it is empty.

        Raises:
            JournalUnavailable: the folder or file cannot be made, written or read.
            InputError: the file is damaged, foreign, or of a newer drybill.
        """
        return cls(open_database(folder or state_folder(), write=write, clock=clock))

    @classmethod
    def transient(cls, clock: Callable[[], datetime] = now) -> Journal:
        """An empty journal in memory, for a dry run where no journal can be written."""
        return cls(open_memory(clock))

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self._database.close()

    @property
    def place(self) -> Path:
        return self._database.place

    def batch(self) -> AbstractContextManager[None]:
        """All writes inside are one transaction: all or nothing, one wait for the disk. It keeps
        other runs from writing, so nothing slow belongs inside."""
        return self._database.transaction()

    # Runs

    def start_run(self, mapping: str, as_of: datetime, facts: Mapping[str, object]) -> str:
        """A new run of the mapping with this identity; its id sorts by time."""
        with self.batch():
            run = self._new_id()
            scope = {"mapping": storable(mapping), "as_of": utc_text(as_of)}
            seq = entries.append(self._database, run, "run", {**scope, "facts": facts})
            self._database.write(
                "INSERT INTO runs VALUES (?, ?, ?, ?)", run, seq, scope["mapping"], scope["as_of"]
            )
        return run

    def record(self, run: str, kind: Kind, body: Mapping[str, object]) -> int:
        """Adds an entry to a run, and returns its seq. Decimals and times in it become text."""
        return entries.append(self._database, run, kind, body)

    def record_receipt(self, run: str, receipt: Receipt, *, measure: bool = True) -> int:
        """Adds a receipt. A complete one is what `history.last_complete` finds from now on,
        unless `measure` is false: a shrunken answer must not become the new normal by itself."""
        with self.batch():
            body = {
                "source": receipt.source,
                "kind": receipt.kind,
                "measure": receipt.measure,
                "complete": receipt.complete,
                "records": receipt.records,
                "customers": len(receipt.customers),
                "denied": receipt.denied,
                "as_of": receipt.as_of,
                "problems": receipt.problems,
            }
            seq = self.record(run, "receipt", body)
            if measure and receipt.complete and not receipt.denied:
                self.history.record_complete(run, seq, receipt)
        return seq

    def end_run(self, run: str, exit_code: int, summary: Mapping[str, object]) -> int:
        return self.record(run, "end", {"exit_code": int(exit_code), "summary": summary})

    def runs(self, limit: int = 20) -> list[Run]:
        """The last runs, newest first."""
        ids = self._database.rows("SELECT id FROM runs ORDER BY seq DESC LIMIT ?", limit)
        return [self._run(run) for (run,) in ids]

    def run(self, prefix: str) -> Run:
        """The run whose id begins with `prefix`. Raises InputError if none or several do."""
        wanted = prefix.strip().lower()
        found = self._database.rows(
            "SELECT id FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY seq DESC", wanted
        )
        if len(found) == 1:
            return self._run(found[0][0])
        newest = [run for (run,) in found] or [run.id for run in self.runs(5)]
        raise _not_one("run", prefix, newest, several=bool(found))

    def run_entries(self, prefix: str) -> list[Entry]:
        """Everything that the journal holds of one run, oldest first. Raises like `run`."""
        run = self.run(prefix).id
        return entries.select(self._database, "run = ? ORDER BY seq", run)

    # Plans and attachments

    def register_plan(
        self,
        run: str,
        digest: str,
        content: bytes,
        parent: str | None,
        created: datetime,
        instances: Mapping[str, str],
    ) -> int:
        """Keeps a plan's bytes under its own digest; the newest registration counts."""
        with self.batch():
            body = {
                "digest": digest,
                "content": entries.store(self._database, content),
                "parent": parent,
                "created": created,
                "instances": dict(instances),
            }
            seq = self.record(run, "plan", body)
            self._database.write(
                "INSERT INTO plans SELECT ?, ?, id, mapping FROM runs WHERE id = ?",
                *(seq, digest, run),
            )
        return seq

    def plan(self, prefix: str) -> RegisteredPlan:
        """The plan whose digest, or whose run's id, begins with `prefix`; of a run with several
        plans its last one. Raises InputError, naming candidates, if none or several fit."""
        wanted = prefix.strip().lower()
        found: dict[str, int] = {}  # digest or run -> its newest plan's seq
        for seq, digest, run in self._database.rows("SELECT seq, digest, run FROM plans"):
            for name in (digest, run):
                if wanted and name.startswith(wanted):
                    found[name] = max(seq, found.get(name, 0))
        plans = [self._plan(seq) for seq in sorted(set(found.values()), reverse=True)]
        if len({plan.digest for plan in plans}) == 1:
            return plans[0]
        several = bool(plans)
        if not plans:
            last = self._database.rows("SELECT seq FROM plans ORDER BY seq DESC LIMIT 5")
            plans = [self._plan(seq) for (seq,) in last]
        names = [f"{plan.digest[:19]} (run {plan.run})" for plan in plans]
        raise _not_one("plan", prefix, names, several=several)

    def has_plan(self, digest: str) -> bool:
        """Whether a run has registered the plan with this whole digest."""
        return bool(self._database.rows("SELECT 1 FROM plans WHERE digest = ?", digest))

    def last_plan(self, mapping: str | None = None) -> RegisteredPlan | None:
        """The plan that was registered last (for one mapping, or at all), whatever its as-of."""
        where = "" if mapping is None else " WHERE mapping = ?"
        values = () if mapping is None else (storable(mapping),)
        rows = self._database.rows(f"SELECT max(seq) FROM plans{where}", *values)
        return self._plan(rows[0][0]) if rows[0][0] is not None else None

    def attach(self, run: str, name: str, content: bytes) -> int:
        """Keeps bytes with a run; the last one of a name counts."""
        with self.batch():
            digest = entries.store(self._database, content)
            return self.record(run, "attachment", {"name": name, "content": digest})

    def attachment(self, run: str, name: str) -> bytes | None:
        """What was attached to a run (its whole id); None for nothing, or once purged."""
        where = "run = ? AND kind = 'attachment' ORDER BY seq DESC"
        for entry in entries.select(self._database, where, run):
            if entry.body and entry.body.get("name") == name:
                return entries.load(self._database, entry.body["content"])
        return None

    # Writes

    def record_intent(self, run: str, intent: Intent) -> int:
        """To be called before the step is taken; the seq is what its outcome refers to."""
        return self.record(
            run,
            "intent",
            {name: getattr(intent, name) for name in Intent.__struct_fields__},
        )

    def record_answer(
        self, run: str, intent: int, verdict: str, detail: str = "", made: str = ""
    ) -> int:
        """`made` is the id of a new line, where the PSA said it."""
        body = {"intent": intent, "verdict": verdict, "detail": detail, "made": made}
        return self.record(run, "answer", body)

    def record_readback(
        self, run: str, intent: int, verdict: Verdict, found: Mapping[str, object]
    ) -> int:
        return self.record(run, "readback", {"intent": intent, "verdict": verdict, "found": found})

    def recent_writes(self, instance: str, now: datetime) -> list[Write]:
        """Writes to a PSA in the 24 hours before `now` (the clock's, never an as-of), oldest first.

        Several steps of a row are one write. What the PSA rejected is left out, unless a
        read-back found it done; what is unknown is in.
        """
        return writes.recent(self._database, instance, utc_text(now - timedelta(hours=24)))

    def begun(self, plans: Iterable[str] | None = None) -> dict[str, Begun]:
        """Row -> where the plans (digests; None: all) began to write it last, and nobody knows that
        it is done."""
        return {row: newest for row, (*_, newest) in writes.begun(self._database, plans).items()}

    def begun_in(self, run: str) -> set[str]:
        """Rows that this run (its whole id) began and of which nobody knows that they are done."""
        every = writes.begun(self._database)
        return {row for row, found in every.items() if any(each.run == run for each in found)}

    def newest_writers(self) -> dict[str, tuple[str, str]]:
        """Row -> the run that wrote it last, and the run that read that back."""
        return writes.newest_writers(self._database)

    def left_open(self, instances: Collection[str], since: datetime) -> dict[str, int]:
        """Run -> of how many lines of these PSAs nobody knows that their writing came to its end.

        Of changes of several steps whenever it was, of the others since a moment.
        """
        found: dict[str, int] = {}
        for *_, each in writes.begun(self._database).values():
            if each.instance in instances and (each.half_way or each.at >= since):
                found[each.run] = found.get(each.run, 0) + 1
        return found

    def family(self, digest: str) -> set[str]:
        """A plan, all that it was cut from, and all that were cut from those."""
        children: dict[str, set[str]] = {}
        parents: dict[str, str] = {}
        for entry in entries.select(self._database, "kind = 'plan' ORDER BY seq"):
            body = entry.body or {}
            if body.get("parent"):
                parents[body["digest"]] = body["parent"]
                children.setdefault(body["parent"], set()).add(body["digest"])
        root = digest
        while root in parents and parents[root] != digest:
            root = parents[root]
        found, waiting = {root, digest}, [root]
        while waiting:
            fresh = children.get(waiting.pop(), set()) - found
            found |= fresh
            waiting += fresh
        return found

    def verified(self, plans: Iterable[str]) -> set[str]:
        """Rows of these plans that were written and read back as meant."""
        return writes.verified(self._database, plans)

    def verified_in(self, run: str) -> dict[str, str]:
        """Rows that this run (its whole id) wrote, or read back as written, with their lines'
        ids."""
        return writes.verified_in(self._database, run)

    def purge(self, before: datetime) -> int:
        """Removes the contents of everything that happened before a moment, and keeps digests and
        chain. What guards remember is kept: names, and the highest quantities. Returns how many.
        """
        return entries.purge(self._database, utc_text(before))

    def verify(self) -> list[Problem]:
        """What is wrong with the chain and the contents, the first broken entry first."""
        return entries.verify(self._database)

    def _new_id(self) -> str:
        """9 digits of milliseconds and 3 at random."""
        moment = int(self._database.clock().timestamp() * 1000)
        while True:
            number = (moment << 15) | (int.from_bytes(os.urandom(2)) >> 1)
            run = "".join(_DIGITS[number >> shift & 31] for shift in range(55, -5, -5))
            if not self._database.rows("SELECT 1 FROM runs WHERE id = ?", run):
                return run

    def _run(self, run: str) -> Run:
        where = "run = ? AND kind IN ('run', 'end') ORDER BY seq"
        found = entries.select(self._database, where, run)
        if not found:
            raise self._database.damaged(f"run {run} has no entry")
        started, *ended = found
        ((mapping, as_of),) = self._database.rows(
            "SELECT mapping, as_of FROM runs WHERE id = ?", run
        )
        end = (ended[-1].body or {}) if ended else {}
        facts, summary = (started.body or {}).get("facts", {}), end.get("summary")
        if not isinstance(facts, dict) or not isinstance(summary, dict | None):
            raise self._database.damaged(f"run {run} has no facts that can be read")
        return Run(
            id=run,
            mapping=mapping,
            as_of=self._database.moment(as_of),
            started=started.at,
            facts=facts,
            ended=ended[-1].at if ended else None,
            exit_code=end.get("exit_code"),
            summary=summary,
        )

    def _plan(self, seq: int) -> RegisteredPlan:
        ((mapping, digest),) = self._database.rows(
            "SELECT mapping, digest FROM plans WHERE seq = ?", seq
        )
        found = entries.select(self._database, "seq = ? AND kind = 'plan'", seq)
        body = (found[0].body or {}) if found else {}
        if not found or body.get("digest", digest) != digest:
            raise self._database.damaged(f"plan {digest} is not the one of entry {seq}")
        entry = found[0]
        return RegisteredPlan(
            digest=digest,
            run=entry.run,
            mapping=mapping,
            created=self._database.moment(body["created"]) if body else entry.at,
            parent=body.get("parent"),
            content=entries.load(self._database, body["content"]) if body else None,
            instances=body.get("instances", {}),
        )


def _not_one(what: str, prefix: str, names: list[str], *, several: bool) -> InputError:
    said = f"`{prefix}` fits several {what}s" if several else f"no {what} begins with `{prefix}`"
    shown = ", ".join(names[:5]) or f"the journal holds no {what} yet"
    return InputError([Problem(f"{what}-not-found", None, said, f"candidates: {shown}")])
