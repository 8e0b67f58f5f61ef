"""What holds for every amount, period and rule, whatever the numbers."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_UP, Decimal, localcontext
from fractions import Fraction
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from drybill.billing.agreement import Agreement, Cycle, DayBasis
from drybill.billing.money import minor_unit, minor_units, round_money
from drybill.billing.period import days_between, period_before, period_from
from drybill.billing.policy import Rule
from drybill.billing.projection import amount_for, billed_quantity
from drybill.billing.rules import apply_rules

CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
PRICES = st.decimals("-9999.9999", "9999.9999", places=4)
QUANTITIES = st.decimals("0", "99999", places=2)
DAYS = st.dates(date(2023, 1, 1), date(2032, 12, 31))
PARTS = st.integers(1, 366).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))
few = settings(max_examples=60, deadline=None)


@few
@given(QUANTITIES, PRICES, PARTS, CURRENCIES)
def test_an_amount_is_the_exact_one_rounded_once_half_away_from_zero(
    quantity: Decimal, price: Decimal, part: tuple[int, int], currency: str
) -> None:
    used, whole = part
    amount = amount_for(quantity, price, used, whole, currency)
    exact = Fraction(quantity) * Fraction(price) * Fraction(used, whole)
    unit = Fraction(minor_unit(currency))
    assert -amount.as_tuple().exponent == minor_units(currency)  # type: ignore[operator]
    assert abs(Fraction(amount) - exact) <= unit / 2
    if abs(Fraction(amount) - exact) == unit / 2:
        assert abs(Fraction(amount)) > abs(exact)
    if used in (0, whole):
        assert amount == round_money(Decimal(used // whole) * quantity * price, currency)


@few
@given(QUANTITIES, PRICES, PARTS, CURRENCIES)
def test_two_parts_of_a_period_are_the_whole_of_it_to_one_minor_unit(
    quantity: Decimal, price: Decimal, part: tuple[int, int], currency: str
) -> None:
    used, whole = part
    parts = [amount_for(quantity, price, days, whole, currency) for days in (used, whole - used)]
    together = amount_for(quantity, price, whole, whole, currency)
    assert abs(sum(parts) - together) <= minor_unit(currency)


@few
@given(QUANTITIES, PRICES, PARTS, CURRENCIES)
def test_a_charge_and_the_credit_for_it_are_nothing(
    quantity: Decimal, price: Decimal, part: tuple[int, int], currency: str
) -> None:
    charge = amount_for(quantity, price, *part, currency)
    assert charge + amount_for(quantity, -price, *part, currency) == 0


@few
@given(st.lists(PRICES, min_size=1, max_size=8), CURRENCIES)
def test_rounding_each_item_or_once_differ_by_half_a_unit_per_item(
    items: list[Decimal], currency: str
) -> None:
    each = sum(round_money(item, currency) for item in items)
    once = round_money(sum(items, Decimal(0)), currency)
    assert abs(each - once) <= (len(items) + 1) * minor_unit(currency) / 2


@few
@given(QUANTITIES, QUANTITIES)
def test_included_units_are_free_and_never_a_credit(quantity: Decimal, included: Decimal) -> None:
    assert billed_quantity(quantity, included) == max(quantity - included, 0)
    assert billed_quantity(quantity, Decimal(0)) == quantity


@few
@given(DAYS, st.integers(0, 400), st.integers(0, 400), st.sampled_from(DayBasis))
def test_splitting_days_changes_no_sum(start: date, one: int, two: int, basis: DayBasis) -> None:
    middle = start + timedelta(one)
    end = middle + timedelta(two)
    parts = days_between(start, middle, basis) + days_between(middle, end, basis)
    assert parts == days_between(start, end, basis)
    assert days_between(start, middle, basis) >= 0


@few
@given(DAYS, st.sampled_from([c for c in Cycle if c is not Cycle.ONE_TIME]))
def test_periods_leave_no_gap_and_keep_their_day(start: date, cycle: Cycle) -> None:
    signed = Agreement("p", "A", "1", "USD", start, cycle=cycle, start_date=start)
    period = period_from(signed, start)
    for _ in range(15):
        following = period_from(signed, period.end)
        assert following.start == period.end > period.start
        assert period_before(signed, period.end) == period
        if cycle is not Cycle.WEEKLY:
            last = (period.end.replace(day=28) + timedelta(4)).replace(day=1) - timedelta(1)
            assert period.end.day == min(start.day, last.day)
        period = following


@few
@given(QUANTITIES, st.integers(1, 50))
def test_a_pack_is_the_next_multiple(quantity: Decimal, size: int) -> None:
    packed, _ = apply_rules(quantity, [Rule("pack", Decimal(size))])
    assert packed == ceil(Fraction(quantity) / size) * size


RULES = st.lists(
    st.one_of(
        st.builds(
            Rule,
            st.sampled_from(["add", "subtract", "multiply", "minimum", "maximum"]),
            st.decimals("0", "99", places=1),
        ),
        st.builds(Rule, st.just("pack"), st.decimals("1", "20", places=0)),
        st.builds(Rule, st.just("round"), st.none(), st.sampled_from(["up", "down", "nearest"])),
    ),
    max_size=5,
)


@few
@given(QUANTITIES, QUANTITIES, RULES)
def test_more_units_are_never_fewer_after_the_rules(
    one: Decimal, other: Decimal, rules: list[Rule]
) -> None:
    """What makes a lower bound of a sum a lower bound of the line."""
    low, high = sorted((one, other))
    assert apply_rules(low, rules)[0] <= apply_rules(high, rules)[0]


@few
@given(QUANTITIES, PRICES, PARTS, RULES)
def test_no_result_depends_on_the_decimal_context(
    quantity: Decimal, price: Decimal, part: tuple[int, int], rules: list[Rule]
) -> None:
    def results() -> tuple[Decimal, Decimal]:
        units, _ = apply_rules(quantity, rules)
        return units, amount_for(units, price, *part, "USD")

    expected = results()
    with localcontext(prec=3, rounding=ROUND_UP):
        assert results() == expected
