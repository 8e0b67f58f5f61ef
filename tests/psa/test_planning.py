"""What a PSA's capabilities refuse, whichever adapter it is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from drybill.billing.change import Change, ChangeField, Refusal
from drybill.psa.files import adapter
from drybill.psa.planning import plan_write

SETTINGS = {"kind": "files", "agreements": "agreements.csv", "lines": "lines.csv"}


@pytest.mark.parametrize(
    ("field", "quantity", "code"),
    [
        ("increase", "12", ""),
        ("increase", "12.50", "FRACTION_NOT_SUPPORTED"),
        ("increase", "12.00", ""),
        ("increase", "0", "ZERO_NOT_SUPPORTED"),
        ("end", "0", ""),
        ("decrease", "9", "CHANGE_NOT_SUPPORTED"),
    ],
)
def test_what_is_not_declared_is_refused(field: ChangeField, quantity: str, code: str) -> None:
    reader = adapter.open("main", SETTINGS, Path())
    able = replace(
        reader.capabilities,
        writable=frozenset({"increase", "end"}),
        fractions=False,
        zero=False,
    )
    change = Change(field, "A", "SEAT", "L", Decimal(quantity), date(2026, 12, 1))
    answer = plan_write(replace(reader, capabilities=able), change)
    assert (answer.code if isinstance(answer, Refusal) else "") == code
