"""Names behind ids: what the sources call them, what they were called, what the mapping calls them.

A name is never used to match; a changed one is a warning that an id may mean something else now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from drybill.billing.policy import Policy
from drybill.billing.row import Row
from drybill.flow.run import Fetched
from drybill.journal import NameKey, NameKind
from drybill.plan.guards import Allowance, Renamed

_SHOWN = 3


def names_told(fetched: Fetched) -> dict[NameKey, str]:
    """All names that the sources gave for their ids."""
    names: dict[NameKey, str] = {}
    for psa, reading in fetched.readings.items():
        for agreement in reading.agreements:
            if agreement.company_name:
                key: NameKey = (psa, "client", agreement.company_id)
                names[key] = max(names.get(key, ""), agreement.company_name)
    for vendor, usage in fetched.usages.items():
        told: tuple[tuple[NameKind, tuple[tuple[str, str], ...]], ...] = (
            ("customer", usage.receipt.names),
            ("product", usage.receipt.product_names),
        )
        for kind, pairs in told:
            for id, name in pairs:
                if name:
                    names[vendor, kind, id] = name
    return names


def renames(names: Mapping[NameKey, str], trusted: Mapping[NameKey, str]) -> list[Renamed]:
    """Ids whose name is not the one that was first seen, or last trusted."""
    return [
        Renamed(*key, was=trusted[key], now=name)
        for key, name in sorted(names.items())
        if key in trusted and trusted[key] != name
    ]


def rename_notes(renamed: Sequence[Renamed]) -> Iterator[tuple[str, str]]:
    """(source, what is to be said of it)."""
    for rename in renamed:
        yield rename.source, f"renamed: {rename.says}, was `{rename.was}`"


def other_names(names: Mapping[NameKey, str], policy: Policy) -> Iterator[tuple[str, str]]:
    """(source, which ids have another name in the mapping than there)."""
    found: dict[str, list[str]] = {}
    for client in policy.clients.values():
        if not client.name:
            continue
        ids: list[tuple[str, NameKind, str]] = [(client.psa, "client", client.id)]
        for vendor, customers in client.customers.items():
            ids += [(vendor, "customer", customer) for customer in customers]
        for key in ids:
            told = names.get(key, client.name)
            if told.casefold() != client.name.casefold():
                said = f"{key[2]} is `{told}`, in the mapping `{client.name}`"
                found.setdefault(key[0], []).append(said)
    for source, others in sorted(found.items()):
        more = f"; and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        yield source, "NAME_DIFFERS: " + "; ".join(sorted(others)[:_SHOWN]) + more


def newly_trusted(
    renamed: Sequence[Renamed], rows: Sequence[Row], allowances: Sequence[Allowance]
) -> list[Renamed]:
    """Renames that were lifted by name: everywhere, or on a row that they touch."""
    if any(allowance.lifts("row", "rename") for allowance in allowances):
        return list(renamed)
    lifted = {v.value for row in rows for v in row.guards if v.name == "rename" and v.lifted}
    return [rename for rename in renamed if rename.says in lifted]
