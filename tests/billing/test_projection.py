"""Periods, pieces of a period, invoices and leaks: what a bookkeeper would check by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from drybill.billing.agreement import Agreement, Cycle, Segment
from drybill.billing.period import period_before, period_from
from drybill.billing.projection import project
from drybill.flow.explain import Explained
from drybill.flow.run import Request
from drybill.report.explain import render_explain
from drybill.report.findings import findings
from world import SEAT, TODAY, bill, only_row, says

HEAD = "line_id,agreement_id,product,quantity,unit_price"
TEN = f"{HEAD}\nL,A,SEAT,10,4.00"


def used(quantity: int, since: str = "") -> str:
    return f"customer_id,sku,quantity,since\nc,seat,{quantity},{since}"


def one_agreement(**cells: str) -> str:
    cells = {
        "agreement_id": "A",
        "company_id": "250",
        "currency": "USD",
        "next_period_start": "2026-12-01",
    } | cells
    return ",".join(cells) + "\n" + ",".join(cells.values())


def agreement(cycle: Cycle, start: date, anchor: date | None = None) -> Agreement:
    return Agreement("main", "A", "250", "USD", start, cycle=cycle, start_date=anchor)


# ---- periods -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cycle", "start", "end", "before"),
    [
        (Cycle.WEEKLY, "2026-12-28", "2027-01-04", "2026-12-21"),
        (Cycle.MONTHLY, "2026-12-01", "2027-01-01", "2026-11-01"),
        (Cycle.QUARTERLY, "2026-11-15", "2027-02-15", "2026-08-15"),
        (Cycle.SEMI_ANNUAL, "2026-08-31", "2027-02-28", "2026-02-28"),
        (Cycle.ANNUAL, "2024-02-29", "2025-02-28", "2023-02-28"),
    ],
)
def test_a_cycle_before_and_after(cycle: Cycle, start: str, end: str, before: str) -> None:
    first = date.fromisoformat(start)
    signed = agreement(cycle, first)
    assert period_from(signed, first).end.isoformat() == end
    assert period_before(signed, first).start.isoformat() == before


def test_day_31_is_clipped_in_short_months_and_comes_back() -> None:
    signed = agreement(Cycle.MONTHLY, date(2026, 12, 31), anchor=date(2024, 1, 31))
    starts, start = [], signed.next_period_start
    for _ in range(5):
        starts.append(start.isoformat())
        start = period_from(signed, start).end
    assert starts == ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]


@pytest.mark.parametrize(
    ("cells", "invoice_date", "horizon"),
    [
        ({"timing": "advance"}, "2026-12-01", "now"),
        ({"timing": "arrears"}, "2027-01-01", "later"),  # 37 days ahead
        ({"timing": "arrears", "next_period_start": "2026-11-01"}, "2026-12-01", "now"),
        ({"next_period_start": "2026-12-26"}, "2026-12-26", "now"),  # 31 days ahead
        ({"next_period_start": "2026-12-27"}, "2026-12-27", "later"),
    ],
)
def test_an_invoice_is_dated_by_its_timing_and_may_lie_beyond_the_horizon(
    tmp_path: Path, cells: dict[str, str], invoice_date: str, horizon: str
) -> None:
    run = bill(tmp_path, lines=TEN, v=used(12), agreements=one_agreement(**cells))
    (invoice,) = run.plan.invoices
    (total,) = run.plan.totals
    assert (invoice.invoice_date.isoformat(), invoice.horizon, total.horizon) == (
        invoice_date,
        horizon,
        horizon,
    )


def test_one_overdue_invoice_is_the_next_one_and_two_wait_for_a_period(tmp_path: Path) -> None:
    one = one_agreement(next_period_start="2026-11-01")
    two = one_agreement(next_period_start="2026-10-01")
    chosen = Request(as_of=TODAY, period=date(2026, 11, 1))
    for agreements, request, expected in (
        (one, Request(as_of=TODAY), "L change 10 -> 12: +8.00 SEATS_ADDED"),
        (two, Request(as_of=TODAY), "L blocked 10, wants 12: +8.00 PAST_PERIODS_UNBILLED"),
        (two, chosen, "L change 10 -> 12: +8.00 SEATS_ADDED"),
    ):
        run = bill(tmp_path, lines=TEN, v=used(12), agreements=agreements, request=request)
        assert says(run) == [expected]
    assert bill(tmp_path, lines=TEN, v=used(12), agreements=two).plan.invoices[
        0
    ].unbilled_periods == (date(2026, 10, 1), date(2026, 11, 1))


@pytest.mark.parametrize(
    "cells",
    [
        {"status": "cancelled"},
        {"status": "expired"},
        {"status": "inactive"},
        {"cycle": "one_time"},
        {"end_date": "2026-11-30"},
        {"start_date": "2027-01-01"},
    ],
)
def test_an_agreement_without_an_invoice_to_come_is_not_projected(
    tmp_path: Path, cells: dict[str, str]
) -> None:
    run = bill(tmp_path, lines=TEN, v=used(12), agreements=one_agreement(**cells))
    assert (run.plan.invoices, says(run)) == ((), ["seat unmapped 12 AGREEMENT_NOT_FOUND"])


# ---- lines and pieces ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "quantity", "price", "amount"),
    [
        ("USD", "3", "0.335", "1.01"),  # 1.005, half up
        ("USD", "1", "-0.125", "-0.13"),  # a half goes away from zero
        ("JPY", "3", "100.5", "302"),
        ("JPY", "1", "0.4", "0"),
        ("KWD", "1", "1.2345", "1.235"),
    ],
)
def test_a_line_is_rounded_once_to_the_minor_units_of_its_currency(
    tmp_path: Path, currency: str, quantity: str, price: str, amount: str
) -> None:
    lines = f"{HEAD}\nL,A,SEAT,{quantity},{price}"
    row = only_row(bill(tmp_path, lines=lines, agreements=one_agreement(currency=currency)))
    assert f"{row.amount_before:f}" == amount


def test_every_line_is_on_the_invoice_as_it_is_billed(tmp_path: Path) -> None:
    lines = f"""
        {HEAD},included,billing,effective_date,cancelled_date
        over,A,P1,12,4,10,,,
        under,A,P2,8,4,10,,,
        free,A,P3,5,4,,no_charge,,
        quiet,A,P4,5,4,,do_not_bill,,
        ended,A,P5,5,4,,,,2026-12-01
        future,A,P6,5,4,,,2027-01-01,
        last,A,P7,5,4,,,,2026-12-02
    """
    run = bill(tmp_path, lines=lines, agreements=one_agreement(base_amount="100"))
    (invoice,) = run.invoices
    assert {row.line_id: f"{row.amount_before:f}" for row in invoice.rows} == {
        "over": "8.00",
        "under": "0.00",  # never negative
        "free": "0.00",
        "quiet": "0.00",
        "last": "20.00",  # active on one day: without proration the whole period
    }
    assert (invoice.base_amount, invoice.before) == (100, 128)


@pytest.mark.parametrize(
    ("prorate", "basis", "before", "after"),
    [
        # 10 seats for 10 days, 12 from 11 December on; 14 are used
        ("false", "actual", "48.00", "56.00"),  # only the last active one
        ("true", "actual", "45.42", "50.84"),  # 10 x 4 x 10/31 + 12 (14) x 4 x 21/31
        ("true", "fixed_30", "45.33", "50.66"),  # 10/30 + 20/30
    ],
)
def test_touching_segments(
    tmp_path: Path, prorate: str, basis: str, before: str, after: str
) -> None:
    lines = f"""
        {HEAD},effective_date,cancelled_date
        L1,A,SEAT,10,4,,2026-12-11
        L2,A,SEAT,12,4,2026-12-11,
    """
    agreements = one_agreement(prorate=prorate, day_basis=basis, start_date="2020-01-01")
    row = only_row(bill(tmp_path, lines=lines, v=used(14), agreements=agreements))
    assert (f"{row.amount_before:f}", f"{row.amount_after:f}") == (before, after)
    assert row.amount_after == sum(piece.amount or 0 for piece in row.pieces_after)
    assert row.effective == (date(2026, 12, 11))


def test_days_outside_the_agreement_are_not_billed_where_it_prorates() -> None:
    signed = Agreement(
        "main", "A", "250", "USD", date(2026, 12, 1), end_date=date(2026, 12, 10), prorate=True
    )
    line = Segment("L", "A", "SEAT", Decimal(31), Decimal("1.00"))
    (piece,) = project([line], signed, period_from(signed, date(2026, 12, 1)))
    assert (piece.used_days, piece.period_days, piece.amount) == (10, 31, 10)
    assert piece.until - piece.first_day == timedelta(days=10)


# ---- invoices ------------------------------------------------------------------------------------

FAMILY = """
    agreement_id,company_id,company_name,currency,next_period_start,timing,base_amount,parent_agreement_id,bill_to
    A,250,Alice,USD,2026-12-01,advance,100,,
    child,251,Bob,USD,2026-12-01,advance,50,A,
    payer,251,Bob,USD,2026-12-01,advance,30,A,300
    euro,251,Bob,EUR,2026-12-01,advance,20,A,
    later,251,Bob,USD,2026-12-01,arrears,10,A,
"""


def test_a_childs_lines_stand_on_its_parents_invoice_unless_another_company_pays(
    tmp_path: Path,
) -> None:
    run = bill(tmp_path, lines=f"{HEAD}\nL,child,CARE,1,4", agreements=FAMILY)
    assert [
        (i.agreement_id, i.client_id, i.currency, i.invoice_date.isoformat(), f"{i.before:f}")
        for i in run.plan.invoices
    ] == [
        ("A", "250", "EUR", "2026-12-01", "20.00"),  # currencies are never added
        ("A", "250", "USD", "2026-12-01", "154.00"),
        ("A", "250", "USD", "2027-01-01", "10.00"),
        ("payer", "300", "USD", "2026-12-01", "30.00"),
    ]


def test_under_and_over_billing_are_never_netted(tmp_path: Path) -> None:
    toml = SEAT + '[products.CARE]\nfrom = [{ vendor = "v", sku = "care" }]\n'
    lines = f"{HEAD}\nL,A,SEAT,10,4\nM,A,CARE,10,4\nN,A,DISK,2,1"
    v = "customer_id,sku,quantity\nc,seat,13\nc,care,7"
    run = bill(tmp_path, toml, lines=lines, v=v)
    (total,) = run.plan.totals
    assert (total.before, total.under_billed, total.over_billed, total.difference, total.after) == (
        82,
        12,
        -12,
        0,
        82,
    )


# ---- leaks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "lines", "since", "leak"),
    [
        ({}, TEN, "", None),  # nobody says since when
        ({}, TEN, "2026-12-01", "0.00"),
        ({}, TEN, "2026-11-16", "8.00"),  # without proration the whole of November
        ({}, TEN, "2026-10-31", "16.00"),
        ({"prorate": "true"}, TEN, "2026-11-16", "4.00"),  # 15 of 30 days
        ({"prorate": "true"}, TEN, "2026-10-31", "8.26"),  # 1 of 31 days, and November
        ({"start_date": "2026-11-01"}, TEN, "2026-10-01", "8.00"),
        # what an earlier segment billed then: 5 until the 16th, 10 afterwards
        (
            {"prorate": "true"},
            f"{HEAD},effective_date,cancelled_date\nK,A,SEAT,5,4,,2026-11-16\nL,A,SEAT,10,4,2026-11-16,",
            "2026-11-01",
            "18.00",  # 7 x 4 x 15/30 + 2 x 4 x 15/30
        ),
        (
            {},
            f"{HEAD},effective_date,cancelled_date\nK,A,SEAT,9,4,,2026-12-01\nL,A,SEAT,10,4,2026-12-01,",
            "2026-11-01",
            "12.00",
        ),
        # the PSA does not say what it billed then
        (
            {},
            f"{HEAD},effective_date,cancelled_date\nK,A,SEAT,,4,,2026-12-01\nL,A,SEAT,10,4,2026-12-01,",
            "2026-11-01",
            None,
        ),
    ],
)
def test_a_leak_is_money_of_periods_already_invoiced(
    tmp_path: Path, cells: dict[str, str], lines: str, since: str, leak: str | None
) -> None:
    run = bill(tmp_path, lines=lines, v=used(12, since), agreements=one_agreement(**cells))
    row = only_row(run)
    assert (None if row.leak is None else f"{row.leak:f}", row.difference) == (leak, 8)
    (total,) = run.plan.totals
    assert (total.leak_up, total.difference) == (Decimal(leak or 0), 8)


def test_a_line_in_step_with_a_leak_is_not_quiet(tmp_path: Path) -> None:
    """October and November went out without the 10 seats that are billed from December on."""
    late = f"{TEN.replace('price', 'price,effective_date')},2026-12-01"
    run = bill(tmp_path, lines=late, v=used(10, "2026-10-20"))
    (invoice,) = run.plan.invoices
    (row,) = invoice.rows
    assert (row.bucket, row.difference, row.leak) == ("unchanged", 0, 80)
    assert [reason.code for reason in row.reasons] == ["PERIOD_ALREADY_INVOICED", "IN_STEP"]
    assert (invoice.quiet_rows, invoice.quiet_amount, invoice.before) == (0, 0, 40)
    assert (findings(run.plan).verdict, run.plan.has_changes) == ("leak", False)


def test_a_leak_explains_itself_period_by_period(tmp_path: Path) -> None:
    """Two seats were missing from 20 October on: 12 of 31 days, then all of November."""
    agreements = one_agreement(prorate="true")
    run = bill(tmp_path, lines=TEN, v=used(12, "2026-10-20"), agreements=agreements)
    row = only_row(run)
    assert [(str(p.first_day), p.used_days, p.period_days, p.amount) for p in row.leak_pieces] == [
        ("2026-10-20", 12, 31, Decimal("3.10")),
        ("2026-11-01", 30, 30, Decimal("8.00")),
    ]
    assert row.leak == Decimal("11.10")
    shown = render_explain(Explained(row, run.plan.invoices[0], run.plan, "d" * 64), 100).plain
    assert "leak      20-31 Oct 2026: 2 missing x 4.00 x 12/31 = +3.10 USD\n" in shown
    assert "leak      1-30 Nov 2026: 2 missing x 4.00 = +8.00 USD\n" in shown


def test_surplus_units_leak_the_other_way(tmp_path: Path) -> None:
    row = only_row(bill(tmp_path, lines=TEN, v=used(7, "2026-11-01")))
    assert (row.difference, row.leak) == (-12, -12)
