"""Every fault at every step of an apply to AlgaPSA, and death at every step of the journal."""

from __future__ import annotations

from typing import Any

import pytest
from dying import DEATHS, dies
from site_of_work import Site

from command import drybill, last_writing_run
from drybill.errors import Exit
from drybill.journal import Journal
from drybill.psa.algapsa.writing import AlgaPsaWriter
from drybill.sandbox.seed_algapsa import EDR, M365, client_id, config_id, line_id

pytestmark = pytest.mark.faults

KINDS = (
    "429", "500", "timeout", "503", "cut", "html", "lost", "refuse", "silent", "edit", "refusal",
)  # fmt: skip
SERVICES = f"/api/v1/contract-lines/{line_id(250, 'Licences')}/services"
STEPS: dict[str, dict[str, Any]] = {  # which request of the line's write meets the fault
    "list": {"method": "GET", "path": "/api/v1/client-contract-lines", "skip": 0},
    "invoices": {"method": "GET", "path": "/api/v1/invoices", "skip": 1},
    "re-read": {"method": "GET", "path": SERVICES, "skip": 1},
    "write": {"method": "PUT", "path": SERVICES, "skip": 0},
    "read-back": {"method": "GET", "path": SERVICES, "skip": 2},
}


def quantity(alga: Site, number: int, service: str = M365) -> int:
    found = alga.store.get("alga-on-line", config_id(number, service))
    assert found is not None
    held: int = found["row"]["configuration"]["quantity"]
    return held


@pytest.mark.parametrize("times", [1, 0], ids=["once", "for ever"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_fails_nothing_is_doubled_or_called_done(
    alga: Site, kind: str, step: str, times: int
) -> None:
    plan = alga.plan("--client", client_id(250))
    alga.store.add_fault(kind, times=times, **STEPS[step])
    said = alga.apply(plan)
    alga.store.clear_faults()
    writes = alga.sent("PUT")
    assert len(writes) <= 1, "a write was sent twice"
    assert quantity(alga, 250) in (25, 26, 28, 29)
    with Journal.open(write=False) as journal:
        assert journal.verify() == []
        entries = journal.run_entries(journal.runs(1)[0].id)
    intents = [entry for entry in entries if entry.kind == "intent"]
    assert len(intents) == len(writes)
    if said.code == Exit.DONE:
        assert quantity(alga, 250) == 28, said.err
        assert "1 verified" in said.err
    else:
        assert said.code in (Exit.REFUSED, 4, Exit.UNREACHABLE, Exit.UNKNOWN_OUTCOME), said.err
    if not intents or kind in ("silent", "edit"):  # its stamp has moved: a person must look
        return
    again = drybill("runs", "resume", last_writing_run(), "--apply")
    assert len(alga.sent("PUT")) <= 2
    assert quantity(alga, 250) == 28, again.err
    assert again.code == Exit.DONE, again.err


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", DEATHS)
def test_a_run_that_dies_anywhere_is_finished_without_doubling(
    alga: Site, step: str, when: str, nth: int
) -> None:
    if step == "end_run" and nth > 1:
        pytest.skip("a run ends once")
    words = ("diff", alga.mapping, "--plan", alga.plan(), "--apply")
    last, intents = dies(AlgaPsaWriter, step, when, nth, *words)
    assert len(alga.sent("PUT")) <= intents
    said = drybill("runs", "resume", last, "--apply")
    assert said.code == Exit.DONE, said.err
    assert [quantity(alga, 250), quantity(alga, 251), quantity(alga, 252, EDR)] == [28, 10, 8]
    assert len(alga.sent("PUT")) == 3, "a line was written twice"
    assert drybill("runs", "verify").code == Exit.DONE
