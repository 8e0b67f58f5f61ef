"""Up to which day a contract line is invoiced, by the charges of its client's invoices."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drybill.psa.algapsa import wire
from drybill.psa.algapsa.windows import Invoiced, invoiced, key_of, midnight, recurring

SEATS = wire.ContractLine("seats", "250", client_contract_id="c1", contract_line_name="Licences")
GUARD = wire.ContractLine("guard", "250", client_contract_id="c1", contract_line_name="Security")
OTHER = wire.ContractLine("other", "250", client_contract_id="c2", contract_line_name="Licences")
NAMED = wire.ContractLine(
    "named", "250", client_contract_id="c1", contract_line_name="X",
    invoice_line_description="Your licences",
)  # fmt: skip


class Book:
    """Invoices of one client, one charge each unless more are given, and what was read of them."""

    def __init__(self) -> None:
        self.invoices: list[wire.Invoice] = []
        self.charges: dict[str, list[wire.Charge]] = {}
        self.read: list[str] = []

    def issue(self, until: str, *names: str, contract: str | None = "c1", **more: Any) -> None:
        id = f"i{len(self.invoices)}"
        status = more.pop("status", "draft")
        invoice = wire.Invoice(id, "250", contract, id.upper(), status, f"{until}T00:00:00.000Z")
        self.invoices.append(invoice)
        last = f"{date.fromisoformat(until) - timedelta(days=1)}T00:00:00.000Z"
        fields = {"service_period_start": "x", "service_period_end": last, **more}
        self.charges[id] = [wire.Charge(f"{id}{name}", name, **fields) for name in names]

    async def charges_of(self, id: str) -> list[wire.Charge]:
        self.read.append(id)
        return self.charges[id]

    def tell(self, *lines: wire.ContractLine) -> Invoiced:
        issued = recurring(self.invoices).get("250", [])
        return asyncio.run(invoiced(lines, issued, self.charges_of))


def test_the_last_charge_of_its_name_counts_and_no_older_invoice_is_read() -> None:
    book = Book()
    book.issue("2026-10-01", "Licences", "Security")
    book.issue("2026-11-01", "Licences")
    book.issue("2026-11-01", "Security")
    book.issue("2026-12-01", "Licences")
    found = book.tell(SEATS, GUARD)
    assert found.until == {key_of(SEATS): date(2026, 12, 1), key_of(GUARD): date(2026, 11, 1)}
    assert "i0" not in book.read


def test_a_charge_may_bear_the_lines_invoice_text() -> None:
    book = Book()
    book.issue("2026-11-01", "Your licences")
    assert book.tell(NAMED, GUARD).until == {key_of(NAMED): date(2026, 11, 1)}


@pytest.mark.parametrize(
    "more",
    [
        {"status": "cancelled"},
        {"is_discount": True},
        {"service_period_start": None},
    ],
)
def test_what_bills_no_window_closes_none(more: dict[str, Any]) -> None:
    book = Book()
    book.issue("2026-11-01", "Licences", **more)
    assert book.tell(SEATS, GUARD) == Invoiced()


def test_an_invoice_of_another_contract_closes_none() -> None:
    book = Book()
    book.issue("2026-11-01", "Licences", contract="c2")
    assert book.tell(SEATS, OTHER).until == {key_of(OTHER): date(2026, 11, 1)}


def test_one_that_names_no_contract_is_told_by_its_charges_or_leaves_both_in_doubt() -> None:
    book = Book()
    book.issue("2026-11-01", "Licences", "Security", contract=None)
    found = book.tell(SEATS, GUARD, OTHER)
    assert found.until == {key_of(GUARD): date(2026, 11, 1)}
    assert found.untold == {key_of(SEATS): "I0", key_of(OTHER): "I0"}


def test_a_name_that_nobody_has_leaves_all_in_doubt_that_are_not_settled_by_a_later_one() -> None:
    book = Book()
    book.issue("2026-11-01", "Renamed")
    book.issue("2026-12-01", "Security")
    found = book.tell(SEATS, GUARD)
    assert found.until == {key_of(GUARD): date(2026, 12, 1)}
    assert found.untold == {key_of(SEATS): "I0"}


def test_where_the_contract_has_one_line_its_name_does_not_matter() -> None:
    book = Book()
    book.issue("2026-11-01", "Renamed")
    assert book.tell(SEATS, OTHER).until == {key_of(SEATS): date(2026, 11, 1)}


def test_a_period_that_cannot_be_read_is_no_period() -> None:
    book = Book()
    book.issue("2026-11-01", "Licences", service_period_end="2026-10-31T22:00:00.000Z")
    assert book.tell(SEATS, GUARD).untold == {key_of(SEATS): "I0"}


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True))
def test_the_order_of_the_invoices_changes_nothing(months: list[int]) -> None:
    told = []
    for order in permutations(months):
        book = Book()
        for month in order:
            book.issue(f"2026-{month:02}-01", "Licences" if month % 2 else "Security")
        told.append(book.tell(SEATS, GUARD).until)
    assert all(each == told[0] for each in told)
    odd = [month for month in months if month % 2]
    assert told[0].get(key_of(SEATS)) == (date(2026, max(odd), 1) if odd else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-31", date(2026, 10, 31)),
        ("2026-10-31T00:00:00.000Z", date(2026, 10, 31)),
        ("2026-10-31T00:00:00Z", date(2026, 10, 31)),
        ("2026-10-31T04:00:00.000Z", None),
        ("2026-10-31T00:00:00.000+02:00", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_is_a_midnight(text: str | None, expected: date | None) -> None:
    assert midnight(text) == expected
