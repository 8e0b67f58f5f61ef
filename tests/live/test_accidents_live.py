"""Accidents that happened somewhere with ConnectWise, Pax8 or a sync between them, and our promise
against each. The number is the accident's in our collection."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from site_of_work import Site

from command import drybill
from drybill.cli import main
from drybill.errors import Exit
from drybill.journal import Journal
from drybill.sandbox.seed import line, pax8_company, subscription


def test_1_losing_our_state_creates_no_line(site: Site) -> None:
    """A sync whose mapping was deleted added a line with the full count beside the old one."""
    assert site.apply(site.plan()).code == Exit.DONE
    count = len(site.store.all("addition"))
    shutil.rmtree(site.folder / "state")
    assert {row["bucket"] for row in site.rows().values()} == {"unchanged", "fixed"}
    site.apply(site.plan())
    assert len(site.store.all("addition")) == count


def test_4_two_active_lines_are_a_question_with_candidates(site: Site) -> None:
    """Another tool stopped with "we don't know which one to use" and named none."""
    addition = {**line(3499, 1350, 5, "22.00"), "agreementId": 1040}
    site.store.put("addition", addition, "1040")
    rows = site.rows()
    assert rows["3400"]["bucket"] == rows["3499"]["bucket"] == "blocked"
    assert "3400 (25), 3499 (5)" in rows["3400"]["details"][0]["detail"]


def test_5_a_deleted_company_is_not_one_without_seats(site: Site) -> None:
    """The same company stood twice in a mapping, once out of the recycle bin."""
    company = site.store.get("pax8-company", pax8_company(251))
    site.store.put("pax8-company", {**(company or {}), "status": "Deleted"})
    site.store.remove("pax8-subscription", str(subscription(2, 251, "EDR", 1)["id"]))
    row = site.rows()["3403"]
    assert (row["bucket"], row["reasons"][0]) == ("unknown", "CUSTOMER_NOT_LISTED")


def test_6_an_answer_that_was_lost_is_looked_for_and_not_sent_again(site: Site) -> None:
    """Retries made two to six copies of bill lines whose first try had looked like a failure."""
    site.store.add_fault("lost", method="POST", path="/additions")
    plan = site.plan("--client", "252")
    said = site.apply(plan)
    assert said.code == Exit.DONE, said.err
    posts = [each for each in site.sent("POST") if "/additions" in each["path"]]
    assert len(posts) == 1
    assert len([each for each in site.store.all("addition") if each["id"] > 3405]) == 1


@pytest.mark.parametrize("fault", ["cut", "html", "500"])
def test_9_what_did_not_arrive_is_not_zero(site: Site, fault: str) -> None:
    """A home-made sync took a missing count for 0 and billed it."""
    site.store.add_fault(fault, path="/v1/subscriptions", times=0)
    said = drybill("diff", site.mapping)
    assert said.code == Exit.UNREACHABLE
    assert "INCOMPLETE" in said.out
    assert {row["bucket"] for row in site.rows().values()} == {"unknown", "fixed"}


def test_10_what_was_approved_is_what_is_written(site: Site) -> None:
    """The same sync fetched the counts again at the moment of writing."""
    plan = site.plan("--client", "250")
    site.store.put("pax8-subscription", subscription(0, 250, "M365-BP", 99))
    assert site.apply(plan).code == Exit.DONE
    assert site.addition(3400)["quantity"] == 28


def test_11_a_psa_that_cannot_be_read_again_is_not_written(site: Site) -> None:
    """It also went on with cached PSA data where the refresh had failed."""
    plan = site.plan("--client", "250")
    site.store.add_fault("500", method="GET", path="/finance/agreements/1040", times=0)
    said = site.apply(plan)
    assert said.code == Exit.UNREACHABLE
    assert site.sent("PATCH") == []


def test_12_an_empty_success_lowers_nothing(site: Site) -> None:
    """A tool reported a fortune for a tenant whose fetch had succeeded and returned nothing."""
    site.diff()
    for each in site.store.all("pax8-subscription"):
        site.store.remove("pax8-subscription", str(each["id"]))
    rows = site.rows().values()
    assert {row["bucket"] for row in rows} <= {"unknown", "fixed"}
    assert {row["difference"] for row in rows} == {"0.00"}


def test_15_two_subscriptions_of_one_product_are_summed(site: Site) -> None:
    """Only one was indexed: a false overcharge of 50 seats."""
    site.store.put("pax8-subscription", subscription(50, 250, "M365-BP", 50))
    row = site.rows()["3400"]
    used = [each["quantity"] for each in row["usage"]]
    assert (row["wanted"]["quantity"], sorted(used)) == ("78", ["28", "50"])


def test_18_a_page_is_not_everything(site: Site) -> None:
    """The default page of 25 rows is easily taken for all of them."""
    for id in range(5000, 5060):
        site.store.put("addition", {**line(id, 9000 + id, 1, "1.00"), "agreementId": 1040}, "1040")
    (invoice,) = [i for i in site.diff()["invoices"] if i["agreement_id"] == "1040"]
    assert len(invoice["lines"]) == 63


def test_18_b_more_rows_than_any_page_are_read_to_the_end(site: Site) -> None:
    site.store.put_all(
        "addition",
        [("1040", {**line(id, 9000, 1, "1.00"), "agreementId": 1040}) for id in range(6000, 7100)],
    )
    (invoice,) = [i for i in site.diff()["invoices"] if i["agreement_id"] == "1040"]
    assert len(invoice["lines"]) == 1103
    asked = [each for each in site.sent("GET") if each["path"].endswith("/1040/additions")]
    assert "pageId=6996" in asked[-1]["query"]


def test_24_a_write_sends_the_changed_field_alone(site: Site) -> None:
    """Reading, changing and putting back a whole object overwrote a customer's rate."""
    before = site.addition(3400)
    assert site.apply(site.plan("--client", "250")).code == Exit.DONE
    ((operation,),) = [json.loads(each["body"]) for each in site.sent("PATCH")]
    assert operation == {"op": "replace", "path": "quantity", "value": 28}
    after = site.addition(3400)
    assert {key for key in before if before[key] != after[key]} == {"quantity", "_info"}


def test_30_a_date_that_the_psa_refuses_changes_nothing(site: Site) -> None:
    """An effective date before the agreement's billing start is rejected."""
    plan = site.plan("--client", "252")
    agreement = site.store.get("agreement", "1042") or {}
    site.store.put("agreement", {**agreement, "billStartDate": "2027-02-01T00:00:00Z"})
    said = site.apply(plan)
    assert said.code == Exit.REFUSED
    assert [each for each in site.sent("POST") if "/additions" in each["path"]] == []


def test_37_the_truth_that_is_billed_is_named(site: Site) -> None:
    """An invoice shows in the API about the 5th only: before, one runs on subscriptions."""
    said = " ".join(drybill("diff", site.mapping).out.split())
    assert "vendor pax8, 6 rows, 3 customers, subscriptions (Active, Activated" in said
    assert "as of" in said


def test_41_an_agreement_that_was_cancelled_is_noticed(site: Site) -> None:
    """Cards of cancelled agreements went stale, and went on being written."""
    plan = site.plan("--client", "250")
    agreement = site.store.get("agreement", "1040") or {}
    gone = {"agreementStatus": "Cancelled", "cancelledFlag": True}
    site.store.put("agreement", {**agreement, **gone})
    said = site.apply(plan)
    assert (said.code, site.sent("PATCH")) == (Exit.REFUSED, [])
    assert "status: planned active, found cancelled" in said.err


def test_51_two_truths_of_one_vendor_stand_side_by_side(site: Site) -> None:
    """Its seat count did not match what it invoiced, and customers were billed from it."""
    draft = {
        "type": "subscription", "companyId": pax8_company(250), "sku": "MST-BP", "quantity": 31,
        "startPeriod": "2026-12-01", "endPeriod": "2026-12-31", "term": "Annual",
    }  # fmt: skip
    site.store.put("pax8-draft", {**draft, "id": pax8_company(1)})
    site.change('kind = "pax8"', 'kind = "pax8"\ncompare = "draft"')
    said = drybill("diff", site.mapping).out
    assert "subscriptions 28, draft of the next invoice 31" in " ".join(said.split())


@pytest.mark.parametrize(
    "words",
    [
        ["check", "{}"], ["check", "{}", "--online"], ["diff", "{}"], ["diff", "{}", "--invoice"],
        ["diff", "{}", "--all", "--quiet"], ["explain", "cv46"], ["runs"], ["runs", "verify"],
    ],
)  # fmt: skip
def test_52_nothing_but_apply_has_a_way_to_write(site: Site, words: list[str]) -> None:
    """A "test billing sync" wrote the last invoice's values into live agreements."""
    site.diff()
    before = site.store.all("addition")
    drybill(*(word.format(site.mapping) for word in words))
    assert site.store.all("addition") == before
    assert {each["path"] for each in site.sent("POST", "PATCH", "PUT", "DELETE")} == {"/v1/token"}


def test_53_54_55_the_dry_run_is_the_default_and_costs_nothing(site: Site) -> None:
    """Users built dry runs by hand: with a product that is not billable, or by moving a cron job;
    and a prototype sent by default."""
    said = drybill("diff", site.mapping)
    assert "DRY RUN, nothing is written" in said.out
    assert "Nothing was written." in said.out
    assert not [option for option in vars(main) if "send" in option.lower()]


def test_56_intent_and_outcome_are_two_records(site: Site) -> None:
    """A script wrote its audit row before the call: the log could claim what never happened."""
    site.store.add_fault("refuse", method="PATCH", times=0)
    site.apply(site.plan("--client", "250"))
    with Journal.open(write=False) as journal:
        entries = journal.run_entries(journal.runs(1)[0].id)
    kinds = [entry.kind for entry in entries if entry.kind in ("intent", "answer", "readback")]
    assert kinds == ["intent", "answer", "readback"]
    assert [e.body["verdict"] for e in entries if e.kind == "readback" and e.body] == ["differs"]


def test_57_a_plan_made_with_other_parameters_is_not_written(site: Site) -> None:
    """A saved file from other settings was uploaded as it was."""
    plan = site.plan("--client", "250")
    site.change("[products.BACKUP]", "[products.BACKUP]\nquantity = [{ add = 1 }]")
    said = site.apply(plan)
    assert (said.code, site.sent("PATCH")) == (Exit.REFUSED, [])
    assert "mapping-changed" in said.err


def test_58_no_agreement_is_ever_touched(site: Site) -> None:
    """Scripts flipped an agreement's proration around a write, one with its key in the file."""
    before = site.store.all("agreement")
    assert site.apply(site.plan()).code == Exit.DONE
    assert site.store.all("agreement") == before
    paths = {each["path"] for each in site.sent("PATCH", "POST", "PUT")} - {"/v1/token"}
    assert all("/additions" in path for path in paths)


def test_58_b_a_key_in_the_mapping_is_refused_without_being_shown(site: Site) -> None:
    site.change('"env:SANDBOX_PRIVATE"', '"a-key-in-the-file"')
    said = drybill("diff", site.mapping)
    assert said.code == Exit.USAGE
    assert "a-key-in-the-file" not in said.err + said.out
    assert Path(site.mapping).name in said.err
