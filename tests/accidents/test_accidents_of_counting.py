"""Accidents of counting: zeros that were not, money that was not, clients that were others.

Each test names an accident that happened somewhere, says it in a sentence with its kind of source,
and holds our promise against it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from command import AS_OF, Desk, drybill
from drybill.errors import Exit
from world import SEAT, bill, only_row, says

MakeDesk = Callable[..., Desk]

HEADER = "line_id,agreement_id,product,quantity,unit_price"
TEN_SEATS = f"{HEADER}\nL1,A,SEAT,10,4.00"
ALL_SWITCHES = """
    [guards]
    to_zero = true
    row = { units = 1000, percent = 1000 }
    [writes]
    fields = ["increase", "decrease", "create", "end"]
    all_clients = true
"""


def v(*rows: str, header: str = "customer_id,sku,quantity") -> str:
    return "\n".join((header, *rows))


# B. Zeroed, dropped or invented quantities


@pytest.mark.parametrize(
    ("usage", "why"),
    [
        (v("c,seat-renamed,10"), "ABSENT_ONCE"),
        (v(), "CUSTOMER_NOT_LISTED"),
        (v("other,seat,4"), "CUSTOMER_NOT_LISTED"),
        (v("c,seat,"), "QUANTITY_UNKNOWN"),
    ],
    ids=["the key was renamed", "the list is empty", "the client is missing", "the cell is empty"],
)
def test_a_missing_count_is_unknown_not_zero(tmp_path: Path, usage: str, why: str) -> None:
    """9 and 16: a count that was not found was taken as 0 and written; a sync cancelled what a
    list lacked (read in public code; vendor documentation). With every switch on it stays."""
    run = bill(tmp_path, SEAT + ALL_SWITCHES, lines=TEN_SEATS, v=usage)
    assert f"L1 unknown 10 {why}" in says(run)
    assert run.plan.writes == []
    assert run.plan.totals[0].difference == 0
    assert run.plan.totals[0].not_checked == 40


def test_number_zero_and_unknown_are_three_things(tmp_path: Path) -> None:
    """20: a product had to invent a dash so that "no count" was not read as 0 (documentation)."""
    buckets = {}
    for quantity in ("10", "0", ""):
        run = bill(tmp_path, SEAT + ALL_SWITCHES, lines=TEN_SEATS, v=v(f"c,seat,{quantity}"))
        buckets[quantity] = says(run)
    assert buckets == {
        "10": ["L1 unchanged 10 IN_STEP"],
        "0": ["L1 change 10 -> 0: -40.00 NOT_USED"],
        "": ["L1 unknown 10 QUANTITY_UNKNOWN"],
    }


def test_an_answer_without_rows_claims_no_money_and_is_no_clean_run(desk: MakeDesk) -> None:
    """12 and 13: a successful but empty answer became "950,640 on the table" in one tool, and a
    green tick in another (public issues). It is NOT CHECKED: in the table, in JSON and in cron."""
    made = desk(SEAT, lines=TEN_SEATS, v=v(), w=v())
    found = made.diff()
    assert (found["checked"], found["verdict"]) == (0, "nothing_checked")
    (totals,) = found["totals"]
    assert (totals["under_billed"], totals["over_billed"]) == ("0.00", "0.00")
    assert totals["not_checked"] == "40.00"
    table = drybill("diff", made.mapping, *AS_OF).out
    assert "NO ROWS" in table
    assert "NOTHING WAS CHECKED" in table
    assert "NOTHING WAS CHECKED" in drybill("diff", made.mapping, *AS_OF, "--quiet").out
    assert drybill("diff", made.mapping, *AS_OF, "--exit-code").code == Exit.NEEDS_DECISION


def test_usage_of_another_period_is_not_compared(tmp_path: Path) -> None:
    """14: past months were held against today's subscriptions, and later starts became missing
    (public issue). A product that is billed by period takes that period's usage only."""
    toml = SEAT.replace("[products.SEAT]", '[products.SEAT]\nusage = "service_period"')
    header = "customer_id,sku,quantity,period_start,period_end"
    wrong = v("c,seat,12,2026-10-01,2026-11-01", header=header)
    right = v("c,seat,12,2026-12-01,2027-01-01", header=header)
    row = only_row(bill(tmp_path, toml, lines=TEN_SEATS, v=wrong))
    assert (row.bucket, row.reasons[0].code) == ("unknown", "USAGE_PERIOD_MISMATCH")
    assert only_row(bill(tmp_path, toml, lines=TEN_SEATS, v=right)).bucket == "change"


def test_several_subscriptions_of_one_product_are_summed_and_stay_visible(tmp_path: Path) -> None:
    """15: of two subscriptions one was missed: a false overcharge of 50 seats (public issue)."""
    header = "customer_id,sku,subscription_id,quantity"
    run = bill(tmp_path, lines=TEN_SEATS, v=v("c,seat,s1,7", "c,seat,s2,5", header=header))
    assert says(run) == ["L1 change 10 -> 12: +8.00 SEATS_ADDED"]
    assert sorted(u.subscription_id for u in only_row(run).usage) == ["s1", "s2"]


def test_a_line_that_would_disappear_is_its_own_kind_of_difference(tmp_path: Path) -> None:
    """17: a line went inactive together with the distributor's subscription (documentation)."""
    toml = SEAT.replace("[products.SEAT]", '[products.SEAT]\nat_zero = "end"') + ALL_SWITCHES
    run = bill(tmp_path, toml, lines=TEN_SEATS, v=v("c,seat,0"))
    assert says(run) == ["L1 end 10 -> 0: -40.00 NOT_USED"]


def test_fractions_are_kept_unless_a_rule_rounds_them(tmp_path: Path) -> None:
    """19, the half about fractions: a script cut them off by converting to int (public code)."""
    usage = v("c,seat,12.5")
    assert says(bill(tmp_path, lines=TEN_SEATS, v=usage))[0].startswith("L1 change 10 -> 12.5: +10")
    toml = SEAT.replace("[products.SEAT]", '[products.SEAT]\nquantity = [{ round = "up" }]')
    run = bill(tmp_path, toml, lines=TEN_SEATS, v=usage)
    assert says(run) == ["L1 change 10 -> 13: +12.00 SEATS_ADDED"]
    assert "round" in only_row(run).steps[-1].says


# C. Money that is not what it is called


def test_one_time_and_prorated_rows_are_no_quantity(tmp_path: Path) -> None:
    """26 and 34: an onboarding fee counted as 116 months of itself (public issue), and a pending
    pro-rata was counted twice (documentation). Only recurring rows and usage are quantity."""
    header = "customer_id,sku,quantity,line_type"
    rows = ("c,seat,10,recurring", "c,seat,500,one_time", "c,seat,3,prorate", "c,seat,-2,credit")
    assert says(bill(tmp_path, lines=TEN_SEATS, v=v(*rows, header=header))) == [
        "L1 unchanged 10 IN_STEP"
    ]


def test_currencies_are_never_added_up(tmp_path: Path) -> None:
    """26, the half about currencies: mixed currencies were summed (public issue)."""
    agreements = (
        "agreement_id,company_id,currency,next_period_start\n"
        "A,250,USD,2026-12-01\nB,251,EUR,2026-12-01"
    )
    run = bill(
        tmp_path, agreements=agreements, clients="id,v\n250,c\n251,d",
        lines=f"{TEN_SEATS}\nL2,B,SEAT,10,4.00", v=v("c,seat,11", "d,seat,12"),
    )  # fmt: skip
    assert [(t.currency, str(t.difference)) for t in run.plan.totals] == [
        ("EUR", "8.00"), ("USD", "4.00"),
    ]  # fmt: skip


def test_the_direction_decides_what_is_said(desk: MakeDesk) -> None:
    """27: a finding of too little billed became a request for credit (public issue). Under- and
    over-billing have their own sign, reason and sum, and never cancel out."""
    made = desk(
        SEAT, agreements="agreement_id,company_id,currency,next_period_start\n"
        "A,250,USD,2026-12-01\nB,251,USD,2026-12-01",
        clients="id,v\n250,c\n251,d",
        lines=f"{TEN_SEATS}\nL2,B,SEAT,10,4.00", v=v("c,seat,13", "d,seat,7"),
    )  # fmt: skip
    rows = made.rows()
    assert (rows["L1"]["reasons"], rows["L1"]["difference"]) == (["SEATS_ADDED"], "12.00")
    assert (rows["L2"]["reasons"], rows["L2"]["difference"]) == (["SEATS_REMOVED"], "-12.00")
    (totals,) = made.diff()["totals"]
    assert (totals["under_billed"], totals["over_billed"]) == ("12.00", "-12.00")
    assert "Check with the client before lowering" in drybill("explain", "SEATS_REMOVED").out


def test_cost_is_called_cost_and_is_no_revenue(desk: MakeDesk) -> None:
    """28: what was paid to the distributor was shown as revenue to be captured (public issue)."""
    header = "customer_id,sku,quantity,unit_cost,currency"
    made = desk(SEAT, lines=TEN_SEATS, v=v("c,seat,10,2.00,USD", "c,new,5,7.00,USD", header=header))
    found = made.diff()
    (use,) = found["unmapped"]
    assert (use["cost"], use["cost_currency"], use["price_estimate"]) == ("35.00", "USD", None)
    assert found["totals"][0]["under_billed"] == "0.00"
    assert [m["kind"] for cause in found["causes"] for m in cause["money"]] == ["cost"]
    assert "35.00 USD cost" in " ".join(drybill("diff", made.mapping, *AS_OF).out.split())


# D. Dates, proration, periods


@pytest.mark.parametrize(("prorate", "leak"), [("false", "16.00"), ("true", "8.00")])
def test_what_an_invoiced_period_missed_is_told_and_not_mixed_in(
    tmp_path: Path, prorate: str, leak: str
) -> None:
    """29 and 33: units added after the invoice got no invoice for that period, and first prorates
    were left to be entered by hand (documentation). The amount is a leak, with a sum of its own."""
    agreements = (
        "agreement_id,company_id,currency,next_period_start,start_date,prorate\n"
        f"A,250,USD,2026-12-01,2026-01-01,{prorate}"
    )
    usage = v("c,seat,14,2026-11-16", header="customer_id,sku,quantity,since")
    run = bill(tmp_path, lines=TEN_SEATS, v=usage, agreements=agreements)
    row = only_row(run)
    assert "PERIOD_ALREADY_INVOICED" in [reason.code for reason in row.reasons]
    assert (str(row.difference), str(row.leak)) == ("16.00", leak)
    (totals,) = run.plan.totals
    assert (str(totals.difference), str(totals.leak_up)) == ("16.00", leak)


def test_no_line_begins_before_its_agreement(tmp_path: Path) -> None:
    """30: a date before the agreement's billing start was rejected by the PSA (documentation)."""
    agreements = (
        "agreement_id,company_id,currency,next_period_start,start_date\n"
        "A,250,USD,2026-12-01,2026-12-10"
    )
    toml = SEAT.replace("[products.SEAT]", '[products.SEAT]\nprice = { USD = "4.00" }')
    run = bill(tmp_path, toml + ALL_SWITCHES, v=v("c,seat,3"), agreements=agreements)
    for row in run.plan.writes:
        assert row.effective is not None
        assert row.effective.isoformat() >= "2026-12-10"


def test_usage_that_may_still_grow_is_shown_and_not_written(tmp_path: Path) -> None:
    """37: invoices of a distributor appear about the 5th, and month-end runs before that guess
    (documentation and a user's word). Provisional metered usage is labelled, and held."""
    header = "customer_id,sku,quantity,quantity_kind,finality"
    usage = v("c,seat,12,metered_total,provisional", header=header)
    run = bill(tmp_path, SEAT + ALL_SWITCHES, lines=TEN_SEATS, v=usage)
    row = only_row(run)
    assert (row.bucket, row.held_by) == ("change", "USAGE_NOT_FINAL")
    assert run.plan.writes == []


def test_one_time_agreements_are_not_projected(tmp_path: Path) -> None:
    """38: a guide advised one-time agreements to dodge all date logic (documentation)."""
    agreements = (
        "agreement_id,company_id,currency,next_period_start,cycle\nA,250,USD,2026-12-01,one_time"
    )
    run = bill(
        tmp_path, SEAT + ALL_SWITCHES, lines=TEN_SEATS, v=v("c,seat,12"), agreements=agreements
    )
    assert run.plan.writes == []
    assert run.plan.totals == ()


# E. Wrong customer, wrong agreement


def test_names_that_are_alike_match_nothing(tmp_path: Path) -> None:
    """39: names 90 % alike were accepted as the same: North billed for South (documentation)."""
    agreements = (
        "agreement_id,company_id,company_name,currency,next_period_start\n"
        "A,250,ABC Dental North,USD,2026-12-01"
    )
    usage = v("x,ABC Dental South,seat,12", header="customer_id,customer_name,sku,quantity")
    run = bill(tmp_path, SEAT + ALL_SWITCHES, lines=TEN_SEATS, v=usage, agreements=agreements)
    assert says(run) == [
        "L1 unknown 10 CUSTOMER_NOT_LISTED",
        "seat unmapped 12 CUSTOMER_NOT_MAPPED",
    ]
    assert run.plan.writes == []


def test_a_customer_that_got_another_name_is_held_until_a_person_looked(desk: MakeDesk) -> None:
    """39 again: an id that suddenly has another name may be another firm."""
    header = "customer_id,customer_name,sku,quantity"
    made = desk(SEAT + ALL_SWITCHES, lines=TEN_SEATS, v=v("c,ABC North,seat,10", header=header))
    made.diff()
    (made.folder / "v.csv").write_text(v("c,ABC South,seat,12", header=header), "utf-8")
    row = made.rows()["L1"]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "GUARD_RENAME")


def test_two_agreements_that_could_take_a_line_are_both_named(tmp_path: Path) -> None:
    """40: tools needed exactly one agreement of a type, and took any (documentation)."""
    agreements = (
        "agreement_id,company_id,currency,next_period_start\n"
        "A,250,USD,2026-12-01\nB,250,USD,2026-12-01"
    )
    toml = SEAT.replace("[products.SEAT]", '[products.SEAT]\nprice = { USD = "4.00" }')
    run = bill(tmp_path, toml + ALL_SWITCHES, v=v("c,seat,3"), agreements=agreements)
    (use,) = run.plan.unmapped
    assert use.reason == "AGREEMENT_AMBIGUOUS"
    assert "A" in use.detail and "B" in use.detail
    assert run.plan.writes == []


def test_a_new_customer_and_a_new_product_are_told_with_their_money(desk: MakeDesk) -> None:
    """42: what was not mapped was invisible until somebody noticed (documentation)."""
    header = "customer_id,sku,quantity,unit_cost,currency"
    usage = v("c,seat,10,1.00,USD", "c,new,5,7.00,USD", "z,seat,2,1.00,USD", header=header)
    found = desk(SEAT, lines=TEN_SEATS, v=usage).diff("--exit-code")
    assert {(u["customer_id"], u["sku"], u["cost"], u["reason"]) for u in found["unmapped"]} == {
        ("c", "new", "35.00", "SKU_NOT_MAPPED"), ("z", "seat", "2.00", "CUSTOMER_NOT_MAPPED"),
    }  # fmt: skip
    assert found["exit_code"] == Exit.NEEDS_DECISION


def test_one_tenant_of_two_clients_is_not_billed_twice(desk: MakeDesk) -> None:
    """43: one tenant may stand for many legal entities (documentation). Until a rule splits it,
    the same units never reach two invoices: the mapping says so, and nothing is computed."""
    made = desk(SEAT, lines=TEN_SEATS, v=v("c,seat,10"), clients="id,v\n250,c\n251,c")
    said = drybill("diff", made.mapping, *AS_OF)
    assert said.code == Exit.USAGE
    assert "clients.csv" in said.err


def test_an_exception_has_a_reason_and_a_last_day(tmp_path: Path) -> None:
    """44: kiosk users, owners counted twice, clients who pay their own licences (users' words).
    An exception is written down; after its last day the row is blocked, not silently different."""
    exception = """
    [[exceptions]]
    client = 250
    product = "SEAT"
    add = -2
    reason = "two owners are billed elsewhere"
    last_day = {day}
    """
    usage = v("c,seat,12")
    run = bill(tmp_path, SEAT + exception.format(day="2027-03-31"), lines=TEN_SEATS, v=usage)
    assert says(run) == ["L1 unchanged 10 IN_STEP"]
    assert any("two owners are billed elsewhere" in step.says for step in only_row(run).steps)
    run = bill(tmp_path, SEAT + exception.format(day="2026-11-24"), lines=TEN_SEATS, v=usage)
    assert (only_row(run).bucket, only_row(run).reasons[0].code) == ("blocked", "EXCEPTION_EXPIRED")


# F. Commitments


def test_seats_of_different_terms_are_not_one_number(tmp_path: Path) -> None:
    """46: monthly and annual seats of one product have other prices and other rules (blogs)."""
    usage = v("c,seat,monthly,7", "c,seat,annual,5", header="customer_id,sku,term,quantity")
    row = only_row(bill(tmp_path, SEAT + ALL_SWITCHES, lines=TEN_SEATS, v=usage))
    assert (row.bucket, row.reasons[0].code) == ("blocked", "TERM_AMBIGUOUS")
    annual = SEAT.replace('sku = "seat"', 'sku = "seat", term = "annual"')
    run = bill(tmp_path, annual, lines=TEN_SEATS, v=usage)
    assert says(run)[0] == "L1 change 10 -> 5: -20.00 SEATS_REMOVED"


def test_two_kinds_of_count_never_share_a_line(tmp_path: Path) -> None:
    """48: a disabled user came back, the licence count stayed, support was not billed (blog).
    Licences and assigned users are different meters, and mixing them is refused."""
    header = "customer_id,sku,subscription_id,quantity,quantity_kind"
    usage = v("c,seat,s1,7,entitlement", "c,seat,s2,5,assigned", header=header)
    row = only_row(bill(tmp_path, SEAT + ALL_SWITCHES, lines=TEN_SEATS, v=usage))
    assert (row.bucket, row.reasons[0].code) == ("blocked", "KIND_AMBIGUOUS")


def test_a_decrease_waits_for_the_end_of_the_commitment(tmp_path: Path) -> None:
    """47, 49 and 50: cancel windows and renewal dates were wrong in tools and mails, and a preview
    confirmed what the vendor then rejected (documentation, blog, public issue). The vendor's own
    date decides, stands beside the decrease, and blocks it until then."""
    header = "customer_id,sku,quantity,commitment_end"
    toml = SEAT + ALL_SWITCHES
    run = bill(tmp_path, toml, lines=TEN_SEATS, v=v("c,seat,8,2027-03-01", header=header))
    row = only_row(run)
    assert (row.bucket, row.reasons[0].code) == ("blocked", "GUARD_COMMITMENT")
    assert (row.guards[0].value, row.guards[0].limit) == (
        "lower from 2026-12-01", "not before 2027-03-01",
    )  # fmt: skip
    assert run.plan.totals[0].held_down == -8
    run = bill(tmp_path, toml, lines=TEN_SEATS, v=v("c,seat,8,2026-12-01", header=header))
    assert says(run) == ["L1 change 10 -> 8: -8.00 SEATS_REMOVED"]
    run = bill(tmp_path, toml, lines=TEN_SEATS, v=v("c,seat,12,2027-03-01", header=header))
    assert only_row(run).bucket == "change"
