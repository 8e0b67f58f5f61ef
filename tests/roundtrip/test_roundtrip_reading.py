"""What drybill says of the next invoices is what Tryton makes of them, to the cent."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from command import drybill
from drybill.errors import Exit
from drybill.mapping.load import load
from drybill.psa.registry import open_psa
from drybill.transport.errors import WallError

pytestmark = pytest.mark.roundtrip
CONTOSO, FABRIKAM, WOODGROVE = "Contoso Dental", "Fabrikam Legal", "Woodgrove Clinic"


def test_nothing_differs_and_tryton_bills_what_was_said(desk: Desk) -> None:
    said = desk.predicted()
    assert said == {
        CONTOSO: ("USD", desk.next_invoice, "2509.50"),
        FABRIKAM: ("USD", desk.next_invoice, "318.30"),
        WOODGROVE: ("EUR", desk.next_invoice, "343.50"),
    }
    assert said == desk.bill()
    assert desk.proxy.writes() == []


def test_a_half_cent_is_rounded_as_tryton_rounds_it(desk: Desk) -> None:
    """25 x 4.525 = 113.125: half to even, where money is mostly rounded up."""
    desk.edit(desk.line(FABRIKAM, "HUNTRESS-EDR"), quantity=25)
    said = desk.predicted("before")
    assert said[FABRIKAM][2] == "377.12"
    assert said == desk.bill()


def test_a_line_that_began_on_the_sixteenth_is_billed_whole(desk: Desk, month: date) -> None:
    begins = month.replace(day=16).isoformat()
    desk.ask("add", subscription=desk.subscription(CONTOSO), code="SUPPORT",
        quantity=1.25, start=begins, price="80.1234",
    )  # fmt: skip
    said = desk.predicted("before")
    assert said[CONTOSO][2] == "2609.65"
    assert said == desk.bill()


def test_a_line_that_begins_later_is_not_on_the_next_invoice(desk: Desk) -> None:
    """Not billed here: on SQLite Tryton bills such a line too early, see `office.bill`."""
    begins = date.fromisoformat(desk.next_invoice).replace(day=2).isoformat()
    desk.ask("add", subscription=desk.subscription(CONTOSO), code="SUPPORT",
        quantity=1.25, start=begins, price="80.00",
    )  # fmt: skip
    assert desk.predicted("before")[CONTOSO][2] == "2509.50"


@pytest.mark.parametrize("day", [-1, 0, 1])
def test_the_end_date_itself_is_not_billed(desk: Desk, day: int) -> None:
    ends = date.fromisoformat(desk.next_invoice) + timedelta(days=day)
    desk.edit(desk.line(CONTOSO, "MSP-WKS"), end_date=ends.isoformat())
    said = desk.predicted("before")
    assert said[CONTOSO][2] == ("2509.50" if day > 0 else "689.50")
    assert said == desk.bill()


def test_in_arrears_the_invoice_holds_the_month_before(desk: Desk, month: date) -> None:
    lines = {"CFQ7TTC0LCHC": 9, "SUPPORT": 1.5}
    start = month.isoformat()
    desk.sign("Tailspin Toys", start=start, invoiced=desk.next_invoice, days=27, lines=lines)
    (invoice,) = desk.diff()["invoices"]
    assert (invoice["period_start"], invoice["invoice_date"]) == (start, desk.next_invoice)
    assert invoice["before"] == "318.00"
    assert desk.bill()["Tailspin Toys"] == ("USD", desk.next_invoice, "318.00")


def test_two_consumptions_on_one_invoice_are_unknown_and_not_a_guess(
    desk: Desk, month: date
) -> None:
    lines = {"CFQ7TTC0LCHC": 9}
    start = month.isoformat()
    desk.sign("Tailspin Toys", start=start, invoiced=desk.next_invoice, days=0, lines=lines)
    (row,) = desk.diff()["invoices"][0]["lines"]
    assert (row["bucket"], row["quantity_before"]) == ("unknown", None)
    assert desk.bill()["Tailspin Toys"][2] == "396.00"  # twice 9 x 22


def test_what_is_consumed_already_is_what_will_be_billed(desk: Desk) -> None:
    """Somebody makes the consumptions before the invoices, and then changes a line."""
    desk.ask("consume", day=desk.next_invoice)
    line = desk.line(CONTOSO, "CFQ7TTC0LCHC")
    desk.edit(line, quantity=40)
    desk.usage(contoso={"m365": "41"})
    row = desk.rows()[line]
    assert (row["quantity_before"], row["bucket"]) == ("25", "blocked")
    assert row["reasons"][0] == "CHANGE_NOT_SUPPORTED"
    said = desk.predicted()
    assert said[CONTOSO][2] == "2509.50"
    assert said == desk.bill("invoice")


def test_a_closed_subscription_has_its_last_invoice_to_come(desk: Desk) -> None:
    """It closes itself as its last lines are consumed; the invoice is another wizard's."""
    ends = date.fromisoformat(desk.next_invoice) + timedelta(days=1)
    for code in desk.ids[WOODGROVE]["lines"]:
        desk.edit(desk.line(WOODGROVE, code), end_date=ends.isoformat())
    desk.ask("consume", day=desk.next_invoice)
    assert desk.tryton()[desk.line(WOODGROVE, "SUPPORT")]["state"] == "closed"
    desk.usage(woodgrove={"m365": "9", "edr": "3"})
    said = desk.predicted()
    assert said[WOODGROVE] == ("EUR", desk.next_invoice, "343.50"), "and none of it is written"
    assert said == desk.bill("invoice")
    assert WOODGROVE not in desk.predicted(), "billed, and over"


@pytest.mark.parametrize("buttons", [("draft",), ("draft", "quote")])
def test_a_subscription_that_does_not_run_is_said_and_not_billed(
    desk: Desk, buttons: tuple[str, ...]
) -> None:
    for button in buttons:
        desk.ask("press", subscription=desk.subscription(CONTOSO), button=button)
    state = {"draft": "draft", "quote": "quotation"}[buttons[-1]]
    said = drybill("diff", desk.mapping)
    assert (
        f"subscriptions in {state} are not billed, until they run: 1 (Contoso Dental)"
        in " ".join((said.out + said.err).split())
    )
    predicted = desk.predicted()
    assert CONTOSO not in predicted
    assert predicted == desk.bill()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "sale.subscription/generate_invoice"),
        ("POST", "sale.subscription.line/generate_consumption"),
        ("POST", "sale.subscription/1/cancel"),
        ("POST", "account.invoice/1/post"),
        ("PUT", "sale.subscription/1"),
        ("DELETE", "sale.subscription.line/1"),
    ],
)
def test_the_wall_stands_even_for_a_writer(desk: Desk, method: str, path: str) -> None:
    from drybill_tryton.api import Api

    async def write(*, may_write: bool, method: str, path: str) -> None:
        api = Api("main", _reader(desk).settings, desk.folder, may_write=may_write)
        async with api.open():
            await api.write(method, path, {})

    with pytest.raises(WallError):
        asyncio.run(write(may_write=True, method=method, path=path))
    with pytest.raises(WallError):
        asyncio.run(write(may_write=False, method="POST", path="sale.subscription/1/draft"))
    assert desk.proxy.writes() == []


def _reader(desk: Desk) -> Any:
    return open_psa("main", load(Path(desk.mapping)).psas["main"], desk.folder)


def test_pages_hold_every_row_once(desk: Desk) -> None:
    from drybill_tryton import wire
    from drybill_tryton.api import LINE, ById

    async def read() -> list[wire.Line]:
        reader = _reader(desk)
        async with reader.session():
            rows: list[wire.Line] = await reader.api.client.rows(
                f"/rest/model/{LINE}",
                wire.Line,
                ById(wire.LINE_FIELDS, rows=2),
                id_of=lambda row: str(row.id),
            )
            return rows

    desk.proxy.sent.clear()
    assert [row.id for row in asyncio.run(read())] == [1, 2, 3, 4, 5, 6, 7]
    assert len(desk.proxy.sent) == 4


def test_a_wrong_key_is_said_in_one_sentence(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDTRIP_KEY", "w" * 40)
    said = drybill("diff", desk.mapping)
    assert said.code == Exit.UNREACHABLE
    assert "answered 401" in said.err
    monkeypatch.delenv("ROUNDTRIP_KEY")
    said = drybill("diff", desk.mapping)
    assert said.code == Exit.USAGE
    assert "psa.main: key: the environment has no ROUNDTRIP_KEY" in said.err


def test_check_online_tries_every_kind_of_record(desk: Desk) -> None:
    said = drybill("check", desk.mapping, "--online")
    assert said.code == Exit.DONE, said.err
    for kind in ("subscriptions", "lines", "services", "consumptions"):
        assert kind in said.out
    assert desk.proxy.writes() == []
