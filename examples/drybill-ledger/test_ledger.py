"""The ledger holds what every PSA adapter must hold."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import drybill_ledger
import pytest

from drybill.psa.port import Answer
from drybill.testing.psa import *  # noqa: F403

BOOK = {
    "agreements": [
        {"id": "A", "company": "250", "currency": "USD", "next_period_start": "2026-12-01"}
    ],
    "lines": [
        {"id": "L1", "agreement": "A", "product": "SEAT", "quantity": "12", "price": "4.50"},
        {"id": "L2", "agreement": "A", "product": "NONE", "price": "2.00"},
    ],
}


class LedgerBench:
    """A small PSA, and a hand on it that is not the adapter's: see `drybill.testing.bench`."""

    adapter = drybill_ledger.adapter
    company, agreement, line, product, other_product = "250", "A", "L1", "SEAT", "OTHER"
    unknown_line = "L2"
    next_period = date(2026, 12, 1)

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self._file = folder, folder / "ledger.json"
        self.settings = {"kind": "ledger", "file": "ledger.json"}
        self._save(BOOK)
        self._writes, self._lost, real = 0, False, drybill_ledger.LedgerWriter.execute

        async def counted(writer, step):  # type: ignore[no-untyped-def]
            self._writes += 1
            answer = await real(writer, step)
            return Answer("unknown", "no answer came") if self._lost else answer

        patch.setattr(drybill_ledger.LedgerWriter, "execute", counted)

    def _save(self, book: dict) -> None:  # type: ignore[type-arg]
        self._file.write_text(json.dumps(book), "utf-8")

    def quantity(self, line: str) -> Decimal | None:
        lines = json.loads(self._file.read_text("utf-8"))["lines"]
        return next((Decimal(x["quantity"]) for x in lines if x["id"] == line), None)

    def edit(self, line: str, quantity: Decimal) -> None:
        book = json.loads(self._file.read_text("utf-8"))
        book["lines"] = [
            {**x, "quantity": str(quantity)} if x["id"] == line else x for x in book["lines"]
        ]
        self._save(book)

    def add_lines(self, number: int) -> None:
        book = json.loads(self._file.read_text("utf-8"))
        book["lines"] += [
            {"id": f"M{n}", "agreement": "A", "product": f"P{n}", "quantity": "1", "price": "1.00"}
            for n in range(number)
        ]
        self._save(book)

    def writes(self) -> int:
        return self._writes

    def lose_answer(self) -> None:
        self._lost = True

    def refuse_write(self) -> None:
        (self.folder / "ledger.new").mkdir()

    def fail_reads(self) -> None:
        self._file.write_text("no ledger", "utf-8")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LedgerBench:
    return LedgerBench(tmp_path, monkeypatch)
