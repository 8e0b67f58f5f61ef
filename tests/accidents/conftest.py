from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from command import Desk

MakeDesk = Callable[..., Desk]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeDesk:
    """Makes a desk with a journal of its own."""
    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("COLUMNS", raising=False)

    def make(toml: str, **files: str) -> Desk:
        return Desk(tmp_path, toml, **files)

    return make
