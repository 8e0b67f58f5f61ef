from __future__ import annotations

from pathlib import Path

import pytest
from scene import FILES, MAPPING

from command import Desk


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of the test's own."""
    place = tmp_path / "state"
    monkeypatch.setenv("DRYBILL_STATE", str(place))
    return place


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, MAPPING, **FILES)
