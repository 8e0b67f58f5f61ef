"""From the rows of vendors to one number: what counts, what is held, and what is only unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drybill.flow.run import Past, Request
from world import SEAT, TODAY, bill, only_row, says

TEN = """
    line_id,agreement_id,product,quantity,unit_price
    L,A,SEAT,10,4.00
"""
NO_LINE = "line_id,agreement_id,product,quantity,unit_price"


def seat(keys: str) -> str:
    return SEAT + keys


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ("c,seat,12", "L change 10 -> 12: +8.00 SEATS_ADDED"),
        ("c,seat,7", "L change 10 -> 7: -12.00 SEATS_REMOVED"),
        ("c,seat,10", "L unchanged 10 IN_STEP"),
        ("c,seat,0", "L blocked 10, wants 0: -40.00 GUARD_PERCENT"),
        ("c,seat,", "L unknown 10 QUANTITY_UNKNOWN"),
        ("c,other,3", "L unknown 10 ABSENT_ONCE"),
        ("d,seat,3", "L unknown 10 CUSTOMER_NOT_LISTED"),
    ],
)
def test_a_number_an_unknown_and_a_silence(tmp_path: Path, usage: str, expected: str) -> None:
    assert says(bill(tmp_path, lines=TEN, v=f"customer_id,sku,quantity\n{usage}"))[0] == expected


def test_a_denied_customer_and_a_cut_off_source_lower_nothing(tmp_path: Path) -> None:
    v = "customer_id,sku,quantity\nc,seat,3"
    denied = bill(tmp_path, lines=TEN, v=v, denied=["c"])
    assert says(denied) == ["L unknown 10 CUSTOMER_DENIED"]
    assert says(bill(tmp_path, lines=TEN, v=v, broken=["v"])) == ["L unknown 10 SOURCE_INCOMPLETE"]
    without = Request(as_of=TODAY, without=frozenset({"v"}))
    assert says(bill(tmp_path, lines=TEN, v=v, request=without)) == [
        "L unknown 10 SOURCE_NOT_ASKED"
    ]


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first_seen_absent", "as_of", "expected"),
    [
        (None, "2026-11-24T12:00:00Z", "L unknown 10 ABSENT_ONCE"),
        (NOON - timedelta(hours=19), "2026-11-24T12:00:00Z", "L unknown 10 ABSENT_ONCE"),
        (NOON - timedelta(hours=20), "2026-11-24T12:00:00Z", "L blocked 10, wants 0: -40.00"),
        (NOON - timedelta(hours=20), "", "L unknown 10 ABSENT_ONCE"),  # states no as-of
        (NOON, "2026-11-27T12:00:00Z", "L unknown 10 ABSENT_ONCE"),  # speaks of the day after next
    ],
)
def test_absent_is_confirmed_by_a_second_answer_twenty_hours_later(
    tmp_path: Path, first_seen_absent: datetime | None, as_of: str, expected: str
) -> None:
    past = Past(absent_since={("v", "c", "seat"): first_seen_absent} if first_seen_absent else {})
    v = f"customer_id,sku,quantity,as_of\nc,other,1,{as_of}"
    assert says(bill(tmp_path, lines=TEN, v=v, past=past))[0].startswith(expected)


def test_two_customers_of_one_client_are_summed_and_one_silent_one_is_a_lower_bound(
    tmp_path: Path,
) -> None:
    clients = "id,v,w\n250,c;d,"
    for usage, expected in (
        ("c,seat,8\nd,seat,4", "L change 10 -> 12: +8.00 SEATS_ADDED"),
        ("c,seat,12\nd,other,1", "L change 10 -> 12: +8.00 SEATS_ADDED"),
        ("c,seat,8\nd,other,1", "L unknown 10 ABSENT_ONCE"),
        ("c,seat,12", "L unknown 10 CUSTOMER_NOT_LISTED"),
    ):
        v = f"customer_id,sku,quantity\n{usage}"
        assert says(bill(tmp_path, lines=TEN, v=v, clients=clients))[0] == expected


@pytest.mark.parametrize(
    ("duplicates", "rows", "expected"),
    [
        ("block", "6,\n6,", "blocked 10 DUPLICATE_USAGE"),
        ("once", "6,\n6,", "change 10 -> 6: -16.00 SEATS_REMOVED"),
        ("once", "6,\n7,", "blocked 10 DUPLICATE_USAGE"),
        ("sum", "6,\n6,", "change 10 -> 12: +8.00 SEATS_ADDED"),
        ("latest", "6,\n12,2026-11-24", "change 10 -> 12: +8.00 SEATS_ADDED"),
        ("latest", "6,2026-11-24\n12,2026-11-24", "blocked 10 DUPLICATE_USAGE"),
        ("block", "6,2026-11-23\n12,2026-11-24", "change 10 -> 12: +8.00 SEATS_ADDED"),
    ],
)
def test_rows_that_say_the_same_thing_twice(
    tmp_path: Path, duplicates: str, rows: str, expected: str
) -> None:
    usage = "\n".join(f"c,seat,{row}" for row in rows.split("\n"))
    toml = seat(f'duplicates = "{duplicates}"')
    run = bill(tmp_path, toml, lines=TEN, v=f"customer_id,sku,quantity,as_of\n{usage}")
    assert says(run) == [f"L {expected}"]


def test_which_of_two_equal_rows_counts_does_not_depend_on_their_order(tmp_path: Path) -> None:
    twins = ("c,seat,6,2027-01-01", "c,seat,6,2027-03-01")
    rows = [
        only_row(
            bill(
                tmp_path,
                seat('duplicates = "once"'),
                lines=TEN,
                v="\n".join(("customer_id,sku,quantity,commitment_end", *order)),
            )
        )
        for order in (twins, twins[::-1])
    ]
    assert rows[0] == rows[1]


def test_older_rows_are_superseded_and_subscriptions_are_summed(tmp_path: Path) -> None:
    v = """
        customer_id,sku,subscription_id,quantity,as_of
        c,seat,one,5,2026-11-20
        c,seat,one,8,2026-11-24
        c,seat,two,4,2026-11-24
    """
    row = only_row(bill(tmp_path, lines=TEN, v=v))
    assert (row.counted, [reason.code for reason in row.reasons]) == (
        12,
        ["SEATS_ADDED", "SUPERSEDED"],
    )


def test_a_zero_that_supersedes_without_a_line_is_nothing_to_show(tmp_path: Path) -> None:
    v = "customer_id,sku,quantity,as_of\nc,seat,5,2026-11-20\nc,seat,0,2026-11-24"
    assert says(bill(tmp_path, lines=NO_LINE, v=v)) == []


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        ("term", "6,annual\n6,monthly", "blocked 10 TERM_AMBIGUOUS"),
        ("quantity_kind", "6,assigned\n9,entitlement", "blocked 10 KIND_AMBIGUOUS"),
        ("as_of", "12,2026-11-26", "unknown 10 FUTURE_USAGE"),
        ("line_type", "12,recurring\n5,prorate\n2,credit\n3,tax", "change 10 -> 12: +8.00"),
    ],
)
def test_what_does_not_count_as_one_quantity(
    tmp_path: Path, header: str, rows: str, expected: str
) -> None:
    usage = "\n".join(f"c,seat,{row}" for row in rows.split("\n"))
    run = bill(tmp_path, lines=TEN, v=f"customer_id,sku,quantity,{header}\n{usage}")
    assert says(run)[0].startswith(f"L {expected}")


def test_a_term_or_a_kind_in_the_mapping_chooses(tmp_path: Path) -> None:
    terms = "customer_id,sku,quantity,term\nc,seat,6,annual\nc,seat,5,monthly"
    for term, expected in (
        ("annual", ["L change 10 -> 6: -16.00 SEATS_REMOVED", "seat unmapped 5 SKU_NOT_MAPPED"]),
        ("any", ["L change 10 -> 11: +4.00 SEATS_ADDED"]),
    ):
        toml = f'[products.SEAT]\nfrom = [{{ vendor = "v", sku = "seat", term = "{term}" }}]'
        assert says(bill(tmp_path, toml, lines=TEN, v=terms)) == expected
    kinds = "customer_id,sku,quantity,quantity_kind\nc,seat,6,assigned\nc,seat,9,entitlement"
    for kind, expected in (
        ("assigned", ["L change 10 -> 6: -16.00 SEATS_REMOVED"]),
        ("billed", ["L unknown 10 QUANTITY_UNKNOWN"]),  # there, but not measured like this
    ):
        toml = f'[products.SEAT]\nfrom = [{{ vendor = "v", sku = "seat", kind = "{kind}" }}]'
        assert says(bill(tmp_path, toml, lines=TEN, v=kinds)) == expected


def test_one_code_in_two_kinds_may_drive_two_products(tmp_path: Path) -> None:
    toml = """
        [products.SEAT]
        from = [{ vendor = "v", sku = "seat", kind = "assigned" }]
        [products.LICENCE]
        from = [{ vendor = "v", sku = "seat", kind = "entitlement" }]
    """
    lines = "line_id,agreement_id,product,quantity,unit_price\nL,A,SEAT,6,1\nM,A,LICENCE,8,1"
    v = "customer_id,sku,quantity,quantity_kind\nc,seat,6,assigned\nc,seat,9,entitlement"
    assert says(bill(tmp_path, toml, lines=lines, v=v)) == [
        "M change 8 -> 9: +1.00 SEATS_ADDED",
        "L unchanged 6 IN_STEP",
    ]


@pytest.mark.parametrize(
    ("basis", "rows", "expected"),
    [
        # the December invoice is in advance: its service period is December
        ("service_period", "2026-12-01,2027-01-01,12", "change 10 -> 12: +8.00 SEATS_ADDED"),
        ("service_period", "2026-11-01,2026-12-01,12", "unknown 10 USAGE_PERIOD_MISMATCH"),
        ("previous_period", "2026-11-01,2026-12-01,12", "change 10 -> 12: +8.00 SEATS_ADDED"),
        ("previous_period", "2026-11-01,2026-11-15,5\n2026-11-15,2026-12-01,7", "change 10 -> 12"),
        ("previous_period", "2026-11-01,2026-11-15,5\n2026-11-16,2026-12-01,7", "unknown 10 USAGE"),
        ("previous_period", ",,12", "unknown 10 USAGE_PERIOD_MISMATCH"),
        ("now", "2026-11-01,2026-12-01,12", "change 10 -> 12: +8.00 SEATS_ADDED"),
        ("now", "2026-10-01,2026-11-01,12", "unknown 10 USAGE_PERIOD_MISMATCH"),
        ("now", "2026-10-01,2026-11-01,12\n,,11", "change 10 -> 11: +4.00 SEATS_ADDED"),
    ],
)
def test_usage_must_speak_of_the_period_that_is_billed(
    tmp_path: Path, basis: str, rows: str, expected: str
) -> None:
    usage = "\n".join(f"c,seat,metered_total,final,{row}" for row in rows.split("\n"))
    v = f"customer_id,sku,quantity_kind,finality,period_start,period_end,quantity\n{usage}"
    run = bill(tmp_path, seat(f'usage = "{basis}"'), lines=TEN, v=v)
    assert says(run)[0].startswith(f"L {expected}")


@pytest.mark.parametrize(
    ("basis", "one", "two", "expected"),
    [
        # one subscription is observed, the other one's current period is on an invoice
        ("now", ",", "2026-11-01,2026-12-01", "L change 10 -> 13: +12.00 SEATS_ADDED"),
        # the second subscription began inside the period: the sum can only be higher
        ("previous_period", "2026-11-01,2026-12-01", "2026-11-15,2026-12-01", "L unknown 10"),
    ],
)
def test_a_second_subscription_is_never_lost(
    tmp_path: Path, basis: str, one: str, two: str, expected: str
) -> None:
    v = f"""
        customer_id,sku,subscription_id,quantity,period_start,period_end
        c,seat,one,8,{one}
        c,seat,two,5,{two}
    """
    run = bill(tmp_path, seat(f'usage = "{basis}"'), lines=TEN, v=v)
    assert says(run)[0].startswith(expected)


def test_metered_usage_that_may_still_grow_is_shown_and_not_written(tmp_path: Path) -> None:
    toml = seat('usage = "previous_period"\n[writes]\nfields = ["increase"]\nall_clients = true')
    for finality, writes in (("final", True), ("provisional", False), ("", False)):
        v = f"""
            customer_id,sku,quantity_kind,finality,period_start,period_end,quantity
            c,seat,metered_total,{finality},2026-11-01,2026-12-01,12
        """
        row = only_row(bill(tmp_path, toml, lines=TEN, v=v))
        assert (row.quantity_after, row.would_write) == (12, writes)
        assert (row.held_by == "USAGE_NOT_FINAL") is not writes


def test_trials_are_left_out_before_anything_else_looks_at_the_rows(tmp_path: Path) -> None:
    """A newer trial row supersedes no paid one, and is no second row that says the same."""
    toml = seat('quantity = [{ exclude = "trial" }]')
    for as_of in ("2026-11-20", "2026-11-24"):
        v = f"customer_id,sku,quantity,as_of,trial\nc,seat,12,2026-11-20,\nc,seat,3,{as_of},true"
        row = only_row(bill(tmp_path, toml, lines=TEN, v=v))
        assert (row.counted, row.reasons[1].code) == (12, "EXCLUDED")
    only_trials = "customer_id,sku,quantity,trial\nc,seat,3,true"
    assert says(bill(tmp_path, toml, lines=NO_LINE, v=only_trials)) == ["seat ignored 3 EXCLUDED"]
    unknown = only_trials.replace("3,true", ",true")
    assert says(bill(tmp_path, toml, lines=NO_LINE, v=unknown)) == ["seat ignored ? EXCLUDED"]
