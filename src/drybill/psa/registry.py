"""Finds the PSA adapter of a kind: the built-in one, or what an installed package offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from drybill import plugins
from drybill.errors import InputError
from drybill.psa.port import Capabilities, PsaAdapter, PsaReader, Scope

GROUP = "drybill.psa"


def adapters() -> tuple[str, ...]:
    """The kinds that `[psa.NAME]` may have, sorted."""
    return plugins.kinds(GROUP)


def capabilities() -> dict[str, Capabilities | str]:
    """Kind -> the most that its readers can do, or why it cannot be loaded, by kind."""
    found: dict[str, Capabilities | str] = {}
    for kind in adapters():
        try:
            found[kind] = adapter_of(kind, {"kind": kind}).capabilities
        except InputError as error:
            found[kind] = error.problems[0].summary
    return found


def adapter_of(name: str, settings: Mapping[str, object]) -> PsaAdapter:
    """The adapter for `[psa.NAME]`. Raises InputError for a kind that is not installed."""
    if settings.get("kind") == "files":  # a look at all installed packages costs start-up time
        from drybill.psa.files import adapter

        return adapter
    return cast(PsaAdapter, plugins.find(GROUP, f"psa.{name}", settings))


def open_psa(
    name: str, settings: Mapping[str, object], base: Path, scope: Scope = Scope()
) -> PsaReader:
    """A reader for `[psa.NAME]`; `base` is the mapping's folder. Raises InputError."""
    return adapter_of(name, settings).open(name, settings, base, scope)
