"""What the sandbox's servers know: documents as JSON text, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, body TEXT NOT NULL,
    position INTEGER NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_parent ON documents (kind, parent, position);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    skip INTEGER NOT NULL, times INTEGER NOT NULL, value REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
    headers TEXT NOT NULL, body TEXT NOT NULL, status INTEGER
);
"""


class Store:
    """One file; every call is a transaction of its own, so that a killed server loses nothing."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._lock = threading.Lock()

    def put(self, kind: str, document: Document, parent: str = "") -> None:
        """Adds a document or replaces the one of its id, which keeps its position."""
        with self._lock:
            id = str(document["id"])
            at = self._db.execute(
                "SELECT position FROM documents WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
            if at is None:
                at = self._db.execute(
                    "SELECT coalesce(max(position), 0) + 1 FROM documents WHERE kind = ?", (kind,)
                ).fetchone()
            self._db.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
                (kind, id, parent, json.dumps(document), at[0]),
            )

    def put_all(self, kind: str, documents: Iterable[tuple[str, Document]]) -> None:
        """Adds many new documents, each with its parent."""
        with self._lock:
            start = self._db.execute(
                "SELECT coalesce(max(position), 0) + 1 FROM documents WHERE kind = ?", (kind,)
            ).fetchone()[0]
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
                [
                    (kind, str(document["id"]), parent, json.dumps(document), start + at)
                    for at, (parent, document) in enumerate(documents)
                ],
            )
            self._db.execute("COMMIT")

    def get(self, kind: str, id: str, parent: str | None = None) -> Document | None:
        with self._lock:
            row = self._db.execute(
                "SELECT body, parent FROM documents WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        if row is None or (parent is not None and row[1] != parent):
            return None
        return dict(json.loads(row[0]))

    def all(self, kind: str, parent: str | None = None) -> list[Document]:
        """In the order in which they were added."""
        with self._lock:
            if parent is None:
                rows = self._db.execute(
                    "SELECT body FROM documents WHERE kind = ? ORDER BY position", (kind,)
                ).fetchall()
            else:
                rows = self._db.execute(
                    "SELECT body FROM documents WHERE kind = ? AND parent = ? ORDER BY position",
                    (kind, parent),
                ).fetchall()
        return [json.loads(body) for (body,) in rows]

    def remove(self, kind: str, id: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, id))

    def next_id(self, kind: str) -> int:
        with self._lock:
            row = self._db.execute(
                "SELECT coalesce(max(CAST(id AS INTEGER)), 0) + 1 FROM documents WHERE kind = ?",
                (kind,),
            ).fetchone()
        return int(row[0])

    def add_fault(
        self, kind: str, *, method: str = "*", path: str = "", skip: int = 0, times: int = 1,
        value: float = 0,
    ) -> None:  # fmt: skip
        """`times` requests of that method whose path holds `path`, after `skip` good ones."""
        with self._lock:
            self._db.execute(
                "INSERT INTO faults (kind, method, path, skip, times, value)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (kind, method, path, skip, times, value),
            )

    def clear_faults(self) -> None:
        with self._lock:
            self._db.execute("DELETE FROM faults")

    def take_fault(self, method: str, path: str, but: str = "") -> tuple[str, float] | None:
        """The fault that this request meets, not of the kind `but`; it is used up by one."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM faults ORDER BY id").fetchall()
            for id, kind, wanted, part, skip, times, value in rows:
                if kind == but or wanted not in ("*", method) or part not in path:
                    continue
                if not part and path.endswith("/token"):
                    continue
                if skip > 0:
                    self._db.execute("UPDATE faults SET skip = skip - 1 WHERE id = ?", (id,))
                    continue
                if times == 1:
                    self._db.execute("DELETE FROM faults WHERE id = ?", (id,))
                else:  # 0 and less: for ever
                    self._db.execute("UPDATE faults SET times = times - 1 WHERE id = ?", (id,))
                return kind, value
        return None

    def note_request(self, method: str, path: str, query: str, headers: str, body: str) -> int:
        with self._lock:
            done = self._db.execute(
                "INSERT INTO requests (method, path, query, headers, body) VALUES (?, ?, ?, ?, ?)",
                (method, path, query, headers, body),
            )
        return int(done.lastrowid or 0)

    def requests(self) -> list[Document]:
        with self._lock:
            rows = self._db.execute(
                "SELECT method, path, query, headers, body FROM requests ORDER BY id"
            ).fetchall()
        names = ("method", "path", "query", "headers", "body")
        return [
            {**dict(zip(names, row, strict=True)), "headers": json.loads(row[3])} for row in rows
        ]

    def close(self) -> None:
        self._db.close()
