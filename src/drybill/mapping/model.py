"""The tables of a mapping, one by one, as pydantic models. References are checked elsewhere."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drybill.billing.agreement import Cycle
from drybill.billing.policy import Combine, Duplicates, UsageBasis, WriteField
from drybill.billing.usage import QuantityKind
from drybill.mapping.values import (
    Amount,
    ByRole,
    Currency,
    Id,
    Ids,
    Number,
    Positive,
    Prices,
    Row,
    Rows,
    Text,
    TypeNames,
    Url,
    refuse,
)


class Table(BaseModel):
    """A TOML table that accepts its own keys only."""

    model_config = ConfigDict(
        extra="forbid", strict=True, arbitrary_types_allowed=True, defer_build=True
    )


class Document(Table):
    """The top level: its scalars, and the shape of everything else."""

    timezone: Text
    clients_file: Text | None = None
    include: list[str] = []
    psa: dict[str, dict[str, Any]]
    vendors: dict[str, dict[str, Any]] = {}
    agreements: dict[str, dict[str, Any]] = {}
    defaults: dict[str, Any] = {}
    products: dict[str, dict[str, Any]] = {}
    profiles: dict[str, dict[str, Any]] = {}
    guards: dict[str, Any] = {}
    writes: dict[str, Any] = {}
    lines: list[dict[str, Any]] = []
    clients: list[dict[str, Any]] = []
    exceptions: list[dict[str, Any]] = []
    accepted: list[dict[str, Any]] = []


class Settings(Table):
    """What `[psa.NAME]` and `[vendors.NAME]` share; the adapter checks all other keys."""

    model_config = ConfigDict(extra="allow", strict=True, defer_build=True)

    kind: Text
    url: Url | None = None
    credentials: dict[str, Any] = {}


class PsaSettings(Settings):
    write_credentials: dict[str, Any] = {}
    currency: Currency | None = None
    witness: Literal["off", "warn", "block"] = "warn"


class VendorSettings(Settings):
    measure: Text | None = None
    compare: Text | None = None
    statuses: list[Text] | None = None


class RoleTable(Table):
    type: TypeNames = []
    cycle: Annotated[Cycle, Field(strict=False)] | None = None
    fallback: Text | None = None


class DefaultsTable(Table):
    agreement: Text | None = None
    usage: Annotated[UsageBasis, Field(strict=False)] = UsageBasis.NOW


class FromTable(Table):
    vendor: Text
    sku: Id | None = None
    vendor_sku: Id | None = None
    product_id: Id | None = None
    term: Text | None = None
    kind: Annotated[QuantityKind, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _one_code(self) -> FromTable:
        given = [name for name in ("sku", "vendor_sku", "product_id") if getattr(self, name)]
        if len(given) != 1:
            says = "names no code" if not given else "names several codes: " + ", ".join(given)
            refuse("from-code", says, "write exactly one of sku, vendor_sku, product_id")
        return self


VERBS = ("exclude", "add", "subtract", "multiply", "minimum", "maximum", "pack", "round")


class RuleTable(Table):
    exclude: Literal["trial"] | None = None
    add: Number | None = None
    subtract: Amount | None = None
    multiply: Amount | None = None
    minimum: Amount | None = None
    maximum: Amount | None = None
    pack: Positive | None = None
    round: Literal["up", "down", "nearest"] | None = None

    @property
    def verbs(self) -> list[str]:
        """What the table asks for; `round` beside `pack` only says how the pack rounds."""
        given = [verb for verb in VERBS if getattr(self, verb) is not None]
        return ["pack"] if given == ["pack", "round"] else given

    @model_validator(mode="after")
    def _one_verb(self) -> RuleTable:
        verbs = self.verbs
        if len(verbs) != 1:
            says = "is no rule" if not verbs else "holds several rules: " + ", ".join(verbs)
            refuse("rule", says, "one rule per table, in the order in which they run")
        if self.pack is not None and self.round not in (None, "up"):
            says = f"packs cannot be rounded {self.round}: a started pack is a whole one"
            refuse("rule", says, 'round = "up" beside pack, or a round rule of its own')
        return self


class RowGuards(Table):
    units: Amount | None = None
    percent: Amount | None = None
    money: Prices = {}


class ProductTable(Table):
    ids: dict[str, Id] | None = None
    agreement: Text | None = None
    usage: Annotated[UsageBasis, Field(strict=False)] | None = None
    from_: list[FromTable] = Field(default=[], alias="from")
    also_feeds: list[Text] = []
    combine: Annotated[Combine, Field(strict=False)] | None = None
    quantity: list[RuleTable] = []
    duplicates: Annotated[Duplicates, Field(strict=False)] = Duplicates.BLOCK
    at_zero: Literal["keep", "end"] = "keep"
    change: Literal["in_place", "dated"] = "in_place"
    price: Prices = {}
    guards: RowGuards | None = None


class ProfileTable(Table):
    covered: list[Text] = []


class ClientTable(Table):
    id: Id
    name: str = ""
    psa: Text | None = None
    profile: Text | None = None
    agreement: ByRole = {}
    vendors: dict[str, Ids] = {}


class LineTable(Table):
    client: Id
    product: Text
    line: Id
    name: str = ""
    flexible: bool = True


class ExceptionTable(Table):
    client: Id
    product: Text
    add: Number | None = None
    set: Amount | None = None
    ignore: bool = False
    reason: Text
    last_day: date

    @model_validator(mode="after")
    def _one_verb(self) -> ExceptionTable:
        given = [name for name in ("add", "set") if getattr(self, name) is not None]
        given += ["ignore"] if self.ignore else []
        if len(given) != 1:
            says = "changes nothing" if not given else "asks for several: " + ", ".join(given)
            refuse("exception", says, "write exactly one of add, set, ignore = true")
        return self


class SeenTable(Table):
    psa: Number | None = None
    vendor: Number | None = None


class AcceptedTable(Table):
    row: Row
    seen: SeenTable
    reason: Text
    last_day: date


class ClientGuards(Table):
    percent_of_invoice: Amount = Decimal(25)
    money: Prices = {}


class RunGuards(Table):
    rows: Rows = Decimal(25)
    percent_of_rows: Amount = Decimal(10)
    percent_of_invoices: Amount = Decimal(10)
    money: Prices = {}


class SourceGuards(Table):
    shrink_percent: Amount = Decimal(20)


class GuardsTable(Table):
    row: RowGuards = Field(default_factory=RowGuards.model_construct)
    client: ClientGuards = Field(default_factory=ClientGuards.model_construct)
    run: RunGuards = Field(default_factory=RunGuards.model_construct)
    source: SourceGuards = Field(default_factory=SourceGuards.model_construct)
    to_zero: bool = False
    margin_percent: Number = Decimal(0)


class WritesTable(Table):
    fields: list[WriteField] = []
    clients: list[Id] = []
    all_clients: bool = False

    @model_validator(mode="after")
    def _one_scope(self) -> WritesTable:
        if self.clients and self.all_clients:
            says = "names both clients and all_clients"
            refuse("writes-scope", says, "keep the list, or all_clients = true")
        return self
