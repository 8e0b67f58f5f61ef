"""Plain usage: what a row says, what the receipt claims, and what no row may say."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from drybill.billing.usage import Finality, LineType, QuantityKind, UsageRecord
from drybill.errors import InputError
from drybill.vendors.files import open_vendor
from drybill.vendors.port import Usage

HEADER = (
    "customer_id,customer_name,sku,product_name,subscription_id,quantity,quantity_kind,unit,"
    "period_start,period_end,as_of,finality,line_type,unit_cost,amount,currency,commitment_end,"
    "since,term,trial\n"
)
FULL = (
    "c1,Wonderland,EDR,Endpoint,s1,28,assigned,seat,2026-11-01,2026-12-01,2026-12-01T06:30:00Z,"
    "final,recurring,1.50,42.00,USD,2027-01-01,2026-11-12,annual,true\n"
)
BARE = "c2,,EDR,,,,,,,,,,,,,,,,,\n"


def usage(folder: Path, text: str, **settings: object) -> Usage:
    (folder / "usage.csv").write_text(text, encoding="utf-8")
    table = {"kind": "files", "usage": "usage.csv", **settings}
    return asyncio.run(open_vendor("huntress", table, folder).read())


def test_a_row_becomes_a_record(tmp_path: Path) -> None:
    read = usage(tmp_path, HEADER + FULL + BARE)
    assert read.records == [
        UsageRecord(
            vendor="huntress", customer_id="c1", sku="EDR", quantity=Decimal(28),
            customer_name="Wonderland", product_name="Endpoint", subscription_id="s1",
            kind=QuantityKind.ASSIGNED, unit="seat", period_start=date(2026, 11, 1),
            period_end=date(2026, 12, 1), as_of=datetime(2026, 12, 1, 6, 30, tzinfo=UTC),
            finality=Finality.FINAL, line_type=LineType.RECURRING, unit_cost=Decimal("1.50"),
            amount=Decimal("42.00"), currency="USD", commitment_end=date(2027, 1, 1),
            since=date(2026, 11, 12), term="annual", trial=True,
        ),
        UsageRecord("huntress", "c2", "EDR", None),
    ]  # fmt: skip


def test_the_receipt_lists_every_customer_and_the_newest_as_of(tmp_path: Path) -> None:
    rows = "customer_id,customer_name,sku,quantity,as_of,line_type\n"
    rows += "c1,Old,A,1,2026-12-01T23:00:00Z,\nc1,New,A,0,2026-12-02,\nc2,,B,,,credit\n"
    receipt = usage(tmp_path, rows).receipt
    assert (receipt.complete, receipt.records, receipt.customers) == (True, 3, {"c1", "c2"})
    assert receipt.as_of == datetime(2026, 12, 2, tzinfo=UTC)
    assert receipt.names == (("c1", "New"), ("c2", ""))
    assert receipt.product_names == (("A", ""), ("B", ""))
    assert usage(tmp_path, "customer_id,sku,quantity\nc1,A,1\n").receipt.as_of is None


def test_several_files_are_one_usage(tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text('{"customer_id": "c9", "sku": "A", "quantity": 0}\n')
    read = usage(tmp_path, HEADER + FULL, usage=["usage.csv", "more.jsonl"])
    assert [record.customer_id for record in read.records] == ["c1", "c9"]
    assert read.records[1].quantity == 0


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (",USD,", ",,", "currency-missing"),
        (",USD,", ",XXX,", "currency-unknown"),
        (",2026-12-01,2026", ",,2026", "period-open"),
        ("2026-11-01,", ",", "period-open"),
        ("2026-11-01,2026-12-01", "2026-12-01,2026-12-01", "period-reversed"),
        (",28,", ",-28,", "quantity-negative"),
        ("assigned", "asigned", "value-unknown"),
        ("06:30:00Z", "06:30:00", "time-without-zone"),
        ("c1,", ",", "cell-empty"),
    ],
)
def test_what_no_row_may_say(tmp_path: Path, old: str, new: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        usage(tmp_path, HEADER + BARE + FULL.replace(old, new, 1))
    (problem,) = caught.value.problems
    assert (problem.code, str(problem.where)) == (code, "usage.csv:3")


def test_a_credit_may_be_negative(tmp_path: Path) -> None:
    row = FULL.replace(",28,", ",-28,").replace("recurring", "credit")
    assert usage(tmp_path, HEADER + row).records[0].quantity == -28


def test_the_latest_name_of_an_id_counts_wherever_its_row_stands(tmp_path: Path) -> None:
    """An appended export holds old and new names; sorting it must not look like a rename."""
    rows = ["c,New name,s,1,2026-11-20", "c,Old name,s,1,2026-10-20", "c,,s,1,2026-11-21"]
    for order in (rows, rows[::-1]):
        text = "customer_id,customer_name,sku,quantity,as_of\n" + "\n".join(order) + "\n"
        (tmp_path / "usage.csv").write_text(text)
        vendor = open_vendor("v", {"kind": "files", "usage": "usage.csv"}, tmp_path)
        assert asyncio.run(vendor.read()).receipt.names == (("c", "New name"),)
