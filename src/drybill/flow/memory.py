"""Memory: what a run takes from the journal, and what it leaves there for later ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from drybill.billing.quantity import UNKNOWN
from drybill.billing.row import Row
from drybill.flow.run import Computed, Fetched, Past
from drybill.journal import Journal, NameKey
from drybill.mapping.load import Mapping as MappingFile
from drybill.plan.guards import RecentWrite
from drybill.psa.port import PsaReader

_QUIET = "quiet-rows"
_PSA = "psa."  # before a PSA's name where vendors' names stand, too


def identity(mapping: Path) -> str:
    """What makes two runs runs of the same mapping: where its file is."""
    return str(mapping.resolve())


def moment(as_of: date | datetime, zone: ZoneInfo) -> datetime:
    """The last moment that a run speaks of: a day means the whole of it."""
    if isinstance(as_of, datetime):
        return as_of
    return datetime.combine(as_of, time.max, zone)


def recall(
    journal: Journal, mapping: MappingFile, fetched: Fetched, as_of: datetime, now: datetime
) -> Past:
    """Everything earlier that this run's plan depends on."""
    scope = identity(mapping.path)
    history = journal.history
    complete = {
        name: answer.records
        for name in fetched.usages
        if (answer := history.last_complete(scope, name, as_of)) is not None
    }
    absent = {
        (name, customer, key): since
        for name in fetched.usages
        for (customer, key), since in history.absences(scope, name, as_of).items()
    }
    return Past(
        complete=complete,
        complete_psa={
            name: answer.records
            for name in fetched.readings
            if (answer := history.last_complete(scope, _PSA + name, as_of)) is not None
        },
        names=dict(history.names(scope, as_of)),
        highest=highest(journal, fetched.readers, as_of),
        absent_since=absent,
        recent=recent_writes(journal, fetched.readers, now),
        agreed=frozenset(
            (name, agreement)
            for name, reader in fetched.readers.items()
            for agreement in history.agreed(reader.instance, as_of)
        ),
    )


def highest(
    journal: Journal, readers: Mapping[str, PsaReader], as_of: datetime
) -> Mapping[str, Decimal]:
    """Row -> highest quantity of the last 35 days: what a fall is measured from."""
    found: dict[str, Decimal] = {}
    for reader in readers.values():  # a row's id holds its PSA's name
        found |= journal.history.highest(reader.instance, as_of)
    return found


def recent_writes(
    journal: Journal, readers: Mapping[str, PsaReader], now: datetime, plan: str = ""
) -> list[RecentWrite]:
    """The writes of the last 24 hours on these PSAs, whatever mapping they came from.

    Those of the plan with the digest `plan` are left out: a plan that goes on after it was killed
    has its own lines in it already.
    """
    return [
        RecentWrite(name, write.row, write.client, write.currency, write.difference or Decimal(0))
        for name, reader in readers.items()
        for write in journal.recent_writes(reader.instance, now)
        if write.plan != plan
    ]


def remember(journal: Journal, run: str, computed: Computed, fetched: Fetched) -> None:
    """Receipts, names, highest quantities and absences, for the runs to come."""
    history = journal.history
    for name, receipt in computed.psa_receipts.items():
        journal.record_receipt(run, replace(receipt, source=_PSA + name))
    absent_by_vendor: dict[str, list[tuple[str, str]]] = {name: [] for name in computed.receipts}
    for vendor, customer, key in computed.absent_now:
        absent_by_vendor[vendor].append((customer, key))
    for name, receipt in computed.receipts.items():
        journal.record_receipt(run, receipt)
        history.record_absences(run, receipt, absent_by_vendor[name])
    history.record_names(run, computed.names)
    if computed.newly_trusted:
        renamed: dict[NameKey, str] = {
            (r.source, r.kind, r.id): r.now for r in computed.newly_trusted
        }
        history.trust_names(run, renamed)
    quantities: dict[str, dict[str, Decimal]] = {name: {} for name in fetched.readers}
    for invoice in computed.invoices:
        for row in invoice.rows:
            if row.line_id is not None and row.quantity_before is not UNKNOWN:
                quantities[row.psa][row.id] = row.quantity_before
    for line in computed.quiet_lines:
        quantity = line.line.last.quantity
        if quantity is not UNKNOWN:
            quantities[line.contract.agreement.psa][line.row_id] = quantity
    for name, reader in fetched.readers.items():
        history.record_highest(run, reader.instance, quantities[name])
        agreed = {
            invoice.agreement_id
            for invoice in computed.plan.invoices
            if invoice.psa == name and invoice.witness is not None and invoice.witness_agrees
        }
        history.record_agreed(run, reader.instance, sorted(agreed))
    if not computed.quiet_lines:
        quiet = [row for rows in computed.quiet.values() for row in rows]
        journal.attach(run, _QUIET, msgspec.json.encode(quiet))


def quiet_rows(journal: Journal, run: str) -> list[Row]:
    """The unchanged and fixed rows of a run; none where they got no row of their own."""
    content = journal.attachment(run, _QUIET)
    return msgspec.json.decode(content, type=list[Row]) if content else []
