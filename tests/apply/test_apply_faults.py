"""Answers that fail, and programs that die: nothing is doubled, nothing unknown looks known."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.metadata
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from scene import FILES, LINES, MAPPING

from command import Desk, drybill
from drybill.billing.agreement import Segment
from drybill.billing.change import WriteStep
from drybill.errors import Exit, Problem, UnreachableError
from drybill.journal import Journal, JournalUnavailable
from drybill.psa.files import adapter as files
from drybill.psa.files.adapter import FilesReader
from drybill.psa.files.writing import FilesWriter
from drybill.psa.port import Answer, PsaReader, PsaWriter, Reading, Scope


@dataclass
class Fault:
    """What goes wrong with one line, and how often it was sent."""

    answer: Callable[[], Answer] | None = None  # instead of what the file said
    arrives: bool = True
    read_fails: str = ""  # before | after the write
    seen: Callable[[Segment], Segment] = lambda segment: segment
    line: str = "L1"  # or the beginning of its id
    sent: int = 0

    def meets(self, line_id: str) -> bool:
        return line_id.startswith(self.line)


class FaultyAdapter:
    """What another package may install: the files PSA, with one fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def open(
        self, name: str, settings: Mapping[str, object], base: Path, scope: Scope
    ) -> PsaReader:
        return FaultyReader(self.fault, files.open(name, {**settings, "kind": "files"}, base))

    def writer(self, reader: PsaReader) -> PsaWriter:
        assert isinstance(reader, FaultyReader)
        return FaultyWriter(self.fault, files.writer(reader.real))


class FaultyReader:
    kind, instance = "faulty", "faulty:1"

    def __init__(self, fault: Fault, real: FilesReader) -> None:
        self.fault, self.real, self.name, self.target = fault, real, real.name, real.target
        self.capabilities, self.plan_write, self.read = (
            real.capabilities,
            real.plan_write,
            real.read,
        )
        self.session, self.read_client = real.session, real.read_client

    async def read_lines(self, agreement_ids: frozenset[str]) -> Reading:
        fault, only = self.fault, agreement_ids == {"A"}
        if only and fault.read_fails == ("after" if fault.sent else "before"):
            raise UnreachableError([Problem("gone", None, "no answer within 30 seconds")])
        reading = await self.real.read_lines(agreement_ids)
        if not fault.sent:
            return reading
        return replace(reading, segments=tuple(self._seen(each) for each in reading.segments))

    def _seen(self, segment: Segment) -> Segment:
        return self.fault.seen(segment) if self.fault.meets(segment.line_id) else segment


class FaultyWriter:
    def __init__(self, fault: Fault, real: PsaWriter) -> None:
        self.fault, self.real = fault, real

    async def __aenter__(self) -> FaultyWriter:
        await self.real.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.real.__aexit__()

    async def execute(self, step: WriteStep) -> Answer:
        if not self.fault.meets(step.line_id):
            return await self.real.execute(step)
        self.fault.sent += 1
        answer = await self.real.execute(step) if self.fault.arrives else Answer("accepted")
        return self.fault.answer() if self.fault.answer else answer


def drop() -> Answer:
    raise ConnectionError("token=s3cret")


def rejected() -> Answer:
    return Answer("rejected", "the agreement is closed")


def more(segment: Segment) -> Segment:
    return replace(segment, unit_price=segment.unit_price and segment.unit_price * 2)


CASES = {
    "dropped, and it had arrived": (Fault(drop), "verified", Exit.DONE),
    "dropped, and it had not arrived": (Fault(drop, arrives=False), "differs", 4),
    "accepted, and nothing happened": (Fault(arrives=False), "differs", 4),
    "accepted, and another field moved too": (Fault(seen=more), "differs", 4),
    "accepted, and no read-back": (Fault(read_fails="after"), "unknown", 6),
    "dropped, and no read-back": (Fault(drop, read_fails="after"), "unknown", 6),
    "rejected": (Fault(rejected, arrives=False), "rejected", 4),
    "rejected, yet it happened": (Fault(rejected), "verified", Exit.DONE),
    "not readable before": (Fault(read_fails="before"), "refused", 4),
}


def install(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    point = SimpleNamespace(
        name="faulty", value="acme_psa:adapter", load=lambda: FaultyAdapter(fault)
    )
    real = importlib.metadata.entry_points

    def installed(group: str) -> object:
        return [point] if group == "drybill.psa" else real(group=group)

    monkeypatch.setattr(importlib.metadata, "entry_points", installed)


def faulty_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> Desk:
    install(monkeypatch, fault)
    desk = Desk(tmp_path, MAPPING, **FILES)
    mapping = tmp_path / "mapping.toml"
    text = mapping.read_text("utf-8").replace(
        '[psa.main]\nkind = "files"', '[psa.main]\nkind = "faulty"'
    )
    mapping.write_text(text, "utf-8")
    return desk


@pytest.mark.parametrize("name", CASES)
def test_only_a_read_back_decides_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fault, verdict, code = CASES[name]
    fault = dataclasses.replace(fault)
    desk = faulty_desk(tmp_path, monkeypatch, fault)
    said = desk.apply(desk.plan())
    assert said.code == code, said.err
    told = next(line for line in said.err.splitlines() if "10 -> 13" in line)
    assert verdict in told.split()
    assert "s3cret" not in said.err + said.out
    assert fault.sent == (0 if fault.read_fails == "before" else 1), "nothing is repeated blindly"
    others = 2 if fault.read_fails == "before" else 3  # two lines stand on the agreement
    assert said.err.count("  verified") == others + (verdict == "verified"), "the others go on"
    with Journal.open(write=False) as journal:
        assert journal.verify() == []
        assert journal.runs(1)[0].exit_code == code
    if verdict in ("unknown", "differs"):
        assert "Look at the PSA before you go on" in said.err


def test_where_every_line_was_rejected_nothing_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = faulty_desk(tmp_path, monkeypatch, Fault(rejected, arrives=False))
    said = desk.apply(desk.plan("--only", desk.rows()["L1"]["row"]))
    assert said.code == Exit.REFUSED
    assert "the agreement is closed" in said.err
    assert "Nothing was written." in said.err


@pytest.mark.parametrize("line", ["L2", "L3", "drybill-"], ids=["fall", "end", "new line"])
def test_the_whole_line_is_read_back_not_only_what_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """A PSA may accept a quantity and put its own price beside it."""
    desk = faulty_desk(tmp_path, monkeypatch, Fault(line=line, seen=more))
    said = desk.apply(desk.plan())
    assert said.code == Exit.APPLIED_IN_PART
    assert "3 verified, 1 differs" in said.err


def test_an_unknown_outcome_counts_for_the_guards_and_is_found_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(read_fails="after")
    desk = faulty_desk(tmp_path, monkeypatch, fault)
    plan = desk.plan("--only", desk.rows()["L1"]["row"])
    assert desk.apply(plan).code == Exit.UNKNOWN_OUTCOME
    with Journal.open(write=False) as journal:
        from datetime import UTC, datetime

        (write,) = journal.recent_writes("faulty:1", datetime.now(UTC))
    assert not write.verified
    fault.read_fails = ""
    again = desk.apply(plan)
    assert (again.code, fault.sent) == (Exit.DONE, 1)
    assert "an earlier run had written it" in again.err
    assert desk.apply(plan).code == Exit.REFUSED  # it is settled now
    assert desk.rows()["L1"]["bucket"] == "unchanged"


def test_a_psa_that_cannot_be_asked_at_all_is_written_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(read_fails="before")
    desk = faulty_desk(tmp_path, monkeypatch, fault)
    said = desk.apply(desk.plan("--only", desk.rows()["L1"]["row"]))
    assert (said.code, desk.lines) == (Exit.UNREACHABLE, LINES)


@pytest.mark.parametrize(
    ("fails_at", "code", "written"),
    [("record_intent", 3, 0), ("record_answer", 6, 1), ("record_readback", 6, 1)],
)
def test_a_journal_that_fails_midway_stops_the_writing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fails_at: str, code: int, written: int
) -> None:
    """Nothing may be written that cannot be told."""
    plan = desk.plan()

    def full(*_: object, **__: object) -> int:
        raise JournalUnavailable([Problem("journal-unavailable", None, "the disk is full")])

    monkeypatch.setattr(Journal, fails_at, full)
    said = desk.apply(plan)
    assert said.code == code, said.err
    assert said.err.count("skipped  ") == 4 - written
    assert "the disk is full" in said.err
    changed = sum(a != b for a, b in zip(desk.lines.split("\n"), LINES.split("\n"), strict=False))
    assert changed == written


# Programs that die


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a program is killed in a process of its own")
@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
def test_a_run_that_was_killed_is_carried_on_without_doubling(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    plan = desk.plan()
    assert killed(monkeypatch, after, plan) == 9
    with Journal.open(write=False) as journal:
        assert journal.verify() == []
        run = journal.runs(1)[0]
        kinds = [entry.kind for entry in journal.run_entries(run.id)]
    assert (run.facts["command"], run.exit_code, run.ended) == ("apply", None, None)
    assert kinds == ["run", "intent"]
    assert "still going, or killed" in drybill("runs").out
    said = drybill("runs", "resume", run.id, "--apply")
    assert said.code == Exit.DONE, said.err
    assert ("an earlier run had written it" in said.err) is after
    assert desk.lines.count("drybill-") == 1
    assert desk.diff()["verdict"] == "clean"


def killed(monkeypatch: pytest.MonkeyPatch, after: bool, plan: str) -> int:
    """Applies a plan in a copy of this process that dies at its first write; the exit code."""
    real = FilesWriter.execute

    async def dies(writer: FilesWriter, step: WriteStep) -> Answer:
        if after:
            await real(writer, step)
        os._exit(9)

    child = os.fork()
    if not child:
        monkeypatch.setattr(FilesWriter, "execute", dies)
        drybill("diff", "--plan", plan, "--apply")
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_killed_plan_does_not_count_its_own_lines_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a plan as large as the run guard allows could never be carried on."""
    guards = "to_zero = true\n    run = { rows = 4, percent_of_rows = 0 }"
    desk = Desk(tmp_path, MAPPING.replace("to_zero = true", guards), **FILES)
    plan = desk.plan()

    def die(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "record_answer", die)
        said = desk.apply(plan)
    assert said.code == Exit.INTERRUPTED
    assert "stopped after 0 of 4 lines" in said.err
    assert "interrupted" in said.err
    assert desk.apply(plan).code == Exit.DONE
    assert desk.diff()["verdict"] == "clean"


@pytest.mark.skipif(
    sys.platform == "win32", reason="Ctrl-C is no signal that a test can send there"
)
def test_ctrl_c_stops_between_two_lines_never_within_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> Answer:
        os.kill(os.getpid(), signal.SIGINT)
        return Answer("accepted")

    desk = faulty_desk(tmp_path, monkeypatch, Fault(interrupt))
    plan = desk.plan()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        said = desk.apply(plan)
    finally:
        signal.signal(signal.SIGINT, before)
    assert said.code == Exit.INTERRUPTED
    assert "10 -> 13" in said.err, "the line that was being written is told"
    assert f"stopped after {said.err.count('verified')} of 4 lines: drybill runs resume" in said.err
    assert "Seats,12,4.00" in desk.lines, "the next line was not begun"
    with Journal.open(write=False) as journal:
        assert journal.runs(1)[0].exit_code == Exit.INTERRUPTED
        kinds = [entry.kind for entry in journal.run_entries(journal.runs(1)[0].id)]
    assert kinds.count("intent") == kinds.count("readback")
    assert desk.apply(desk.plan()).code == Exit.DONE


# Going on after a stop


def test_resume_without_apply_only_says_what_is_left(desk: Desk) -> None:
    plan = desk.plan()
    assert desk.apply(plan).code == Exit.DONE
    written = desk.lines
    said = drybill("runs", "resume", _last_run())
    assert (said.code, desk.lines) == (Exit.DONE, written)
    assert "4 of 4 lines are written" in said.out
    assert "There is nothing left to do." in said.out


def test_resume_leaves_alone_what_somebody_changed_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as the plan saw it nor as it meant it: a person must look."""
    plan = desk.plan()
    assert killed(monkeypatch, False, plan) == 9
    lines = desk.folder / "lines.csv"
    lines.write_text(desk.lines.replace('all of them",10', 'all of them",99'), "utf-8")
    said = drybill("runs", "resume", _last_run())
    assert "Nothing was written." in said.out
    said = drybill("runs", "resume", _last_run(), "--apply")
    assert said.code == Exit.APPLIED_IN_PART
    assert "found 99" in said.err
    assert 'all of them",99' in desk.lines


def _last_run() -> str:
    with Journal.open(write=False) as journal:
        return journal.runs(1)[0].id


@pytest.mark.parametrize("whim", [None, "answer", asyncio.CancelledError(), SystemExit(0)])
def test_whatever_an_adapter_does_every_line_has_an_outcome(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, whim: object
) -> None:
    """It writes, and then answers nothing, or ends the program."""
    plan, real = desk.plan(), FilesWriter.execute

    async def whimsical(writer: FilesWriter, step: WriteStep) -> object:
        await real(writer, step)
        if isinstance(whim, BaseException):
            raise whim
        return whim

    monkeypatch.setattr(FilesWriter, "execute", whimsical)
    said = desk.apply(plan)
    assert said.code == Exit.DONE, said.err
    assert said.err.count("verified") == 4 + 1
