"""An answer is lost, or drybill is killed, at every step of Tryton's state machine.

Whatever happens: nothing is written twice, a subscription that is left in draft is said, `runs
resume` brings the change to its end, and then Tryton bills what was said at first.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from desk import Desk
from fault_proxy import Fault

from command import drybill, last_writing_run
from drybill.apply import line
from drybill.errors import Exit
from drybill.journal import Journal

pytestmark = pytest.mark.roundtrip
SRC = Path(__file__).parents[2] / "src"
CONTOSO = "Contoso Dental"
CHANGES = {
    "a change": {"m365": "34"},
    "a new line": {"hours": "1.5"},
    "an end": {"edr": "0"},
}
STEPS = ("draft", "write", "quote", "run")


def fault_at(step: str, what: str, *, arrives: bool) -> Fault:
    if step != "write":
        return Fault("POST", f"/sale.subscription/1/{step}", arrives)
    method, path = ("POST", "") if what == "a new line" else ("PUT", "/1")
    if what == "an end":
        path = "/2"
    return Fault(method, f"/sale.subscription.line{path}", arrives)


def resume(run: str, monkeypatch: pytest.MonkeyPatch, *, may_still_arrive: bool) -> None:
    """Brings a run to its end; a new line that was sent is waited for before it is sent again."""
    said = drybill("runs", "resume", run, "--apply")
    if may_still_arrive:
        assert said.code == Exit.UNKNOWN_OUTCOME, said.err
        assert "it was sent and may still arrive" in said.err
        monkeypatch.setattr(line, "SETTLING", timedelta())
        said = drybill("runs", "resume", run, "--apply")
    assert said.code == Exit.DONE, said.err
    with Journal.open(write=False) as journal:
        assert journal.verify() == []


def one_change(desk: Desk, what: str, said: dict[str, tuple[str, str, str]]) -> None:
    """Tryton holds the change exactly once, everything runs, and it bills what was said."""
    lines = desk.tryton()
    assert {each["state"] for each in lines.values()} == {"running"}
    assert len(lines) == (8 if what == "a new line" else 7), "a line was created twice"
    assert desk.predicted("before") == said == desk.bill()


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("arrives", [True, False], ids=["it arrived", "it did not"])
@pytest.mark.parametrize("step", STEPS)
def test_an_answer_that_is_lost_is_found_out_by_reading(
    desk: Desk, step: str, arrives: bool, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.usage(contoso=CHANGES[what])
    said = desk.predicted()
    plan = desk.plan()
    desk.proxy.faults.append(fault_at(step, what, arrives=arrives))
    applied = desk.apply(plan)
    assert desk.proxy.faults == []
    if arrives:
        assert applied.code == Exit.DONE, applied.err
    else:
        assert applied.code in (Exit.APPLIED_IN_PART, Exit.UNKNOWN_OUTCOME), applied.err
        waits = (step, what) == ("write", "a new line")
        resume(last_writing_run(), monkeypatch, may_still_arrive=waits)
    one_change(desk, what, said)


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("arrives", [True, False], ids=["after it", "before it"])
@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_is_finished_without_doubling(
    desk: Desk,
    step: str,
    arrives: bool,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk.usage(contoso=CHANGES[what])
    said = desk.predicted()
    plan = desk.plan()
    program = "from drybill.__main__ import main; main()"
    words = ["diff", desk.mapping, "--plan", plan, "--apply"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    fault = fault_at(step, what, arrives=arrives)
    fault.then = process.kill
    desk.proxy.faults.append(fault)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err.decode()
    if not (step == "draft" and not arrives) and not (step == "run" and arrives):
        shown = drybill("diff", desk.mapping)
        assert f"are not billed, until they run: 1 ({CONTOSO})" in " ".join(
            (shown.out + shown.err).split()
        )
    waits = (step, what, arrives) == ("write", "a new line", False)
    resume(last_writing_run(), monkeypatch, may_still_arrive=waits)
    one_change(desk, what, said)


WOODGROVE, COARSER = "Woodgrove Clinic", "UPDATE product_uom SET digits = 0, rounding = 1"
FINER = "UPDATE product_uom SET digits = 2, rounding = 0.01"


def test_a_refusal_half_way_is_taken_back_and_said(alone: Desk) -> None:
    """Hours take whole numbers only, by now: Tryton refuses what was planned, and only then. The
    subscription must not stay in draft, where nobody bills it."""
    desk = alone
    desk.usage(woodgrove={"hours": "2.75"})
    plan = desk.plan()
    desk.server.sql(COARSER)
    applied = desk.apply(plan)
    assert applied.code == Exit.REFUSED
    said = " ".join(applied.err.split())
    assert "1 rejected" in said
    assert "PSA_RULE: 400" in said
    assert "exceeds the limit" in said, "in Tryton's own words"
    line = desk.tryton()[desk.line(WOODGROVE, "SUPPORT")]
    assert (line["quantity"], line["state"]) == ("2.5", "running"), said
    assert "put back as it was" in said


@pytest.mark.parametrize("alone", [0], indirect=True, ids=["it keeps what it refuses"])
def test_a_refusal_that_is_kept_all_the_same_is_found_out_by_reading(alone: Desk) -> None:
    """This Tryton answers 400 and stores the quantity: what it holds decides, not its answer."""
    desk = alone
    desk.usage(woodgrove={"hours": "2.75"})
    said = desk.predicted()
    plan = desk.plan()
    desk.server.sql(COARSER)
    applied = desk.apply(plan)
    run = drybill("runs", "show", last_writing_run())
    assert "rejected" in run.out, "it answered 400"
    assert applied.code == Exit.DONE, applied.err
    desk.server.sql(FINER)  # else Tryton would not bill what it stores
    assert desk.predicted("before") == said == desk.bill()
