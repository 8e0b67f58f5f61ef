"""ConnectWise's adapter, against the sandbox, holds what every PSA adapter must hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from drybill.psa.connectwise import adapter
from drybill.psa.port import PsaAdapter
from drybill.sandbox.seed import ENVIRONMENT, line, seed
from drybill.sandbox.serve import serving
from drybill.sandbox.store import Store
from drybill.testing.bench import Bench
from drybill.testing.psa import *  # noqa: F403

CREDENTIALS = {
    "company": "env:SANDBOX_COMPANY", "public_key": "env:SANDBOX_PUBLIC",
    "private_key": "env:SANDBOX_PRIVATE", "client_id": "env:SANDBOX_CLIENT_ID",
}  # fmt: skip
WRITE = {"public_key": "env:SANDBOX_WRITE_PUBLIC", "private_key": "env:SANDBOX_WRITE_PRIVATE"}
READS = ("GET",)


class ConnectWiseBench:
    adapter: PsaAdapter = adapter
    # A product that is on no line yet is known by its number alone.
    company, agreement, line, product, other_product = "250", "1040", "3400", "M365-BP", "1352"
    unknown_line = "3401"
    next_period = date(2026, 12, 1)

    def __init__(self, folder: Path, store: Store, url: str) -> None:
        self.folder, self._store = folder, store
        self.settings: Mapping[str, object] = {
            "kind": "connectwise", "url": url, "currency": "USD", "credentials": CREDENTIALS,
            "write_credentials": WRITE,
        }  # fmt: skip
        self._put({**self._addition("3400"), "quantity": 12, "unitPrice": 4.5})
        self._put({**self._addition("3401"), "quantity": None})

    def _addition(self, id: str) -> dict[str, object]:
        found = self._store.get("addition", id)
        assert found is not None
        return found

    def _put(self, addition: dict[str, object]) -> None:
        self._store.put("addition", addition, "1040")

    def quantity(self, line: str) -> Decimal | None:
        found = self._store.get("addition", line)
        number = found.get("quantity") if found else None
        return None if number is None else Decimal(str(number))

    def edit(self, line: str, quantity: Decimal) -> None:
        stamp = {"lastUpdated": "2026-11-20T10:00:00Z"}
        self._put({**self._addition(line), "quantity": int(quantity), "_info": stamp})

    def add_lines(self, number: int) -> None:
        for n in range(number):
            self._store.put("product", {"id": 5_000 + n, "identifier": f"MORE-{n}"})
            self._put({**line(9_000 + n, 5_000 + n, 1, "1.00"), "agreementId": 1040})

    def writes(self) -> int:
        return sum(each["method"] not in READS for each in self._store.requests())

    def lose_answer(self) -> None:
        self._store.add_fault("lost", method="PATCH")

    def refuse_write(self) -> None:
        self._store.add_fault("429", method="PATCH")

    def fail_reads(self) -> None:
        self._store.add_fault("500", times=0)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    store = Store(tmp_path / "sandbox.db")
    seed(store)
    with serving(store) as url:
        yield ConnectWiseBench(tmp_path, store, url)
    store.close()
