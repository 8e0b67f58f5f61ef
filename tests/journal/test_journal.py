"""Runs, plans, attachments, writes and the chain: what must hold whatever happens."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drybill.billing.change import WriteStep
from drybill.errors import InputError, Problem
from drybill.journal import Intent, Journal, JournalUnavailable
from drybill.journal.database import Database

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)


class Clock:
    time = NOW

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(clock: Clock) -> Iterator[Journal]:
    with Journal.transient(clock) as journal:
        yield journal


def fill(journal: Journal, runs: int = 2) -> list[str]:
    ids = []
    for number in range(runs):
        with journal.batch():
            run = journal.start_run("mapping.toml", NOW, {"arguments": ["diff"]})
            journal.register_plan(run, f"{number}abc", b"plan %d" % number, None, NOW, {})
            journal.attach(run, "explain", b"words")
            journal.end_run(run, 0, {"rows": number})
        ids.append(run)
    return ids


def test_a_run_comes_back_as_it_was_recorded(tmp_path: Path) -> None:
    with Journal.open(tmp_path, write=True, clock=lambda: NOW) as journal:
        first, second = fill(journal)
    with Journal.open(tmp_path, write=False) as journal:
        assert [run.id for run in journal.runs(limit=5)] == [second, first]
        run = journal.run(first)
        assert (run.mapping, run.as_of, run.started) == ("mapping.toml", NOW, NOW)
        assert (run.exit_code, run.facts, run.summary) == (0, {"arguments": ["diff"]}, {"rows": 0})
        kinds = [entry.kind for entry in journal.run_entries(first)]
        assert kinds == ["run", "plan", "attachment", "end"]
        assert journal.attachment(first, "explain") == b"words"
        assert journal.attachment(first, "other") is None
        assert journal.verify() == []


def test_run_ids_sort_by_time_and_are_unique(journal: Journal, clock: Clock) -> None:
    ids = []
    for _ in range(40):
        clock.time += timedelta(milliseconds=1)
        ids += [journal.start_run("m", NOW, {}), journal.start_run("m", NOW, {})]
    assert len(set(ids)) == 80
    assert ids[::2] == sorted(ids[::2])
    assert {len(run) for run in ids} == {12}


# The chain

COLUMNS = ("seq", "run", "kind", "at", "body", "prev", "hash")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    folder = tmp_path_factory.mktemp("journal")
    with Journal.open(folder, write=True) as journal:
        fill(journal)
    connection = sqlite3.connect(folder / "journal.db")
    for trigger in ("entries_never_change", "entries_never_go", "contents_never_change"):
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.commit()
    yield connection
    connection.close()


@settings(max_examples=60, deadline=None)
@given(seq=st.integers(1, 8), column=st.sampled_from(COLUMNS), data=st.data())
def test_any_edited_byte_of_an_entry_is_found(
    filled: sqlite3.Connection, seq: int, column: str, data: st.DataObject
) -> None:
    (value,) = filled.execute(f"SELECT {column} FROM entries WHERE seq = ?", (seq,)).fetchone()
    if column == "seq":
        edited: object = value + 100
    else:
        place = data.draw(st.integers(0, len(value) - 1))
        edited = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
    problems = verify_with(filled, f"UPDATE entries SET {column} = ? WHERE seq = ?", (edited, seq))
    first = problems[0].summary
    assert problems[0].level == "error"
    assert f"entry {seq} " in first or (column in ("hash", "seq") and f"{seq + 1} " in first)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_edited_content_is_found(filled: sqlite3.Connection, data: st.DataObject) -> None:
    rows = filled.execute("SELECT digest, content FROM contents ORDER BY digest").fetchall()
    digest, content = data.draw(st.sampled_from(rows))
    place = data.draw(st.integers(2, len(content) - 5))
    edited = bytearray(content)
    edited[place] ^= 1 << data.draw(st.integers(0, 7))
    change = "UPDATE contents SET content = ? WHERE digest = ?"
    assert "journal-content" in {
        problem.code for problem in verify_with(filled, change, (bytes(edited), digest))
    } or zlib.decompress(edited) == zlib.decompress(
        content
    )  # the last bits of the packing mean nothing


def verify_with(
    filled: sqlite3.Connection, change: str, values: tuple[object, ...]
) -> list[Problem]:
    copy = sqlite3.connect(":memory:")
    filled.backup(copy)
    copy.execute(change, values)
    with Journal(Database(copy, Path("journal.db"), Clock())) as journal:
        return journal.verify()


def test_a_missing_entry_is_named(filled: sqlite3.Connection) -> None:
    problems = verify_with(filled, "DELETE FROM entries WHERE seq = ?", (3,))
    assert "entry 3 is missing" in problems[0].summary


def test_a_content_that_is_gone_is_a_warning_and_the_chain_holds(
    filled: sqlite3.Connection,
) -> None:
    gone = "DELETE FROM contents WHERE digest = (SELECT body FROM entries WHERE seq = ?)"
    assert [problem.level for problem in verify_with(filled, gone, (2,))] == ["warning"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET at = 'x' WHERE seq = 1",
        "DELETE FROM entries WHERE seq = 8",
        "INSERT OR REPLACE INTO entries SELECT * FROM entries WHERE seq = 1",
        "INSERT INTO entries SELECT seq + 9, run, kind, at, body, prev, hash FROM entries",
        "UPDATE contents SET content = x'00'",
    ],
)
def test_entries_only_ever_grow(tmp_path: Path, change: str) -> None:
    with Journal.open(tmp_path, write=True) as journal:
        fill(journal)
    with (
        closing(sqlite3.connect(tmp_path / "journal.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(change)


# Crashes and several writers

WRITER = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from drybill.journal import Journal
with Journal.open(Path(sys.argv[1]), write=True) as journal:
    run = journal.start_run("m", datetime(2026, 11, 25, tzinfo=UTC), {})
    for number in range(int(sys.argv[2])):
        journal.record(run, "accept", {"number": number})
    if len(sys.argv) > 3:
        with journal.batch():
            journal.record(run, "accept", {"number": "lost"})
            os._exit(9)
"""


def writer(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), *arguments])


def test_two_writers_share_one_chain(tmp_path: Path) -> None:
    both = [writer(tmp_path / "new", "25") for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    with Journal.open(tmp_path / "new", write=False) as journal:
        assert journal.verify() == []
        assert [len(journal.run_entries(run.id)) for run in journal.runs()] == [26, 26]


def test_a_killed_transaction_leaves_nothing_and_what_was_recorded_stays(tmp_path: Path) -> None:
    assert writer(tmp_path, "2", "die").wait(30) == 9
    with Journal.open(tmp_path, write=True) as journal:
        (run,) = journal.runs()
        numbers = [entry.body["number"] for entry in journal.run_entries(run.id)[1:] if entry.body]
        assert numbers == [0, 1]
        assert run.exit_code is None
        journal.end_run(run.id, 130, {})
        assert journal.verify() == []


def test_a_failed_batch_leaves_nothing(journal: Journal) -> None:
    with pytest.raises(RuntimeError), journal.batch():
        fill(journal)
        raise RuntimeError
    assert journal.runs() == []
    fill(journal)
    assert journal.verify() == []


# The file


def test_the_file_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "drybill"
    with Journal.open(folder, write=True) as journal:
        fill(journal)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "journal.db").chmod(0o644)
    Journal.open(folder, write=True).__exit__()
    assert stat.S_IMODE((folder / "journal.db").stat().st_mode) == 0o600


def test_drybill_state_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path / "here"))
    with Journal.open(write=True) as journal:
        assert journal.place == tmp_path / "here" / "journal.db"


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "none", write=False) as journal:
        assert journal.runs() == []
        assert journal.last_plan("m") is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalUnavailable) as raised:
        Journal.open(tmp_path / "file" / "state", write=True)
    assert raised.value.exit_code == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_can_be_read_but_not_written(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with Journal.open(folder, write=True) as journal:
        fill(journal)
    (folder / "journal.db").chmod(0o400)
    folder.chmod(0o500)
    try:
        with pytest.raises(JournalUnavailable):
            Journal.open(folder, write=True)
        with Journal.open(folder, write=False) as journal:
            assert len(journal.runs()) == 2
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("write", [True, False])
def test_a_file_that_is_no_journal_is_refused_and_stays(tmp_path: Path, write: bool) -> None:
    file = tmp_path / "journal.db"
    file.write_bytes(b"\x00garbage" * 500)
    with pytest.raises(InputError, match="damaged"):
        Journal.open(tmp_path, write=write)
    assert file.read_bytes() == b"\x00garbage" * 500
    file.unlink()
    foreign = sqlite3.connect(file)
    foreign.execute("CREATE TABLE mine (x)")
    foreign.close()
    with pytest.raises(InputError, match="another program"):
        Journal.open(tmp_path, write=write)
    file.unlink()
    file.mkdir()
    with pytest.raises(InputError, match="not a file"):
        Journal.open(tmp_path, write=write)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Journal.open(tmp_path, write=True).__exit__()
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match="schema 99"):
        Journal.open(tmp_path, write=False)


# Plans


def test_plans_are_found_by_unique_prefix_of_digest_or_run(journal: Journal) -> None:
    times = [NOW, NOW + timedelta(hours=1)]
    run, other = (journal.start_run("a", NOW, {}), journal.start_run("b", NOW, {}))
    journal.register_plan(run, "ff01", b"one", None, times[0], {})
    journal.register_plan(other, "ff02", b"two", "ff01", times[0], {})
    journal.register_plan(other, "ff02", b"two", "ff01", times[1], {})
    assert journal.plan("FF01").content == b"one"
    assert journal.plan(run).digest == "ff01"
    newest = journal.plan("ff02")
    assert (newest.parent, newest.created, newest.mapping) == ("ff01", times[1], "b")
    last = journal.last_plan("a")
    assert last is not None and last.digest == "ff01"
    with pytest.raises(InputError, match="fits several") as raised:
        journal.plan("ff0")
    assert "ff01" in str(raised.value) and "ff02" in str(raised.value)
    for nothing in ("zz", "", "%"):
        with pytest.raises(InputError, match="no plan"):
            journal.plan(nothing)


def test_a_changed_plan_is_not_handed_out(tmp_path: Path) -> None:
    with Journal.open(tmp_path, write=True) as journal:
        fill(journal)
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("DROP TRIGGER contents_never_change")
    connection.execute("UPDATE contents SET content = x'789c0300000000010000'")
    connection.commit()
    connection.close()
    with Journal.open(tmp_path, write=False) as journal, pytest.raises(InputError, match="changed"):
        journal.plan("0abc")


# Writes


def intent(row: str, instance: str = "psa.example", difference: str = "10.50") -> Intent:
    step = WriteStep("set", "L-1", (("quantity", "3"),), "line L-1: quantity 3")
    return Intent("digest", row, instance, "250", "USD", Decimal(difference), step, None)


def test_recent_writes_count_what_was_or_may_have_been_written(
    journal: Journal, clock: Clock
) -> None:
    clock.time = NOW - timedelta(hours=30)
    run = journal.start_run("m", NOW, {})
    journal.record_intent(run, intent("old"))
    clock.time = NOW - timedelta(hours=1)
    done = journal.record_intent(run, intent("done"))
    journal.record_answer(run, done, "accepted")
    journal.record_readback(run, done, "verified", {"quantity": Decimal(3)})
    refused = journal.record_intent(run, intent("refused"))
    journal.record_answer(run, refused, "rejected", "locked")
    journal.record_readback(run, refused, "differs", {})
    surprising = journal.record_intent(run, intent("surprising"))
    journal.record_answer(run, surprising, "rejected")
    journal.record_readback(run, surprising, "verified", {})
    journal.record_intent(run, intent("two steps"))
    journal.record_intent(run, intent("two steps"))
    journal.record_intent(run, intent("elsewhere", instance="other.example"))
    writes = journal.recent_writes("psa.example", NOW)
    assert [(write.row, write.verified) for write in writes] == [
        ("done", True),
        ("surprising", True),
        ("two steps", False),
    ]
    assert {(write.client, write.currency, write.difference) for write in writes} == {
        ("250", "USD", Decimal("10.50"))
    }


def test_a_purge_removes_what_was_said_and_the_chain_still_verifies(tmp_path: Path) -> None:
    clock = Clock()
    with Journal.open(tmp_path, write=True, clock=clock) as journal:
        old = journal.start_run("mapping.toml", NOW, {"client": "Canary Ltd"})
        journal.register_plan(old, "0abc", b"a plan of Canary Ltd", None, NOW, {})
        journal.attach(old, "explain", b"shared words")
        clock.time = NOW + timedelta(days=50)
        young = journal.start_run("mapping.toml", NOW, {"client": "Other Ltd"})
        journal.register_plan(young, "1abc", b"another plan", None, NOW, {})
        journal.attach(young, "explain", b"shared words")
        assert (
            journal.purge(NOW + timedelta(days=10)) == 3
        )  # the attachment is the young run's, too
        problems = journal.verify()
        assert {problem.level for problem in problems} == {"warning"}
        assert journal.plan("1abc").content == b"another plan"
        assert journal.attachment(young, "explain") == b"shared words"
        assert journal.plan("0abc").content is None
        assert [entry.body for entry in journal.run_entries(old)][:2] == [None, None]
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert zlib.compress(b"a plan of Canary Ltd", 1) not in left


def test_nothing_that_a_guard_may_look_back_to_is_purged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from command import drybill

    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path))
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    said = drybill("runs", "purge", "--before", yesterday)
    assert said.code == 2
    assert "guards look back" in said.err
    said = drybill("runs", "purge", "--before", "2020-01-01")
    assert (said.code, said.out[:24]) == (0, "0 contents were removed;")
