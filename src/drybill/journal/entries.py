"""The chain: entries that each carry the hash of the one before, and the contents they name."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import asdict

from drybill.errors import Place, Problem
from drybill.journal.database import Database, utc_text

Kind = Literal[
    "run", "receipt", "plan", "attachment", "intent", "answer", "readback", "accept", "allow", "end"
]

_BEFORE_ALL: Final = "0" * 64


class Entry(Struct, frozen=True):
    """One thing that happened. `body` is None once its content was purged."""

    seq: int
    run: str
    kind: Kind
    at: datetime
    body: dict[str, Any] | None


def canonical(body: Mapping[str, object]) -> bytes:
    """The one way to write a body: sorted keys, ASCII, decimals as plain text, times in UTC."""
    return json.dumps(
        body, sort_keys=True, separators=(",", ":"), default=_as_text, allow_nan=False
    ).encode("ascii")


def _as_text(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Struct):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} cannot be journalled")


def link(prev: str, *fields: object) -> str:
    """The hash of an entry: of the one before, seq, run, kind, at and its body's digest.

    The fields hold no line break, so that none can pose as another.
    """
    return sha256("\n".join((prev, *map(str, fields))).encode()).hexdigest()


def append(database: Database, run: str, kind: Kind, body: Mapping[str, object]) -> int:
    """Adds an entry, and returns its seq. Durable on return, unless inside a transaction."""
    with database.transaction():
        last = database.rows("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1")
        seq, prev = (last[0][0] + 1, last[0][1]) if last else (1, _BEFORE_ALL)
        at = utc_text(database.clock())
        digest = store(database, canonical(body))
        database.write(
            "INSERT INTO entries (seq, run, kind, at, body, prev, hash) VALUES (?,?,?,?,?,?,?)",
            *(seq, run, kind, at, digest, prev, link(prev, seq, run, kind, at, digest)),
        )
    return int(seq)


def select(database: Database, where: str, *values: object) -> list[Entry]:
    """Entries with their bodies, in the order of their seq unless `where` says otherwise."""
    rows = database.rows(
        "SELECT seq, run, kind, at, body, content FROM entries"
        f" LEFT JOIN contents ON digest = body WHERE {where}",
        *values,
    )
    entries = []
    for seq, run, kind, at, digest, packed in rows:
        body = None
        if packed is not None:
            try:
                body = json.loads(_unpacked(database, digest, packed))
            except ValueError:
                raise database.damaged(f"entry {seq} of the journal is not JSON") from None
            if not isinstance(body, dict):
                raise database.damaged(f"entry {seq} of the journal holds no fields")
        entries.append(Entry(seq, run, kind, database.moment(at), body))
    return entries


def store(database: Database, content: bytes) -> str:
    """Keeps a content under its SHA-256, once, and returns that."""
    digest = sha256(content).hexdigest()
    if not database.rows("SELECT 1 FROM contents WHERE digest = ?", digest):
        database.write("INSERT INTO contents VALUES (?, ?)", digest, zlib.compress(content, 1))
    return digest


def load(database: Database, digest: str) -> bytes | None:
    """A content; None once it was purged. Raises InputError if it is not what it was."""
    rows = database.rows("SELECT content FROM contents WHERE digest = ?", digest)
    return _unpacked(database, digest, rows[0][0]) if rows else None


def _unpacked(database: Database, digest: str, packed: bytes) -> bytes:
    content = _intact(digest, packed)
    if content is None:
        raise database.damaged(f"content {digest[:12]} of the journal was changed afterwards")
    return content


def _intact(digest: str, packed: bytes) -> bytes | None:
    try:
        content = zlib.decompress(packed)
    except zlib.error:
        return None
    return content if sha256(content).hexdigest() == digest else None


def purge(database: Database, before: str) -> int:
    """Removes what entries older than `before` hold, and nothing that a later one holds, too. The
    entries and their digests stay, so that the chain still verifies. Returns how many contents.
    """
    with database.transaction():
        old = _held(database, "at < ?", before) - _held(database, "at >= ?", before)
        for digest in old:
            database.write("DELETE FROM contents WHERE digest = ?", digest)
    if old:
        database.write("VACUUM")  # else the bytes would stay in the file
    return len(old)


def _held(database: Database, where: str, value: str) -> set[str]:
    """Digests of bodies, and of the contents that plans and attachments name."""
    digests = set()
    for digest, kind in database.rows(f"SELECT body, kind FROM entries WHERE {where}", value):
        body = load(database, digest)
        if body is None:
            continue
        digests.add(digest)
        if kind in ("plan", "attachment") and (named := json.loads(body).get("content")):
            digests.add(named)
    return digests


def verify(database: Database) -> list[Problem]:
    """Walks the chain and all contents; the first broken entry comes first.

    An entry cut off at the very end leaves no trace in the chain. A content that is gone is a
    warning: its digest stays in the chain, but nothing is left to compare.
    """
    where = Place(str(database.place))
    broken: list[Problem] = []

    def report(code: str, summary: str, level: Literal["error", "warning"] = "error") -> None:
        fix = "keep the file and compare it with a backup" if level == "error" else ""
        broken.append(Problem(code, where, summary, fix, level))

    prev, expected = _BEFORE_ALL, 1
    bodies: dict[str, int] = {}
    columns = "seq, run, kind, at, body, prev, hash"
    for seq, run, kind, at, body, said, own in database.rows(
        f"SELECT {columns} FROM entries ORDER BY seq"
    ):
        if seq != expected:
            report("journal-chain", f"entry {expected} is missing, {seq} comes next")
        elif said != prev:
            report("journal-chain", f"entry {seq} does not follow entry {seq - 1}")
        elif own != link(said, seq, run, kind, at, body):
            report("journal-chain", f"entry {seq} was changed afterwards")
        bodies.setdefault(body, seq)
        prev, expected = own, seq + 1
    stored = [digest for (digest,) in database.rows("SELECT digest FROM contents ORDER BY digest")]
    for digest in sorted(stored, key=lambda digest: bodies.get(digest, expected)):
        ((packed,),) = database.rows("SELECT content FROM contents WHERE digest = ?", digest)
        if _intact(digest, packed) is None:
            owner = f"entry {bodies[digest]}" if digest in bodies else f"content {digest[:12]}"
            report("journal-content", f"what {owner} holds was changed afterwards")
    for seq in sorted(bodies[digest] for digest in bodies.keys() - set(stored)):
        report("journal-content-gone", f"what entry {seq} held is gone", "warning")
    return broken
