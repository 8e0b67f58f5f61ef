"""What a PSA's capabilities refuse, whichever adapter it is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from drybill.billing.agreement import Agreement, Ownership, Segment
from drybill.billing.change import Change, ChangeField, Refusal
from drybill.billing.proposal import observed
from drybill.psa.files import adapter
from drybill.psa.planning import plan_write

SETTINGS = {"kind": "files", "agreements": "agreements.csv", "lines": "lines.csv"}


@pytest.mark.parametrize(
    ("field", "quantity", "code"),
    [
        ("increase", "2", "BELOW_MINIMUM"),
        ("increase", "3", ""),
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
        minimum=Decimal(3),
    )
    change = Change(field, "A", "SEAT", "L", Decimal(quantity), date(2026, 12, 1))
    answer = plan_write(replace(reader, capabilities=able), change)
    assert (answer.code if isinstance(answer, Refusal) else "") == code


@pytest.mark.parametrize(
    ("visible", "owner", "code"),
    [
        (True, Ownership.MANUAL, ""),
        (True, Ownership.CALCULATED, "OWNERSHIP_CALCULATED"),
        (True, Ownership.UNKNOWN, "OWNERSHIP_UNKNOWN"),
        (False, Ownership.UNKNOWN, ""),
    ],
)
def test_only_what_a_person_sets_is_written(visible: bool, owner: Ownership, code: str) -> None:
    """Where the PSA shows it: where it never does, the mapping's word counts."""
    reader = adapter.open("main", SETTINGS, Path())
    able = replace(reader.capabilities, ownership=visible)
    agreement = Agreement("main", "A", "250", "USD", date(2026, 12, 1))
    line = Segment("L", "A", "SEAT", Decimal(10), Decimal(4), ownership=owner)
    seen = observed(line, agreement.terms, ("L",))
    day = date(2026, 12, 1)
    change = Change("increase", "A", "SEAT", "L", Decimal(12), day, observed=seen)
    answer = plan_write(replace(reader, capabilities=able), change)
    assert (answer.code if isinstance(answer, Refusal) else "") == code


@pytest.mark.parametrize("planned", [None, (), [], ("step",), ValueError("secret")])
def test_an_adapter_that_says_no_steps_is_refused_and_breaks_nothing(planned: object) -> None:
    class Broken:
        capabilities = adapter.capabilities

        def plan_write(self, change: Change) -> object:
            if isinstance(planned, Exception):
                raise planned
            return planned

    change = Change("increase", "A", "SEAT", "L", Decimal(12), date(2026, 12, 1))
    answer = plan_write(Broken(), change)  # type: ignore[arg-type]
    assert isinstance(answer, Refusal)
    assert (answer.code, "secret" in answer.detail) == ("ADAPTER_BROKEN", False)
