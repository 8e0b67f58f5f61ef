"""Column maps: other people's exports under the plain names, and whether they add up."""

from __future__ import annotations

import asyncio
import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from drybill.billing.usage import LineType, QuantityKind
from drybill.errors import InputError
from drybill.vendors.files import open_vendor
from drybill.vendors.map_settings import formats, read_settings
from drybill.vendors.port import Usage


def read(folder: Path, **settings: object) -> Usage:
    return asyncio.run(open_vendor("v", {"kind": "files", **settings}, folder).read())


GERMAN = """Nutzungsbericht;;;;;;
Kunde;Artikel;Menge;Bis;Betrag;Art;Stand
(Id);(Nr);(Stück);;;;
k1;EDR;1.028,5;31.12.2026;(1.000,10);Abo;01.12.2026
k2;EDR;7;31.12.2026;2,00;Test;01.12.2026
k3;EDR;1;31.12.2026;3,00;Abo;01.12.2026
Summe;;;;-995,10
"""
MAP: dict[str, Any] = {
    "usage": "bericht.csv",
    "encoding": "windows-1252",
    "delimiter": ";",
    "decimal": ",",
    "thousands": ".",
    "parentheses": True,
    "header_row": 2,
    "skip_rows": 1,
    "dates": ["%d.%m.%Y"],
    "period_end": "inclusive",
    "columns": {
        "customer_id": "Kunde",
        "sku": "{Artikel}/{Art}",
        "quantity": "Menge",
        "period_end": "Bis",
        "amount": "Betrag",
        "line_type": "Art",
        "as_of": "Stand",
    },
    "constants": {"currency": "EUR", "quantity_kind": "billed", "period_start": "01.12.2026"},
    "values": {"line_type": {"ABO": "recurring"}},
    "drop": [{"Art": ["Test"], "Artikel": ["EDR", "XDR"]}],
    "footer": {"column": "Kunde", "text": "summe", "total_of": "Betrag"},
}


def german(folder: Path, text: str = GERMAN, **changes: object) -> Usage:
    (folder / "bericht.csv").write_bytes(text.encode("windows-1252"))
    return read(folder, **MAP | changes)


def test_a_foreign_export_says_the_plain_things(tmp_path: Path) -> None:
    usage = german(tmp_path)
    first = usage.records[0]
    assert (first.customer_id, first.sku, first.quantity) == ("k1", "EDR/Abo", Decimal("1028.5"))
    assert (first.period_start, first.period_end) == (date(2026, 12, 1), date(2027, 1, 1))
    assert (first.amount, first.currency) == (Decimal("-1000.10"), "EUR")
    assert (first.kind, first.line_type) == (QuantityKind.BILLED, LineType.RECURRING)
    assert first.as_of == date(2026, 12, 1)
    assert [record.customer_id for record in usage.records] == ["k1", "k3"]
    assert (usage.receipt.complete, usage.receipt.problems) == (True, ())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GERMAN.replace("-995,10", "-995,00"), "adds up to -995.1, the file's own total is -995"),
        (GERMAN.replace("k3;EDR;1;31.12.2026;3,00;Abo;01.12.2026\n", ""), "adds up to -998.1"),
        (GERMAN.replace("Summe;;;;-995,10\n", ""), "there is no total row"),
        (GERMAN.replace("Summe;;;;-995,10", "Summe;;;;"), "not a number"),
        (GERMAN.replace("Summe;;;;-995,10", "Summe"), "not a number"),
    ],
)
def test_a_control_total_that_does_not_hold_makes_it_incomplete(
    tmp_path: Path, text: str, says: str
) -> None:
    receipt = german(tmp_path, text).receipt
    assert not receipt.complete
    assert says in receipt.problems[0]


def test_a_header_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        german(tmp_path, columns=MAP["columns"] | {"quantity": "Mengen"})
    (problem,) = caught.value.problems
    assert (problem.code, problem.fix) == ("column-missing", "did you mean `Menge`?")
    assert str(problem.where) == "bericht.csv:2"


def test_a_word_without_a_translation_is_an_error_in_the_files_own_names(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        german(tmp_path, GERMAN.replace("3,00;Abo", "3,00;Abbo"))
    (problem,) = caught.value.problems
    assert str(problem.where) == "bericht.csv:6"
    assert problem.summary == "column `Art`: `Abbo` is not a known value"
    assert "did you mean `ABO`?" in problem.fix


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        ({"decmal": ","}, "did you mean `decimal`?"),
        ({"columns": {"custmer_id": "x"}}, "did you mean `customer_id`?"),
        ({"columns": {"sku": "x", "quantity": "y"}}, "customer_id ="),
        ({"format": "pax8"}, "pax8-invoice-items"),
        ({"encoding": "utf-99"}, "windows-1252"),
        ({"decimal": ";"}, "`,`, `.`"),
        ({"decimal": ",", "thousands": ","}, "thousands ="),
        ({"dates": ["DD.MM.YYYY"]}, "%d/%m/%Y"),
        ({"delimiter": "||"}, "delimiter ="),
        ({"header_row": 0}, "header_row ="),
        ({"keep": {"Art": "x"}}, ""),
        ({"keep": [{"Art": "x"}]}, "keep ="),
        ({"values": {"line_type": {"Abo": "reccuring"}}}, "did you mean `recurring`?"),
        ({"footer": {"column": "x"}}, "`total_of`"),
        ({"check": {"unit": "a", "quantity": "b", "equals": "c", "tolerance": 1}}, ""),
        ({"latest_per": ["Kunde"]}, "subscription_id"),
        ({"usage": 5}, "usage ="),
        ({"usage": []}, "usage ="),
    ],
)
def test_settings_that_are_wrong_say_what_is_right(settings: dict[str, Any], fix: str) -> None:
    with pytest.raises(InputError) as caught:
        read_settings("v", {"kind": "files", "usage": "u.csv", **settings})
    (problem,) = caught.value.problems
    assert str(problem.where) == "[vendors.v]"
    assert fix in problem.fix


@pytest.mark.parametrize("name", formats())
def test_ready_made_maps_pass_their_own_check(name: str) -> None:
    assert read_settings("v", {"kind": "files", "usage": "u.csv", "format": name}).map


PAX8 = {
    "type": "subscription", "companyId": "c1", "companyName": "Brick", "startPeriod": "2019-04-01",
    "endPeriod": "2019-05-01", "quantity": 11, "unitOfMeasure": "User", "term": "Monthly",
    "sku": "PAX-1", "cost": 25.5, "costTotal": 280.5, "productId": "p1", "productName": "E3",
    "currencyCode": "USD", "subscriptionId": "s1", "details": [{"nested": 1}],
}  # fmt: skip


def pax8(folder: Path, *items: dict[str, object], **settings: object) -> Usage:
    (folder / "p.json").write_text(json.dumps([PAX8 | item for item in items]))
    return read(folder, usage="p.json", format="pax8-invoice-items", **settings)


def test_pax8_invoice_items(tmp_path: Path) -> None:
    usage = pax8(
        tmp_path,
        {},
        {"type": "prorate", "quantity": -2, "costTotal": -51},
        {"type": "payment-credit", "companyId": None, "sku": None, "quantity": 1, "cost": -9},
    )
    first, credit = usage.records
    assert (first.quantity, first.amount, first.term) == (11, Decimal("280.5"), "monthly")
    assert (first.period_end, first.line_type) == (date(2019, 5, 1), LineType.RECURRING)
    assert (credit.quantity, credit.line_type) == (-2, LineType.CREDIT)
    assert usage.receipt.problems == ()


def test_pax8_drafts_count_their_last_day(tmp_path: Path) -> None:
    draft = {"endPeriod": "2019-04-30"}
    usage = pax8(tmp_path, draft, period_end="inclusive", constants={"finality": "provisional"})
    assert usage.records[0].period_end == date(2019, 5, 1)
    assert usage.records[0].finality == "provisional"
    assert usage.records[0].kind is QuantityKind.BILLED


def test_rows_that_do_not_add_up_are_a_warning(tmp_path: Path) -> None:
    receipt = pax8(tmp_path, {"costTotal": 280.51}, {"costTotal": 280.52}).receipt
    assert receipt.complete
    (says,) = receipt.problems
    assert says.startswith("p.json: 1 of 2 rows do not add up")


NCE = {
    "CustomerId": "c1", "CustomerName": "Brick", "ProductId": "CFQ7TTC0LCHC", "SkuId": "0002",
    "SkuName": "Business Premium", "ChargeType": "cycleCharge", "Subtotal": "266.60",
    "Currency": "USD", "SubscriptionId": "s1", "ChargeStartDate": "2026-11-01T00:00:00.0000000Z",
    "ChargeEndDate": "2026-11-30T00:00:00Z", "UnitType": "Licenses",
    "TermAndBillingCycle": "One-Year commitment for monthly billing",
    "EffectiveUnitPrice": "20.001", "PCToBCExchangeRate": "1.333", "BillableQuantity": "10",
}  # fmt: skip
CHANGE = {
    "ChargeStartDate": "11/15/2026", "ChargeEndDate": "11/30/2026", "PCToBCExchangeRate": "1",
    "EffectiveUnitPrice": "10.669",
}  # fmt: skip
REFUND = {**CHANGE, "ChargeType": "addQuantity", "BillableQuantity": "-10", "Subtotal": "-106.60"}
RECHARGE = {**CHANGE, "ChargeType": "addQuantity", "BillableQuantity": "12", "Subtotal": "127.92"}
CANCEL = {**REFUND, "ChargeType": "cancelImmediate"}


def nce(folder: Path, *rows: dict[str, str]) -> Usage:
    with (folder / "nce.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(NCE))
        writer.writeheader()
        writer.writerows(NCE | row for row in rows)
    return read(folder, usage="nce.csv", format="microsoft-nce-reconciliation")


def counted(usage: Usage) -> list[Decimal | None]:
    return [record.quantity for record in usage.records if record.line_type.counts]


def test_nce_rows_are_read_and_add_up(tmp_path: Path) -> None:
    usage = nce(tmp_path, {})
    (record,) = usage.records
    assert (record.sku, record.term) == ("CFQ7TTC0LCHC:0002", "annual")
    assert (record.period_start, record.period_end) == (date(2026, 11, 1), date(2026, 12, 1))
    assert usage.receipt.problems == ()
    assert nce(tmp_path, {"Subtotal": "266.62"}).receipt.problems


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_nce_changes_of_seats_count_once(tmp_path: Path, order: tuple[int, ...]) -> None:
    rows = [{}, REFUND, RECHARGE]
    usage = nce(tmp_path, *(rows[at] for at in order))
    assert counted(usage) == [12]
    assert sum(record.amount or 0 for record in usage.records) == Decimal("287.92")
    assert {record.line_type for record in usage.records} == {
        LineType.RECURRING, LineType.CREDIT, LineType.PRORATE
    }  # fmt: skip


def test_nce_seats_bought_and_changed_on_one_day_count_once(tmp_path: Path) -> None:
    bought = {**CHANGE, "ChargeType": "new", "Subtotal": "106.60"}
    assert counted(nce(tmp_path, bought, REFUND, RECHARGE)) == [12]


def test_nce_subscriptions_do_not_meet(tmp_path: Path) -> None:
    usage = nce(tmp_path, {}, {"SubscriptionId": "s2", **RECHARGE}, {"CustomerId": "c2"})
    assert counted(usage) == [10, 12, 10]


def test_nce_seats_after_a_cancellation_are_unknown_not_what_they_were(tmp_path: Path) -> None:
    later, same_day = nce(tmp_path, {}, CANCEL), {"ChargeStartDate": NCE["ChargeStartDate"]}
    assert counted(later) == [None]
    assert "quantity is unknown" in later.receipt.problems[0]
    assert counted(nce(tmp_path, {}, CANCEL | same_day)) == [None]


def test_the_maps_settings_are_not_shared_between_reads(tmp_path: Path) -> None:
    german(tmp_path)
    vendor = open_vendor("v", {"kind": "files", **MAP}, tmp_path)
    first, second = asyncio.run(vendor.read()), asyncio.run(vendor.read())
    assert replace(first.receipt) == second.receipt
    assert second.receipt.complete
