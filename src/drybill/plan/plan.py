"""The plan as a document: everything that a run says, in an order that depends on content alone.

`diff` shows it, the journal registers it, `--save` exports it, `--apply` executes its writes and
`explain` reads it. The facts of the execution (run id, times) stand outside: see `report.document`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct

from drybill.billing.invoice import Cause, Horizon, InvoiceKey, Totals, WitnessedLine
from drybill.billing.money import EXACT
from drybill.billing.row import IgnoredUsage, Row, UnmappedUsage, Verdict

PLAN_VERSION = "drybill.plan/1"


class PlannedInvoice(Struct, frozen=True, kw_only=True):
    """An invoice with its rows that differ or leak; the others only as a count and a sum."""

    psa: str
    client_id: str
    client: str
    agreement_id: str
    agreement: str
    currency: str
    period_start: date
    period_end: date
    invoice_date: date
    horizon: Horizon
    base_amount: Decimal
    before: Decimal
    after: Decimal
    not_projected: tuple[str, ...]
    unbilled_periods: tuple[date, ...]
    unknown_lines: int
    leak: Decimal | None
    witness: Decimal | None  # what the PSA itself says that `before` is; never part of a sum
    rows: tuple[Row, ...]
    quiet_rows: int  # unchanged and fixed ones without a leak, which are not in `rows`
    quiet_amount: Decimal  # their sum, before = after
    witness_lines: tuple[WitnessedLine, ...] = ()

    @property
    def witness_agrees(self) -> bool:
        """To the cent, and each line that it tells; where it says nothing, nothing contradicts."""
        return (self.witness is None or self.witness == self.before) and all(
            line.agrees for line in self.witness_lines
        )

    @property
    def key(self) -> InvoiceKey:
        return self.psa, self.client_id, self.agreement_id, self.currency, self.invoice_date

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


class SourceSummary(Struct, frozen=True, kw_only=True):
    """A receipt, as it is shown: no fetch times."""

    name: str
    role: str  # psa | vendor
    kind: str
    measure: str
    complete: bool
    customers: int
    records: int
    as_of: str | None
    problems: tuple[str, ...]
    asked: bool = True  # False: it could not be reached
    denied: int = 0  # customers whose rows it refused to show


class Plan(Struct, frozen=True, kw_only=True):
    version: str
    mapping_digest: str
    today: date  # in the mapping's time zone
    timezone: str
    options: tuple[tuple[str, str], ...]  # what the command line changed: period, horizon, filters
    sources: tuple[SourceSummary, ...]
    causes: tuple[Cause, ...]
    invoices: tuple[PlannedInvoice, ...]
    ignored: tuple[IgnoredUsage, ...]
    unmapped: tuple[UnmappedUsage, ...]
    totals: tuple[Totals, ...]
    guards: tuple[Verdict, ...]  # client and run guards that would stop --apply
    buckets: tuple[tuple[str, int], ...]
    complete: bool  # every source answered wholly; says nothing about whether rows differ
    targets: tuple[tuple[str, str], ...]  # (psa, what a person recognises: a host, a file)
    parent: str | None = None  # digest of the plan that this one was cut from

    @property
    def rows(self) -> list[Row]:
        return [row for invoice in self.invoices for row in invoice.rows]

    @property
    def restores(self) -> bool:
        """It undoes a run: every value that it writes was there before."""
        return any(name == "undo" for name, _ in self.options)

    @property
    def has_changes(self) -> bool:
        return any(row.bucket.differs for row in self.rows)

    @property
    def writes(self) -> list[Row]:
        return [row for row in self.rows if row.would_write]

    def stopped(self, invoice: PlannedInvoice) -> bool:
        """Whether a client or run guard would stop `--apply` for this invoice's rows."""
        return any(
            not guard.lifted and (guard.scope == "run" or guard.subject == invoice.client_id)
            for guard in self.guards
        )

    @property
    def applyable(self) -> bool:
        """Something would be written, and no client or run guard stops it."""
        return bool(self.writes) and all(guard.lifted for guard in self.guards)
