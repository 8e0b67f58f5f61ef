"""What a preview says of the lines that were read, and which window it is asked for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from drybill.billing.agreement import Agreement, Cycle, Segment, Timing
from drybill.psa.algapsa import wire
from drybill.psa.algapsa.witness import selector, window, witness

# As in the recording: the October of a line in arrears is billed by the window of November.
AGREEMENT = Agreement(
    psa="main", id="line", company_id="client", currency="USD",
    next_period_start=date(2026, 10, 1), start_date=date(2026, 10, 1), timing=Timing.ARREARS,
)  # fmt: skip
HEADING = wire.PreviewItem("Contract: Managed services", Decimal(1), Decimal(0), None)


def segment(id: str, name: str) -> Segment:
    return Segment(id, "line", name, Decimal(31), Decimal("4.50"), description=name)


def item(name: str, quantity: int, total: int | None) -> wire.PreviewItem:
    amount = None if total is None else Decimal(total)
    return wire.PreviewItem(name, Decimal(quantity), amount, "2026-10-01")


def test_items_are_found_by_name_and_the_heading_is_none() -> None:
    preview = wire.Preview("USD", [HEADING, item("EDR", 31, 13950)], Decimal(13950))
    said = witness(AGREEMENT, [segment("c1", "EDR"), segment("c2", "Backup")], preview)
    assert (said.agreement_id, said.amount) == ("line", Decimal("139.50"))
    assert said.invoice_date == date(2026, 11, 1)
    (line,) = said.lines
    told = (line.line_id, line.quantity, line.amount)
    assert told == ("c1", Decimal(31), Decimal("139.50"))


@pytest.mark.parametrize(
    ("names", "items"),
    [
        (("EDR", "EDR"), ("EDR",)),  # two services of one name
        (("EDR",), ("EDR", "EDR")),  # two items of one name
        (("EDR",), ("Something else",)),
    ],
)
def test_what_cannot_be_told_apart_is_no_line(
    names: tuple[str, ...], items: tuple[str, ...]
) -> None:
    preview = wire.Preview("USD", [item(name, 31, 13950) for name in items], None)
    segments = [segment(f"c{number}", name) for number, name in enumerate(names)]
    said = witness(AGREEMENT, segments, preview)
    assert {line.line_id for line in said.lines} == {""}
    assert len(said.lines) == len(items)
    assert said.amount is None


def test_a_preview_without_amounts_says_none() -> None:
    said = witness(AGREEMENT, [segment("c1", "EDR")], wire.Preview("USD", [item("EDR", 31, None)]))
    assert [line.amount for line in said.lines] == [None]


@pytest.mark.parametrize(
    ("timing", "cycle", "expected"),
    [
        (Timing.ARREARS, Cycle.MONTHLY, (date(2026, 11, 1), date(2026, 12, 1))),
        (Timing.ADVANCE, Cycle.MONTHLY, (date(2026, 10, 1), date(2026, 11, 1))),
        (Timing.ARREARS, Cycle.QUARTERLY, (date(2027, 1, 1), date(2027, 4, 1))),
        (Timing.ADVANCE, Cycle.ANNUAL, (date(2026, 10, 1), date(2027, 10, 1))),
    ],
)
def test_the_window_that_bills_a_period(
    timing: Timing, cycle: Cycle, expected: tuple[date, date]
) -> None:
    from msgspec.structs import replace

    assert window(replace(AGREEMENT, timing=timing, cycle=cycle)) == expected


def test_a_selector_is_as_recorded() -> None:
    line = wire.ContractLine("line", "client", "contract", "assignment")
    key = "contract_cadence_window:contract:client:contract:line:2026-11-01:2026-12-01"
    asked = selector(AGREEMENT, line)["selector_input"]
    assert asked["executionWindow"]["identityKey"] == key
    assert (asked["windowStart"], asked["windowEnd"]) == ("2026-11-01", "2026-12-01")
