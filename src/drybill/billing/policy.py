"""What the mapping decides, as the billing core sees it: products, clients, roles, exceptions.

These are plain values. `mapping/` builds them from TOML and CSV and has checked them: references
exist, ids are unique, no vendor unit is claimed twice. `path` names the mapping entry, for example
`products."EDR".quantity[1]`, so that every step of a calculation can say where it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.agreement import Cycle
from drybill.billing.usage import QuantityKind


class UsageBasis(StrEnum):
    """Which usage bills the projected period."""

    NOW = "now"
    SERVICE_PERIOD = "service_period"
    PREVIOUS_PERIOD = "previous_period"


class Combine(StrEnum):
    SUM = "sum"
    MAX = "max"
    MIN = "min"


class Duplicates(StrEnum):
    """What rows that say the same thing twice count as."""

    BLOCK = "block"
    ONCE = "once"
    SUM = "sum"
    LATEST = "latest"


RuleName = Literal["exclude", "add", "subtract", "multiply", "minimum", "maximum", "pack", "round"]
RoundDirection = Literal["up", "down", "nearest"]


class Rule(Struct, frozen=True):
    """One quantity rule. `exclude` acts on records, the others on the sum, in the order written."""

    name: RuleName
    number: Decimal | None = None  # add, subtract, multiply, minimum, maximum, pack
    direction: RoundDirection = "up"  # pack, round
    what: str = ""  # exclude: "trial"
    path: str = ""


class VendorKey(Struct, frozen=True):
    """One `from` entry: which rows of which vendor count for a product."""

    vendor: str
    field: Literal["sku", "vendor_sku", "product_id"]
    code: str
    term: str | None = None  # None: whatever single term is met; "any": all terms are summed
    kind: QuantityKind | None = None  # None: whatever single kind is met
    path: str = ""


class RowLimits(Struct, frozen=True):
    """Row guard limits; None means no limit of that kind. Money is per currency."""

    units: Decimal | None = Decimal(25)
    percent: Decimal | None = Decimal(50)
    money: Mapping[str, Decimal] = new_field(default_factory=dict)


class Product(Struct, frozen=True):
    key: str  # the mapping's key
    ids: Mapping[
        str, str
    ]  # PSA name -> the PSA's product id; a PSA that is missing does not have it
    role: str | None = None  # agreement role; None: the client's only agreement that fits
    usage: UsageBasis = UsageBasis.NOW
    sources: tuple[VendorKey, ...] = ()
    also_feeds: tuple[str, ...] = ()  # keys of products that count the same units once more
    combine: Combine | None = None  # given whenever a product has several sources or feeds
    rules: tuple[Rule, ...] = ()
    duplicates: Duplicates = Duplicates.BLOCK
    at_zero: Literal["keep", "end"] = "keep"
    change: Literal["in_place", "dated"] = "in_place"
    prices: Mapping[str, Decimal] = new_field(
        default_factory=dict
    )  # currency -> price of a new line
    limits: RowLimits | None = None  # None: the mapping's row limits
    path: str = ""


class Role(Struct, frozen=True):
    """A rule over active agreements that must find exactly one per client."""

    name: str
    types: tuple[str | int, ...] = ()  # a text is the exact type name, an integer its id; (): any
    cycle: Cycle | None = None
    fallback: str | None = None
    path: str = ""


class Client(Struct, frozen=True):
    psa: str
    id: str  # the PSA's company id, as text
    name: str = ""
    profile: str | None = None
    # role -> agreement id, which overrides the role's rule; "" is for products without a role
    agreements: Mapping[str, str] = new_field(default_factory=dict)
    customers: Mapping[str, tuple[str, ...]] = new_field(
        default_factory=dict
    )  # vendor -> customer ids
    path: str = ""


class FlexibleLine(Struct, frozen=True):
    """`[[lines]]`: names one line; the flexible one takes what the others do not cover."""

    psa: str
    client: str
    product: str  # mapping key
    line_id: str
    name: str = ""  # slot name; empty: the line id serves
    flexible: bool = True
    path: str = ""


class UsageException(Struct, frozen=True):
    """`[[exceptions]]`: acts on a client's sum of one product, before the product's rules."""

    psa: str
    client: str
    product: str
    reason: str
    last_day: date  # still applies on this day; blocks afterwards
    add: Decimal | None = None
    set: Decimal | None = None
    ignore: bool = False
    path: str = ""


class Acceptance(Struct, frozen=True):
    """`[[accepted]]`: a difference that a person accepted while both numbers stay as they were."""

    row: str
    psa_quantity: Decimal | None
    vendor_quantity: Decimal | None
    reason: str
    last_day: date
    path: str = ""


class GuardLimits(Struct, frozen=True):
    """`[guards]`, with its defaults. Percentages are of 100."""

    row: RowLimits = RowLimits()
    client_percent_of_invoice: Decimal | None = Decimal(25)
    run_rows: int | None = 25
    run_percent_of_rows: Decimal | None = Decimal(10)
    run_percent_of_invoices: Decimal | None = Decimal(10)
    client_money: Mapping[str, Decimal] = new_field(default_factory=dict)
    run_money: Mapping[str, Decimal] = new_field(default_factory=dict)
    source_shrink_percent: Decimal | None = Decimal(20)
    to_zero: bool = False  # may a quantity go to 0 or a line end without being allowed by name
    margin_percent: Decimal = Decimal(0)


WriteField = Literal["increase", "decrease", "price", "cost", "create", "end"]


class WriteSwitches(Struct, frozen=True):
    """`[writes]`: each kind of write its own switch; the default writes nothing, ever."""

    fields: frozenset[WriteField] = frozenset()
    clients: frozenset[tuple[str, str]] = frozenset()  # (psa, client id)
    all_clients: bool = False


class Policy(Struct, frozen=True):
    """Everything the mapping decides. Mappings are keyed by the entry's own key or name."""

    timezone: ZoneInfo
    products: Mapping[str, Product]
    clients: Mapping[tuple[str, str], Client]  # (psa, client id)
    roles: Mapping[str, Role] = new_field(default_factory=dict)
    profiles: Mapping[str, frozenset[str]] = new_field(
        default_factory=dict
    )  # name -> covered products
    lines: tuple[FlexibleLine, ...] = ()
    exceptions: tuple[UsageException, ...] = ()
    accepted: tuple[Acceptance, ...] = ()
    guards: GuardLimits = GuardLimits()
    writes: WriteSwitches = WriteSwitches()
