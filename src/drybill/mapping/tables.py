"""The mapping as tables: reads them one by one and knows every name that they define."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from drybill.mapping import model
from drybill.mapping.findings import Findings
from drybill.mapping.positions import Path
from drybill.mapping.source import Sources
from drybill.mapping.words import read

Model = TypeVar("Model", bound=model.Table)
Names = Mapping[str, Path]


class Tables:
    """`names` count a thing as defined even where its table holds mistakes."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.raw = sources.merged
        self.findings = Findings(sources)
        self.psas = self.names("psa")
        self.vendors = self.names("vendors")
        self.roles = self.names("agreements")
        self.profiles = self.names("profiles")
        self.products = self.names("products")
        self.only_psa = next(iter(self.psas)) if len(self.psas) == 1 else None

    # Reading the tables

    def names(self, section: str) -> dict[str, Path]:
        """Every name that a section defines, its table being right or wrong."""
        tables = self.raw.get(section)
        return {name: (section, name) for name in tables} if isinstance(tables, dict) else {}

    def tables(self, section: str) -> Iterator[tuple[str, dict[str, Any], Path]]:
        for name, path in self.names(section).items():
            if isinstance(self.raw[section][name], dict):
                yield name, self.raw[section][name], path

    def items(self, section: str) -> Iterator[tuple[dict[str, Any], Path]]:
        items = self.raw.get(section)
        for index, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, dict):
                yield item, (section, index)

    def single(self, table: type[Model], section: str) -> Model:
        """A table that may be missing; its defaults where it is missing or wrong."""
        value = self.raw.get(section, {})
        found = None
        if value and isinstance(value, dict):
            found = read(table, value, (section,), self.findings)
        return table.model_construct() if found is None else found
