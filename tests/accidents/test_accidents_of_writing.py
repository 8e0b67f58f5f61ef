"""Accidents of tools that write to a PSA: duplicates, wrong numbers, overwritten prices.

Each test names an accident that happened somewhere, says it in a sentence with its kind of source,
and holds our promise against it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from command import Desk, drybill
from drybill.errors import Exit

MakeDesk = Callable[..., Desk]

SEAT = """
    [products.SEAT]
    from = [{ vendor = "v", sku = "seat" }]
    price = { USD = "4.00" }
    at_zero = "end"
    [guards]
    to_zero = true
    row = { units = 1000, percent = 1000 }
    [writes]
    fields = ["increase", "decrease", "create", "end"]
    all_clients = true
"""
HEADER = "line_id,agreement_id,product,quantity,unit_price,unit_cost,effective_date,cancelled_date"
NO_LINE = HEADER + "\n"
ONE_LINE = f"{HEADER}\nL1,A,SEAT,10,4.00,2.50,,\n"
TEN = "customer_id,sku,quantity\nc,seat,10"
TWELVE = "customer_id,sku,quantity\nc,seat,12"


def lines_of(desk: Desk) -> list[str]:
    return desk.lines.splitlines()[1:]


# A. Duplicates


def test_losing_our_state_or_the_mapping_entry_never_creates_a_second_line(
    desk: MakeDesk, tmp_path: Path
) -> None:
    """1: an integration that lost its link to a line added a new one with the full count
    (vendor documentation). Lines are found in the PSA by what they are, not by our memory."""
    made = desk(SEAT, lines=NO_LINE, v=TEN)
    assert made.apply(made.plan()).code == Exit.DONE
    (line,) = lines_of(made)
    shutil.rmtree(tmp_path / "state")
    mapping = Path(made.mapping)
    text = mapping.read_text("utf-8")
    mapping.write_text(text.replace("[products.SEAT]", "[products.OTHER]"), "utf-8")
    made.diff()
    mapping.write_text(text, "utf-8")
    assert {row["bucket"] for row in made.rows().values()} == {"unchanged"}
    assert made.apply(made.plan()).code == Exit.DONE
    assert lines_of(made) == [line]


def test_a_product_that_is_billed_already_is_adopted_not_added(desk: MakeDesk) -> None:
    """2 and 3: the first link to an agreement that already billed the product doubled it, or the
    cut-over needed a second line (vendor documentation). The line that is there is raised."""
    made = desk(SEAT, lines=ONE_LINE, v=TWELVE)
    assert made.apply(made.plan()).code == Exit.DONE
    assert lines_of(made) == ["L1,A,SEAT,12,4.00,2.50,,"]


def test_two_running_lines_of_one_product_are_refused_with_both_named(desk: MakeDesk) -> None:
    """4: an integration stopped because it could not tell which of two additions to use (vendor
    documentation). So does drybill: blocked, with the candidates, and what it would have moved."""
    made = desk(SEAT, lines=f"{ONE_LINE}L2,A,SEAT,1,4.00,2.50,,\n", v=TWELVE)
    rows = list(made.rows().values())
    assert {row["bucket"] for row in rows} == {"blocked"}
    assert {row["reasons"][0] for row in rows} == {"AMBIGUOUS_LINES"}
    assert {row["line_id"] for row in rows} == {"L1", "L2"}
    assert [row["wanted"] for row in rows if row["wanted"]] == [
        {"quantity": "2", "difference": "4.00"}
    ]
    assert made.apply(made.plan()).code == Exit.DONE
    assert made.lines == f"{ONE_LINE}L2,A,SEAT,1,4.00,2.50,,\n"


def test_a_client_whose_agreement_was_cancelled_gets_nothing_written(desk: MakeDesk) -> None:
    """5 and 41: a company in the recycle bin stood in the mapping twice, and cancelled agreements
    went stale (vendor documentation). A cancelled agreement takes no part; its usage is named."""
    agreements = (
        "agreement_id,company_id,company_name,currency,next_period_start,status\n"
        "A,250,Wonderland,USD,2026-12-01,cancelled\n"
    )
    made = desk(SEAT, lines=ONE_LINE, v=TWELVE, agreements=agreements)
    found = made.diff("--all", "--exit-code")
    assert [(use["sku"], use["reason"]) for use in found["unmapped"]] == [
        ("seat", "AGREEMENT_NOT_FOUND")
    ]
    assert found["exit_code"] == Exit.NEEDS_DECISION
    assert made.apply(found["run"]["plan_digest"]).code == Exit.DONE
    assert made.lines == ONE_LINE


def test_a_run_that_is_repeated_again_and_again_leaves_one_line(desk: MakeDesk) -> None:
    """6 and 8: retries after an answer that only looked like a failure made copies of bill lines,
    and syncs that ran several times cost a man his books (public issues). One line, whatever is
    repeated: the plan, or everything. Lost answers are in tests/apply/test_apply_faults.py."""
    made = desk(SEAT, lines=NO_LINE, v=TEN)
    first = made.plan()
    for plan in (first, first, made.plan(), first, made.plan()):
        made.apply(plan)
    assert len(lines_of(made)) == 1


# B. What is written is what was shown


def test_the_number_that_was_shown_is_written_not_a_newer_one(desk: MakeDesk) -> None:
    """10 and 45: a service approved one number, fetched again and wrote another (read in public
    code). A plan is executed, never recomputed; the newer number waits for the next run."""
    made = desk(SEAT, lines=ONE_LINE, v=TWELVE)
    plan = made.plan()
    (made.folder / "v.csv").write_text("customer_id,sku,quantity\nc,seat,99\n", "utf-8")
    assert made.apply(plan).code == Exit.DONE
    assert lines_of(made) == ["L1,A,SEAT,12,4.00,2.50,,"]


def test_a_psa_that_cannot_be_read_again_is_not_written_from_memory(desk: MakeDesk) -> None:
    """11: when refreshing the PSA failed, a service went on with what it had cached (read in
    public code). Nothing is written that was not read again just before."""
    made = desk(SEAT, lines=ONE_LINE, v=TWELVE)
    plan = made.plan()
    (made.folder / "agreements.csv").write_text("agreement_id\n", "utf-8")
    assert made.apply(plan).code == Exit.USAGE
    assert made.lines == ONE_LINE


# C. Price, cost and currency


def test_a_write_of_a_quantity_leaves_price_and_cost_alone(desk: MakeDesk) -> None:
    """21 and 24: syncs rewrote price and cost on every run, and read-modify-write calls sent all
    fields (vendor documentation). One cell changes, whatever the vendor charges by now."""
    usage = "customer_id,sku,quantity,unit_cost,currency\nc,seat,12,9.99,USD\n"
    made = desk(SEAT, lines=ONE_LINE, v=usage)
    assert made.rows()["L1"]["writes"] == ["line L1: quantity 12"]
    assert made.apply(made.plan()).code == Exit.DONE
    assert lines_of(made) == ["L1,A,SEAT,12,4.00,2.50,,"]


def test_a_new_line_without_a_price_is_blocked_not_free(desk: MakeDesk) -> None:
    """22: price and cost defaulted to 0 where nobody had set them (vendor documentation)."""
    toml = SEAT.replace('price = { USD = "4.00" }', "")
    made = desk(toml, lines=NO_LINE, v=TEN)
    (row,) = made.rows().values()
    assert (row["bucket"], row["reasons"][0], row["would_write"]) == (
        "blocked", "PRICE_UNKNOWN", False,
    )  # fmt: skip
    made.apply(made.plan())
    assert made.lines == NO_LINE


def test_a_price_in_another_currency_is_no_price(desk: MakeDesk) -> None:
    """26, the half about currencies: amounts of mixed currencies were added up (public issue)."""
    made = desk(SEAT.replace("USD", "EUR"), lines=NO_LINE, v=TEN)
    assert next(iter(made.rows().values()))["reasons"][0] == "PRICE_UNKNOWN"


def test_one_client_only_is_touched_by_a_write_for_one_client(desk: MakeDesk) -> None:
    """23: pushing a cost changed it on every contract with that name (vendor documentation)."""
    made = desk(
        SEAT.replace("all_clients = true", "clients = [250]"),
        agreements="agreement_id,company_id,currency,next_period_start\n"
        "A,250,USD,2026-12-01\nB,251,USD,2026-12-01",
        clients="id,v\n250,c\n251,d",
        lines=f"{ONE_LINE}L2,B,SEAT,10,4.00,2.50,,\n",
        v=f"{TWELVE}\nd,seat,12",
    )
    assert made.rows()["L2"]["held_by"] == "CLIENT_NOT_WRITABLE"
    assert made.apply(made.plan()).code == Exit.DONE
    assert lines_of(made) == ["L1,A,SEAT,12,4.00,2.50,,", "L2,B,SEAT,10,4.00,2.50,,"]


def test_a_price_that_changed_after_the_plan_is_told_with_both_prices(desk: MakeDesk) -> None:
    """25: a price changed in the middle of the month and the tool kept silent about what it would
    bill (vendor documentation). The line is refused, with the price planned and the one found."""
    made = desk(SEAT, lines=ONE_LINE, v=TWELVE)
    plan = made.plan()
    made.lines = ONE_LINE.replace("4.00", "4.40")
    said = made.apply(plan)
    assert said.code == Exit.REFUSED
    assert "unit_price: planned 4.00, found 4.40" in said.err
    assert made.lines == ONE_LINE.replace("4.00", "4.40")


@pytest.mark.parametrize("field", ["increase", "decrease", "create", "end"])
def test_each_kind_of_write_needs_its_own_switch(desk: MakeDesk, field: str) -> None:
    """16, 17 and 21 again: what was on by default did the damage. Nothing is on by default."""
    usage, lines = {
        "increase": (TWELVE, ONE_LINE),
        "decrease": (TEN.replace("10", "9"), ONE_LINE),
        "create": (TEN, NO_LINE),
        "end": (TEN.replace("10", "0"), ONE_LINE),
    }[field]
    others = [f for f in ("increase", "decrease", "create", "end") if f != field]
    listed = ", ".join(f'"{other}"' for other in others)
    toml = SEAT.replace('"increase", "decrease", "create", "end"', listed)
    made = desk(toml, lines=lines, v=usage)
    (row,) = made.rows().values()
    assert (row["change"], row["held_by"]) == (field, "SWITCH_OFF")
    made.apply(made.plan())
    assert made.lines == lines


# D. Dates


def test_a_period_that_was_invoiced_already_cannot_be_chosen(desk: MakeDesk) -> None:
    """31: a reconciliation could pick a period that had been invoiced (vendor documentation)."""
    made = desk(SEAT, lines=ONE_LINE, v=TWELVE)
    said = drybill("diff", made.mapping, "--as-of", "2026-11-25", "--period", "2026-11-01")
    assert said.code == Exit.REFUSED
    assert "no agreement has a period not yet invoiced that starts then" in said.err


def test_two_unbilled_periods_block_writing_until_one_is_named(desk: MakeDesk) -> None:
    """36: whether the invoice existed already decided if a change was on it, and nobody said so
    (vendor documentation). Waiting invoices are listed, and one must be named to write."""
    agreements = "agreement_id,company_id,currency,next_period_start\nA,250,USD,2026-10-01\n"
    made = desk(SEAT, lines=ONE_LINE, v=TWELVE, agreements=agreements)
    found = made.diff("--all")
    (invoice,) = found["invoices"]
    assert invoice["unbilled_periods"] == ["2026-10-01", "2026-11-01"]
    assert invoice["lines"][0]["reasons"][0] == "PAST_PERIODS_UNBILLED"
    made.apply(found["run"]["plan_digest"])
    assert made.lines == ONE_LINE
    assert made.apply(made.plan("--period", "2026-10-01")).code == Exit.DONE
    assert lines_of(made) == ["L1,A,SEAT,12,4.00,2.50,,"]


def test_every_change_says_from_which_day_it_holds(desk: MakeDesk) -> None:
    """32: the same product applied a change at once in one PSA and next month in another (vendor
    documentation). The day stands in the table, the machine output and the new line itself."""
    made = desk(SEAT, lines=NO_LINE, v=TEN)
    (row,) = made.rows().values()
    assert row["effective_date"] == "2026-12-01"
    said = drybill("diff", made.mapping, "--as-of", "2026-11-25")
    assert "1 Dec 2026  NO_LINE_YET" in said.out
    made.apply(made.plan())
    assert ",2026-12-01," in lines_of(made)[0]
