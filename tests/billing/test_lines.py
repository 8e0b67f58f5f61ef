"""Which agreement, which line, and what becomes of usage or lines that lead nowhere."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from world import SEAT, bill, only_row, says

HEAD = "line_id,agreement_id,product,quantity,unit_price"
PRICED = SEAT + 'price = { USD = "4.00" }\n'


def used(quantity: int | str) -> str:
    return f"customer_id,sku,quantity\nc,seat,{quantity}"


# ---- several lines of one product ----------------------------------------------------------------

THREE = f"{HEAD}\nL1,A,SEAT,10,4\nL2,A,SEAT,5,4\nL3,A,SEAT,3,4"
FLEXIBLE = SEAT + '[[lines]]\nclient = 250\nproduct = "SEAT"\nline = "L2"\nflexible = true\n'


@pytest.mark.parametrize(
    ("toml", "quantity", "expected"),
    [
        (SEAT, 18, ["L1 unchanged 10", "L2 unchanged 5", "L3 unchanged 3"]),
        (
            SEAT,
            20,
            [
                "L1 blocked 10 AMBIGUOUS_LINES",
                "L2 blocked 5 AMBIGUOUS_LINES",
                "L3 blocked 3, wants 5: +8.00 AMBIGUOUS_LINES",
            ],
        ),
        (FLEXIBLE, 20, ["L1 unchanged 10", "L2 change 5 -> 7: +8.00", "L3 unchanged 3"]),
        (FLEXIBLE, 13, ["L1 unchanged 10", "L2 blocked 5, wants 0: -20.00", "L3 unchanged 3"]),
        (
            FLEXIBLE,
            12,
            ["L1 blocked 10 FLEXIBLE_NEGATIVE", "L2 blocked 5", "L3 blocked 3, wants 0"],
        ),
    ],
)
def test_several_lines_are_compared_by_their_sum_and_only_the_named_one_moves(
    tmp_path: Path, toml: str, quantity: int, expected: list[str]
) -> None:
    found = says(bill(tmp_path, toml, lines=THREE, v=used(quantity)))
    assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == expected


def test_touching_segments_are_one_line_that_keeps_a_row_of_its_own(tmp_path: Path) -> None:
    lines = f"""
        {HEAD},effective_date,cancelled_date
        L1,A,SEAT,10,4,,2026-12-11
        L2,A,SEAT,12,4,2026-12-11,
    """
    row = only_row(bill(tmp_path, lines=lines, v=used(14)))
    assert (row.line_id, row.quantity_before, row.quantity_after) == ("L1+L2", 12, 14)


def test_an_empty_quantity_or_price_is_unknown_and_its_invoice_incomplete(tmp_path: Path) -> None:
    for cells, code in ((",4", "PSA_QUANTITY_UNKNOWN"), ("10,", "PSA_PRICE_UNKNOWN")):
        run = bill(tmp_path, lines=f"{HEAD}\nL,A,SEAT,{cells}\nM,A,OTHER,1,5", v=used(12))
        row = next(row for row in run.plan.rows if row.line_id == "L")
        (total,) = run.plan.totals
        assert (row.bucket, row.reasons[0].code, row.amount_after) == ("unknown", code, None)
        assert (total.before, total.after, total.incomplete_invoices) == (5, 5, 1)


def test_with_proration_an_earlier_segment_without_a_price_is_unknown_too(tmp_path: Path) -> None:
    agreements = """
        agreement_id,company_id,currency,next_period_start,prorate
        A,250,USD,2026-12-01,{}
    """
    lines = f"""
        {HEAD},effective_date,cancelled_date
        L1,A,SEAT,10,,,2026-12-11
        L2,A,SEAT,12,4,2026-12-11,
    """
    for prorate, expected in (("true", "unknown"), ("false", "change")):
        run = bill(tmp_path, lines=lines, v=used(14), agreements=agreements.format(prorate))
        assert only_row(run).bucket == expected


# ---- which agreement -----------------------------------------------------------------------------

ROLES = (
    """
    [agreements]
    cloud = { type = "Cloud" }
    security = { type = "Security", fallback = "cloud" }
    [defaults]
    agreement = "security"
"""
    + SEAT
)


def agreements(*types: str) -> str:
    rows = [f"A{n},250,USD,2026-12-01,{kind}" for n, kind in enumerate(types, start=1)]
    return "\n".join(["agreement_id,company_id,currency,next_period_start,type", *rows])


@pytest.mark.parametrize(
    ("types", "on", "expected"),
    [
        (["Cloud", "Security"], "A2", ["L change 5 -> 6: +4.00 SEATS_ADDED"]),
        (["Cloud", "Other"], "A1", ["L change 5 -> 6: +4.00 SEATS_ADDED"]),  # the fallback
        (["Cloud", "Security"], "A1", ["L blocked 5, wants 6: +4.00 WRONG_AGREEMENT"]),
        (
            ["Other"],
            "A1",
            ["L blocked 5 AGREEMENT_NOT_FOUND", "seat unmapped 6 AGREEMENT_NOT_FOUND"],
        ),
        (
            ["Security", "Security"],
            "A2",
            ["L blocked 5 AGREEMENT_AMBIGUOUS", "seat unmapped 6 AGREEMENT_AMBIGUOUS"],
        ),
    ],
)
def test_a_role_must_find_exactly_one_agreement(
    tmp_path: Path, types: list[str], on: str, expected: list[str]
) -> None:
    lines = f"{HEAD}\nL,{on},SEAT,5,4"
    run = bill(tmp_path, ROLES, lines=lines, v=used(6), agreements=agreements(*types))
    assert says(run) == expected


def test_a_client_may_name_its_agreement(tmp_path: Path) -> None:
    clients = "id,v,w,agreement.security\n250,c,c,A2"
    two = agreements("Security", "Security")
    run = bill(
        tmp_path, ROLES, lines=f"{HEAD}\nL,A2,SEAT,5,4", v=used(6), agreements=two, clients=clients
    )
    assert says(run) == ["L change 5 -> 6: +4.00 SEATS_ADDED"]


@pytest.mark.parametrize(
    ("right", "wrong", "quantity", "expected"),
    [
        # together they bill what is used: nothing is missing, but a person must move a line
        (10, 2, 12, ["R blocked 10 WRONG_AGREEMENT", "W blocked 2 WRONG_AGREEMENT"]),
        (10, 2, 10, ["R unchanged 10 IN_STEP", "W blocked 2, wants 0: -8.00 WRONG_AGREEMENT"]),
        (
            10,
            2,
            15,
            ["R blocked 10 WRONG_AGREEMENT", "W blocked 2, wants 5: +12.00 WRONG_AGREEMENT"],
        ),
    ],
)
def test_lines_on_two_agreements_are_one_quantity(
    tmp_path: Path, right: int, wrong: int, quantity: int, expected: list[str]
) -> None:
    lines = f"{HEAD}\nR,A1,SEAT,{right},4\nW,A2,SEAT,{wrong},4"
    run = bill(
        tmp_path, ROLES, lines=lines, v=used(quantity), agreements=agreements("Security", "Other")
    )
    assert says(run) == expected


def test_candidates_of_an_ambiguous_role_do_not_depend_on_their_order(tmp_path: Path) -> None:
    toml = SEAT + 'usage = "service_period"\n'
    head = "agreement_id,company_id,currency,next_period_start"
    one, two = "A,250,USD,2026-12-01", "B,250,USD,2026-12-15"
    lines = f"{HEAD}\nL,A,SEAT,5,4\nM,B,SEAT,5,4"
    v = "customer_id,sku,quantity,period_start,period_end\nc,seat,5,2026-12-01,2027-01-01"
    plans = [
        bill(tmp_path, toml, lines=lines, v=v, agreements="\n".join((head, *order))).plan
        for order in ((one, two), (two, one))
    ]
    assert {row.reasons[0].code for row in plans[0].rows} == {"AGREEMENT_AMBIGUOUS"}
    assert plans[0].rows == plans[1].rows


# ---- usage without a line, lines without usage ---------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "lines", "quantity", "expected"),
    [
        (PRICED, HEAD, 3, ["new SEAT create 0 -> 3: +12.00 NO_LINE_YET"]),
        (SEAT, HEAD, 3, ["new SEAT blocked 0 PRICE_UNKNOWN"]),
        (PRICED, HEAD, 0, []),
        (PRICED, HEAD, "", ["new SEAT unknown 0 QUANTITY_UNKNOWN"]),
        # a line on any agreement of the client, or one that starts later, is adopted
        (PRICED, f"{HEAD}\nL,B,SEAT,3,4", 3, ["L blocked 3 WRONG_AGREEMENT"]),
        (
            PRICED,
            f"{HEAD},effective_date\nL,A,SEAT,3,4,2027-01-01",
            3,
            ["new SEAT blocked 0, wants 3: +12.00 LINE_STARTS_LATER"],
        ),
        (
            PRICED,
            f"{HEAD},effective_date\nL,B,SEAT,3,4,2027-01-01",
            3,
            ["new SEAT blocked 0, wants 3: +12.00 LINE_STARTS_LATER"],
        ),
        # one that has ended bills nothing any more
        (
            PRICED,
            f"{HEAD},cancelled_date\nL,A,SEAT,3,4,2026-12-01",
            3,
            ["new SEAT create 0 -> 3: +12.00 NO_LINE_YET"],
        ),
    ],
)
def test_usage_without_a_line_creates_one_and_never_a_second(
    tmp_path: Path, toml: str, lines: str, quantity: int | str, expected: list[str]
) -> None:
    two = """
        agreement_id,company_id,currency,next_period_start,type
        A,250,USD,2026-12-01,Cloud
        B,250,USD,2026-12-01,Other
    """
    role = '[agreements]\ncloud = { type = "Cloud" }\n[defaults]\nagreement = "cloud"\n'
    assert (
        says(bill(tmp_path, role + toml, lines=lines, v=used(quantity), agreements=two)) == expected
    )


def test_lines_and_usage_that_the_mapping_leads_nowhere(tmp_path: Path) -> None:
    run = bill(
        tmp_path,
        lines=f"{HEAD}\nL,A,SEAT,1,4\nM,A,CARE,1,9\nN,B,SEAT,2,4\nO,D,SEAT,2,4",
        agreements="""
            agreement_id,company_id,currency,next_period_start
            A,250,USD,2026-12-01
            B,251,USD,2026-12-01
            D,252,USD,2026-12-01
        """,
        clients="id,v,w\n250,c,\n251,,x",
        v="customer_id,sku,quantity\nc,seat,1\nc,disk,7\nelse,seat,3",
    )
    assert says(run) == [
        "M fixed 1 NO_MAPPED_PRODUCT",
        "L unchanged 1 IN_STEP",
        "N orphan 2 NO_CUSTOMER_ID",
        "O orphan 2 CLIENT_NOT_MAPPED",
        "disk unmapped 7 SKU_NOT_MAPPED",
        "seat unmapped 3 CUSTOMER_NOT_MAPPED",
    ]


def test_unmapped_money_is_cost_or_an_estimated_price_and_never_both(tmp_path: Path) -> None:
    v = """
        customer_id,sku,quantity,unit_cost,currency
        else,seat,3,2.50,EUR
        c,disk,7,1.10,EUR
    """
    run = bill(tmp_path, PRICED, lines=HEAD, v=v)
    assert {
        use.sku: (use.cost, use.cost_currency, use.price_estimate, use.currency)
        for use in run.plan.unmapped
    } == {
        "disk": (Decimal("7.70"), "EUR", None, ""),
        "seat": (Decimal("7.50"), "EUR", 12, "USD"),
    }


FLAT = SEAT + '[profiles.flat]\ncovered = ["SEAT"]\n'


@pytest.mark.parametrize(
    ("kind", "lines", "expected"),
    [
        ("Cloud", HEAD, ["seat ignored 6 COVERED"]),
        ("Cloud", f"{HEAD}\nL,A1,SEAT,1,0", ["L ignored 1 COVERED"]),
        ("Other", HEAD, ["seat ignored 6 COVERED"]),  # and never "unmapped", agreement or not
    ],
)
def test_a_flat_fee_covers_what_is_used(
    tmp_path: Path, kind: str, lines: str, expected: list[str]
) -> None:
    role = '[agreements]\ncloud = { type = "Cloud" }\n[defaults]\nagreement = "cloud"\n'
    clients = "id,v,w,profile\n250,c,c,flat"
    v = "customer_id,sku,quantity,unit_cost,currency\nc,seat,6,2.00,USD"
    run = bill(
        tmp_path, role + FLAT, lines=lines, v=v, agreements=agreements(kind), clients=clients
    )
    assert says(run) == expected
    assert all(use.cost == 12 for use in run.plan.ignored)


def test_at_zero_a_line_is_kept_or_ended(tmp_path: Path) -> None:
    for at_zero, bucket in (("keep", "change"), ("end", "end")):
        toml = SEAT + f'at_zero = "{at_zero}"\n[guards]\nto_zero = true\n'
        row = only_row(bill(tmp_path, toml, lines=f"{HEAD}\nL,A,SEAT,3,4", v=used(0)))
        assert (row.bucket, row.quantity_after, row.difference) == (bucket, 0, -12)
        assert row.change == ("end" if at_zero == "end" else "decrease")


def test_a_fed_product_that_nobody_uses_gets_no_row(tmp_path: Path) -> None:
    """Not even where an expired exception waits for it."""
    toml = """
        [products.SEAT]
        from = [{ vendor = "v", sku = "seat" }]
        also_feeds = ["USER"]
        [products.USER]
        [[exceptions]]
        client = 250
        product = "SEAT"
        add = 1
        reason = "until the renewal"
        last_day = 2026-10-31
    """
    other = "customer_id,sku,quantity\nc,other,1"
    assert says(bill(tmp_path, toml, v=other)) == ["other unmapped 1 SKU_NOT_MAPPED"]


@pytest.mark.parametrize("alike", ["seat", "SEAT\u200b", "\uff33EAT", "SE AT"])
def test_a_line_of_a_product_that_looks_the_same_stops_a_new_one(
    tmp_path: Path, alike: str
) -> None:
    """The client would be billed twice for what a person reads as one product."""
    toml = SEAT + 'price = { USD = "4" }\n'
    v = "customer_id,sku,quantity\nc,seat,10"
    lines = f"line_id,agreement_id,product,quantity,unit_price\nL,A,{alike},10,4"
    run = bill(tmp_path, toml, lines=lines, v=v)
    assert "new SEAT blocked 0, wants 10: +40.00 PRODUCT_LOOKS_ALIKE" in says(run)
    assert "L fixed 10 NO_MAPPED_PRODUCT" in says(run)


@pytest.mark.parametrize(
    "other", ["c,SEAT,7", "c,seat\u200b,7", "C,seat,7", "c,se at,7", "\uff43,seat,"]
)
def test_usage_that_looks_like_a_lines_own_holds_its_fall(tmp_path: Path, other: str) -> None:
    """Only the exact rows count; the units beside them are not forgotten."""
    v = f"customer_id,sku,quantity\nc,seat,3\n{other}"
    said = says(bill(tmp_path, SEAT, lines=f"{HEAD}\nL1,A,SEAT,10,4", v=v))
    assert said[0] == "L1 blocked 10 USAGE_LOOKS_ALIKE"
    assert "unmapped" in said[1]


@pytest.mark.parametrize(
    "hidden", ["\ufe0f", "\U000e0100", "\u034f", "\u3164", "\u115f", "\u2800", "\u17b4", "\u180b"]
)
def test_nothing_that_cannot_be_seen_makes_another_id(tmp_path: Path, hidden: str) -> None:
    v = f"customer_id,sku,quantity\nc,seat,3\nc,se{hidden}at,7"
    said = says(bill(tmp_path, SEAT, lines=f"{HEAD}\nL1,A,SEAT,10,4", v=v))
    assert said[0] == "L1 blocked 10 USAGE_LOOKS_ALIKE"


@pytest.mark.parametrize("dash", ["\u2010", "\u2011", "\u2013", "\u2212"])
def test_one_dash_is_as_good_as_another(tmp_path: Path, dash: str) -> None:
    toml = '[products.SEAT]\nfrom = [{ vendor = "v", sku = "a-b" }]\n'
    v = f"customer_id,sku,quantity\nc,a-b,3\nc,a{dash}b,7"
    said = says(bill(tmp_path, toml, lines=f"{HEAD}\nL1,A,SEAT,10,4", v=v))
    assert said[0] == "L1 blocked 10 USAGE_LOOKS_ALIKE"


@pytest.mark.parametrize(
    ("term", "blocked"), [("Annual", True), ("ANNUAL", True), ("monthly", False)]
)
def test_a_term_that_is_written_another_way_is_the_same_term(
    tmp_path: Path, term: str, blocked: bool
) -> None:
    toml = '[products.SEAT]\nfrom = [{ vendor = "v", sku = "seat", term = "annual" }]\n'
    v = f"customer_id,sku,quantity,term\nc,seat,12,annual\nc,seat,7,{term}"
    said = says(bill(tmp_path, toml, lines=f"{HEAD}\nL1,A,SEAT,10,4", v=v))
    assert ("USAGE_LOOKS_ALIKE" in said[0]) is blocked


def test_a_line_that_looks_like_the_one_that_rises_holds_it(tmp_path: Path) -> None:
    """It bills three of the fifteen already."""
    lines = f"{HEAD}\nL1,A,SEAT,12,4\nL9,A,seat,3,4"
    said = says(bill(tmp_path, SEAT, lines=lines, v=used(15)))
    assert said[0].startswith("L1 blocked 12, wants 15: +12.00 PRODUCT_LOOKS_ALIKE")


@pytest.mark.parametrize("rest", ["c,seat,7777,", "c,seat,0,"])
def test_units_of_no_kind_beside_those_of_the_asked_kind_are_not_forgotten(
    tmp_path: Path, rest: str
) -> None:
    toml = '[products.SEAT]\nfrom = [{ vendor = "v", sku = "seat", kind = "entitlement" }]\n'
    v = f"customer_id,sku,quantity,quantity_kind\nc,seat,8,entitlement\n{rest}"
    said = says(bill(tmp_path, toml, lines=f"{HEAD}\nL1,A,SEAT,10,4", v=v))
    assert said[0] == "L1 unknown 10 KIND_AMBIGUOUS"
    said = says(bill(tmp_path, toml, lines=f"{HEAD}\nL1,A,SEAT,7,4", v=v))
    assert said[0].startswith("L1 change 7 -> 8")


def test_a_subscription_of_which_only_tomorrow_is_known_lowers_nothing(tmp_path: Path) -> None:
    head = "customer_id,sku,quantity,subscription_id,as_of\n"
    v = f"{head}c,seat,8,A,2026-11-25\nc,seat,7,B,2026-11-26"
    said = says(bill(tmp_path, SEAT, lines=f"{HEAD}\nL1,A,SEAT,10,4", v=v))
    assert said[0] == "L1 unknown 10 FUTURE_USAGE"
    older = f"{v}\nc,seat,1,B,2026-11-20"
    said = says(bill(tmp_path, SEAT, lines=f"{HEAD}\nL1,A,SEAT,10,4", v=older))
    assert said[0].startswith("L1 change 10 -> 9")


def test_a_line_in_step_whose_past_nobody_can_tell_says_so(tmp_path: Path) -> None:
    lines = f"{DATED}\nL0,A,SEAT,,10,,2026-10-01\nL1,A,SEAT,10,10,2026-10-01,"
    v = "customer_id,sku,quantity,since\nc,seat,10,2026-09-01"
    (row,) = bill(tmp_path, SEAT, lines=lines, v=v).plan.rows
    assert "LEAK_UNKNOWN" in {reason.code for reason in row.reasons}


@pytest.mark.parametrize("other", ["c,seats,7", "cc,seat,7", "c,SEAT,0", "w,SEAT,7"])
def test_usage_that_only_resembles_it_does_not(tmp_path: Path, other: str) -> None:
    v = f"customer_id,sku,quantity\nc,seat,3\n{other}"
    said = says(bill(tmp_path, SEAT, lines=f"{HEAD}\nL1,A,SEAT,10,4", v=v))
    assert said[0] == "L1 blocked 10, wants 3: -28.00 GUARD_PERCENT"


def test_a_line_on_the_wrong_agreement_that_is_in_step_keeps_its_leak(tmp_path: Path) -> None:
    """What was billed short before stays owed, wherever the line should stand."""
    agreements = """
        agreement_id,company_id,currency,next_period_start,type
        A,250,USD,2026-12-01,Main
        B,250,USD,2026-12-01,Other
    """
    roles = '[agreements]\nmain = { type = ["Main"] }\n[defaults]\nagreement = "main"\n'
    lines = (
        f"{HEAD},effective_date,cancelled_date\n"
        "L1,B,SEAT,25,22,,2026-12-01\n"
        "L2,B,SEAT,28,22,2026-12-01,"
    )
    v = "customer_id,sku,quantity,since\nc,seat,28,2026-11-01"
    row = only_row(bill(tmp_path, SEAT + roles, agreements=agreements, lines=lines, v=v))
    assert (row.bucket, row.reasons[0].code, row.leak) == ("blocked", "WRONG_AGREEMENT", 66)


@pytest.mark.parametrize(("quantity", "leak"), [(15, 220), (18, 286)])
def test_the_lines_of_a_product_have_one_leak_together(
    tmp_path: Path, quantity: int, leak: int
) -> None:
    """It does not depend on which line moves, or whether one does."""
    lines = f"{HEAD},effective_date\nL1,A,SEAT,10,22,2026-12-01\nL2,A,SEAT,5,22,"
    flexible = '[[lines]]\nclient = 250\nproduct = "SEAT"\nline = "L2"\n'
    v = f"customer_id,sku,quantity,since\nc,seat,{quantity},2026-11-01"
    run = bill(tmp_path, SEAT + flexible, lines=lines, v=v)
    assert {row.leak for invoice in run.invoices for row in invoice.rows} == {None, leak}


DATED = f"{HEAD},effective_date,cancelled_date"
TEN = "L1,A,SEAT,10,10,,2026-11-01"
SPLIT = "L2,A,SEAT,4,10,2026-11-01,\nL3,A,SEAT,5,10,2026-11-01,"
FLEX_3 = SEAT + '[[lines]]\nclient = 250\nproduct = "SEAT"\nline = "L3"\n'


@pytest.mark.parametrize(
    ("toml", "lines", "quantity", "since", "leak"),
    [
        # October 12 - 10, November 12 - 9, at 10.00
        (SEAT, f"{TEN}\n{SPLIT}", 12, "2026-10-01", 50),
        (FLEX_3, f"{TEN}\n{SPLIT}", 12, "2026-10-01", 50),
        # nothing was billed in October
        (SEAT, SPLIT, 12, "2026-10-01", 150),
        # nine lines became four and five: never out of step
        (SEAT, f"{TEN.replace('10,10', '9,10')}\n{SPLIT}", 9, "2026-10-01", 0),
        # one day lies between the old line and its successors: October 12 - 10
        (SEAT, f"{TEN.replace('11-01', '10-31')}\n{SPLIT}", 12, "2026-10-01", 50),
        # surplus: October 8 - 10, November 8 - 9
        (FLEX_3, f"{TEN}\n{SPLIT}", 8, "2026-10-01", -30),
        (FLEX_3, f"L0,A,SEAT,,10,,2026-10-05\n{SPLIT}", 12, "2026-10-01", None),
        (FLEX_3, f"L0,A,SEAT,,10,,2026-10-05\n{SPLIT}", 12, "2026-11-01", 30),
    ],
)
def test_a_leak_counts_what_all_lines_billed_then(
    tmp_path: Path, toml: str, lines: str, quantity: int, since: str, leak: int | None
) -> None:
    v = f"customer_id,sku,quantity,since\nc,seat,{quantity},{since}"
    run = bill(tmp_path, toml, lines=f"{DATED}\n{lines}", v=v)
    rows = [row for invoice in run.invoices for row in invoice.rows]
    assert [row.leak for row in rows] == [None] * (len(rows) - 1) + [leak]
    unknown = "LEAK_UNKNOWN" in {reason.code for reason in rows[-1].reasons}
    assert unknown is (leak is None)


ELSEWHERE = """\
agreement_id,company_id,currency,cycle,prorate,next_period_start
A,250,USD,monthly,true,2026-12-01
B,250,USD,{},{},{}
"""


@pytest.mark.parametrize(
    ("cycle", "prorate", "next_start", "since", "leak"),
    [
        ("monthly", "true", "2026-12-01", "2026-10-10", Decimal("34.19")),
        ("monthly", "false", "2026-12-01", "2026-10-10", None),  # B billed all of October
        ("monthly", "false", "2026-12-01", "2026-11-01", 20),
        ("quarterly", "false", "2027-01-01", "2026-11-01", None),  # and here all of the quarter
        ("one_time", "false", "2026-12-01", "2026-11-01", None),
    ],
)
def test_a_line_elsewhere_billed_for_whole_periods_where_its_agreement_does_not_prorate(
    tmp_path: Path, cycle: str, prorate: str, next_start: str, since: str, leak: Decimal | None
) -> None:
    lines = f"{DATED}\nL1,B,SEAT,10,10,,2026-10-05\nL2,A,SEAT,10,10,2026-10-05,"
    named = SEAT + '[[clients]]\nid = 250\nvendors = { v = "c" }\nagreement = "A"\n'
    agreements = ELSEWHERE.format(cycle, prorate, next_start)
    v = f"customer_id,sku,quantity,since\nc,seat,12,{since}"
    run = bill(tmp_path, named, agreements=agreements, lines=lines, v=v, clients="id\n")
    (row,) = [row for invoice in run.invoices for row in invoice.rows if row.line_id == "L2"]
    assert row.leak == leak
