"""What a run is asked for, what its sources answered, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.agreement import Agreement
from drybill.billing.counting import AbsenceKey
from drybill.billing.invoice import Invoice, InvoiceKey
from drybill.billing.quiet import QuietLine
from drybill.billing.row import Row
from drybill.billing.usage import Receipt
from drybill.flow.selection import Selection
from drybill.journal import NameKey
from drybill.plan.guards import Allowance, RecentWrite, Renamed
from drybill.plan.plan import Plan
from drybill.psa.port import PsaReader, Reading
from drybill.vendors.port import Usage


class Request(Struct, frozen=True, kw_only=True):
    """What a run is asked for."""

    as_of: date | datetime  # a day means the whole of it; a moment is aware
    period: date | None = None
    horizon_days: int = 31
    without: frozenset[str] = frozenset()
    allowances: tuple[Allowance, ...] = ()
    selection: Selection = Selection()
    every_row: bool = True  # False: lines that obviously stay get no row of their own


class Past(Struct, frozen=True, kw_only=True):
    """What earlier runs on this mapping saw; all of it is an input of the plan."""

    complete: Mapping[str, int] = new_field(
        default_factory=dict
    )  # source -> rows of its last answer
    complete_psa: Mapping[str, int] = new_field(default_factory=dict)
    names: Mapping[NameKey, str] = new_field(default_factory=dict)
    highest: Mapping[str, Decimal] = new_field(default_factory=dict)
    absent_since: Mapping[AbsenceKey, datetime] = new_field(default_factory=dict)
    recent: Sequence[RecentWrite] = ()
    doubtful: frozenset[str] = frozenset()  # live sources whose clock was not this machine's
    agreed: frozenset[tuple[str, str]] = frozenset()  # (psa, agreement) whose witness once agreed


class Fetched(Struct, kw_only=True):
    """What the sources answered."""

    readers: dict[str, PsaReader]
    readings: dict[str, Reading]
    usages: dict[str, Usage]
    unreachable: set[str]

    @property
    def instances(self) -> dict[str, str]:
        """PSA name -> which PSA that is."""
        return {name: reader.instance for name, reader in self.readers.items()}

    @property
    def agreements(self) -> list[Agreement]:
        return [a for reading in self.readings.values() for a in reading.agreements]


class Computed(Struct, kw_only=True):
    """A plan, and what stands beside it: quiet rows, and what the journal should remember."""

    plan: Plan
    invoices: list[Invoice]
    quiet_lines: list[QuietLine]
    receipts: dict[str, Receipt]  # of the vendors
    psa_receipts: dict[str, Receipt]
    names: dict[NameKey, str]
    newly_trusted: list[Renamed]  # renames that this run's --allow lets pass for good
    absent_now: dict[AbsenceKey, datetime]

    @property
    def quiet(self) -> dict[InvoiceKey, list[Row]]:
        """The quiet rows of each invoice."""
        return {each.key: [row for row in each.rows if row.quiet] for each in self.invoices}
