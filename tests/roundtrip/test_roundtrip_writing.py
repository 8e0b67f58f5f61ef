"""drybill says what the next invoice will be, writes, and Tryton bills exactly that."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from desk import Desk

from command import drybill, last_writing_run
from drybill.errors import Exit

pytestmark = pytest.mark.roundtrip
CONTOSO, FABRIKAM, WOODGROVE = "Contoso Dental", "Fabrikam Legal", "Woodgrove Clinic"
STEPS = ("draft", "quote", "run")


def test_an_increase(desk: Desk) -> None:
    desk.usage(contoso={"m365": "34"})
    said = desk.predicted()
    assert said[CONTOSO] == ("USD", desk.next_invoice, "2707.50")
    applied = desk.apply()
    assert applied.code == Exit.DONE, applied.err
    assert desk.predicted("before") == said == desk.bill()


def test_a_decrease(desk: Desk) -> None:
    desk.usage(fabrikam={"edr": "9", "m365": "11"})
    said = desk.predicted()
    assert said[FABRIKAM][2] == "282.72"  # 11 x 22 + 9 x 4.525, half to even
    applied = desk.apply()
    assert applied.code == Exit.DONE, applied.err
    assert said == desk.bill()


def test_a_new_line_from_the_day_of_the_next_invoice(desk: Desk) -> None:
    desk.usage(fabrikam={"hours": "3.25"})
    said = desk.predicted()
    assert said[FABRIKAM][2] == "578.30"
    applied = desk.apply()
    assert applied.code == Exit.DONE, applied.err
    (made,) = [each for id, each in desk.tryton().items() if id not in _known(desk)]
    assert made == {
        "quantity": "3.25", "unit_price": "80.00", "start": desk.next_invoice, "end": None,
        "code": "SUPPORT", "subscription": desk.subscription(FABRIKAM), "state": "running",
    }  # fmt: skip
    assert said == desk.bill()
    assert desk.rows()  # and the month after it is an ordinary line


def _known(desk: Desk) -> set[str]:
    return {id for each in desk.ids.values() for id in each["lines"].values()}


def test_a_line_that_ends(desk: Desk) -> None:
    desk.usage(contoso={"edr": "0"})
    said = desk.predicted()
    assert said[CONTOSO][2] == "2370.00"
    applied = desk.apply()
    assert applied.code == Exit.DONE, applied.err
    line = desk.tryton()[desk.line(CONTOSO, "HUNTRESS-EDR")]
    last_day = date.fromisoformat(desk.next_invoice) - timedelta(days=1)
    assert (line["end"], line["quantity"]) == (last_day.isoformat(), "31")
    assert said == desk.bill()


def test_a_line_that_is_invoiced_late_ends_in_time(desk: Desk, month: date) -> None:
    """Its month is consumed half a month later, and is still to come on the next invoice."""
    line = desk.ask(
        "add", subscription=desk.subscription(WOODGROVE), code="HUNTRESS-EDR",
        quantity=4, start=month.isoformat(), price="4.50", days=15,
    )  # fmt: skip
    desk.usage(woodgrove={"edr": "0"})
    assert desk.predicted("before")[WOODGROVE][2] == "361.50"
    said = desk.predicted()
    assert said[WOODGROVE][2] == "343.50"
    applied = desk.apply()
    assert applied.code == Exit.DONE, applied.err
    assert desk.tryton()[line]["end"] == month.isoformat()
    assert said == desk.bill()


def test_a_line_of_nothing_stays_a_line(desk: Desk) -> None:
    """This product has no `at_zero = "end"`: Tryton takes a 0."""
    desk.usage(contoso={"m365": "0"})
    said = desk.predicted()
    assert said[CONTOSO][2] == "1959.50"
    applied = desk.apply()
    assert applied.code == Exit.DONE, applied.err
    assert said == desk.bill()


def test_everything_at_once_in_two_currencies(desk: Desk) -> None:
    desk.usage(
        contoso={"m365": "27", "edr": "0", "hours": "0.75"},
        fabrikam={"m365": "10", "edr": "25"},
        woodgrove={"m365": "9", "edr": "5"},
    )
    said = desk.predicted()
    assert said == {
        CONTOSO: ("USD", desk.next_invoice, "2474.00"),
        FABRIKAM: ("USD", desk.next_invoice, "333.12"),
        WOODGROVE: ("EUR", desk.next_invoice, "405.12"),  # 5 x 4.125 = 20.625
    }
    totals = {each["currency"]: each["after"] for each in desk.diff()["totals"]}
    assert totals == {"USD": "2807.12", "EUR": "405.12"}
    applied = desk.apply()
    assert applied.code == Exit.DONE, applied.err
    assert "7 verified" in applied.err
    assert {each["state"] for each in desk.tryton().values()} == {"running"}
    assert desk.predicted("before") == said == desk.bill()


def test_a_change_is_four_calls_and_only_the_changed_field(desk: Desk) -> None:
    desk.usage(contoso={"m365": "26"})
    plan = desk.plan()
    desk.proxy.sent.clear()
    assert desk.apply(plan).code == Exit.DONE
    subscription, line = desk.subscription(CONTOSO), desk.line(CONTOSO, "CFQ7TTC0LCHC")
    draft, quote, run = (f"POST sale.subscription/{subscription}/{step}" for step in STEPS)
    assert desk.proxy.writes() == [draft, f"PUT sale.subscription.line/{line}", quote, run]
    (body,) = [body for method, _, body in desk.proxy.sent if method == "PUT"]
    assert body == '{"quantity":26}'


@pytest.mark.parametrize(
    ("moved", "code"),
    [({"m365": "25.5"}, "CFQ7TTC0LCHC"), ({"hours": "1.125"}, "SUPPORT")],
    ids=["a line", "a new line"],
)
def test_a_fraction_that_the_unit_does_not_take_is_refused_before_anything_is_sent(
    desk: Desk, moved: dict[str, str], code: str
) -> None:
    desk.usage(contoso=moved)
    row = next(row for row in desk.rows().values() if row["product"] == code)
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "FRACTION_NOT_SUPPORTED")
    said = desk.predicted()
    desk.apply()
    assert desk.proxy.writes() == []
    assert said == desk.bill()


def test_a_fraction_that_the_unit_takes_is_written(desk: Desk) -> None:
    desk.usage(woodgrove={"hours": "2.75"})
    said = desk.predicted()
    assert desk.apply().code == Exit.DONE
    assert said == desk.bill()


def test_a_line_that_somebody_else_edited_is_refused_by_name_and_the_others_go_on(
    desk: Desk,
) -> None:
    desk.usage(contoso={"m365": "34"}, woodgrove={"m365": "8"})
    plan = desk.plan()
    line = desk.line(CONTOSO, "CFQ7TTC0LCHC")
    desk.edit(line, quantity=26)
    applied = desk.apply(plan)
    assert applied.code == Exit.APPLIED_IN_PART
    assert "quantity: planned 25, found 26" in applied.err
    assert "1 verified, 1 refused" in applied.err
    assert desk.tryton()[line]["quantity"] == "26"
    assert desk.predicted("before") == desk.bill()


def test_a_subscription_that_somebody_took_back_to_draft_is_left_alone(desk: Desk) -> None:
    desk.usage(contoso={"m365": "34"})
    plan = desk.plan()
    subscription = desk.subscription(CONTOSO)
    desk.ask("press", subscription=subscription, button="draft")
    applied = desk.apply(plan)
    assert applied.code == Exit.REFUSED
    assert "state: planned running, found draft" in applied.err
    assert desk.proxy.writes() == []


def test_undone_before_it_is_billed_the_old_invoice_comes(desk: Desk) -> None:
    old = desk.predicted("before")
    desk.usage(contoso={"m365": "34", "hours": "2"}, fabrikam={"m365": "10"})
    assert desk.apply().code == Exit.DONE
    assert desk.predicted("before") != old
    undone = desk.undo(last_writing_run())
    assert undone.code == Exit.DONE, undone.err
    assert desk.predicted("before") == old == desk.bill()


def test_undone_after_it_was_billed_the_next_invoice_is_the_old_one(desk: Desk) -> None:
    old = {client: amount for client, (_, _, amount) in desk.predicted("before").items()}
    desk.usage(contoso={"m365": "34"}, woodgrove={"hours": "4"})
    said = desk.predicted()
    assert desk.apply().code == Exit.DONE
    run = last_writing_run()
    assert desk.bill() == said
    shown = drybill("undo", run)
    assert "has been issued since" in " ".join((shown.out + shown.err).split())
    undone = desk.undo(run)
    assert undone.code == Exit.DONE, undone.err
    after = (date.fromisoformat(desk.next_invoice) + timedelta(days=31)).replace(day=1)
    billed = desk.bill(day=after.isoformat())
    assert {client: amount for client, (_, _, amount) in billed.items()} == old
