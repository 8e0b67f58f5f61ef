"""Whether every name that a mapping uses is a name that it defines, found in the tables as read.

It needs no table to be right otherwise, so a typo here is not hidden by another mistake beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drybill.mapping.positions import Path
from drybill.mapping.tables import Tables

_KEYS = "keys"  # the names are the table's keys
_EACH = "each"  # every entry of a table, every item of a list

_WHERE: tuple[tuple[str, Path], ...] = (
    ("role", ("agreements", _EACH, "fallback")),
    ("role", ("defaults", "agreement")),
    ("psa", ("products", _EACH, "ids", _KEYS)),
    ("role", ("products", _EACH, "agreement")),
    ("vendor", ("products", _EACH, "from", _EACH, "vendor")),
    ("product", ("products", _EACH, "also_feeds", _EACH)),
    ("product", ("profiles", _EACH, "covered", _EACH)),
    ("psa", ("clients", _EACH, "psa")),
    ("profile", ("clients", _EACH, "profile")),
    ("role", ("clients", _EACH, "agreement", _KEYS)),
    ("vendor", ("clients", _EACH, "vendors", _KEYS)),
    ("product", ("lines", _EACH, "product")),
    ("product", ("exceptions", _EACH, "product")),
)
CLIENTS: tuple[Path, ...] = (
    ("lines", _EACH, "client"),
    ("exceptions", _EACH, "client"),
    ("writes", "clients", _EACH),
)


def check_references(tables: Tables) -> None:
    """Reports every name of a PSA, vendor, role, profile or product that is not defined."""
    known = {
        "psa": tables.psas,
        "vendor": tables.vendors,
        "role": tables.roles,
        "profile": tables.profiles,
        "product": tables.products,
    }
    for what, pattern in _WHERE:
        for name, path in used(tables.raw, pattern):
            if isinstance(name, str) and name.strip() and name.strip() not in known[what]:
                at_key = pattern[-1] == _KEYS
                tables.findings.unknown(what, name.strip(), path, known[what], key=at_key)


def used(here: Any, pattern: Path, path: Path = ()) -> Iterator[tuple[Any, Path]]:
    """What stands in the places of a pattern, and where; other shapes hold nothing."""
    if not pattern:
        yield here, path
        return
    step, rest = pattern[0], pattern[1:]
    if step == _KEYS:
        for key in here if isinstance(here, dict) else ():
            yield key, (*path, key)
    elif step == _EACH:
        entries = here.items() if isinstance(here, dict) else ()
        for key, inner in enumerate(here) if isinstance(here, list) else entries:
            yield from used(inner, rest, (*path, key))
    elif isinstance(here, dict) and step in here:
        yield from used(here[step], rest, (*path, step))
