from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from drybill.billing.agreement import Agreement, Billing, Segment, Status
from drybill.billing.usage import LineType, UsageRecord
from drybill.mapping.coverage import Share, coverage
from drybill.mapping.load import load

TOML = """\
timezone = "UTC"
[psa.main]
kind = "files"
[vendors.pax8]
kind = "files"
[vendors.silent]
kind = "files"
[products.A]
ids = { main = "PSA-A" }
from = [{ vendor = "pax8", sku = "a", term = "annual" }]
[[clients]]
id = 1
vendors = { pax8 = "one" }
"""
FIRST = date(2026, 12, 1)


def share(mapped: str, total: str) -> Share:
    return Share(Decimal(mapped), Decimal(total))


def line(id: str, agreement: str, product: str, quantity: str | None, **more: object) -> Segment:
    number = None if quantity is None else Decimal(quantity)
    return Segment(id, agreement, product, number, Decimal("2.50"), **more)  # type: ignore[arg-type]


def test_what_is_under_the_mapping(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(TOML, encoding="utf-8")
    agreements = [
        Agreement("main", "x", "1", "USD", FIRST),
        Agreement("main", "y", "2", "CAD", FIRST),
        Agreement("main", "z", "3", "USD", FIRST, status=Status.CANCELLED),
    ]
    segments = [
        line("1", "x", "PSA-A", "10"),
        line("2", "x", "PSA-B", "2"),
        line("3", "y", "PSA-A", "4"),
        line("4", "x", "PSA-A", None),
        line("5", "x", "PSA-A", "7", billing=Billing.DO_NOT_BILL),
        line("6", "x", "PSA-A", "9", cancelled=FIRST),
        line("7", "z", "PSA-A", "9"),
    ]
    records = [
        UsageRecord("pax8", "one", "a", Decimal(1), term="annual"),
        UsageRecord("pax8", "one", "a", Decimal(1), term="monthly"),
        UsageRecord("pax8", "two", "a", Decimal(1), term="annual"),
        UsageRecord("pax8", "one", "a", Decimal(1), term="annual", line_type=LineType.CREDIT),
    ]
    found = coverage(load(path), agreements, segments, records)
    assert found.clients == share("1", "2")
    assert found.products == share("1", "2")
    assert found.lines == share("3", "5")
    assert found.money == {"CAD": share("0", "10.00"), "USD": share("25.00", "30.00")}
    assert found.unknown_lines == 1
    assert found.vendor_rows == {"pax8": share("1", "3"), "silent": share("0", "0")}


def test_nothing_to_cover_is_not_everything_covered() -> None:
    assert share("0", "0").percent is None
    assert share("1", "4").percent == 25
