"""What is right in a mapping but useless, or about to run out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from drybill.billing.policy import Acceptance, UsageException
from drybill.errors import Problem
from drybill.mapping.findings import in_file_order
from drybill.mapping.load import Mapping
from drybill.mapping.positions import path_text

# How long before its last day an exception or an acceptance is announced.
NOTICE = timedelta(days=30)


def lint(mapping: Mapping, today: date) -> list[Problem]:
    """Warnings beside `mapping.problems`, in the order of the files. `today` is the mapping's."""
    found = (
        Problem(code, mapping.place(path), summary, fix, level="warning")
        for code, path, summary, fix in (
            *_unused(mapping),
            *_idle_clients(mapping),
            *_ending(mapping, today),
            *_switches(mapping),
        )
    )
    return in_file_order(found, mapping.sources.names)


_Finding = tuple[str, str, str, str]  # code, path, summary, fix


def _unused(mapping: Mapping) -> Iterator[_Finding]:
    policy = mapping.policy
    fallbacks = {role.fallback for role in policy.roles.values()}
    roles = {product.role for product in policy.products.values()} | fallbacks
    profiles = {client.profile for client in policy.clients.values()}
    read = {key.vendor for product in policy.products.values() for key in product.sources}
    owned = {vendor for client in policy.clients.values() for vendor in client.customers}
    for name, role in policy.roles.items():
        if name not in roles:
            yield "unused-role", role.path, f"no product uses role `{name}`", "drop it"
    for name in policy.profiles:
        if name not in profiles:
            path = path_text(("profiles", name))
            yield "unused-profile", path, f"no client has profile `{name}`", "drop it"
    for name in mapping.vendors:
        path = path_text(("vendors", name))
        if name not in read:
            yield "unused-vendor", path, f"no product counts anything of `{name}`", "drop it"
        elif name not in owned:
            says = f"no client has a customer id at `{name}`, so all its usage is unmapped"
            yield "vendor-without-clients", path, says, "give clients their ids at this vendor"
    for product in policy.products.values():
        if not product.ids:
            says = f"no PSA has product `{product.key}`"
            yield "product-without-psa", f"{product.path}.ids", says, "name its id or drop `ids`"


def _idle_clients(mapping: Mapping) -> Iterator[_Finding]:
    """One notice for all of them: a large MSP has hundreds."""
    idle = [client for client in mapping.policy.clients.values() if not client.customers]
    if idle:
        names = ", ".join(client.id for client in idle[:5]) + (", ..." if len(idle) > 5 else "")
        count = "1 client has" if len(idle) == 1 else f"{len(idle)} clients have"
        says = f"{count} no customer id at any vendor: {names}"
        yield "client-without-vendor", idle[0].path, says, ""


def _ending(mapping: Mapping, today: date) -> Iterator[_Finding]:
    policy = mapping.policy
    ends: list[tuple[UsageException | Acceptance, str, str]] = [
        (one, f"the exception for client {one.client}, product `{one.product}`,", "is blocked")
        for one in policy.exceptions
    ]
    ends += [
        (one, f"the acceptance of row {one.row}", "is asked about again") for one in policy.accepted
    ]
    for one, what, then in ends:
        at, last_day = f"{one.path}.last_day", one.last_day
        fix = "extend it with a new reason, or drop it"
        if last_day < today:
            yield "expired", at, f"{what} ended on {last_day}: its row {then}", fix
        elif last_day <= today + NOTICE:
            yield "expires-soon", at, f"{what} ends after {last_day}", fix


def _switches(mapping: Mapping) -> Iterator[_Finding]:
    for name in ("price", "cost"):
        if name in mapping.policy.writes.fields:
            says = f"the switch `{name}` has no effect: only quantities are proposed"
            yield "idle-switch", "writes.fields", says, "drop it"
