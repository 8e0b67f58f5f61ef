"""The settings of `[psa.NAME]` with `kind = "algapsa"`.

What neither its document nor recorded exchanges settle is a setting here, with the reading that
drybill assumes as its default; `ASSUMED` says each in words.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from drybill.billing.money import minor_units
from drybill.transport.client import checked_base


def _base(url: str) -> str:
    return checked_base(url, "url").removesuffix("/api/v1")


def _currency(code: str) -> str:
    minor_units(code)
    return code


class Credentials(BaseModel):
    """References to secrets: `env:NAME` and its like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_key: str
    tenant: str | None = None  # its id; None: AlgaPSA finds it by the key
    session: str | None = None  # a login's session token, for the preview alone


class WriteCredentials(BaseModel):
    """A second key whose user may edit; only `--apply` uses it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_key: str


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["algapsa"]
    url: Annotated[str, AfterValidator(_base)]
    credentials: Credentials
    write_credentials: WriteCredentials | None = None
    currency: Annotated[str, AfterValidator(_currency)] | None = None
    witness: Literal["off", "warn", "block"] = "warn"
    at_once: Annotated[int, Field(ge=1, le=20)] = 4  # requests side by side
    requests_per_minute: Annotated[int, Field(ge=1, le=1000)] = 120
    session_cookie: Annotated[str, Field(pattern=r"[\w.-]+")] | None = None  # None: by the scheme
    custom_rate: Literal["unit_price", "ignored"] = "unit_price"
    end_date: Literal["last_day", "first_day_off"] = "last_day"

    @property
    def cookie(self) -> str:
        """The name under which a server takes a session token."""
        secure = "__Secure-" if self.url.startswith("https:") else ""
        return self.session_cookie or f"{secure}authjs.session-token"


ASSUMED = (
    "each window of a contract line is an invoice of its own, as `generate` makes it",
    "a window is invoiced once a charge of an invoice that is not cancelled bears the line's name, "
    "and the next service period begins where that charge's ends",
    "a line of cadence `contract` without an invoice begins on its first day",
    "a service's own custom rate is its unit price (`custom_rate`), else the catalog's in the "
    "client's currency, else the default rate",
    "the end date is the last day billed (`end_date`)",
    "a change holds for every window not yet invoiced",
    "proration is by actual days",
)
