"""The sandbox on loopback, and a mapping that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract import problem
from site_of_work import Site

from drybill.sandbox import seed_algapsa
from drybill.sandbox.seed import ENVIRONMENT, MAPPING, seed
from drybill.sandbox.serve import serving
from drybill.sandbox.store import Store


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> Iterator[Site]:
    yield from served(tmp_path, monkeypatch, MAPPING)


@pytest.fixture
def alga(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> Iterator[Site]:
    """The same, and the mapping leads to AlgaPSA."""
    yield from served(tmp_path, monkeypatch, seed_algapsa.MAPPING)


def served(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Iterator[Site]:
    for name, value in {**ENVIRONMENT, **seed_algapsa.ENVIRONMENT}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DRYBILL_STATE", str(folder / "state"))
    store = Store(folder / "sandbox.db")
    seed(store)
    seed_algapsa.seed(store)
    with serving(store) as url:
        mapping = folder / "mapping.toml"
        mapping.write_text(text.format(url=url), "utf-8")
        yield Site(folder, store, url)
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

    rooms = ("psa.connectwise.api", "psa.algapsa.api", "vendors.pax8.adapter")
    for room in (f"drybill.{each}" for each in rooms):
        monkeypatch.setattr(f"{room}.Limits", limits)
