"""A dated change: one line ends, its like begins that day, and a stop between is no lost seat."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from site_of_work import Site

from command import drybill, undone
from drybill.errors import Exit
from drybill.journal import Journal

ONE_LINE = ("--client", "250")
END = "2026-12-01T00:00:00Z"


@pytest.fixture
def dated(site: Site) -> Site:
    site.change('price = { USD = "22.00" }', 'price = { USD = "22.00" }\nchange = "dated"')
    site.change('["increase", "decrease", "create"]', '["increase", "decrease", "create", "end"]')
    agreement = site.store.get("agreement", "1040")
    assert agreement is not None
    site.store.put("agreement", {**agreement, "prorateFlag": True})
    line = {**site.addition(3400), "lessIncluded": 2, "cancelledDate": "2027-06-01T00:00:00Z"}
    site.store.put("addition", line, "1040")
    return site


def new_lines(site: Site) -> list[dict[str, object]]:
    return [each for each in site.store.all("addition") if each["id"] > 3405]


def test_the_old_line_ends_and_its_like_begins_with_the_new_number(dated: Site) -> None:
    row = dated.rows(*ONE_LINE)["3400"]
    assert (row["bucket"], row["difference"], row["effective_date"]) == (
        "change", "66.00", "2026-12-01",
    )  # fmt: skip
    said = dated.apply(dated.plan(*ONE_LINE))
    assert said.code == Exit.DONE, said.err
    (patch,) = dated.sent("PATCH")
    assert json.loads(patch["body"]) == [{"op": "replace", "path": "cancelledDate", "value": END}]
    (made,) = new_lines(dated)
    old = dated.addition(3400)
    assert (old["quantity"], old["cancelledDate"]) == (25, END)
    assert (made["quantity"], made["unitPrice"], made["effectiveDate"]) == (28, 22.0, END)
    assert (made["lessIncluded"], made["billCustomer"]) == (2, "Billable")
    assert made["cancelledDate"] == "2027-06-01T00:00:00Z"
    after = dated.rows(*ONE_LINE)
    assert [row["bucket"] for row in after.values()].count("unchanged") == 2, after
    with Journal.open(write=False) as journal:
        told = [e.body or {} for e in journal.run_entries(journal.runs(2)[1].id)]
    assert [body["step"]["line_id"] for body in told if "step" in body] == ["3400", ""]
    assert str(made["id"]) in [body.get("made") for body in told]


@pytest.mark.parametrize(
    ("fields", "why"), [('["increase"]', "SWITCH_OFF"), ('["increase", "create"]', "SWITCH_OFF")]
)
def test_it_needs_the_switches_of_all_that_it_does(dated: Site, fields: str, why: str) -> None:
    dated.change('["increase", "decrease", "create", "end"]', fields)
    row = dated.rows(*ONE_LINE)["3400"]
    assert (row["bucket"], row["would_write"]) == ("change", False)
    said = " ".join(drybill("diff", dated.mapping, *ONE_LINE).out.split())
    assert "a dated change needs three switches" in said


def test_without_proration_it_is_refused(dated: Site) -> None:
    agreement = dated.store.get("agreement", "1040")
    assert agreement is not None
    dated.store.put("agreement", {**agreement, "prorateFlag": False})
    row = dated.rows(*ONE_LINE)["3400"]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "DATED_NOT_SUPPORTED")
    assert row["wanted"] == {"quantity": "28", "difference": "66.00"}


def test_a_line_that_begins_that_day_has_nothing_to_keep(dated: Site) -> None:
    dated.store.put("addition", {**dated.addition(3400), "effectiveDate": END}, "1040")
    row = dated.rows(*ONE_LINE)["3400"]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "DATED_NOT_SUPPORTED")


def test_where_the_new_line_is_refused_the_old_one_goes_on(dated: Site) -> None:
    """The seats must not be billed by nobody until a person comes."""
    plan = dated.plan(*ONE_LINE)
    dated.store.remove("product", "1350")
    said = dated.apply(plan)
    assert said.code == Exit.REFUSED, said.err
    assert "The field product is required.; put back as it was" in said.err
    assert dated.addition(3400)["cancelledDate"] == "2027-06-01T00:00:00Z"
    assert new_lines(dated) == []
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
        told = [e.body or {} for e in journal.run_entries(run) if e.kind == "intent"]
        assert [body["back"] for body in told] == [False, False, True]
        assert journal.begun() == {}
    assert "0 of 1 lines are written, 0 were begun" in drybill("runs", "resume", run).out


def test_where_the_way_back_is_refused_too_it_is_left_open_and_said(dated: Site) -> None:
    plan = dated.plan(*ONE_LINE)
    product = dated.store.get("product", "1350")
    assert product is not None
    dated.store.remove("product", "1350")
    dated.store.add_fault("429", method="PATCH", path="/additions", skip=1)
    said = dated.apply(plan)
    assert said.code == Exit.APPLIED_IN_PART
    assert "not put back either: 429" in said.err
    run = said.err.rpartition("runs resume ")[2].split()[0]
    assert new_lines(dated) == []
    dated.store.put("product", product)
    assert "1 were begun" in drybill("runs", "resume", run).out
    again = drybill("runs", "resume", run, "--apply")
    assert again.code == Exit.DONE, again.err
    assert len(dated.sent("PATCH")) == 2
    (made,) = new_lines(dated)
    assert made["quantity"] == 28
    assert [row["bucket"] for row in dated.rows(*ONE_LINE).values()].count("unchanged") == 2


def test_an_end_that_somebody_else_made_is_not_gone_on_from(dated: Site) -> None:
    plan = dated.plan(*ONE_LINE)
    dated.store.put("addition", {**dated.addition(3400), "cancelledDate": END}, "1040")
    said = dated.apply(plan)
    assert said.code == Exit.REFUSED
    assert "cancelled: planned 2027-06-01, found 2026-12-01" in said.err
    assert new_lines(dated) == []


def test_an_undo_restores_the_number_on_the_new_line(dated: Site) -> None:
    before = dated.rows(*ONE_LINE)["3400"]["amount_before"]
    assert dated.apply(dated.plan(*ONE_LINE)).code == Exit.DONE
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    said = undone(run, "--allow", "client.percent_of_invoice", "--reason", "x")
    assert said.code == Exit.DONE, said.err
    (made,) = new_lines(dated)
    assert made["quantity"] == 25
    (row,) = [r for r in dated.rows(*ONE_LINE).values() if r["product"] == "M365-BP"]
    assert row["amount_before"] == before


def test_a_named_line_keeps_its_name_when_it_was_replaced(dated: Site) -> None:
    """Also in the period after, where the old one does not bill any more."""
    second = {**dated.addition(3400), "id": 3500, "quantity": 5, "cancelledDate": None}
    dated.store.put("addition", second, "1040")
    dated.change(
        "[writes]",
        '[[lines]]\nclient = 250\nproduct = "M365-BP"\nline = 3500\nname = "branch"\n\n[writes]',
    )
    usage = dated.store.get("pax8-subscription", "5ab00000-0000-4000-8000-000000000000")
    assert usage is not None
    dated.store.put("pax8-subscription", {**usage, "quantity": 33})
    before = dated.rows(*ONE_LINE)["3500"]
    assert (before["bucket"], before["quantity_after"]) == ("change", "8")
    said = dated.apply(dated.plan(*ONE_LINE))
    assert said.code == Exit.DONE, said.err
    agreement = dated.store.get("agreement", "1040")
    assert agreement is not None
    dated.store.put("agreement", {**agreement, "nextInvoiceDate": "2027-01-01T00:00:00Z"})
    dated.store.put("pax8-subscription", {**usage, "quantity": 34})
    (made,) = [each for each in new_lines(dated) if each["id"] != 3500]
    after = dated.rows(*ONE_LINE, "--horizon", "60")[str(made["id"])]
    assert (after["row"], after["bucket"], after["quantity_after"]) == (
        before["row"], "change", "9",
    )  # fmt: skip


@pytest.fixture
def half(dated: Site) -> str:
    """The run that ended the line and could not make its like."""
    plan = dated.plan(*ONE_LINE)
    dated.store.add_fault("500", method="POST", path="/additions")
    assert dated.apply(plan).code == Exit.UNKNOWN_OUTCOME
    with Journal.open(write=False) as journal:
        return journal.runs(1)[0].id


def test_an_open_change_is_said_by_everything_that_looks(dated: Site, half: str) -> None:
    resume = f"drybill runs resume {half} --apply"
    assert resume in " ".join(drybill("diff", dated.mapping).out.split())
    said = drybill("runs", "recheck", half)
    assert (said.code, "partial" in said.out, resume in said.out) == (10, True, True)


def test_an_open_change_can_be_taken_back(
    dated: Site, half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = drybill("undo", half)
    assert "+506.00" in shown.out, shown.out
    said = undone(half)
    assert said.code == Exit.UNKNOWN_OUTCOME, "the new line may still arrive"
    monkeypatch.setattr("drybill.apply.line.SETTLING", timedelta(0))
    said = undone(half)
    assert said.code == Exit.DONE, said.err
    assert dated.addition(3400)["cancelledDate"] == "2027-06-01T00:00:00Z"
    assert new_lines(dated) == []
    assert dated.rows(*ONE_LINE)["3400"]["bucket"] == "change"


def test_no_other_plan_writes_over_an_open_change(dated: Site, half: str) -> None:
    """It would make a line at the mapping's price, without what the old one had."""
    dated.change("[writes]", "[guards]\nrow = { units = 99 }\n\n[writes]")
    plan = dated.plan(*ONE_LINE)
    said = dated.apply(plan)
    assert said.code == Exit.REFUSED
    assert f"run {half} left it half-way: drybill runs resume {half} --apply" in said.err
    assert new_lines(dated) == []


def test_a_change_of_two_steps_is_seen_before_it_is_made(dated: Site) -> None:
    said = " ".join(drybill("diff", dated.mapping, *ONE_LINE).out.split())
    assert "DATED_CHANGE" in said


def test_a_way_back_that_may_still_arrive_is_waited_for(
    dated: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else both lines would bill: the one that was put back, and the new one."""
    plan = dated.plan(*ONE_LINE)
    product = dated.store.get("product", "1350")
    assert product is not None
    dated.store.remove("product", "1350")
    dated.store.add_fault("503", method="PATCH", path="/additions", skip=1)
    assert dated.apply(plan).code == Exit.APPLIED_IN_PART
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    dated.store.put("product", product)
    again = drybill("runs", "resume", run, "--apply")
    assert (again.code, new_lines(dated)) == (Exit.UNKNOWN_OUTCOME, []), again.err
    other = dated.apply(dated.plan(*ONE_LINE, "--allow", "units", "--reason", "x"))
    assert (other.code, new_lines(dated)) == (Exit.REFUSED, []), other.err
    assert "left it half-way" in other.err
    monkeypatch.setattr("drybill.apply.line.SETTLING", timedelta(0))
    assert drybill("runs", "resume", run, "--apply").code == Exit.DONE
    assert len(new_lines(dated)) == 1


def test_what_a_person_repaired_by_hand_is_not_done_once_more(
    dated: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = dated.plan(*ONE_LINE)
    dated.store.add_fault("500", method="POST", path="/additions")
    dated.apply(plan)
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    hand = {**dated.addition(3400), "id": 3499, "effectiveDate": "2026-12-02T00:00:00Z"}
    dated.store.put("addition", {**hand, "cancelledDate": None}, "1040")
    monkeypatch.setattr("drybill.apply.line.SETTLING", timedelta(0))
    said = drybill("runs", "resume", run, "--apply")
    assert said.code == Exit.REFUSED, said.err
    assert "line 3499 bills this product, too" in said.err
    assert [each["id"] for each in new_lines(dated)] == [3499]


def test_a_line_that_was_put_right_by_hand_is_free_again(dated: Site) -> None:
    """Somebody moved it meanwhile, and then gave it back its old end: nothing is open any more."""
    before = dated.addition(3400)
    plan = dated.plan(*ONE_LINE)
    dated.store.add_fault("500", method="POST", path="/additions")
    dated.apply(plan)
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    stamp = {"lastUpdated": "2026-11-27T09:00:00Z"}
    dated.store.put("addition", {**before, "_info": stamp}, "1040")
    said = drybill("runs", "resume", run, "--apply")
    assert said.code == Exit.REFUSED
    assert "it is as it was before" in said.err
    with Journal.open(write=False) as journal:
        assert journal.begun() == {}


def test_the_same_psa_under_another_name_waits_as_well(dated: Site, half: str) -> None:
    dated.change("[psa.main]", "[psa.cw]")
    dated.change("[writes]", "[guards]\nrow = { units = 99 }\n\n[writes]")
    said = dated.apply(dated.plan(*ONE_LINE))
    assert said.code == Exit.REFUSED, said.err
    assert f"run {half} left it half-way" in said.err


def test_a_way_back_is_believed_by_what_is_there_and_not_by_its_plan(
    dated: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step back says that it leaves the end, and does nothing."""
    from msgspec.structs import replace

    from drybill.psa.connectwise.adapter import ConnectWiseReader

    real = ConnectWiseReader._dated

    def lying(self: ConnectWiseReader, change: object) -> object:
        first, *others = real(self, change)  # type: ignore[arg-type, misc]
        back = tuple(replace(step, leaves=first.leaves) for step in first.back)
        return (replace(first, back=back), *others)

    monkeypatch.setattr(ConnectWiseReader, "_dated", lying)
    plan = dated.plan(*ONE_LINE)
    dated.store.remove("product", "1350")
    dated.store.add_fault("silent", method="PATCH", path="/additions", skip=1)
    said = dated.apply(plan)
    assert said.code == Exit.APPLIED_IN_PART, said.err
    assert "put back as it was" not in said.err
