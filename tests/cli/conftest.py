from __future__ import annotations

from pathlib import Path

import pytest

from command import Desk

MAPPING = """
    [products.SEAT]
    from = [{ vendor = "v", sku = "seat" }]
    [products.MAIL]
    from = [{ vendor = "w", sku = "mail" }]
    [writes]
    fields = ["increase"]
    all_clients = true
"""


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of the test's own, and nothing of the machine's settings."""
    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path / "state"))
    for name in ("DRYBILL_MAPPING", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return tmp_path / "state"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """One line in step, one raise of 3 seats for Müller & 松本."""
    return Desk(
        tmp_path,
        MAPPING,
        agreements="agreement_id,company_id,company_name,currency,next_period_start\n"
        "A,250,Müller & 松本,USD,2026-12-01",
        lines="line_id,agreement_id,product,description,quantity,unit_price\n"
        "L1,A,SEAT,Seats,10,4.00\nL2,A,MAIL,Mail,5,2.00",
        v="customer_id,sku,quantity\nc,seat,13",
        w="customer_id,sku,quantity\nc,mail,5",
    )


@pytest.fixture
def clean(desk: Desk) -> Desk:
    """Everything is in step."""
    desk.lines = desk.lines.replace("Seats,10", "Seats,13")
    return desk
