"""A PSA that is one JSON file: about the smallest adapter that there can be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct

from drybill.billing.agreement import Agreement, Segment
from drybill.billing.change import Change, WriteStep
from drybill.billing.usage import Receipt
from drybill.errors import InputError, Place, Problem
from drybill.psa.port import Answer, Capabilities, PsaReader, PsaWriter, Reading, Scope

# What is not declared here is refused before anything is called.
CAPABILITIES = Capabilities(frozenset({"increase", "decrease"}), zero=True, concurrency="content")


class LedgerReader(Struct, frozen=True):
    """`[psa.NAME]` with `kind = "ledger"`: `file` is relative to the mapping."""

    name: str
    path: Path
    kind: str = "ledger"
    online: bool = False
    capabilities: Capabilities = CAPABILITIES

    @property
    def target(self) -> str:
        return self.path.name

    @property
    def instance(self) -> str:
        return f"ledger:{self.path.resolve()}"

    def session(self) -> nullcontext[None]:
        return nullcontext()  # a PSA behind HTTP opens its `drybill.transport.client.Client` here

    async def probe(self) -> tuple[()]:
        return ()

    async def read_witnesses(self) -> tuple[()]:
        return ()

    async def read(self) -> Reading:
        return self._read(lambda agreement: True)

    async def read_client(self, company_id: str) -> Reading:
        return self._read(lambda agreement: agreement.company_id == company_id)

    async def read_lines(self, agreement_ids: frozenset[str]) -> Reading:
        return self._read(lambda agreement: agreement.id in agreement_ids)

    def _read(self, wanted: Callable[[Agreement], bool]) -> Reading:
        book = load(self.path)
        agreements = [
            Agreement(
                psa=self.name,
                id=each["id"],
                company_id=each["company"],
                currency=each["currency"],
                next_period_start=date.fromisoformat(each["next_period_start"]),
            )
            for each in book["agreements"]
        ]
        agreements = [each for each in agreements if wanted(each)]
        ids = {each.id for each in agreements}
        segments = [
            Segment(
                line_id=each["id"],
                agreement_id=each["agreement"],
                product=each["product"],
                quantity=number(each.get("quantity")),  # None is unknown, and never 0
                unit_price=number(each.get("price")),
            )
            for each in book["lines"]
            if each["agreement"] in ids
        ]
        companies = frozenset(each.company_id for each in agreements)
        receipt = Receipt(self.name, self.kind, records=len(segments), customers=companies)
        return Reading(tuple(agreements), tuple(segments), receipt)

    def plan_write(self, change: Change) -> tuple[WriteStep, ...]:
        quantity = f"{change.quantity:f}"
        says = f"line {change.line_id}: quantity {quantity}"
        return (WriteStep("set", change.line_id, (("quantity", quantity),), says),)


class LedgerWriter:
    """Only `drybill ... --apply` gets one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> LedgerWriter:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def execute(self, step: WriteStep) -> Answer:
        """Sent once, whatever happens; drybill reads back what became of it."""
        book = load(self._path)
        for line in book["lines"]:
            if line["id"] == step.line_id:
                line.update(step.values)
        new = self._path.with_suffix(".new")
        try:
            new.write_text(json.dumps(book, indent=1), "utf-8")
            new.replace(self._path)
        except OSError as error:
            return Answer("rejected", str(error))
        return Answer("accepted")


class LedgerAdapter:
    capabilities = CAPABILITIES

    def open(
        self, name: str, settings: Mapping[str, object], base: Path, scope: Scope = Scope()
    ) -> LedgerReader:
        file = settings.get("file")
        if not isinstance(file, str):
            fix = 'write for example file = "ledger.json"'
            raise InputError([Problem("setting", Place(f"[psa.{name}]"), "no `file`", fix)])
        return LedgerReader(name, base / file)

    def writer(self, reader: PsaReader) -> PsaWriter:
        assert isinstance(reader, LedgerReader)
        return LedgerWriter(reader.path)


def load(path: Path) -> dict[str, Any]:
    """Numbers are texts or Decimals, and never floats."""
    try:
        book: dict[str, Any] = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise InputError([Problem("ledger", Place(str(path)), str(error))]) from None
    return book


def number(said: object) -> Decimal | None:
    return None if said is None else Decimal(str(said))


adapter = LedgerAdapter()
