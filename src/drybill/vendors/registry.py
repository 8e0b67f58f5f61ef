"""Finds the vendor adapter of a kind: the built-in one, or what an installed package offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from drybill import plugins
from drybill.vendors.port import Vendor, VendorAdapter

GROUP = "drybill.vendors"


def adapters() -> tuple[str, ...]:
    """The kinds that `[vendors.NAME]` may have, sorted."""
    return plugins.kinds(GROUP)


def adapter_of(name: str, settings: Mapping[str, object]) -> VendorAdapter:
    """The adapter for `[vendors.NAME]`. Raises InputError for a kind that is not installed."""
    if settings.get("kind") == "files":  # a look at all installed packages costs start-up time
        from drybill.vendors.files import open_vendor

        return open_vendor
    return cast(VendorAdapter, plugins.find(GROUP, f"vendors.{name}", settings))


def open_vendor(name: str, settings: Mapping[str, object], base: Path) -> Vendor:
    """The vendor of `[vendors.NAME]`; `base` is the mapping's folder. Raises InputError."""
    return adapter_of(name, settings)(name, settings, base)
