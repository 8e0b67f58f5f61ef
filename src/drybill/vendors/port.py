"""What every vendor adapter offers: usage records and a receipt of their completeness."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from drybill.billing.usage import Receipt, UsageRecord


class Usage(Struct, frozen=True):
    records: list[UsageRecord]
    receipt: Receipt


class Vendor(Protocol):
    @property
    def name(self) -> str:
        """The mapping's name: "pax8"."""
        ...

    @property
    def kind(self) -> str: ...

    @property
    def online(self) -> bool:
        """Whether reading asks a server."""
        ...

    def session(self) -> AbstractAsyncContextManager[object]:
        """The connection that `read` needs. Raises InputError where a secret is missing."""
        ...

    async def read(self) -> Usage:
        """Everything this vendor says. Raises InputError or UnreachableError."""
        ...


class VendorAdapter(Protocol):
    """What an entry point of the group `drybill.vendors` names: opens `[vendors.NAME]`."""

    def __call__(self, name: str, settings: Mapping[str, object], base: Path) -> Vendor:
        """`base` is the mapping's folder. Raises InputError for settings that are wrong."""
        ...
