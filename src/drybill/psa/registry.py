"""Finds the PSA adapter of a kind: the built-in one, or what an installed package offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from drybill.errors import InputError, Place, Problem
from drybill.psa.port import PsaAdapter, PsaReader
from drybill.tabular import nearest

GROUP = "drybill.psa"


def adapters() -> tuple[str, ...]:
    """The kinds that `[psa.NAME]` may have, sorted."""
    from importlib.metadata import entry_points

    return tuple(sorted({"files", *(point.name for point in entry_points(group=GROUP))}))


def adapter_of(name: str, settings: Mapping[str, object]) -> PsaAdapter:
    """The adapter for `[psa.NAME]`. Raises InputError for a kind that is not installed."""
    kind = settings.get("kind")
    if kind == "files":  # without a look at the installed packages: that costs start-up time
        from drybill.psa.files import adapter

        return adapter
    from importlib.metadata import entry_points

    where = Place(f"[psa.{name}]")
    for point in entry_points(group=GROUP):
        if point.name == kind:
            try:
                return cast(PsaAdapter, point.load())
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


def open_psa(name: str, settings: Mapping[str, object], base: Path) -> PsaReader:
    """A reader for `[psa.NAME]`; `base` is the mapping's folder. Raises InputError."""
    return adapter_of(name, settings).open(name, settings, base)


def describe() -> list[tuple[str, str]]:
    """(kind, what it can do) of every adapter, for people."""
    from importlib.metadata import entry_points

    found = {"files": "CSV and TSV: increase, decrease, create, end; other kinds are read only"}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, f"installed adapter, from {point.value.partition(':')[0]}")
    return sorted(found.items())
