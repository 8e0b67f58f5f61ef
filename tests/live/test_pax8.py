"""What Pax8's answers count for: seats, drafts, invoices, metered usage."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from site_of_work import Site
from starlette.requests import Request
from starlette.responses import Response

from command import drybill
from drybill.billing.usage import LineType, UsageRecord
from drybill.errors import Exit
from drybill.mapping.load import load
from drybill.sandbox.pax8 import _page, _Pax8
from drybill.sandbox.seed import pax8_company, subscription
from drybill.sandbox.serve import serving
from drybill.vendors.pax8.records import period, term
from drybill.vendors.port import Usage
from drybill.vendors.registry import open_vendor


def read(site: Site, **settings: Any) -> Usage:
    table = {**load(Path(site.mapping)).vendors["pax8"], **settings}
    vendor = open_vendor("pax8", table, site.folder)

    async def inside() -> Usage:
        async with vendor.session():
            return await vendor.read()

    return asyncio.run(inside())


def of(usage: Usage, number: int) -> UsageRecord:
    id = subscription(number, 250, "EDR", 1)["id"]
    return next(each for each in usage.records if each.subscription_id == id)


def add(site: Site, number: int, quantity: float | None = 5, **more: Any) -> None:
    site.store.put("pax8-subscription", subscription(number, 250, "EDR", quantity, **more))


def test_seats_with_their_skus_term_and_customers(site: Site) -> None:
    usage = read(site)
    first = of(usage, 0)
    assert (first.sku, first.vendor_sku, first.term, first.quantity) == (
        "MST-BP",
        "CFQ7TTC0LCHC:0002",
        "annual",
        28,
    )
    assert usage.receipt.complete
    assert usage.receipt.customers == {pax8_company(id) for id in (250, 251, 252)}
    assert usage.receipt.as_of is not None
    assert (datetime.now(UTC) - usage.receipt.as_of).total_seconds() < 60


def test_more_than_a_page_is_read_to_its_end(site: Site) -> None:
    for number in range(100, 530):
        add(site, number)
    assert len(read(site).records) == 436
    pages = [each for each in site.store.requests() if each["path"] == "/v1/subscriptions"]
    asked = [f"page={n}&size=200" for n in range(3)]
    assert [each["query"] for each in pages] == asked * 2  # as pages may shift while they are read


@pytest.mark.parametrize(
    ("more", "quantity", "line_type"),
    [
        ({"status": "Activated"}, 5, LineType.RECURRING),
        ({"status": "PendingCancel"}, 5, LineType.RECURRING),
        ({"status": "Cancelled"}, 0, LineType.RECURRING),
        ({"status": "PendingManual"}, None, LineType.RECURRING),
        ({"status": "Converted"}, None, LineType.RECURRING),
        ({"status": "Trial"}, None, LineType.OTHER),
        ({"billingTerm": "Trial"}, 5, LineType.OTHER),
        ({"billingTerm": "One-Time"}, 5, LineType.ONE_TIME),
        ({"billingTerm": "Activation"}, None, LineType.RECURRING),
    ],
)
def test_what_a_status_is_worth(
    site: Site, more: dict[str, Any], quantity: int | None, line_type: LineType
) -> None:
    add(site, 7, **more)
    record = of(read(site), 7)
    assert (record.quantity, record.line_type) == (quantity, line_type)


def test_a_missing_quantity_is_unknown_and_not_zero(site: Site) -> None:
    add(site, 7, None)
    assert of(read(site), 7).quantity is None


def test_statuses_that_are_not_counted_are_said(site: Site) -> None:
    add(site, 7, status="PendingManual")
    add(site, 8, status="Trial")
    problems = " ".join(read(site).receipt.problems)
    assert "1 subscriptions are PendingManual: their quantity is unknown" in problems
    assert "1 trial subscriptions are left out" in problems
    assert "PendingManual" not in " ".join(
        read(site, statuses=["Active", "PendingManual"]).receipt.problems
    )


def test_a_commitment_names_its_end_and_its_term(site: Site) -> None:
    commitment = {"id": pax8_company(1), "term": "1-Year", "endDate": "2027-03-01T00:00:00Z"}
    add(site, 7, commitmentTerm=commitment)
    record = of(read(site), 7)
    assert (record.term, record.commitment_end) == ("annual", date(2027, 3, 1))


@pytest.mark.parametrize("end", ["31/12/2027", "30 Jun 2027", "2027-13-01"])
def test_a_commitment_whose_end_cannot_be_read_has_no_end(site: Site, end: str) -> None:
    """Else the seats could go down before it."""
    add(site, 7, commitmentTerm={"id": pax8_company(1), "term": "1-Year", "endDate": end})
    assert of(read(site), 7).commitment_end == date.max


def test_a_deleted_company_is_not_listed(site: Site) -> None:
    """Else what it does not have any more would count as 0."""
    company = site.store.get("pax8-company", pax8_company(252))
    site.store.put("pax8-company", {**(company or {}), "status": "Deleted"})
    assert pax8_company(252) not in read(site).receipt.customers


def test_a_product_that_is_sold_no_more_leaves_its_id(site: Site) -> None:
    gone = subscription(7, 250, "EDR", 5)
    site.store.put("pax8-subscription", {**gone, "productId": pax8_company(9)})
    usage = read(site)
    record = of(usage, 7)
    assert (record.sku, record.product_id) == ("", pax8_company(9))
    assert usage.receipt.denied == {pax8_company(250)}  # whose seats they are nobody knows


def item(**more: Any) -> dict[str, Any]:
    return {
        "id": pax8_company(77),
        "type": "subscription",
        "companyId": pax8_company(250),
        "companyName": "Wonderland Ltd",
        "startPeriod": "2026-11-01",
        "endPeriod": "2026-12-01",
        "quantity": 27,
        "term": "Annual",
        "sku": "MST-BP",
        "cost": 1.5,
        "costTotal": 40.5,
        "productId": "7f1c0a52-0000-4a57-9a0e-000000000001",
        "currencyCode": "USD",
        **more,
    }


def bill(site: Site, *items: dict[str, Any], number: int = 1, **more: Any) -> None:
    invoice = {"id": pax8_company(number), "invoiceDate": "2026-11-05", "status": "Unpaid", **more}
    site.store.put("pax8-invoice", invoice)
    site.store.put_all("pax8-item", [(invoice["id"], each) for each in items])


@pytest.fixture
def november(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's clock, by which a month is chosen."""
    from drybill.transport import client

    monkeypatch.setattr(
        client, "parsedate_to_datetime", lambda _: datetime(2026, 11, 25, 12, tzinfo=UTC)
    )


@pytest.mark.usefixtures("november")
def test_the_newest_valid_invoice_counts(site: Site) -> None:
    bill(site, item())
    bill(site, item(id=pax8_company(78), quantity=99), number=2, invoiceDate="2026-10-05")
    bill(site, item(id=pax8_company(79), quantity=50), number=3, status="Void")
    (record,) = read(site, measure="invoice").records
    assert (record.quantity, record.amount, record.vendor_sku) == (27, 40.5, "CFQ7TTC0LCHC:0002")
    assert (record.period_start, record.period_end) == (date(2026, 11, 1), date(2026, 12, 1))


@pytest.mark.usefixtures("november")
@pytest.mark.parametrize("day", ["2026-11-12", "2026-12-02"])
def test_an_invoice_of_another_day_stands_beside_the_monthly_one(site: Site, day: str) -> None:
    bill(site, item())
    bill(site, item(id=pax8_company(80), type="one-time"), number=4, invoiceDate=day)
    assert [r.quantity for r in read(site, measure="invoice").records if r.line_type.counts] == [27]


@pytest.mark.usefixtures("november")
@pytest.mark.parametrize("odd", [{"type": None}, {"type": "bundle"}, {"term": None}])
def test_an_item_that_cannot_be_placed_makes_its_customer_unknown(
    site: Site, odd: dict[str, Any]
) -> None:
    """It may be seats: then those beside it are too few."""
    bill(site, item(), item(id=pax8_company(81), sku="EDR-1", **odd))
    usage = read(site, measure="invoice")
    assert usage.receipt.denied == {pax8_company(250)}
    assert "1 items have no" in usage.receipt.problems[0]


def test_a_subscription_without_a_term_makes_its_customer_unknown(site: Site) -> None:
    add(site, 90, billingTerm=None)
    usage = read(site)
    assert usage.receipt.denied == {pax8_company(250)}
    row = site.rows()["3401"]
    assert (row["bucket"], row["quantity_after"]) == ("unknown", "30")


@pytest.mark.parametrize("id", ["../companies", "a/b", "a?b", "%2e%2e", "", "x" * 65, "a\nb"])
def test_an_id_that_is_none_is_said_and_never_asked_for(site: Site, id: str) -> None:
    add(site, 91, productId=id)
    said = drybill("diff", site.mapping)
    assert said.code == Exit.UNREACHABLE
    assert "another answer than documented" in said.out + said.err
    assert [each for each in site.store.requests() if "/products/" in each["path"]] == []


@pytest.mark.usefixtures("november")
def test_only_subscriptions_and_arrears_are_units(site: Site) -> None:
    types = ("prorate", "one-time", "rebate", "payment-credit", "service-credit", "service-charge")
    bill(
        site,
        *(item(id=pax8_company(100 + n), type=each) for n, each in enumerate(types)),
        item(id=pax8_company(200), term="Arrears"),
    )
    records = read(site, measure="invoice").records
    assert [r.line_type for r in records if r.line_type.counts] == [LineType.USAGE]


@pytest.mark.usefixtures("november")
def test_no_invoice_at_all_is_said(site: Site) -> None:
    usage = read(site, measure="invoice")
    assert usage.records == []
    assert "no invoice with seats since 2026-09-24" in usage.receipt.problems
    assert not usage.receipt.complete  # nobody said 0


def test_a_draft_is_provisional_and_its_last_day_is_included(site: Site) -> None:
    draft = item(startPeriod="2026-12-01", endPeriod="2026-12-31")
    site.store.put("pax8-draft", draft)
    (record,) = read(site, measure="draft").records
    assert (record.period_end, record.finality) == (date(2027, 1, 1), "provisional")


def test_items_that_do_not_add_up_are_said(site: Site) -> None:
    site.store.put("pax8-draft", item(costTotal=41.5))
    (problem,) = read(site, measure="draft").receipt.problems
    assert "1 items of the draft of the next invoice are not cost x quantity: MST-BP" in problem


@pytest.mark.usefixtures("november")
def test_a_later_day_replaces_an_earlier_one_and_is_never_added(site: Site) -> None:
    edr = subscription(1, 250, "EDR", 30)
    summary = {
        "id": pax8_company(5), "companyId": pax8_company(250), "productId": edr["productId"],
        "subscriptionId": edr["id"], "isTrial": False,
    }  # fmt: skip
    site.store.put_all("pax8-summary", [(edr["id"], summary)])
    lines = [
        {"id": n, "usageDate": f"2026-11-{n}", "productId": edr["productId"], "quantity": n * 10,
         "partnerTotal": 1, "currencyCode": "USD"}
        for n in (20, 22, 23)
    ]  # fmt: skip
    site.store.put_all("pax8-line", [(summary["id"], each) for each in lines])
    (record,) = read(site, measure="usage").records
    assert (record.quantity, record.kind, record.sku) == (230, "metered_total", "EDR-1")
    assert (record.period_start, record.period_end) == (date(2026, 11, 1), date(2026, 12, 1))


@pytest.mark.usefixtures("november")
def test_a_month_without_a_recent_total_is_unknown(site: Site) -> None:
    """The last one stands beyond the days that are asked for: it may be larger by now."""
    metered(site, 1, ("2026-11-10", 60))
    metered(site, 2, ("2026-11-23", 14))
    records = read(site, measure="usage").records
    assert [record.quantity for record in records] == [None, 14]


def test_on_the_first_days_of_a_month_the_last_one_is_read_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drybill.transport import client

    december = datetime(2026, 12, 1, 9, tzinfo=UTC)
    monkeypatch.setattr(client, "parsedate_to_datetime", lambda _: december)
    metered(site, 1, ("2026-11-29", 50), ("2026-11-30", 60))
    months = {r.period_start: r.quantity for r in read(site, measure="usage").records}
    assert months == {date(2026, 11, 1): 60, date(2026, 12, 1): None}


def metered(site: Site, number: int, *days: tuple[str, int]) -> None:
    """A metered subscription of client 250 with its totals by day."""
    found = subscription(number, 250, "EDR", 30)
    summary = {"id": pax8_company(50 + number), "companyId": pax8_company(250),
               "subscriptionId": found["id"], "productId": found["productId"]}  # fmt: skip
    site.store.put_all("pax8-summary", [(found["id"], summary)])
    lines = [
        {"id": f"{number}-{day}", "usageDate": day, "productId": found["productId"],
         "quantity": units}
        for day, units in days
    ]  # fmt: skip
    site.store.put_all("pax8-line", [(summary["id"], each) for each in lines])


@pytest.mark.usefixtures("november")
def test_days_that_were_not_asked_for_are_not_added(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server passes over `usageDate`, and the mapping would add rows that say it twice."""
    edr = subscription(1, 250, "EDR", 30)
    summary = {"id": pax8_company(5), "companyId": pax8_company(250),
               "subscriptionId": edr["id"]}  # fmt: skip
    site.store.put_all("pax8-summary", [(edr["id"], summary)])
    lines = [
        {"id": n, "usageDate": f"2026-11-{n}", "productId": edr["productId"], "quantity": n}
        for n in (20, 22, 23)
    ]
    site.store.put_all("pax8-line", [(summary["id"], each) for each in lines])

    async def whatever_day(self: _Pax8, request: Request) -> Response:
        return _page(request, self.store.all("pax8-line", request.path_params["id"]))

    monkeypatch.setattr(_Pax8, "lines", whatever_day)
    with serving(site.store) as url:
        records = read(site, measure="usage", url=url).records
    assert [record.quantity for record in records] == [23]


@pytest.mark.usefixtures("november")
def test_a_second_measure_changes_nothing_of_the_first(site: Site) -> None:
    bill(site, item(type="bundle"))
    alone, beside = read(site), read(site, compare="invoice")
    assert beside.records == alone.records
    assert beside.receipt.denied == alone.receipt.denied == frozenset()


@pytest.mark.usefixtures("november")
def test_a_second_measure_stands_beside_the_first(site: Site) -> None:
    bill(site, item())
    problems = read(site, compare="invoice").receipt.problems
    told = problems[-1]
    assert told.startswith("compared with the last invoice: 6 differ: ")
    assert f"{pax8_company(250)} MST-BP: subscriptions 28, last invoice 27" in told


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2019-04-01", "2019-05-01", (date(2019, 4, 1), date(2019, 5, 1))),
        ("2025-02-01", "2025-02-28", (date(2025, 2, 1), date(2025, 3, 1))),
        ("2024-07-01", "2024-07-31", (date(2024, 7, 1), date(2024, 8, 1))),
        ("2026-01-15", "2027-01-14", (date(2026, 1, 15), date(2027, 1, 15))),
        ("2026-01-15", "2027-01-15", (date(2026, 1, 15), date(2027, 1, 15))),
        (None, "2027-01-15", (None, None)),
    ],
)
def test_both_ways_to_end_a_period(first: Any, last: Any, expected: Any) -> None:
    assert period(first, last) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Annual", "annual"),
        ("1-Year", "annual"),
        ("Monthly", "monthly"),
        ("3 Year", "3-year"),
        ("3-Year", "3-year"),
        (None, ""),
    ],
)
def test_a_term_has_one_name(said: str | None, expected: str) -> None:
    assert term(said) == expected
