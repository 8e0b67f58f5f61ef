"""The settings of `[vendors.NAME]` with `kind = "pax8"`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from drybill.transport.client import checked_base

Measure = Literal["subscriptions", "draft", "invoice", "usage"]
Status = Literal[
    "Active", "Cancelled", "PendingManual", "PendingAutomated", "PendingCancel",
    "WaitingForDetails", "Trial", "Converted", "PendingActivation", "Activated",
]  # fmt: skip


def _base(url: str) -> str:
    return checked_base(url, "url")


class Credentials(BaseModel):
    """References to secrets, of the kind "internal use" in Pax8's Integrations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str
    client_secret: str


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["pax8"]
    credentials: Credentials
    url: Annotated[str, AfterValidator(_base)] = "https://api.pax8.com"
    measure: Measure = "subscriptions"
    compare: Measure | None = None
    # What counts as a seat. Cancelled is 0, Trial is left out; any other status is unknown.
    statuses: tuple[Status, ...] = ("Active", "Activated", "PendingCancel")
    at_once: Annotated[int, Field(ge=1, le=20)] = 4
    requests_per_minute: Annotated[int, Field(ge=1, le=1000)] = 600
