"""Every guard on its own: what it measures, where it starts to count, and how it is lifted."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from drybill.billing.row import Row, Verdict
from drybill.flow.run import Computed, Past, Request
from drybill.plan.guards import Allowance, RecentWrite
from world import SEAT, TODAY, bill, only_row, says

HEAD = "line_id,agreement_id,product,quantity,unit_price"
WRITES = '[writes]\nfields = ["increase", "decrease", "create", "end"]\nall_clients = true\n'


def moved(
    folder: Path,
    before: str,
    after: str,
    guards: str = "",
    *,
    product: str = "",
    price: str = "1.00",
    usage: str = "",
    past: Past = Past(),  # noqa: B008
    allow: Sequence[Allowance] = (),
) -> Row:
    """The row of one line of `before` seats where the vendor says `after`."""
    columns, cells = usage.split("=") if usage else ("", "")
    return only_row(
        bill(
            folder,
            SEAT + product + guards,
            lines=f"{HEAD}\nL,A,SEAT,{before},{price}",
            v=f"customer_id,sku,quantity,{columns}\nc,seat,{after},{cells}",
            past=past,
            request=Request(as_of=TODAY, allowances=tuple(allow)),
        )
    )


def stopped_by(row: Row) -> list[str]:
    assert (row.bucket == "blocked") == any(not verdict.lifted for verdict in row.guards)
    return [verdict.name for verdict in row.guards if not verdict.lifted]


# ---- row guards ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "stopped"),
    [
        ("100", "125", []),  # a limit is passed, not reached
        ("100", "126", ["units"]),
        ("100", "74", ["units"]),
        ("10", "15", []),
        ("10", "16", ["percent"]),
        ("1", "5", []),  # 400 %, but fewer than 5 units
        ("1", "6", ["percent"]),
        ("10", "5", []),
        ("10", "4", ["percent"]),
        ("0", "25", []),  # no percentage of nothing
        ("1", "0", ["to_zero"]),
        ("40", "0", ["units", "percent", "to_zero"]),
    ],
)
def test_units_percent_and_zero(
    tmp_path: Path, before: str, after: str, stopped: list[str]
) -> None:
    assert stopped_by(moved(tmp_path, before, after)) == stopped


def test_a_product_may_have_limits_of_its_own(tmp_path: Path) -> None:
    product = "guards = { units = 2000, percent = 90 }\n"
    assert stopped_by(moved(tmp_path, "1000", "1800", product=product)) == []
    assert stopped_by(moved(tmp_path, "1000", "3001", product=product)) == ["units", "percent"]


def test_a_money_limit_is_one_of_its_currency(tmp_path: Path) -> None:
    for limit, stopped in (("USD", ["money"]), ("EUR", [])):
        guards = f'[guards]\nrow = {{ money = {{ {limit} = "500" }} }}\n'
        assert stopped_by(moved(tmp_path, "10", "15", guards, price="100.01")) == stopped
        assert stopped_by(moved(tmp_path, "10", "15", guards, price="100")) == []


def test_to_zero_may_be_allowed_by_the_mapping(tmp_path: Path) -> None:
    assert stopped_by(moved(tmp_path, "1", "0", "[guards]\nto_zero = true\n")) == []


@pytest.mark.parametrize(
    ("highest", "after", "stopped"),
    [(40, "30", []), (60, "30", ["units"]), (8, "30", []), (90, "41", [])],
)
def test_a_fall_is_measured_from_the_highest_of_the_last_weeks(
    tmp_path: Path, highest: int, after: str, stopped: list[str]
) -> None:
    """Lowering in small steps passes no guard; raising is measured from what is billed now."""
    row = moved(tmp_path, "40", after).id
    past = Past(highest={row: Decimal(highest)})
    assert stopped_by(moved(tmp_path, "40", after, past=past)) == stopped


@pytest.mark.parametrize(
    ("after", "commitment_end", "stopped"),
    [
        ("8", "2027-03-01", ["commitment"]),
        ("8", "2026-12-01", []),  # the first day on which it may go down
        ("12", "2027-03-01", []),
    ],
)
def test_a_commitment_holds_a_decrease(
    tmp_path: Path, after: str, commitment_end: str, stopped: list[str]
) -> None:
    row = moved(tmp_path, "10", after, usage=f"commitment_end={commitment_end}")
    assert stopped_by(row) == stopped


@pytest.mark.parametrize(
    "key",
    [("v", "customer", "c"), ("v", "product", "seat"), ("main", "client", "250")],
)
def test_a_name_that_changed_holds_its_rows(tmp_path: Path, key: tuple[str, str, str]) -> None:
    def run(was: str) -> Computed:
        return bill(
            tmp_path,
            lines=f"{HEAD}\nL,A,SEAT,10,1",
            agreements="""
                agreement_id,company_id,company_name,currency,next_period_start
                A,250,Alice,USD,2026-12-01
            """,
            v="customer_id,customer_name,sku,product_name,quantity\nc,Alice,seat,Alice,11",
            past=Past(names={key: was}),  # type: ignore[dict-item]
        )

    assert stopped_by(only_row(run("Alice"))) == []
    assert stopped_by(only_row(run("Bob"))) == ["rename"]


def test_a_guard_is_lifted_by_name_for_one_row_or_wherever_it_stops(tmp_path: Path) -> None:
    id = moved(tmp_path, "100", "130").id
    for allow, lifted in (
        (Allowance("units", "new office"), True),
        (Allowance("row.units", "new office"), True),
        (Allowance("units", "new office", id[:5]), True),
        (Allowance("units", "new office", "zzzz"), False),
        (Allowance("percent", "new office"), False),
        (Allowance("run.units", "new office"), False),
    ):
        row = moved(tmp_path, "100", "130", allow=[allow])
        assert (row.bucket == "change", stopped_by(row)) == (lifted, [] if lifted else ["units"])
        assert [verdict.lifted for verdict in row.guards] == ["new office" if lifted else ""]


# ---- client and run guards -----------------------------------------------------------------------


def many(
    folder: Path,
    changes: Sequence[tuple[int, int]],
    guards: str = "",
    *,
    writes: str = WRITES,
    recent: Sequence[RecentWrite] = (),
    allow: Sequence[Allowance] = (),
) -> list[Verdict]:
    """One line and product per (before, after), all of one client at 1.00."""
    products = "".join(
        f'[products.P{n}]\nfrom = [{{ vendor = "v", sku = "s{n}" }}]\n' for n in range(len(changes))
    )
    lines = "\n".join(f"L{n},A,P{n},{before},1.00" for n, (before, _) in enumerate(changes))
    usage = "\n".join(f"c,s{n},{after}" for n, (_, after) in enumerate(changes))
    run = bill(
        folder,
        products + guards + writes,
        lines=f"{HEAD}\n{lines}",
        v=f"customer_id,sku,quantity\n{usage}",
        past=Past(recent=recent),
        request=Request(as_of=TODAY, allowances=tuple(allow)),
    )
    return [verdict for verdict in run.plan.guards if not verdict.lifted]


def names(verdicts: Sequence[Verdict]) -> list[str]:
    return [f"{verdict.scope}.{verdict.name}" for verdict in verdicts]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([(10, 13)] * 4, ["client.percent_of_invoice"]),  # 30 %
        ([(10, 13)] * 3, []),  # counts from 4 changed rows
        ([(8, 10)] * 4, []),  # 25 % is reached, not passed
        ([(10, 13), (10, 13), (10, 7), (10, 7)], ["client.percent_of_invoice"]),  # never netted
    ],
)
def test_a_client_guard_measures_the_clients_invoices(
    tmp_path: Path, changes: list[tuple[int, int]], expected: list[str]
) -> None:
    assert names(many(tmp_path, changes)) == expected


@pytest.mark.parametrize(
    ("changed", "same", "expected"),
    [
        (25, 0, []),
        (26, 0, ["run.rows"]),
        (26, 240, []),  # 26 of 266 rows is less than 10 %: of both limits the larger one counts
    ],
)
def test_a_run_guard_counts_rows(
    tmp_path: Path, changed: int, same: int, expected: list[str]
) -> None:
    changes = [(100, 101)] * changed + [(5, 5)] * same
    assert names(many(tmp_path, changes)) == expected


def test_a_run_guard_measures_all_invoices_from_ten_rows_on(tmp_path: Path) -> None:
    assert names(many(tmp_path, [(18, 20)] * 10)) == ["run.percent_of_invoices"]  # 11.1 %
    assert names(many(tmp_path, [(18, 20)] * 9)) == []
    assert names(many(tmp_path, [(20, 22)] * 10)) == []


def test_money_limits_of_clients_and_runs(tmp_path: Path) -> None:
    guards = '[guards]\nclient = { money = { USD = "2" } }\nrun = { money = { USD = "3" } }\n'
    assert names(many(tmp_path, [(10, 13)], guards)) == ["client.money"]
    assert names(many(tmp_path, [(10, 14)], guards)) == ["client.money", "run.money"]


def write_of(difference: int, client: str = "250", psa: str = "main") -> RecentWrite:
    return RecentWrite(psa, "row", client, "USD", Decimal(difference))


def test_the_writes_of_the_last_day_count_so_that_slices_evade_nothing(tmp_path: Path) -> None:
    three = [(10, 11)] * 3
    assert names(many(tmp_path, three)) == []
    assert names(many(tmp_path, three, recent=[write_of(-5)])) == ["client.percent_of_invoice"]
    assert names(many(tmp_path, three, recent=[write_of(5, "251")])) == []
    assert names(many(tmp_path, three, recent=[write_of(0, "251")] * 23)) == ["run.rows"]


def test_an_invoice_that_is_a_year_off_makes_no_room(tmp_path: Path) -> None:
    """Four rows move half of this month's invoice; a yearly one of 12,000.00 is due next autumn."""
    far = (
        "agreement_id,company_id,currency,next_period_start,cycle,type\n"
        "A,250,USD,2026-12-01,monthly,Cloud\nY,250,USD,2027-10-01,annual,Yearly"
    )
    products = "".join(
        f'[products.P{n}]\nfrom = [{{ vendor = "v", sku = "s{n}" }}]\n' for n in range(4)
    )
    lines = "\n".join(f"L{n},A,P{n},10,1.00" for n in range(4))
    run = bill(
        tmp_path,
        '[agreements]\ncloud = { type = ["Cloud"] }\n[defaults]\nagreement = "cloud"\n'
        + products + WRITES,
        agreements=far,
        lines=f"{HEAD}\n{lines}\nY1,Y,OTHER,1000,12.00",
        v="customer_id,sku,quantity\n" + "\n".join(f"c,s{n},14" for n in range(4)),
    )  # fmt: skip
    assert names([v for v in run.plan.guards if not v.lifted]) == ["client.percent_of_invoice"]


def test_what_was_written_is_not_measured_by_invoices_that_are_gone(tmp_path: Path) -> None:
    """The invoice that it was for is issued; the next one lies beyond the horizon."""
    later = "agreement_id,company_id,currency,next_period_start\nA,250,USD,2027-02-01"
    products = "".join(
        f'[products.P{n}]\nfrom = [{{ vendor = "v", sku = "s{n}" }}]\n' for n in range(4)
    )
    lines = "\n".join(f"L{n},A,P{n},100,1.00" for n in range(4))
    run = bill(
        tmp_path,
        products + WRITES,
        agreements=later,
        lines=f"{HEAD}\n{lines}",
        v="customer_id,sku,quantity\n" + "\n".join(f"c,s{n},101" for n in range(4)),
        past=Past(recent=[write_of(40)]),
    )
    assert names([v for v in run.plan.guards if not v.lifted]) == []


def test_each_psa_is_measured_by_itself(tmp_path: Path) -> None:
    """Client 250 of another PSA is another client, and its writes are no writes here."""
    three = [(10, 11)] * 3
    assert names(many(tmp_path, three, recent=[write_of(-5, psa="acquired")])) == []
    elsewhere = [write_of(0, "251", "acquired")] * 23
    assert names(many(tmp_path, three, recent=elsewhere)) == []


def test_only_what_would_be_written_is_measured(tmp_path: Path) -> None:
    assert names(many(tmp_path, [(10, 13)] * 4, writes="")) == []
    increase = '[writes]\nfields = ["increase"]\nall_clients = true\n'
    assert names(many(tmp_path, [(10, 13)] * 3 + [(10, 7)], writes=increase)) == []
    assert names(many(tmp_path, [(10, 13)] * 4, writes=increase)) == ["client.percent_of_invoice"]


def test_a_client_guard_is_lifted_by_its_full_name(tmp_path: Path) -> None:
    for name, left in (
        ("client.percent_of_invoice", []),
        ("percent_of_invoice", ["client.percent_of_invoice"]),
        ("run.rows", ["client.percent_of_invoice"]),
    ):
        assert names(many(tmp_path, [(10, 13)] * 4, allow=[Allowance(name, "agreed")])) == left


# ---- the source guard ----------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "bucket"), [(2, "change"), (3, "unknown")])
def test_a_source_that_shrank_too_far_is_held(tmp_path: Path, before: int, bucket: str) -> None:
    v = "customer_id,sku,quantity\nc,seat,8\nc,other,1"
    past = Past(complete={"v": before})
    lines = f"{HEAD}\nL,A,SEAT,10,1"
    run = bill(tmp_path, lines=lines, v=v, past=past)
    assert (only_row(run).bucket, run.plan.complete) == (bucket, bucket == "change")
    lifted = Request(as_of=TODAY, allowances=(Allowance("source.shrink_percent", "moved"),))
    assert only_row(bill(tmp_path, lines=lines, v=v, past=past, request=lifted)).bucket == "change"


@pytest.mark.parametrize(("before", "held"), [(1, False), (2, True)])
def test_a_psa_that_shrank_too_far_gets_no_new_lines(
    tmp_path: Path, before: int, held: bool
) -> None:
    """A line that is missing from a cut-off export would be billed twice."""
    toml = SEAT + '[products.AV]\nfrom = [{ vendor = "v", sku = "av" }]\nprice = { USD = "3" }\n'
    given = {"lines": f"{HEAD}\nL,A,SEAT,10,1", "v": "customer_id,sku,quantity\nc,av,8\nc,seat,12"}
    run = bill(tmp_path, toml, past=Past(complete_psa={"main": before}), **given)
    new = (
        "new AV blocked 0, wants 8: +24.00 SOURCE_SHRUNK"
        if held
        else ("new AV create 0 -> 8: +24.00 NO_LINE_YET")
    )
    assert says(run) == [new, "L change 10 -> 12: +2.00 SEATS_ADDED"]
    assert run.plan.complete != held
    assert [s.complete for s in run.plan.sources if s.role == "psa"] == [not held]
    lifted = Request(as_of=TODAY, allowances=(Allowance("source.shrink_percent", "moved"),))
    again = bill(tmp_path, toml, past=Past(complete_psa={"main": before}), request=lifted, **given)
    assert says(again)[0] == "new AV create 0 -> 8: +24.00 NO_LINE_YET"


def test_a_child_in_another_currency_than_its_root_is_held(tmp_path: Path) -> None:
    """It would be an invoice of its own that nobody expects."""
    agreements = """
        agreement_id,company_id,currency,next_period_start,parent_agreement_id
        A,250,CAD,2026-12-01,P
        P,250,USD,2026-12-01,
    """
    given = {
        "agreements": agreements,
        "lines": "line_id,agreement_id,product,quantity,unit_price\nL,A,SEAT,10,4.00",
        "v": "customer_id,sku,quantity\nc,seat,12",
    }
    client = "id,agreement,v\n250,A,c"
    run = bill(tmp_path, SEAT, clients=client, **given)
    row = only_row(run)
    assert says(run) == ["L blocked 10, wants 12: +8.00 CURRENCY_MISMATCH"]
    (verdict,) = row.guards
    assert (verdict.name, verdict.value, verdict.limit) == ("currency", "CAD", "USD")
    assert [cause.cause for cause in run.plan.causes] == ["agreement A is in CAD, its root in USD"]
    lift = Request(as_of=TODAY, allowances=(Allowance("currency", "they know", row.id[:4]),))
    lifted = bill(tmp_path, SEAT, clients=client, request=lift, **given)
    assert says(lifted) == ["L change 10 -> 12: +8.00 SEATS_ADDED"]
