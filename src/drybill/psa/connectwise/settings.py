"""The settings of `[psa.NAME]` with `kind = "connectwise"`.

What ConnectWise's documents leave open is a setting here, with the reading that drybill assumes as
its default; `assumed` says each in words.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from drybill.billing.money import minor_units
from drybill.transport.client import checked_base

_VERSION = "2026.4"  # the document that the adapter was built from


def _base(url: str) -> str:
    return checked_base(url, "url")


def _currency(code: str) -> str:
    minor_units(code)
    return code


class Credentials(BaseModel):
    """References to secrets: `env:NAME` and its like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    company: str  # the login company
    public_key: str
    private_key: str
    client_id: str  # registered at ConnectWise's developer portal; every MSP has its own


class WriteCredentials(BaseModel):
    """A second key pair whose role may edit; company and client id are the first one's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    public_key: str
    private_key: str


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["connectwise"]
    url: Annotated[str, AfterValidator(_base)]
    credentials: Credentials
    write_credentials: WriteCredentials | None = None
    currency: Annotated[str, AfterValidator(_currency)] | None = None
    witness: Literal["off", "warn", "block"] = "warn"
    version: Annotated[str, Field(pattern=r"\d{4}\.\d+")] = _VERSION
    codebase: Annotated[str, Field(pattern=r"[\w.-]+/")] | None = None  # None: asked for
    at_once: Annotated[int, Field(ge=1, le=20)] = 4  # requests side by side
    requests_per_minute: Annotated[int, Field(ge=1, le=1000)] = 600
    timing: Literal["advance", "arrears"] = "advance"
    cancelled_date: Literal["first_day_off", "last_day"] = "first_day_off"


def assumed(settings: Settings) -> str:
    """What a run takes for true, as it is set, in one sentence."""
    begins = "begins" if settings.timing == "advance" else "ends"
    first = settings.cancelled_date == "first_day_off"
    off = "first day that is not" if first else "last day that is"
    return (
        f"assumed: an invoice dated nextInvoiceDate bills the period that {begins} on it "
        f"(`timing`); cancelledDate is the {off} billed (`cancelled_date`); "
        "a prorated price is rounded per unit, by actual days"
    )
