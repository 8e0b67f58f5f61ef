"""The files PSA holds what every PSA adapter must hold."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drybill.billing.change import WriteStep
from drybill.psa.files import adapter
from drybill.psa.files.writing import FilesWriter
from drybill.psa.port import Answer, PsaAdapter
from drybill.testing.bench import Bench
from drybill.testing.psa import *  # noqa: F403

AGREEMENTS = """\
agreement_id,company_id,company_name,currency,next_period_start
A,250,Wonderland,USD,2026-12-01
"""
LINES = """\
line_id,agreement_id,product,description,quantity,unit_price,effective_date,cancelled_date
L1,A,SEAT,Seats,12,4.50,2024-01-01,
L2,A,NONE,No number,,2.00,2024-01-01,
"""


class FilesBench:
    adapter: PsaAdapter = adapter
    settings: Mapping[str, object] = {
        "kind": "files", "agreements": "agreements.csv", "lines": "lines.csv",
    }  # fmt: skip
    company, agreement, line, product, other_product = "250", "A", "L1", "SEAT", "OTHER"
    unknown_line = "L2"
    next_period = date(2026, 12, 1)

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, monkeypatch
        (folder / "agreements.csv").write_text(AGREEMENTS, "utf-8")
        self._lines = folder / "lines.csv"
        self._lines.write_text(LINES, "utf-8")
        self._writes = 0
        real = FilesWriter.execute

        async def counted(writer: FilesWriter, step: WriteStep) -> Answer:
            self._writes += 1
            return await real(writer, step)

        monkeypatch.setattr(FilesWriter, "execute", counted)

    def quantity(self, line: str) -> Decimal | None:
        with self._lines.open(encoding="utf-8") as file:
            found = [row["quantity"] for row in csv.DictReader(file) if row["line_id"] == line]
        return Decimal(found[0]) if found and found[0] else None

    def edit(self, line: str, quantity: Decimal) -> None:
        text = self._lines.read_text("utf-8")
        self._lines.write_text(text.replace("Seats,12,", f"Seats,{quantity},"), "utf-8")

    def add_lines(self, number: int) -> None:
        with self._lines.open("a", encoding="utf-8") as file:
            for n in range(number):
                file.write(f"M{n},A,MORE-{n},More,1,1.00,2024-01-01,\n")

    def writes(self) -> int:
        return self._writes

    def lose_answer(self) -> None:
        """The file is written; the program does not hear of it."""
        real = FilesWriter.execute

        async def lost(writer: FilesWriter, step: WriteStep) -> Answer:
            await real(writer, step)
            return Answer("unknown", "the disk did not answer")

        self._patch.setattr(FilesWriter, "execute", lost)

    def refuse_write(self) -> None:
        """The line goes before it is written."""
        self._patch.setattr("drybill.psa.files.writing.whole.write", _fails)

    def fail_reads(self) -> None:
        self._lines.unlink()


def _fails(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return FilesBench(tmp_path, monkeypatch)
