"""What vendors say: usage records, and the receipts that say how complete they are."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from drybill.billing.quantity import Quantity


class QuantityKind(StrEnum):
    CURRENT_COUNT = "current_count"
    ENTITLEMENT = "entitlement"
    ASSIGNED = "assigned"
    METERED_TOTAL = "metered_total"
    METERED_PEAK = "metered_peak"
    METERED_AVERAGE = "metered_average"
    BILLED = "billed"

    @property
    def metered(self) -> bool:
        return self.value.startswith("metered")


class Finality(StrEnum):
    LIVE = "live"
    PROVISIONAL = "provisional"
    FINAL = "final"


class LineType(StrEnum):
    RECURRING = "recurring"
    PRORATE = "prorate"
    ONE_TIME = "one_time"
    USAGE = "usage"
    CREDIT = "credit"
    TAX = "tax"
    FEE = "fee"
    OTHER = "other"

    @property
    def counts(self) -> bool:
        """Only recurring and usage rows say how many units there are."""
        return self is LineType.RECURRING or self is LineType.USAGE


class UsageRecord(Struct, frozen=True):
    """One row of what a vendor says. The period is half-open: [period_start, period_end)."""

    vendor: str  # the mapping's name of the vendor: "pax8"
    customer_id: str
    sku: str
    quantity: Quantity
    customer_name: str = ""
    product_name: str = ""
    vendor_sku: str = ""
    product_id: str = ""
    subscription_id: str = ""
    kind: QuantityKind | None = None
    unit: str = ""
    period_start: date | None = None
    period_end: date | None = None
    as_of: datetime | date | None = None  # a datetime is aware, UTC
    finality: Finality | None = None
    line_type: LineType = LineType.RECURRING
    unit_cost: Decimal | None = None
    amount: Decimal | None = None  # what the vendor charges the MSP for this row
    currency: str = ""
    commitment_end: date | None = None  # first day on which the quantity may go down
    since: date | None = None  # day on which this quantity began
    term: str = ""
    trial: bool = False


class Receipt(Struct, frozen=True):
    """What a source claims about its own completeness, in two scopes.

    The enumeration: `complete` says that every customer was listed and every page or row read.
    Each customer: one in `denied` was listed, but its own rows could not be read.
    """

    source: str  # the mapping's name
    kind: str  # "files", "pax8", ...
    measure: str = ""  # which of the vendor's truths
    complete: bool = True
    records: int = 0
    customers: frozenset[str] = frozenset()  # every customer id that was listed
    denied: frozenset[str] = frozenset()
    as_of: datetime | None = None  # the source's own, aware UTC; None: it states none
    live: bool = False  # it was asked while the run went on: `as_of` is its clock then
    names: tuple[tuple[str, str], ...] = ()  # (customer id, name), sorted, for noticing renames
    product_names: tuple[tuple[str, str], ...] = ()  # (sku, name), sorted
    problems: tuple[str, ...] = ()  # why it is not complete, or what was noticed, one sentence each
