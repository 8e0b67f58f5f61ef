"""Turns the checked tables into the `Policy`, resolving every reference on the way."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from drybill.billing.policy import (
    GuardLimits,
    Policy,
    Product,
    Role,
    RowLimits,
    Rule,
    VendorKey,
)
from drybill.mapping import model
from drybill.mapping.check import check
from drybill.mapping.clients import Clients
from drybill.mapping.findings import Findings, nearest
from drybill.mapping.positions import Path, path_text
from drybill.mapping.references import check_references
from drybill.mapping.settings import check_settings
from drybill.mapping.source import Sources
from drybill.mapping.tables import Tables
from drybill.mapping.words import read, report


@dataclass
class Built:
    """`policy` is None where a mistake left nothing to build it from."""

    findings: Findings
    policy: Policy | None


def build(sources: Sources, folder: FilePath) -> Built:
    """Everything the mapping says. Mistakes are in `findings`, none stops the search for others."""
    builder = _Builder(sources, folder)
    collecting = gc.isenabled()
    gc.disable()  # 100,000 clients are no garbage; looking for some doubles the time
    try:
        policy = builder.policy()
    finally:
        if collecting:
            gc.enable()
    return Built(builder.findings, policy)


class _Builder:
    def __init__(self, sources: Sources, folder: FilePath) -> None:
        self.tables = Tables(sources)
        self.findings = self.tables.findings
        self.folder = folder

    def policy(self) -> Policy | None:
        try:
            model.Document.model_validate(self.tables.raw)
        except ValidationError as error:
            report(error, model.Document, (), self.findings)
        timezone = self._timezone()
        self.guards = self.tables.single(model.GuardsTable, "guards")
        if not self.tables.psas and isinstance(self.tables.raw.get("psa"), dict):
            self.findings.error("no-psa", ("psa",), "no PSA is defined", "write [psa.main]")
        for name, table, path in self.tables.tables("psa"):
            if read(model.PsaSettings, table, path, self.findings) is not None and "/" in name:
                fix = "`/` parts a PSA's name from a client's id"
                self.findings.error("psa-name", path, f"`{name}` holds a `/`", fix, key=True)
            check_settings(table, path, self.findings)
        for _, table, path in self.tables.tables("vendors"):
            read(model.VendorSettings, table, path, self.findings)
            check_settings(table, path, self.findings)
        check_references(self.tables)
        roles = dict(self._roles())
        products = dict(self._products())
        profiles = dict(self._profiles())
        clients = Clients(self.tables, self.folder)
        policy = Policy(
            timezone=timezone or ZoneInfo("UTC"),
            products=products,
            clients=clients.found,
            roles=roles,
            profiles=profiles,
            lines=tuple(clients.lines()),
            exceptions=tuple(clients.exceptions()),
            accepted=tuple(clients.accepted()),
            guards=self._guards(),
            writes=clients.writes(),
        )
        check(policy, clients.all, set(self.tables.products), self.findings)
        return policy if timezone else None

    def _timezone(self) -> ZoneInfo | None:
        name = self.tables.raw.get("timezone")
        if not isinstance(name, str) or not name.strip():
            return None
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            from zoneinfo import available_timezones

            near = nearest(name, available_timezones())
            fix = f"did you mean `{near}`?" if near else 'for example "America/Chicago"'
            says = f"there is no time zone `{name[:60]}`"
            self.findings.error("unknown-timezone", ("timezone",), says, fix)
            return None

    def _roles(self) -> Iterator[tuple[str, Role]]:
        for name, table, path in self.tables.tables("agreements"):
            role = read(model.RoleTable, table, path, self.findings)
            if role is not None:
                yield name, Role(name, tuple(role.type), role.cycle, role.fallback, path_text(path))

    def _products(self) -> Iterator[tuple[str, Product]]:
        defaults = self.tables.single(model.DefaultsTable, "defaults")
        limits = _limits(self.guards.row)
        for key, table, path in self.tables.tables("products"):
            product = read(model.ProductTable, table, path, self.findings)
            if product is not None:
                yield key, self._product(key, product, path, defaults, limits)

    def _product(
        self,
        key: str,
        table: model.ProductTable,
        path: Path,
        defaults: model.DefaultsTable,
        limits: RowLimits,
    ) -> Product:
        return Product(
            key=key,
            ids=dict.fromkeys(self.tables.psas, key) if table.ids is None else table.ids,
            role=table.agreement or defaults.agreement,
            usage=table.usage or defaults.usage,
            sources=tuple(
                _vendor_key(source, (*path, "from", index))
                for index, source in enumerate(table.from_)
            ),
            also_feeds=tuple(table.also_feeds),
            combine=table.combine,
            rules=tuple(
                _rule(rule, (*path, "quantity", index)) for index, rule in enumerate(table.quantity)
            ),
            duplicates=table.duplicates,
            at_zero=table.at_zero,
            change=table.change,
            prices=table.price,
            limits=None if table.guards is None else _limits(table.guards, limits),
            path=path_text(path),
        )

    def _profiles(self) -> Iterator[tuple[str, frozenset[str]]]:
        for name, table, path in self.tables.tables("profiles"):
            profile = read(model.ProfileTable, table, path, self.findings)
            if profile is not None:
                yield name, frozenset(profile.covered)

    def _guards(self) -> GuardLimits:
        table = self.guards
        return GuardLimits(
            row=_limits(table.row),
            client_percent_of_invoice=table.client.percent_of_invoice,
            run_rows=int(table.run.rows),
            run_percent_of_rows=table.run.percent_of_rows,
            run_percent_of_invoices=table.run.percent_of_invoices,
            client_money=table.client.money,
            run_money=table.run.money,
            source_shrink_percent=table.source.shrink_percent,
            to_zero=table.to_zero,
            margin_percent=table.margin_percent,
        )


def _vendor_key(source: model.FromTable, path: Path) -> VendorKey:
    where = path_text(path)
    if source.sku:
        return VendorKey(source.vendor, "sku", source.sku, source.term, source.kind, where)
    if source.vendor_sku:
        code = source.vendor_sku
        return VendorKey(source.vendor, "vendor_sku", code, source.term, source.kind, where)
    code = source.product_id or ""
    return VendorKey(source.vendor, "product_id", code, source.term, source.kind, where)


def _rule(table: model.RuleTable, path: Path) -> Rule:
    name = table.verbs[0]
    direction = table.round or "up"
    number = None if name in ("exclude", "round") else getattr(table, name)
    return Rule(name, number, direction, table.exclude or "", path_text(path))  # type: ignore[arg-type]


def _limits(table: model.RowGuards | None, otherwise: RowLimits | None = None) -> RowLimits:
    """Limits as written; one that is not written is the mapping's, else the default."""
    base = otherwise or RowLimits()
    if table is None:
        return base
    units = base.units if table.units is None else table.units
    percent = base.percent if table.percent is None else table.percent
    return RowLimits(units, percent, {**base.money, **table.money})
