"""Writes whose outcome nobody knows yet, lines set back by hand, and lines that look like ours."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from site_of_work import Site

from command import drybill, last_run, undone
from drybill.errors import Exit

NEW_LINE = ("--client", "252")


def made(site: Site) -> list[int]:
    return [each["id"] for each in site.store.all("addition") if each["id"] > 3405]


@pytest.mark.faults
def test_a_new_line_that_may_still_come_is_not_sent_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway gives up with 504; ConnectWise makes the line a moment later."""
    plan = site.plan(*NEW_LINE)
    site.store.add_fault("late", method="POST", path="/additions", value=8000)
    said = site.apply(plan)
    assert said.code in (Exit.UNKNOWN_OUTCOME, 4), said.err
    run = last_run()
    again = drybill("runs", "resume", run, "--apply")
    assert again.code == Exit.UNKNOWN_OUTCOME, again.err
    assert "it was sent and may still arrive: look again after" in again.err
    fresh = site.apply(site.plan(*NEW_LINE))  # nor by another plan
    assert fresh.code == Exit.UNKNOWN_OUTCOME, fresh.err
    for _ in range(100):
        if made(site):
            break
        time.sleep(0.2)
    assert len(made(site)) == 1
    done = drybill("runs", "resume", run, "--apply")
    assert done.code == Exit.DONE, done.err
    assert "an earlier run had written it" in done.err
    assert len(made(site)) == 1


def test_one_that_never_came_is_sent_again_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = site.plan(*NEW_LINE)
    site.store.add_fault("refuse", method="POST", path="/additions")
    site.apply(plan)
    monkeypatch.setattr("drybill.apply.line.SETTLING", timedelta(0))
    done = drybill("runs", "resume", last_run(), "--apply")
    assert done.code == Exit.DONE, done.err
    assert len(made(site)) == 1


def test_a_line_that_was_set_back_by_hand_is_not_written_again_by_its_plan(site: Site) -> None:
    """Without a stamp it looks as the plan saw it."""
    before = site.addition(3400)
    before.pop("_info")
    site.store.put("addition", before, "1040")
    plan = site.plan("--client", "250")
    assert site.apply(plan).code == Exit.DONE
    site.store.put("addition", before, "1040")
    said = site.apply(plan)
    assert said.code == Exit.REFUSED
    assert "has written it since, and it is back as it was" in said.err
    assert len(site.sent("PATCH")) == 1
    assert site.apply(site.plan("--client", "250")).code == Exit.DONE  # what a person looks at anew


def test_a_line_that_a_person_made_like_ours_is_not_undone(site: Site) -> None:
    assert site.apply(site.plan(*NEW_LINE)).code == Exit.DONE
    run = last_run()
    (ours,) = made(site)
    line = site.addition(ours)
    site.store.remove("addition", str(ours))
    site.store.put("addition", {**line, "id": ours + 1}, "1042")
    said = undone(run)
    assert "the line that the run made is gone already" in " ".join(said.out.split())
    assert "cancelledDate" not in site.addition(ours + 1)
    assert site.sent("PATCH") == []


def test_an_end_is_taken_back(site: Site) -> None:
    site.change('["increase", "decrease", "create"]', '["end"]')
    site.change('from = [{ vendor = "pax8", sku = "BCK-1" }]',
        'from = [{ vendor = "pax8", sku = "BCK-1" }]\nat_zero = "end"')  # fmt: skip
    site.change("[writes]", "[guards]\nto_zero = true\nrow = { percent = 100 }\n\n[writes]")
    backup = site.store.get("pax8-subscription", "5ab00000-0000-4000-8000-000000000003")
    assert backup is not None
    site.store.put("pax8-subscription", {**backup, "quantity": 0})
    assert site.apply(site.plan("--client", "251")).code == Exit.DONE
    assert site.addition(3404)["cancelledDate"] == "2026-12-01T00:00:00Z"
    run = last_run()
    said = drybill("undo", run)
    assert "+76.00" in said.out, said.out
    said = undone(run)
    assert said.code == Exit.DONE, said.err
    assert site.addition(3404)["cancelledDate"] is None
    assert site.sent("PATCH")[-1]["body"] == '[{"op":"remove","path":"cancelledDate"}]'


@pytest.mark.faults
def test_another_mapping_of_the_same_psa_waits_too(site: Site) -> None:
    """Its rows have other ids: the product is named by number, the PSA and its host otherwise."""
    plan = site.plan(*NEW_LINE)
    site.store.add_fault("late", method="POST", path="/additions", value=8000)
    assert site.apply(plan).code == Exit.UNKNOWN_OUTCOME
    site.change("[psa.main]", "[psa.cw]")
    site.change("127.0.0.1", "localhost")
    site.change("[products.EDR]\n", '[products.EDR]\nids = { cw = "1351" }\n')
    again = site.apply(site.plan(*NEW_LINE))
    assert again.code == Exit.UNKNOWN_OUTCOME, again.err
    assert "it was sent and may still arrive" in again.err


def test_a_line_that_was_taken_back_can_be_made_again(site: Site) -> None:
    assert site.apply(site.plan(*NEW_LINE)).code == Exit.DONE
    assert undone(last_run()).code == Exit.DONE
    said = site.apply(site.plan(*NEW_LINE))
    assert said.code == Exit.DONE, said.err
    assert len(made(site)) == 2


def test_an_ended_new_line_does_not_hold_what_was_written(site: Site) -> None:
    assert site.apply(site.plan(*NEW_LINE)).code == Exit.DONE
    run = last_run()
    assert undone(run).code == Exit.DONE
    said = drybill("runs", "recheck", run)
    assert (said.code, "0 of 1 lines hold" in said.out) == (Exit.DIFFERENCES, True)


def test_a_number_that_may_still_arrive_is_not_overtaken_by_another(site: Site) -> None:
    """Else the late one would win. The same number once more does no harm."""
    from drybill.sandbox.seed import subscription

    plan = site.plan("--client", "250")
    site.store.add_fault("503", method="PATCH", path="/additions")
    said = site.apply(plan)
    assert "it may still arrive" in said.err
    site.store.put("pax8-subscription", subscription(0, 250, "M365-BP", 29))
    other = site.apply(site.plan("--client", "250"))
    assert (other.code, site.addition(3400)["quantity"]) == (Exit.UNKNOWN_OUTCOME, 25), other.err
    again = site.apply(plan)
    assert (again.code, site.addition(3400)["quantity"]) == (Exit.DONE, 28), again.err
