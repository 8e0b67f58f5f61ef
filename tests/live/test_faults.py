"""Every fault at every step of an apply, and death at every step of the journal.

Whatever happens: no write without an intent before it, no line written twice, nothing that is
unknown called known, and `runs resume` brings it to its end.
"""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from dying import DEATHS, dies
from site_of_work import Site

from command import drybill, last_writing_run
from drybill.errors import Exit
from drybill.journal import Journal
from drybill.psa.connectwise.writing import ConnectWiseWriter

pytestmark = pytest.mark.faults

KINDS = ("429", "500", "timeout", "503", "cut", "html", "lost", "refuse", "silent", "edit")
STEPS = {  # which request of the first line's write meets the fault
    "list": {"method": "GET", "path": "/finance/agreements", "skip": 0},
    "re-read": {"method": "GET", "path": "/finance/agreements/1040/additions", "skip": 1},
    "write": {"method": "PATCH", "path": "/additions/3400", "skip": 0},
    "read-back": {"method": "GET", "path": "/finance/agreements/1040/additions", "skip": 2},
}
ONE_LINE = ("--client", "250")


@pytest.mark.parametrize("times", [1, 0], ids=["once", "for ever"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_fails_nothing_is_doubled_or_called_done(
    site: Site, kind: str, step: str, times: int
) -> None:
    plan = site.plan(*ONE_LINE)
    site.store.add_fault(kind, times=times, **STEPS[step])  # type: ignore[arg-type]
    said = site.apply(plan)
    site.store.clear_faults()
    writes = site.sent("PATCH")
    assert len(writes) <= 1, "a write was sent twice"
    quantity = site.addition(3400)["quantity"]
    assert quantity in (25, 26, 28, 29), quantity
    with Journal.open(write=False) as journal:
        assert journal.verify() == []
        entries = journal.run_entries(journal.runs(1)[0].id)
    intents = [entry for entry in entries if entry.kind == "intent"]
    assert len(intents) == len(writes) or kind == "refuse"
    if said.code == Exit.DONE:
        assert quantity == 28, said.err
        assert "1 verified" in said.err
    else:
        assert said.code in (Exit.REFUSED, 4, Exit.UNREACHABLE, Exit.UNKNOWN_OUTCOME), said.err
    edited = quantity in (26, 29)
    if not intents or edited or kind == "silent":  # the line's stamp has moved: a person must look
        return
    again = drybill("runs", "resume", last_writing_run(), "--apply")
    assert len(site.sent("PATCH")) <= 2
    assert site.addition(3400)["quantity"] == 28, again.err
    assert again.code == Exit.DONE, again.err


@pytest.mark.parametrize("kind", [*(k for k in KINDS if k not in ("silent", "edit")), "late"])
def test_a_new_line_is_never_made_twice(
    site: Site, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = site.plan("--client", "252")
    site.store.add_fault(kind, method="POST", path="/additions", value=700)
    said = site.apply(plan)

    def made() -> int:
        return len([each for each in site.store.all("addition") if each["id"] > 3405])

    assert made() <= 1
    assert (said.code == Exit.DONE) is (made() == 1 and kind != "late"), said.err
    again = drybill("runs", "resume", last_writing_run(), "--apply")
    assert again.code in (Exit.DONE, Exit.UNKNOWN_OUTCOME), again.err
    time.sleep(1)
    monkeypatch.setattr("drybill.apply.line.SETTLING", timedelta(0))
    again = drybill("runs", "resume", last_writing_run(), "--apply")
    assert again.code == Exit.DONE, again.err
    assert made() == 1


DATED = ("429", "500", "timeout", "503", "cut", "html", "lost", "refuse")


@pytest.mark.parametrize("kind", DATED)
@pytest.mark.parametrize("method", ["PATCH", "POST", "GET"])
def test_a_dated_change_is_finished_from_wherever_it_stopped(
    site: Site, kind: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps: the old line ends, its like is made; the read-back of the first may fail, too."""
    site.change('price = { USD = "22.00" }', 'price = { USD = "22.00" }\nchange = "dated"')
    site.change('["increase", "decrease", "create"]', '["increase", "create", "end"]')
    agreement = site.store.get("agreement", "1040")
    assert agreement is not None
    site.store.put("agreement", {**agreement, "prorateFlag": True})
    plan = site.plan(*ONE_LINE)
    skip = 2 if method == "GET" else 0
    site.store.add_fault(kind, method=method, path="/1040/additions", skip=skip, times=3)
    said = site.apply(plan)
    site.store.clear_faults()
    if "put back as it was" in said.err:  # the new line was refused for good
        assert (method, kind, said.code) == ("POST", "429", Exit.REFUSED)
        assert site.addition(3400).get("cancelledDate") is None
        assert len(site.store.all("addition")) == 6
        return
    monkeypatch.setattr("drybill.apply.line.SETTLING", timedelta(0))
    again = drybill("runs", "resume", last_writing_run(), "--apply")
    assert again.code == Exit.DONE, again.err
    (made,) = [each for each in site.store.all("addition") if each["id"] > 3405]
    assert (made["quantity"], site.addition(3400)["quantity"]) == (28, 25)
    assert site.addition(3400)["cancelledDate"] == "2026-12-01T00:00:00Z"
    assert len(site.sent("PATCH")) <= 2


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", DEATHS)
def test_a_run_that_dies_anywhere_is_finished_without_doubling(
    site: Site, step: str, when: str, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if step == "end_run" and nth > 1:
        pytest.skip("a run ends once")
    words = ("diff", site.mapping, "--plan", site.plan(), "--apply")
    last, intents = dies(ConnectWiseWriter, step, when, nth, *words)
    assert len(site.sent("PATCH")) + len(site.sent("POST")) - 2 <= intents + 1
    said = drybill("runs", "resume", last, "--apply")
    if said.code == Exit.UNKNOWN_OUTCOME:  # a new line may have been sent a moment ago
        assert "it was sent and may still arrive" in said.err
        monkeypatch.setattr("drybill.apply.line.SETTLING", timedelta(0))
        said = drybill("runs", "resume", last, "--apply")
    assert said.code == Exit.DONE, said.err
    quantities = [site.addition(id)["quantity"] for id in (3400, 3403)]
    new = [each for each in site.store.all("addition") if each["id"] > 3405]
    assert quantities == [28, 10]
    assert len(new) == 1, "a line was created twice"
    assert drybill("runs", "verify").code == Exit.DONE
