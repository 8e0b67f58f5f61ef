"""AlgaPSA's adapter, against the sandbox, holds what every PSA adapter must hold.

The sandbox itself is held against recorded exchanges in tests/live/test_algapsa_recorded.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from drybill.psa.algapsa import adapter
from drybill.psa.port import PsaAdapter
from drybill.sandbox.algapsa import put
from drybill.sandbox.seed_algapsa import (
    BACKUP,
    EDR,
    ENVIRONMENT,
    M365,
    add_service,
    client_id,
    config_id,
    line_id,
    seed,
    service,
)
from drybill.sandbox.serve import serving
from drybill.sandbox.store import Document, Store
from drybill.testing.bench import Bench
from drybill.testing.psa import *  # noqa: F403

READS = (("POST", "/api/v1/invoices/preview"),)  # beside the GETs


class AlgaPsaBench:
    adapter: PsaAdapter = adapter
    company, agreement, line = client_id(250), line_id(250, "Licences"), config_id(250, M365)
    product, other_product = M365, EDR
    unknown_line = config_id(250, BACKUP)
    next_period = date(2026, 11, 1)

    def __init__(self, folder: Path, store: Store, url: str) -> None:
        self.folder, self._store = folder, store
        self.settings: Mapping[str, object] = {
            "kind": "algapsa",
            "url": url,
            "credentials": {
                "api_key": "env:SANDBOX_ALGA_KEY",
                "session": "env:SANDBOX_ALGA_SESSION",
            },
            "write_credentials": {"api_key": "env:SANDBOX_ALGA_WRITE_KEY"},
        }
        self._configure(self.line, quantity=12, custom_rate=450)
        add_service(store, 250, "Licences", BACKUP, None)

    def _found(self, line: str) -> Document | None:
        return self._store.get("alga-on-line", line)

    def _configure(self, line: str, **fields: object) -> None:
        found = self._found(line)
        assert found is not None
        row = found["row"]
        row = {**row, "configuration": {**row["configuration"], **fields}}
        self._store.put("alga-on-line", {**found, "row": row}, self.agreement)

    def quantity(self, line: str) -> Decimal | None:
        found = self._found(line)
        number = found["row"]["configuration"]["quantity"] if found else None
        return None if number is None else Decimal(number)

    def edit(self, line: str, quantity: Decimal) -> None:
        stamp = "2026-11-20T10:00:00.000Z"
        self._configure(line, quantity=int(quantity), updated_at=stamp)

    def add_lines(self, number: int) -> None:
        """Contract lines come in pages of 100, and services on a line all at once."""
        for n in range(number):
            id = f"a19a0000-0000-4000-8000-{5_000 + n:012}"
            put(self._store, "service", id, service(id, f"More {n}", 100))
            found = self._found(self.line)
            assert found is not None
            config = f"a19f9999-0000-4000-8000-{n:012}"
            row = found["row"]
            about = {"service_id": id, "service_name": f"More {n}"}
            put(
                self._store,
                "on-line",
                config,
                {
                    **row,
                    "service": {**row["service"], **about},
                    "configuration": {**row["configuration"], **about, "config_id": config},
                },
                self.agreement,
            )

    def writes(self) -> int:
        return sum(
            each["method"] != "GET" and (each["method"], each["path"]) not in READS
            for each in self._store.requests()
        )

    def lose_answer(self) -> None:
        self._store.add_fault("lost", method="PUT")

    def refuse_write(self) -> None:
        self._store.add_fault("refusal", method="PUT")

    def fail_reads(self) -> None:
        os.environ["SANDBOX_ALGA_KEY"] = "a key that is none"  # the fixture brings it back


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    store = Store(tmp_path / "sandbox.db")
    seed(store)
    with serving(store) as url:
        yield AlgaPsaBench(tmp_path, store, url)
    store.close()
