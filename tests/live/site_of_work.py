"""What a test of the live pair works with: the sandbox's store, its URL, a mapping."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import Said, drybill
from drybill.sandbox.store import Document, Store

AS_OF = ("--as-of", "2026-11-25T23:00:00Z")


@dataclass(frozen=True)
class Site:
    folder: Path
    store: Store
    url: str

    @property
    def mapping(self) -> str:
        return str(self.folder / "mapping.toml")

    def change(self, old: str, new: str) -> None:
        """Edits the mapping."""
        path = Path(self.mapping)
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def diff(self, *words: str) -> dict[str, Any]:
        said = drybill("diff", self.mapping, "--format", "json", "--all", *words)
        assert said.out, said.err
        found: dict[str, Any] = json.loads(said.out)
        return found

    def rows(self, *words: str) -> dict[str, dict[str, Any]]:
        """By line id; a line to create by its product."""
        return {
            row["line_id"] or f"{row['agreement_id']} {row['product']}": row
            for invoice in self.diff(*words)["invoices"]
            for row in invoice["lines"]
        }

    def plan(self, *words: str) -> str:
        digest: str = self.diff(*words)["run"]["plan_digest"]
        return digest

    def apply(self, plan: str, *words: str) -> Said:
        return drybill("diff", self.mapping, "--plan", plan, "--apply", *words)

    def addition(self, id: int) -> Document:
        found = [each for each in self.store.all("addition") if each["id"] == id]
        return found[0]

    def sent(self, *methods: str) -> list[Document]:
        return [each for each in self.store.requests() if each["method"] in methods]
