"""Finds the vendor adapter of a kind: the built-in one, or what an installed package offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from drybill.errors import InputError, Place, Problem
from drybill.tabular import nearest
from drybill.vendors.port import Vendor, VendorAdapter

GROUP = "drybill.vendors"


def adapters() -> tuple[str, ...]:
    """The kinds that `[vendors.NAME]` may have, sorted."""
    from importlib.metadata import entry_points

    return tuple(sorted({"files", *(point.name for point in entry_points(group=GROUP))}))


def adapter_of(name: str, settings: Mapping[str, object]) -> VendorAdapter:
    """The adapter for `[vendors.NAME]`. Raises InputError for a kind that is not installed."""
    kind = settings.get("kind")
    if kind == "files":  # without a look at the installed packages: that costs start-up time
        from drybill.vendors.files import open_vendor as adapter

        return adapter
    from importlib.metadata import entry_points

    where = Place(f"[vendors.{name}]")
    for point in entry_points(group=GROUP):
        if point.name == kind:
            try:
                return cast(VendorAdapter, point.load())
            except (ImportError, AttributeError) as error:
                summary = f"the adapter `{kind}` cannot be loaded: {error}"
                fix = f"install {point.value.partition(':')[0].partition('.')[0]} again"
                raise InputError([Problem("adapter-broken", where, summary, fix)]) from None
    if not isinstance(kind, str):
        summary, fix = "`kind` is missing", f"name one of {', '.join(adapters())}"
    else:
        summary = f"no adapter for the kind `{kind}` is installed"
        fix = f"installed are {', '.join(adapters())}; {nearest(kind, adapters())}"
    raise InputError([Problem("kind-unknown", where, summary, fix)])


def open_vendor(name: str, settings: Mapping[str, object], base: Path) -> Vendor:
    """The vendor of `[vendors.NAME]`; `base` is the mapping's folder. Raises InputError."""
    return adapter_of(name, settings)(name, settings, base)
