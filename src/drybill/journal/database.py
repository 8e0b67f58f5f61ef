"""The journal's file: where it is, its permissions and schema, transactions, and its errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from drybill.errors import DrybillError, InputError, LockedError, Place, Problem

FILE_NAME: Final = "journal.db"
SCHEMA_VERSION: Final = 2
APPLICATION_ID: Final = 0x64727962  # "dryb": tells our file from another program's
BUSY_SECONDS: Final = 10

# `entries` is the truth and only ever grows; `runs` and `plans` are look-ups into it. The other
# tables are history that is cheaper to keep than to derive; scoped by mapping, the highest
# quantities by PSA.
_SCHEMA: Final = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, run TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL,
    body TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE INDEX entries_of_run ON entries (run, seq);
CREATE INDEX entries_of_writes ON entries (at) WHERE kind IN ('intent', 'answer', 'readback');
CREATE TRIGGER entries_grow_by_one BEFORE INSERT ON entries
    WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entries)
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE contents (digest TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TRIGGER contents_never_change BEFORE UPDATE ON contents
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE runs (
    id TEXT PRIMARY KEY, seq INTEGER NOT NULL, mapping TEXT NOT NULL, as_of TEXT NOT NULL
) STRICT;
CREATE TABLE plans (
    seq INTEGER PRIMARY KEY, digest TEXT NOT NULL, run TEXT NOT NULL, mapping TEXT NOT NULL
) STRICT;
CREATE INDEX plans_of_mapping ON plans (mapping, seq);

CREATE TABLE complete_answers (
    mapping TEXT NOT NULL, source TEXT NOT NULL, as_of TEXT NOT NULL, seq INTEGER NOT NULL,
    records INTEGER NOT NULL, customers INTEGER NOT NULL, answered TEXT,
    PRIMARY KEY (mapping, source, as_of, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE trusted_names (
    mapping TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    as_of TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (mapping, source, kind, id, as_of)
) STRICT, WITHOUT ROWID;
CREATE TABLE absences (
    mapping TEXT NOT NULL, source TEXT NOT NULL, answered TEXT NOT NULL, as_of TEXT NOT NULL,
    content BLOB NOT NULL, PRIMARY KEY (mapping, source, answered)
) STRICT;
CREATE TABLE agreed_witnesses (
    psa TEXT NOT NULL, agreement TEXT NOT NULL, as_of TEXT NOT NULL, PRIMARY KEY (psa, agreement)
) STRICT, WITHOUT ROWID;
CREATE TABLE highest_bases (
    id INTEGER PRIMARY KEY, psa TEXT NOT NULL, lines INTEGER NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE TABLE highest_days (
    psa TEXT NOT NULL, day INTEGER NOT NULL, base INTEGER NOT NULL,
    added BLOB NOT NULL, missing BLOB NOT NULL, PRIMARY KEY (psa, day)
) STRICT;
"""

# What each older schema lacks, by its version.
_LACKS: Final = {
    1: """
CREATE TABLE agreed_witnesses (
    psa TEXT NOT NULL, agreement TEXT NOT NULL, as_of TEXT NOT NULL, PRIMARY KEY (psa, agreement)
) STRICT, WITHOUT ROWID;
"""
}


class JournalUnavailable(DrybillError):
    """The journal cannot be written (or not be read) here. Exit 2."""


def state_folder() -> Path:
    """Where the journal lives: DRYBILL_STATE, else the platform's state folder."""
    if chosen := os.environ.get("DRYBILL_STATE"):
        return Path(chosen)
    from platformdirs import user_state_path

    return user_state_path("drybill")


def journal_files() -> list[Path]:
    """The journal of this machine and what SQLite keeps beside it, there or not."""
    return [state_folder() / f"{FILE_NAME}{suffix}" for suffix in ("", "-wal", "-shm", "-journal")]


def now() -> datetime:
    return datetime.now(UTC)


def utc_text(moment: datetime) -> str:
    """ISO text in UTC, always of the same length, so that it sorts as time does."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be journalled")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Database:
    """One connection. Writes happen in `transaction()`; errors come out as drybill's own."""

    def __init__(self, connection: sqlite3.Connection, place: Path, clock: Callable[[], datetime]):
        self._connection = connection
        self._in_transaction = False
        self.place = place
        self.clock = clock

    @property
    def version(self) -> int:
        """Of the schema; 0 for an empty file."""
        ((version,),) = self.rows("PRAGMA user_version")
        return int(version)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._own_errors():
            return self._connection.execute(sql, values).fetchall()

    def write(self, sql: str, *values: object) -> int:
        """Runs one statement; the id of the inserted row, where there is one."""
        with self._own_errors():
            return self._connection.execute(sql, values).lastrowid or 0

    def write_many(self, sql: str, values: Iterable[tuple[object, ...]]) -> None:
        with self._own_errors():
            self._connection.executemany(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable once left. One inside another joins it."""
        if self._in_transaction:
            yield
            return
        self.write("BEGIN IMMEDIATE")
        self._in_transaction = True
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite itself rolls back when the disk is full
                self.write("ROLLBACK")
            raise
        finally:
            self._in_transaction = False

    def close(self) -> None:
        self._connection.close()

    def damaged(self, summary: str) -> InputError:
        return InputError([_problem("journal-damaged", self.place, summary, _KEEP_IT)])

    def moment(self, text: str) -> datetime:
        """The reverse of `utc_text`. Raises InputError for what it cannot have written."""
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise self.damaged(f"the journal holds `{text}` where a time should stand") from None

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # ours, not the user's
        except sqlite3.DatabaseError as error:
            raise _translated(error, self.place) from error


_KEEP_IT: Final = "keep the file for evidence, and move it away to begin a new journal"


def _problem(code: str, place: Path, summary: str, fix: str) -> Problem:
    return Problem(code, Place(os.fsencode(place).decode("utf-8", "replace")), summary, fix)


def _unavailable(place: Path, why: object) -> JournalUnavailable:
    fix = "set DRYBILL_STATE to a folder that you can write"
    summary = f"the journal cannot be used here: {why}"
    return JournalUnavailable([_problem("journal-unavailable", place, summary, fix)])


def _translated(error: sqlite3.DatabaseError, place: Path) -> DrybillError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        summary = f"another run kept the journal locked for more than {BUSY_SECONDS} seconds"
        return LockedError(
            [_problem("journal-locked", place, summary, "try again when it is done")]
        )
    if code in _CANNOT:
        return _unavailable(place, error)
    summary = f"this is not a journal of drybill, or it is damaged ({error})"
    return InputError([_problem("journal-damaged", place, summary, _KEEP_IT)])


_CANNOT: Final = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOLFS,
)


def open_database(folder: Path, *, write: bool, clock: Callable[[], datetime]) -> Database:
    """Opens the journal in `folder`; for writing, makes what is missing (0700 and 0600).

    For reading, nothing on disk is made or changed: where there is no journal, it is empty.

    Raises:
        JournalUnavailable: the folder or file cannot be made, written or read.
        InputError: the file is damaged, foreign, or of a newer drybill.
        LockedError: another run keeps it locked.
    """
    place = folder / FILE_NAME
    try:
        if write:
            _make_private(folder, place)
        elif not place.exists() or (place.is_file() and not place.stat().st_size):
            return open_memory(clock)
        if not place.is_file():
            summary = f"`{FILE_NAME}` is not a file"
            raise InputError([_problem("journal-damaged", place, summary, _KEEP_IT)])
    except OSError as error:
        raise _unavailable(place, error.strerror or error) from error
    database = _connect(place, "mode=rw" if write else "mode=ro", clock)
    try:
        _prepare(database, write=write)
    except JournalUnavailable:
        database.close()
        if write or (place.parent / f"{FILE_NAME}-wal").exists():
            raise
        # A read-only folder has no room for the -shm file; without a -wal nothing is in motion.
        database = _connect(place, "mode=ro&immutable=1", clock)
        _prepare(database, write=False)
    except BaseException:
        database.close()
        raise
    return database


def open_memory(clock: Callable[[], datetime]) -> Database:
    """An empty journal that leaves nothing behind."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(f"{_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};")
    return Database(connection, Path(FILE_NAME), clock)


def _make_private(folder: Path, place: Path) -> None:
    """Raises OSError. A folder that was there before keeps its mode: it may hold other things."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        if place.is_file() and place.stat().st_mode & 0o077:
            place.chmod(0o600)


def _connect(place: Path, mode: str, clock: Callable[[], datetime]) -> Database:
    uri = f"{place.absolute().as_uri()}?{mode}"
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    except sqlite3.DatabaseError as error:
        raise _translated(error, place) from error
    return Database(connection, place, clock)


def _prepare(database: Database, *, write: bool) -> None:
    _refuse_foreign(database)
    if not write:
        database.write("PRAGMA query_only = 1")
        return
    database.write("PRAGMA synchronous = FULL")
    with database.transaction():  # also proves that the file can be written
        if not database.rows("SELECT 1 FROM sqlite_master LIMIT 1"):
            for statement in _statements(_SCHEMA):
                database.write(statement)
            database.write(f"PRAGMA application_id = {APPLICATION_ID}")
        for older in range(database.version or SCHEMA_VERSION, SCHEMA_VERSION):
            for statement in _statements(_LACKS[older]):
                database.write(statement)
        database.write(f"PRAGMA user_version = {SCHEMA_VERSION}")
    with suppress(LockedError):  # another run is making the same change; both modes are safe
        database.rows("PRAGMA journal_mode = WAL")


def _refuse_foreign(database: Database) -> None:
    if not database.rows("SELECT 1 FROM sqlite_master LIMIT 1"):
        return
    ((owner,),) = database.rows("PRAGMA application_id")
    version = database.version
    if owner != APPLICATION_ID:
        raise database.damaged("this database belongs to another program")
    if not 1 <= version <= SCHEMA_VERSION:
        summary = f"this journal has schema {version}, this drybill knows up to {SCHEMA_VERSION}"
        fix = "use the drybill that wrote it, or a newer one"
        raise InputError([_problem("journal-version", database.place, summary, fix)])


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
