"""What ConnectWise's documents become, and what of them cannot be read as a bill."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from site_of_work import Site

from command import drybill
from drybill.billing.agreement import Billing, Cycle, Status, Timing
from drybill.billing.matching import contracts
from drybill.errors import Exit
from drybill.psa.connectwise import wire
from drybill.psa.connectwise.reading import (
    Found,
    reachable,
    read_additions,
    read_agreements,
)
from drybill.psa.connectwise.settings import Settings
from drybill.sandbox.seed import agreement, line
from drybill.transport.values import day

CYCLES = {
    1: wire.Cycle(1, "Monthly", "Monthly"),
    2: wire.Cycle(2, "Twice?", "BiMonthly"),
    3: wire.Cycle(3, "Yearly", "Yearly"),
}
KEYS = {
    "company": "env:A",
    "public_key": "env:B",
    "private_key": "env:C",
    "client_id": "env:D",
}


def settings(**more: Any) -> Settings:
    url = "https://api-na.myconnectwise.net"
    return Settings(kind="connectwise", url=url, credentials=KEYS, **{"currency": "USD", **more})


def read(*documents: dict[str, Any], cycles: Any = CYCLES, **more: Any) -> Found:
    found = Found()
    typed = msgspec.convert(list(documents), list[wire.Agreement])
    read_agreements("main", typed, cycles, settings(**more), found)
    return found


def lines(*documents: dict[str, Any], products: frozenset[str] = frozenset(), **more: Any) -> Found:
    found = read(agreement(1, 250, "A"))
    typed = msgspec.json.decode(msgspec.json.encode(list(documents)), type=list[wire.Addition])
    read_additions(found.agreements[0], typed, products, settings(**more), found)
    return found


def test_an_agreement_becomes_what_the_client_signed() -> None:
    document = agreement(7, 250, "Wonderland", billAmount=99.5, prorateFlag=True)
    (found,) = read(
        {**document, "endDate": "2026-12-31T00:00:00Z", "noEndingDateFlag": False}
    ).agreements
    assert (found.id, found.company_id, found.currency) == ("7", "250", "USD")
    assert (found.next_period_start, found.start_date, found.end_date) == (
        date(2026, 12, 1),
        date(2024, 1, 1),
        date(2026, 12, 31),
    )
    assert (found.cycle, found.timing, found.prorate) == (Cycle.MONTHLY, Timing.ADVANCE, True)
    assert (found.base_amount, found.status, found.type_id) == (Decimal("99.5"), Status.ACTIVE, 5)


def test_in_arrears_the_next_invoice_bills_the_period_that_ends_on_its_day() -> None:
    (found,) = read(agreement(7, 250, "W"), timing="arrears").agreements
    assert found.next_period_start == date(2026, 11, 1)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"billingCycle": {"id": 2, "name": "Twice?"}}, "their cycle is `Twice?`: 7"),
        ({"billingCycle": None}, "their cycle is `no cycle`: 7"),
        ({"nextInvoiceDate": None}, "no next invoice date: 7"),
        ({"nextInvoiceDate": "soon"}, "no next invoice date: 7"),
    ],
)
def test_what_cannot_be_projected_is_named_and_never_guessed(
    more: dict[str, Any], why: str
) -> None:
    found = read({**agreement(7, 250, "W"), **more})
    (unprojected,) = found.agreements
    assert unprojected.unprojected
    assert contracts(found.agreements, []) == {}
    (notice,) = found.notices
    assert why in notice


def test_without_a_currency_nothing_is_projected() -> None:
    assert "name no currency" in read(agreement(7, 250, "W"), currency=None).notices[0]
    own = {**agreement(7, 250, "W"), "currency": {"currencyCode": "CAD"}}
    assert read(own, currency=None).agreements[0].currency == "CAD"


def test_a_child_takes_its_dates_from_its_parent() -> None:
    child = agreement(
        8, 251, "C", parentAgreement={"id": 7}, nextInvoiceDate=None, billingCycle=None
    )
    parent, found = read(agreement(7, 250, "P"), child).agreements
    assert (found.parent_id, found.next_period_start, found.cycle) == (
        parent.id,
        parent.next_period_start,
        parent.cycle,
    )


def test_agreements_in_a_circle_are_invoiced_alone() -> None:
    one = agreement(7, 250, "A", parentAgreement={"id": 8})
    other = agreement(8, 250, "B", parentAgreement={"id": 7})
    below = agreement(10, 250, "D", parentAgreement={"id": 7})
    found = read(one, other, agreement(9, 250, "C", parentAgreement={"id": 9}), below)
    assert [each.parent_id for each in found.agreements] == [None, None, None, "7"]
    assert "their own ancestors; they are invoiced alone: 7, 8, 9" in found.notices[0]


def test_without_the_table_setup_the_names_of_cycles_count() -> None:
    assert read(agreement(7, 250, "W"), cycles=None).agreements[0].cycle is Cycle.MONTHLY


def test_a_one_time_agreement_and_a_cancelled_one_say_so() -> None:
    assert read(agreement(7, 250, "W", billOneTimeFlag=True)).agreements[0].cycle is Cycle.ONE_TIME
    gone = read(agreement(7, 250, "W", cancelledFlag=True)).agreements[0]
    assert gone.status is Status.CANCELLED


def test_only_what_the_mapping_can_reach_is_read_families_whole() -> None:
    documents = [
        agreement(1, 250, "A"),
        agreement(2, 251, "child of A", parentAgreement={"id": 1}),
        agreement(3, 252, "parent"),
        agreement(4, 250, "child of 252", parentAgreement={"id": 3}),
        agreement(5, 299, "stranger"),
    ]
    typed = msgspec.convert(documents, list[wire.Agreement])
    assert [each.id for each in reachable(typed, frozenset({"250"}))] == [1, 2, 3, 4]
    assert len(reachable(typed, None)) == 5


def test_an_addition_becomes_a_segment() -> None:
    document = line(
        9, 1350, 24, "14.95", lessIncluded=4, billCustomer="NoCharge",
        effectiveDate="2025-11-01T00:00:00Z", cancelledDate="2026-12-15T00:00:00Z",
    )  # fmt: skip
    (segment,) = lines(document).segments
    assert (segment.line_id, segment.product, segment.quantity) == ("9", "M365-BP", 24)
    assert (segment.unit_price, segment.included) == (Decimal("14.95"), 4)
    assert segment.billing is Billing.NO_CHARGE
    assert (segment.effective, segment.cancelled) == (date(2025, 11, 1), date(2026, 12, 15))
    (segment,) = lines(document, cancelled_date="last_day").segments
    assert segment.cancelled == date(2026, 12, 16)


@pytest.mark.parametrize("missing", ["quantity", "unitPrice", "billCustomer"])
def test_what_an_addition_does_not_say_is_unknown(missing: str) -> None:
    document = line(9, 1350, 24, "14.95")
    del document[missing]
    (segment,) = lines(document).segments
    unknown = segment.quantity if missing == "quantity" else segment.unit_price
    assert unknown is None


@pytest.mark.parametrize("name", ["effectiveDate", "cancelledDate"])
def test_a_date_that_cannot_be_read_makes_its_line_unknown(name: str) -> None:
    found = lines(line(9, 1350, 24, "14.95", **{name: "01/01/2025"}))
    assert found.segments[0].quantity is None
    assert "a date that cannot be read" in found.notices[0]


def test_a_product_is_called_as_the_mapping_calls_it() -> None:
    document = line(9, 1350, 1, "1")
    assert lines(document).segments[0].product == "M365-BP"
    assert lines(document, products=frozenset({"1350"})).segments[0].product == "1350"
    both = frozenset({"1350", "M365-BP"})
    assert lines(document, products=both).segments[0].product == "M365-BP"


def test_one_name_for_two_products_is_no_name() -> None:
    """An identifier that reads like another product's id."""
    other = {**line(10, 1351, 1, "1"), "product": {"id": 1351, "identifier": "1350"}}
    found = lines(line(9, 1350, 1, "1"), other, products=frozenset({"1350"}))
    assert len({segment.product for segment in found.segments}) == 2
    assert "both as id and as identifier" in found.notices[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T00:00:00Z", date(2026, 12, 1)),
        ("2026-12-01", date(2026, 12, 1)),
        ("2026-02-30T00:00:00Z", None),
        ("12/1/2026", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_is_the_day_that_is_written(text: str | None, expected: date | None) -> None:
    assert day(text) == expected


def test_a_whole_period_is_rounded_once_after_the_quantity(site: Site) -> None:
    """Only the price of a part of a period is rounded by itself: small prices are money, too."""
    for id, quantity, price, included in (
        (3400, 1000, 0.0149, 0), (3401, 5000, 0.0049, 0), (3402, 30, 5.1255, 10),
    ):  # fmt: skip
        site.store.put("addition", {**site.addition(id), "quantity": quantity, "unitPrice": price,
                                    "lessIncluded": included}, "1040")  # fmt: skip
    rows = site.rows()
    assert [rows[id]["amount_before"] for id in ("3400", "3401", "3402")] == [
        "14.90", "24.50", "102.51",
    ]  # fmt: skip
    (invoice,) = [i for i in site.diff()["invoices"] if i["agreement_id"] == "1040"]
    assert invoice["witness"] == {"amount": "141.91", "agrees": True}


def test_a_negative_quantity_has_an_amount_that_nobody_knows(site: Site) -> None:
    site.store.put("addition", {**site.addition(3402), "quantity": -2}, "1040")
    (invoice,) = [i for i in site.diff()["invoices"] if i["agreement_id"] == "1040"]
    assert invoice["unknown_lines"] == 1
    assert site.rows()["3402"]["amount_before"] is None


@pytest.mark.parametrize(
    "odd",
    [
        {"billingCycle": {"id": 9, "name": "BiMonthly"}},
        {"billOneTimeFlag": True},
        {"nextInvoiceDate": None},
        {"nextInvoiceDate": "2026-12-01T00:00:00Z", "currency": {"currencyCode": "???"}},
    ],
)
def test_a_line_on_an_agreement_that_is_not_projected_is_never_doubled(
    site: Site, odd: dict[str, Any]
) -> None:
    other = {**agreement(1050, 252, "Fabrikam", type={"id": 9, "name": "Other"}), **odd}
    site.store.put("agreement", other)
    site.store.put("addition", {**line(3600, 1351, 8, "5.00"), "agreementId": 1050}, "1050")
    row = site.rows()["1042 EDR"]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "BILLED_UNPROJECTED")
    assert row["wanted"] == {"quantity": "8", "difference": "40.00"}
    said = " ".join(drybill("diff", site.mapping).out.split())
    assert "line 3600 on agreement 1050" in said
    site.store.put("addition", {**line(3600, 1351, 8, "5.00"), "agreementId": 1050,
                                "cancelledDate": "2026-12-01T00:00:00Z"}, "1050")  # fmt: skip
    assert site.rows()["1042 EDR"]["bucket"] == "create"


def test_a_line_made_there_since_the_plan_is_not_doubled(site: Site) -> None:
    plan = site.plan("--client", "252")
    other = agreement(1050, 252, "Fabrikam", billingCycle={"id": 9, "name": "BiMonthly"})
    site.store.put("agreement", other)
    site.store.put("addition", {**line(3600, 1351, 8, "5.00"), "agreementId": 1050}, "1050")
    said = site.apply(plan)
    assert said.code == Exit.REFUSED
    assert "line 3600 bills this product already on agreement 1050" in said.err


def test_a_payer_has_a_name(site: Site) -> None:
    one = site.store.get("agreement", "1042")
    assert one is not None
    site.store.put("agreement", {**one, "billToCompany": {"id": 900, "name": "Eta Payer"}})
    assert "Eta Payer" in {i["client"] for i in site.diff()["invoices"]}
    assert site.diff("--client", "Eta Payer")["invoices"]


def test_an_agreement_that_ran_out_bills_nothing(site: Site) -> None:
    """The usual renewal: a new agreement, and the old one's additions were never cancelled."""
    old = agreement(1050, 252, "Fabrikam", noEndingDateFlag=False, endDate="2026-11-15T00:00:00Z")
    site.store.put("agreement", {**old, "type": {"id": 9, "name": "Old"}})
    site.store.put("addition", {**line(3600, 1351, 8, "5.00"), "agreementId": 1050}, "1050")
    assert site.rows("--client", "252")["1042 EDR"]["bucket"] == "create"
    said = site.apply(site.plan("--client", "252"))
    assert said.code == Exit.DONE, said.err
