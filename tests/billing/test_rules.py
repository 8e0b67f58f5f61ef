"""Quantity rules, several numbers on one line, feeds and exceptions: each with its trace."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from drybill.billing.policy import Rule
from drybill.billing.rules import apply_rules
from world import bill, only_row, says

LINE = """
    line_id,agreement_id,product,quantity,unit_price
    L,A,SEAT,10,1.00
"""


def product(rest: str, sources: str = '{ vendor = "v", sku = "seat" }') -> str:
    return f"[products.SEAT]\nfrom = [{sources}]\n{rest}\n"


def used(quantity: str | int) -> str:
    return f"customer_id,sku,quantity\nc,seat,{quantity}\nc,other,1"


@pytest.mark.parametrize(
    ("number", "rules", "trace"),
    [
        ("12", "subtract 10, minimum 5", "2, 5"),
        ("12", "minimum 5, subtract 10", "12, 2"),  # in the order written
        ("8", "subtract 10, add 1", "0, 1"),  # subtract stops at 0
        ("21", "pack 10", "30"),
        ("20", "pack 10", "20"),  # an exact multiple stays
        ("0", "pack 10", "0"),
        ("7", "multiply 1.5, round up", "10.5, 11"),
        ("7", "multiply 1.5, round down", "10.5, 10"),
        ("7", "multiply 1.5, round nearest", "10.5, 11"),
        ("6.5", "round nearest", "7"),  # a half goes away from zero
        ("30", "maximum 25, pack 4", "25, 28"),
    ],
)
def test_rules_run_in_the_order_written(number: str, rules: str, trace: str) -> None:
    written = []
    for rule in rules.split(", "):
        name, value = rule.split(" ")
        if name == "round":
            written.append(Rule("round", direction=value))  # type: ignore[arg-type]
        else:
            written.append(Rule(name, Decimal(value)))  # type: ignore[arg-type]
    result, steps = apply_rules(Decimal(number), written)
    assert [f"{step.value:f}" for step in steps] == trace.split(", ")
    assert f"{result:f}" == trace.rsplit(", ", maxsplit=1)[-1]


def test_the_trace_of_a_line_names_every_step_and_its_place(tmp_path: Path) -> None:
    toml = product("""
        quantity = [{ exclude = "trial" }, { subtract = 2 }, { minimum = 5 }]
        [[exceptions]]
        client = 250
        product = "SEAT"
        add = -1
        reason = "one NFR seat"
        last_day = 2027-03-31
    """)
    v = """
        customer_id,sku,subscription_id,quantity,trial
        c,seat,one,9,
        c,seat,two,6,
        c,seat,three,4,true
    """
    assert [
        (f"{step.value:f}", step.says, step.path)
        for step in only_row(bill(tmp_path, toml, lines=LINE, v=v)).steps
    ] == [
        ("15", "v seat: 9 + 6", 'products."SEAT".from[0]'),
        ("15", "without trial rows: 4 units", 'products."SEAT".quantity[0]'),
        ("14", 'exception -1 "one NFR seat", to 2027-03-31', "exceptions[0]"),
        ("12", "subtract 2, not below 0", 'products."SEAT".quantity[1]'),
        ("12", "at least 5: no effect", 'products."SEAT".quantity[2]'),
    ]


TWO = '{ vendor = "v", sku = "seat" }, { vendor = "w", sku = "seat" }'


@pytest.mark.parametrize(
    ("combine", "v", "w", "expected"),
    [
        ("sum", "6", "7", "change 10 -> 13"),
        ("max", "6", "12", "change 10 -> 12"),
        ("min", "6", "12", "change 10 -> 6"),
        # where one of them lacks the product: a lower bound may raise, and lowers nothing
        ("sum", "12", "absent", "change 10 -> 12"),
        ("sum", "10", "absent", "unchanged 10"),
        ("sum", "6", "absent", "unknown 10 ABSENT_ONCE"),
        ("max", "12", "absent", "change 10 -> 12"),
        ("max", "6", "absent", "unknown 10 ABSENT_ONCE"),
        ("min", "12", "absent", "unknown 10 ABSENT_ONCE"),
        # what nobody knows is in no sum
        ("sum", "12", "", "unknown 10 QUANTITY_UNKNOWN"),
        ("max", "12", "", "unknown 10 QUANTITY_UNKNOWN"),
    ],
)
def test_two_numbers_on_one_line(
    tmp_path: Path, combine: str, v: str, w: str, expected: str
) -> None:
    there = "customer_id,sku,quantity\nc,other,1" if w == "absent" else used(w)
    run = bill(tmp_path, product(f'combine = "{combine}"', TWO), lines=LINE, v=used(v), w=there)
    assert says(run)[0].startswith(f"L {expected}")


def test_a_client_of_one_of_two_vendors_is_counted_there(tmp_path: Path) -> None:
    run = bill(
        tmp_path,
        product('combine = "sum"', TWO),
        lines=LINE,
        v=used(6),
        clients="id,v,w\n250,c,",
    )
    assert says(run)[0] == "L change 10 -> 6: -4.00 SEATS_REMOVED"


FEEDS = """
    [products.SEAT]
    from = [{ vendor = "v", sku = "seat" }]
    also_feeds = ["SUPPORT"]
    quantity = [{ minimum = 20 }]
    [products.SUPPORT]
    quantity = [{ subtract = 1 }]
    [[exceptions]]
    client = 250
    product = "SEAT"
    add = -2
    reason = "two NFR seats"
    last_day = 2027-03-31
"""
BOTH = """
    line_id,agreement_id,product,quantity,unit_price
    L,A,SEAT,20,1.00
    S,A,SUPPORT,4,5.00
"""


def test_a_feed_passes_the_number_after_exceptions_and_before_the_givers_rules(
    tmp_path: Path,
) -> None:
    run = bill(tmp_path, FEEDS, lines=BOTH, v=used(8))
    assert says(run)[:2] == [
        "L unchanged 20 IN_STEP",  # 8 - 2, at least 20
        "S change 4 -> 5: +5.00 SEATS_ADDED",  # 8 - 2, - 1
    ]


def test_what_a_giver_does_not_know_its_receiver_does_not_either(tmp_path: Path) -> None:
    assert says(bill(tmp_path, FEEDS, lines=BOTH, v=used("")))[:2] == [
        "L unknown 20 QUANTITY_UNKNOWN",
        "S unknown 4 QUANTITY_UNKNOWN",
    ]


def test_a_giver_counts_its_own_usage_period_for_a_receiver(tmp_path: Path) -> None:
    toml = """
        [products.SEAT]
        from = [{ vendor = "v", sku = "seat" }]
        usage = "previous_period"
        also_feeds = ["SUPPORT"]
        [products.SUPPORT]
    """
    v = "customer_id,sku,quantity,period_start,period_end\nc,seat,20,2026-11-01,2026-12-01"
    assert says(bill(tmp_path, toml, lines=BOTH, v=v)) == [
        "L unchanged 20 IN_STEP",
        "S blocked 4, wants 20: +80.00 GUARD_PERCENT",
    ]


@pytest.mark.parametrize(
    ("exception", "last_day", "expected"),
    [
        ("add = 2", "2027-03-31", ["L change 10 -> 14: +4.00 SEATS_ADDED"]),
        ("add = -2", "2027-03-31", ["L unchanged 10 IN_STEP"]),
        ("set = 11", "2027-03-31", ["L change 10 -> 11: +1.00 SEATS_ADDED"]),
        ("ignore = true", "2027-03-31", ["L ignored 10 EXCLUDED"]),
        ("add = -2", "2026-11-25", ["L unchanged 10 IN_STEP"]),  # still applies on its last day
        ("add = -2", "2026-11-24", ["L blocked 10 EXCEPTION_EXPIRED"]),
        ("add = -13", "2027-03-31", ["L blocked 10 NEGATIVE_QUANTITY"]),
    ],
)
def test_exceptions_act_on_the_sum_until_their_last_day(
    tmp_path: Path, exception: str, last_day: str, expected: list[str]
) -> None:
    toml = product(f"""
        [[exceptions]]
        client = 250
        product = "SEAT"
        {exception}
        reason = "agreed"
        last_day = {last_day}
    """)
    run = bill(tmp_path, toml, lines=LINE, v="customer_id,sku,quantity\nc,seat,12")
    assert says(run) == expected


def test_the_end_of_an_exception_is_announced_thirty_days_before(tmp_path: Path) -> None:
    for last_day, announced in (("2026-12-25", True), ("2026-12-26", False)):
        toml = product(f"""
            [[exceptions]]
            client = 250
            product = "SEAT"
            add = 1
            reason = "agreed"
            last_day = {last_day}
        """)
        row = only_row(bill(tmp_path, toml, lines=LINE, v=used(12).removesuffix("\nc,other,1")))
        assert ("EXCEPTION_ENDS_SOON" in {r.code for r in row.reasons}) is announced


def test_rules_that_would_go_below_zero_are_stopped(tmp_path: Path) -> None:
    toml = product('quantity = [{ add = -5 }]\nprice = { USD = "1.00" }')
    v = "customer_id,sku,quantity\nc,seat,3"
    no_line = "line_id,agreement_id,product,quantity,unit_price"
    assert says(bill(tmp_path, toml, lines=LINE, v=v)) == ["L blocked 10 NEGATIVE_QUANTITY"]
    assert says(bill(tmp_path, toml, lines=no_line, v=v)) == [
        "new SEAT blocked 0 NEGATIVE_QUANTITY"
    ]


def test_rules_that_lead_to_zero_hide_no_usage(tmp_path: Path) -> None:
    toml = product("quantity = [{ subtract = 10 }]")
    no_line = "line_id,agreement_id,product,quantity,unit_price"
    run = bill(tmp_path, toml, lines=no_line, v="customer_id,sku,quantity\nc,seat,3")
    assert says(run) == ["seat ignored 3 RULES_TO_ZERO"]


def test_included_units_on_both_sides_are_an_error(tmp_path: Path) -> None:
    lines = "line_id,agreement_id,product,quantity,included,unit_price\nL,A,SEAT,10,5,1.00"
    toml = product("quantity = [{ subtract = 5 }]")
    run = bill(tmp_path, toml, lines=lines, v="customer_id,sku,quantity\nc,seat,20")
    assert says(run) == ["L blocked 10, wants 15: +5.00 INCLUDED_TWICE"]
