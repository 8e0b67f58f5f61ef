"""What the client signed: agreements, and their lines as schedules of dated segments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import force_setattr

from drybill.billing.money import Rounding
from drybill.billing.quantity import Quantity


class Status(StrEnum):
    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    INACTIVE = "inactive"


class Cycle(StrEnum):
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    SEMI_ANNUAL = "semi_annual"
    ANNUAL = "annual"
    ONE_TIME = "one_time"


class Timing(StrEnum):
    ADVANCE = "advance"
    ARREARS = "arrears"


class DayBasis(StrEnum):
    ACTUAL = "actual"
    FIXED_30 = "fixed_30"


class Billing(StrEnum):
    """How a line appears: billed, on the invoice at 0, or not on the invoice at all."""

    BILLABLE = "billable"
    NO_CHARGE = "no_charge"
    DO_NOT_BILL = "do_not_bill"


class Ownership(StrEnum):
    """Who sets the quantity of a line, where the PSA says it."""

    MANUAL = "manual"  # a person
    CALCULATED = "calculated"  # a counter, a licence count, an integration
    UNKNOWN = "unknown"


class Terms(Struct, frozen=True):
    """What of an agreement decides on whose invoice its lines stand, and for which days."""

    company_id: str
    currency: str
    next_period_start: date
    type: str
    status: Status
    start_date: date | None
    end_date: date | None
    cycle: Cycle
    timing: Timing
    prorate: bool
    day_basis: DayBasis
    parent_id: str | None
    bill_to: str | None
    state: str = ""


_WORDS = {"status": Status, "cycle": Cycle, "timing": Timing, "day_basis": DayBasis}


class Agreement(Struct, frozen=True):
    """One agreement as the PSA keeps it. Ids are the PSA's, as text."""

    psa: str  # the mapping's name of the PSA: "main"
    id: str
    company_id: str
    currency: str  # ISO 4217, upper case
    next_period_start: date  # first day of the first period not yet invoiced
    name: str = ""
    company_name: str = ""
    type: str = ""
    type_id: int | None = None
    status: Status = Status.ACTIVE
    cycle: Cycle = Cycle.MONTHLY
    timing: Timing = Timing.ADVANCE
    start_date: date | None = None  # first day
    end_date: date | None = None  # last day, inclusive
    prorate: bool = False  # does a change inside a period bill part of it
    day_basis: DayBasis = DayBasis.ACTUAL
    base_amount: Decimal | None = None  # the agreement's own amount; None: it has none
    parent_id: str | None = None
    bill_to: str | None = None  # company that pays, when it is another one
    bill_to_name: str = ""
    rounding: Rounding = Rounding()
    unprojected: str = ""  # why its invoices cannot be known; its lines still bill the client
    state: str = ""  # the PSA's own word for where it stands, if that moves while it is written

    def __post_init__(self) -> None:
        """An adapter may say the words of formats.md. Raises ValueError for others."""
        for name, kind in _WORDS.items():
            word = getattr(self, name)
            if type(word) is not kind:
                force_setattr(self, name, kind(word))

    @property
    def terms(self) -> Terms:
        return Terms(
            self.company_id,
            self.currency,
            self.next_period_start,
            self.type,
            self.status,
            self.start_date,
            self.end_date,
            self.cycle,
            self.timing,
            self.prorate,
            self.day_basis,
            self.parent_id,
            self.bill_to,
            self.state,
        )


def in_circles(parents: Mapping[str, str | None]) -> set[str]:
    """Ids of agreements that are their own ancestors; not of those below them. Each id is walked
    once."""
    done: set[str] = set()
    circles: set[str] = set()
    for start in parents:
        path: dict[str, int] = {}
        at: str | None = start
        while at is not None and at not in done and at not in path:
            path[at] = len(path)
            at = parents.get(at)
        if at is not None and at in path:
            circles.update(list(path)[path[at] :])
        done.update(path)
    return circles


class Segment(Struct, frozen=True):
    """What a PSA keeps under one line id: a product at one quantity and price for some days."""

    line_id: str
    agreement_id: str
    product: str  # the PSA's product id, as text
    quantity: Quantity  # UNKNOWN where the PSA gave none
    unit_price: Decimal | None  # per unit and cycle, agreement's currency; None: the PSA gave none
    description: str = ""
    included: Decimal = Decimal(0)  # free units: billed = max(quantity - included, 0)
    unit_cost: Decimal | None = None
    billing: Billing = Billing.BILLABLE
    effective: date | None = None  # first day billed; None: since ever
    cancelled: date | None = None  # first day no longer billed; None: open
    updated_at: str = ""  # last change as the PSA says it; only ever compared for equality
    ownership: Ownership = Ownership.UNKNOWN
    unsupported: str = ""  # why quantity x price is not what it bills; then without a price


class Line(Struct, frozen=True):
    """One recurring item of an agreement: its segments in the order of their dates."""

    agreement_id: str
    product: str
    segments: tuple[Segment, ...]
