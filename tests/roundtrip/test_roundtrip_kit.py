"""What every adapter must hold, Tryton's against the real server."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal

import pytest
from desk import Desk
from fault_proxy import Fault
from tryton_server import DATABASE

from drybill.psa.port import PsaAdapter
from drybill.psa.registry import adapter_of
from drybill.testing.psa import *  # noqa: F403

pytestmark = pytest.mark.roundtrip
FABRIKAM = "Fabrikam Legal"
_AT_ONCE = 50  # lines; many more are too deep a statement for SQLite


class TrytonBench:
    """The hand is the office's, and its edits go round the proxy that counts the writes."""

    product, other_product = "HUNTRESS-EDR", "SUPPORT"

    def __init__(self, desk: Desk) -> None:
        self.desk, self.folder = desk, desk.folder
        self.settings = {
            "kind": "tryton",
            "url": desk.proxy.url,
            "database": DATABASE,
            "credentials": {"key": "env:ROUNDTRIP_KEY"},
        }
        self.adapter: PsaAdapter = adapter_of("kit", self.settings)
        self.company = desk.ids[FABRIKAM]["party"]
        self.agreement = desk.subscription(FABRIKAM)
        self.line = desk.line(FABRIKAM, self.product)
        desk.edit(self.line, unit_price="4.50")
        self.unknown_line = self._add("MSP-WKS", None)
        self.next_period = date.fromisoformat(desk.next_invoice)

    def _add(self, code: str, quantity: float | None) -> str:
        start = self.desk.next_invoice
        made: str = self.desk.ask(
            "add", subscription=self.agreement, code=code, quantity=quantity, start=start,
            price="1.00",
        )  # fmt: skip
        return made

    def quantity(self, line: str) -> Decimal | None:
        found = self.desk.tryton().get(line, {}).get("quantity")
        return None if found is None else Decimal(found)

    def edit(self, line: str, quantity: Decimal) -> None:
        self.desk.edit(line, quantity=float(quantity))

    def add_lines(self, number: int) -> None:
        start = self.desk.next_invoice
        for first in range(0, number, _AT_ONCE):
            part = min(_AT_ONCE, number - first)
            self.desk.ask(
                "add_many", subscription=self.agreement, number=part, start=start, first=first
            )

    def writes(self) -> int:
        return len(self.desk.proxy.writes())

    def lose_answer(self) -> None:
        self.desk.proxy.faults.append(Fault("POST", ""))

    def refuse_write(self) -> None:
        """Somebody presses the button first: Tryton refuses it the second time."""

        def somebody() -> None:
            self.desk.ask("press", subscription=self.agreement, button="draft")

        self.desk.proxy.faults.append(Fault("POST", "/draft", answered=True, first=somebody))

    def fail_reads(self) -> None:
        os.environ["ROUNDTRIP_KEY"] = "a key that is none"


@pytest.fixture
def bench(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> TrytonBench:
    monkeypatch.setenv("ROUNDTRIP_KEY", os.environ["ROUNDTRIP_KEY"])  # as it was, after each test
    return TrytonBench(desk)
