"""The settings of `[psa.NAME]` with `kind = "tryton"`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from drybill.transport.client import checked_base


def _base(url: str) -> str:
    return checked_base(url, "url")


class Credentials(BaseModel):
    """References to secrets: `env:NAME` and its like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str  # of a user application of the kind "rest"


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["tryton"]
    url: Annotated[str, AfterValidator(_base)]  # of the server, without the database
    database: Annotated[str, Field(pattern=r"[\w-]+")]
    credentials: Credentials
