"""Figures that others published, or built on a rule of theirs, restated as arithmetic of ours.

The ids name their source: killbill, lago, Microsoft (ms), ConnectWise (cw), sync365, autumn,
flexprice, openmeter (om), Autotask (at), py-moneyed. They fix arithmetic; none of them proves
what a PSA prints.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from drybill.billing.agreement import Agreement, Cycle, DayBasis
from drybill.billing.money import (
    EXACT,
    Rounding,
    RoundingMode,
    RoundingPoint,
    minor_units,
    round_money,
    rounded_share,
)
from drybill.billing.period import days_between, period_from
from drybill.billing.policy import Rule
from drybill.billing.projection import amount_for, billed_quantity
from drybill.billing.rules import apply_rules
from drybill.vendors.sums import RowCheck

ACTUAL, FIXED = DayBasis.ACTUAL, DayBasis.FIXED_30


def days(span: str, basis: DayBasis) -> int:
    """Days of `FIRST/UNTIL`, the second one exclusive."""
    first, until = map(date.fromisoformat, span.split("/"))
    return days_between(first, until, basis)


def amount(price: str, quantity: str, used: int, whole: int, currency: str = "USD") -> str:
    return f"{amount_for(Decimal(quantity), Decimal(price), used, whole, currency):f}"


def case(*values: object, id: str) -> object:
    return pytest.param(*values, id=id)


@pytest.mark.parametrize(
    ("basis", "period", "used", "ratio"),
    [
        case(FIXED, "2023-05-15/2023-06-15", "2023-05-23/2023-06-15", "22/30", id="kb-fixed30-may"),
        case(FIXED, "2023-02-15/2023-03-15", "2023-02-23/2023-03-15", "22/30", id="kb-fixed30-feb"),
        case(
            FIXED, "2024-02-15/2024-03-15", "2024-02-23/2024-03-15", "22/30", id="kb-fixed30-leap"
        ),
        case(ACTUAL, "2023-06-15/2023-07-15", "2023-06-23/2023-07-15", "22/30", id="kb-actual-jun"),
        case(
            ACTUAL, "2024-02-15/2024-03-15", "2024-02-23/2024-03-15", "21/29", id="kb-actual-leap"
        ),
        case(ACTUAL, "2012-02-01/2012-03-01", "2012-02-01/2012-02-15", "14/29", id="kb-leapfeb"),
        case(ACTUAL, "2011-02-01/2011-03-01", "2011-02-01/2011-02-14", "13/28", id="kb-feb"),
        # the 31st is the 30th: no month has more than 30 days
        case(FIXED, "2026-12-01/2027-01-01", "2026-12-31/2027-01-01", "1/30", id="fixed30-day-31"),
        # printed with an inclusive end: 15 to 31 January
        case(ACTUAL, "2024-01-01/2024-02-01", "2024-01-15/2024-02-01", "17/31", id="lago-jan"),
    ],
)
def test_share_of_a_period(basis: DayBasis, period: str, used: str, ratio: str) -> None:
    assert f"{days(used, basis)}/{days(period, basis)}" == ratio


@pytest.mark.parametrize(
    ("price", "quantity", "basis", "period", "used", "expected"),
    [
        case("19.95", "1", FIXED, "2023-04-23/2023-05-23", "2023-05-15/2023-05-23", "5.32",
             id="kb-30d-lead-may"),
        case("19.95", "1", FIXED, "2023-05-15/2023-06-15", "2023-05-23/2023-06-15", "14.63",
             id="kb-30d-lead-cross-0"),
        case("19.95", "1", FIXED, "2023-06-15/2023-07-15", "2023-06-23/2023-07-15", "14.63",
             id="kb-30d-lead-cross-1"),
        case("-19.95", "1", FIXED, "2023-05-15/2023-06-15", "2023-05-23/2023-06-15", "-14.63",
             id="kb-30d-credit"),
        case("10.00", "1", ACTUAL, "2024-01-01/2024-02-01", "2024-01-15/2024-02-01", "5.48",
             id="lago-1000c-17d"),
        case("4.00", "2", ACTUAL, "2018-01-13/2018-02-13", "2018-02-01/2018-02-13", "3.10",
             id="ms-m-12d-q2"),
        case("211.20", "1", ACTUAL, "2017-02-11/2018-02-11", "2017-02-11/2017-02-12", "0.58",
             id="ms-a-0"),
        case("211.20", "2", ACTUAL, "2017-02-11/2018-02-11", "2017-02-12/2017-03-11", "31.25",
             id="ms-a-1"),  # not 2 x 15.62: rounded once, after the quantity
        case("211.20", "2", ACTUAL, "2017-02-11/2018-02-11", "2017-03-11/2018-02-11", "390.00",
             id="ms-a-2"),
        case("4.00", "1", ACTUAL, "2019-06-10/2019-07-10", "2019-06-11/2019-07-10", "3.87",
             id="ms-o-29d-q1"),
        case("22.00", "2", ACTUAL, "2024-03-01/2024-04-01", "2024-03-17/2024-04-01", "21.29",
             id="sync365-mar17"),
    ],
)  # fmt: skip
def test_part_of_a_period(
    price: str, quantity: str, basis: DayBasis, period: str, used: str, expected: str
) -> None:
    assert amount(price, quantity, days(used, basis), days(period, basis)) == expected


@pytest.mark.parametrize(
    ("lines", "total"),
    [
        case(["-4.00", "2.45", "3.10", "8.00"], "9.55", id="ms-m-increase-net"),
        case(["-4.00", "2.45", "3.10"], "1.55", id="ms-m-increase-this-period"),
        case(["-10.00", "25.00"], "15.00", id="autumn-half"),
    ],
)
def test_a_change_is_a_credit_and_a_charge(lines: list[str], total: str) -> None:
    assert sum(map(Decimal, lines)) == Decimal(total)


def test_autumn_half_of_each_side_of_a_change() -> None:
    assert (amount("-20.00", "1", 1, 2), amount("50.00", "1", 1, 2)) == ("-10.00", "25.00")


@pytest.mark.parametrize(
    ("point", "quantity", "expected"),
    [
        case(RoundingPoint.UNIT_PRICE, 1, "34.06", id="cw-mar15-plus-apr"),
        case(RoundingPoint.UNIT_PRICE, 2, "68.12", id="cw-mar15-qty2"),
        case(RoundingPoint.LINE, 2, "68.13", id="cw-mar15-qty2-rounded-once"),
    ],
)
def test_where_it_is_rounded(point: RoundingPoint, quantity: int, expected: str) -> None:
    """15 to 31 March is 17 of 31 days, and the whole of April beside it."""
    rounding = Rounding(point=point)
    parts = [
        amount_for(Decimal(quantity), Decimal("22.00"), used, 31, "USD", rounding)
        for used in (17, 31)
    ]
    assert f"{sum(parts):f}" == expected


@pytest.mark.parametrize(
    ("quantity", "included", "size", "price", "expected"),
    [
        case("121", "10", "10", "100", "1200", id="lago-pack-free10"),
        case("121", "200", "10", "100", "0", id="lago-pack-free200"),
        case("4500", "0", "1000", "1.00", "5.00", id="flexprice-pack"),
        case("120", "0", "10", "100", "1200", id="pack-exact-bound"),
        case("0", "0", "10", "100", "0", id="pack-zero"),
    ],
)
def test_a_started_pack_is_a_full_one(
    quantity: str, included: str, size: str, price: str, expected: str
) -> None:
    """As `subtract` and `pack` rules: units in whole packs, at the price of a pack per size."""
    rules = [Rule("subtract", Decimal(included)), Rule("pack", Decimal(size))]
    units, _ = apply_rules(Decimal(quantity), rules)
    packs = EXACT.divide(units, Decimal(size))
    assert EXACT.multiply(packs, Decimal(price)) == Decimal(expected)


@pytest.mark.parametrize("quantity", [case(24, id="incl-25-24"), case(0, id="incl-25-0")])
def test_included_units_are_never_a_credit(quantity: int) -> None:
    billed = billed_quantity(Decimal(quantity), Decimal(25))
    assert amount("9.33", f"{billed:f}", 1, 1) == "0.00"


@pytest.mark.parametrize(
    ("currency", "price", "used", "whole", "expected"),
    [
        case("JPY", "1.23456789", 1, 1, "1", id="om-jpy-down"),
        case("JPY", "1000", 17, 31, "548", id="jpy-17-31"),
        case("JPY", "1001", 15, 30, "501", id="jpy-half"),  # half to even would be 500
        case("KWD", "1.000", 10, 30, "0.333", id="kwd-third"),
        case("KWD", "4.500", 14, 29, "2.172", id="kwd-leap"),
    ],
)
def test_minor_units(currency: str, price: str, used: int, whole: int, expected: str) -> None:
    assert minor_units(currency) == {"JPY": 0, "KWD": 3}[currency]
    assert amount(price, "1", used, whole, currency) == expected


@pytest.mark.parametrize(
    ("items", "each", "once"),
    [
        case(["0.3333"] * 3, "0.99", "1.00", id="at-4to2-3x0.3333"),
        case(["12.3450", "0.0050", "7.1249"], "19.48", "19.47", id="at-4to2-mixed"),
        case(["-10.3350", "10.3350"], "0.00", "0.00", id="at-4to2-neg"),
    ],
)
def test_per_item_and_once(items: list[str], each: str, once: str) -> None:
    exact = [Decimal(item) for item in items]
    assert f"{sum(round_money(item, 'USD') for item in exact):f}" == each
    assert f"{round_money(sum(exact, Decimal(0)), 'USD'):f}" == once


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        case("2.5", "JPY", "2", id="moneyed-2.5-even-0"),
        case("1234.33569", "USD", "1234.34", id="moneyed-1234.33569-even-2"),
    ],
)
def test_half_even_only_where_it_is_asked_for(amount: str, currency: str, expected: str) -> None:
    mode = RoundingMode.HALF_EVEN
    assert f"{round_money(Decimal(amount), currency, mode):f}" == expected
    assert f"{rounded_share(Decimal(amount), 1, 1, currency, mode):f}" == expected


@pytest.mark.parametrize(
    ("way", "unit", "rate", "quantity", "subtotal"),
    [
        case("unit", "12.3456", "0.9137", "25", "282.00", id="ms-lic-fx"),
        case("unit", "-3.867", "1", "2", "-7.72", id="ms-lic-credit"),  # cut toward zero
        case("steps", "0.0387", "0.9137", "744", "26.30", id="ms-use-fx"),
        case("steps", "0.045", "1", "0", "0.00", id="ms-use-zero"),
    ],
)
def test_a_vendors_own_arithmetic(
    way: str, unit: str, rate: str, quantity: str, subtotal: str
) -> None:
    check = RowCheck("unit", "quantity", "total", "rate", rounding=(way,))  # type: ignore[arg-type]
    cells = [[Decimal(unit)], [Decimal(quantity)], [Decimal(subtotal)], [Decimal(rate)]]
    assert check.failing(cells, [2]) == []
    cells[2] = [Decimal(subtotal) + Decimal("0.01")]
    assert check.failing(cells, [2]) == [2]


@pytest.mark.parametrize(
    ("start", "target", "cycles"),
    [
        case("2012-01-15", "2012-02-03", 1, id="kb-cycles-2"),
        # 30 January, 29 February; the next one would begin on 30 March
        case("2012-01-30", "2012-03-01", 2, id="kb-cycles-3"),
    ],
)
def test_cycles_that_have_begun(start: str, target: str, cycles: int) -> None:
    first = date.fromisoformat(start)
    agreement = Agreement("p", "A", "1", "USD", first, cycle=Cycle.MONTHLY, start_date=first)
    begun, period = 0, period_from(agreement, first)
    while period.start <= date.fromisoformat(target):
        begun, period = begun + 1, period_from(agreement, period.end)
    assert begun == cycles
