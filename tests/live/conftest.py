"""The sandbox on loopback, and a mapping that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract import problem
from site_of_work import Site

from drybill.sandbox.seed import ENVIRONMENT, MAPPING, seed
from drybill.sandbox.serve import serving
from drybill.sandbox.store import Store


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> Iterator[Site]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path / "state"))
    store = Store(tmp_path / "sandbox.db")
    seed(store)
    with serving(store) as url:
        mapping = tmp_path / "mapping.toml"
        mapping.write_text(MAPPING.format(url=url), "utf-8")
        yield Site(tmp_path, store, url)
    wrong = [said for asked in store.requests() if (said := problem(asked))]
    store.close()
    assert wrong == [], "requests that are not as the vendor documents them"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between two attempts are as good as none."""
    from drybill.transport import client

    real = client.Limits

    def limits(**settings: Any) -> Any:
        return real(**{**settings, "wait": 0.001, "attempts": 3})

    for room in ("drybill.psa.connectwise.api", "drybill.vendors.pax8.adapter"):
        monkeypatch.setattr(f"{room}.Limits", limits)
