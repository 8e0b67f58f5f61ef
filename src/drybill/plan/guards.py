"""Guards: limits on what one row, one client, one run may move. One pure function per scope.

A row guard decides the bucket (blocked); client and run guards stop `--apply` and are announced.
Each is lifted only by name and with a reason, in the plan, never standing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from drybill.billing.money import EXACT
from drybill.billing.policy import GuardLimits, RowLimits
from drybill.billing.proposal import hold
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.row import Reason, Row, Verdict
from drybill.plan.plan import PlannedInvoice

# A change of fewer units than this is never measured in percent: 1 to 2 seats is 100 %.
PERCENT_FROM_UNITS = 5
CLIENT_FROM_ROWS = 4
INVOICES_FROM_ROWS = 10

_CODES = {
    "units": "GUARD_UNITS",
    "percent": "GUARD_PERCENT",
    "money": "GUARD_MONEY",
    "to_zero": "GUARD_TO_ZERO",
    "commitment": "GUARD_COMMITMENT",
    "rename": "GUARD_RENAME",
    "past_periods": "PAST_PERIODS_UNBILLED",
    "currency": "CURRENCY_MISMATCH",
    "witness": "WITNESS_DIFFERS",
}

ROW_GUARDS = frozenset(_CODES)
RUN_GUARDS = frozenset(
    {
        "client.percent_of_invoice",
        "client.money",
        "run.rows",
        "run.percent_of_invoices",
        "run.money",
    }
)
SOURCE_GUARDS = frozenset({"source.shrink_percent"})


class Allowance(Struct, frozen=True):
    """`--allow [ROW:]GUARD --reason TEXT`: lifts one guard for one row, or wherever it stops."""

    guard: str
    reason: str
    row: str = ""  # a row id or a unique prefix of one; empty: all

    def lifts(self, scope: str, name: str, row: str = "") -> bool:
        named = (
            self.guard in (name, f"{scope}.{name}")
            if scope == "row"
            else (self.guard == f"{scope}.{name}")
        )
        return named and (not self.row or (bool(row) and row.startswith(self.row)))


class RecentWrite(Struct, frozen=True):
    """A write of the last 24 hours on the same PSA, from the journal."""

    psa: str
    row: str
    client_id: str
    currency: str
    difference: Decimal


class Renamed(Struct, frozen=True):
    """An id whose name is not the trusted one any more."""

    source: str
    kind: Literal["client", "customer", "product"]
    id: str
    was: str
    now: str

    @property
    def says(self) -> str:
        return f"{self.source} {self.kind} {self.id} is now `{self.now}`"


def guard_rows(
    rows: Iterable[Row],
    limits: GuardLimits,
    product_limits: Mapping[str, RowLimits],
    highest: Mapping[str, Decimal],
    renamed: Sequence[Renamed],
    overdue: Mapping[str, tuple[date, ...]],
    root_currency: Mapping[str, str],
    contradicted: Mapping[str, tuple[str, str]],
    allowances: Sequence[Allowance],
) -> None:
    """Turns every difference that a guard stops into a blocked row, with all verdicts on it.

    `highest` is the journal's highest quantity per row of the last 35 days: a fall is measured
    from the larger of that and the PSA's value. `overdue` names rows on invoices with two or more
    past periods, `root_currency` rows of an agreement that has another currency than its root,
    `contradicted` rows of an invoice of which the PSA itself says another amount.
    """
    names: dict[tuple[str, str, str], Renamed] = {(r.source, r.kind, r.id): r for r in renamed}
    for row in rows:
        if not row.bucket.differs:
            continue
        found = [
            *row_verdicts(row, product_limits.get(row.product_key, limits.row), limits, highest),
            *_renames(row, names),
            *_overdue(row, overdue),
            *_currency(row, root_currency),
            *_witness(row, contradicted),
        ]
        if not found:
            continue
        row.guards = tuple(_lifted(verdict, allowances, row.id) for verdict in found)
        stopping = [verdict for verdict in row.guards if not verdict.lifted]
        if stopping:
            hold(row)
            row.reasons = (
                *(Reason(_CODES[v.name], _detail(v)) for v in stopping),
                *row.reasons,
            )


def hold_creates(rows: Iterable[Row], shrunk: Collection[str]) -> None:
    """A line that a PSA leaves out of a shrunken answer must not be made a second time."""
    for row in rows:
        if row.change == "create" and row.bucket.differs and row.psa in shrunk:
            hold(row)
            row.reasons = (Reason("SOURCE_SHRUNK", row.psa), *row.reasons)


def row_verdicts(
    row: Row, own: RowLimits, limits: GuardLimits, highest: Mapping[str, Decimal]
) -> Iterable[Verdict]:
    """What the row itself says against its difference, whatever else the run has seen.

    `own` are the limits of its product, or the mapping's.
    """
    yield from _limits(row, own, highest)
    yield from _to_zero(row, limits)
    yield from _commitment(row)


def _limits(row: Row, limits: RowLimits, highest: Mapping[str, Decimal]) -> Iterable[Verdict]:
    before = row.quantity_before if row.quantity_before is not UNKNOWN else ZERO
    after = row.quantity_after if row.quantity_after is not UNKNOWN else ZERO
    reference = before
    if after < before:
        reference = max(before, highest.get(row.id, before))
    units = EXACT.abs(EXACT.subtract(after, reference))
    if limits.units is not None and units > limits.units:
        yield _row_verdict(row, "units", f"{units:f} units", f"{limits.units:f}")
    measured = reference > 0 and units >= PERCENT_FROM_UNITS
    if measured and limits.percent is not None and _exceeds(units, reference, limits.percent):
        percent = _percent(units, reference)
        yield _row_verdict(row, "percent", f"{percent} %", f"{limits.percent:f} %")
    limit = limits.money.get(row.currency)
    if limit is not None and EXACT.abs(row.difference) > limit:
        value = f"{EXACT.abs(row.difference):f} {row.currency}"
        yield _row_verdict(row, "money", value, f"{limit:f} {row.currency}")


def _to_zero(row: Row, limits: GuardLimits) -> Iterable[Verdict]:
    if not limits.to_zero and row.quantity_after == 0:
        yield _row_verdict(row, "to_zero", f"{row.quantity_before or ZERO:f} -> 0", "not to 0")


def _commitment(row: Row) -> Iterable[Verdict]:
    if (
        row.change in ("decrease", "end")
        and row.committed_until is not None
        and row.effective is not None
        and row.effective < row.committed_until
    ):
        day = row.committed_until.isoformat()
        yield _row_verdict(
            row, "commitment", f"lower from {row.effective.isoformat()}", f"not before {day}"
        )


def _renames(row: Row, names: Mapping[tuple[str, str, str], Renamed]) -> Iterable[Verdict]:
    if not names:
        return
    ids = [(row.psa, "client", row.client_id)]
    for use in row.usage:
        ids.append((use.vendor, "customer", use.customer_id))
        ids.append((use.vendor, "product", use.sku))
    for key in dict.fromkeys(ids):
        renamed = names.get(key)
        if renamed is not None:
            yield _row_verdict(row, "rename", renamed.says, f"was `{renamed.was}`")


def _overdue(row: Row, overdue: Mapping[str, tuple[date, ...]]) -> Iterable[Verdict]:
    periods = overdue.get(row.id)
    if periods:
        value = ", ".join(day.isoformat() for day in periods[:6])
        verdict = _row_verdict(row, "past_periods", value, "1 past period")
        yield replace(verdict, lift=f"--period {periods[0].isoformat()}")


def _currency(row: Row, root_currency: Mapping[str, str]) -> Iterable[Verdict]:
    currency = root_currency.get(row.id)
    if currency is not None:
        yield _row_verdict(row, "currency", row.currency, currency)


def _witness(row: Row, contradicted: Mapping[str, tuple[str, str]]) -> Iterable[Verdict]:
    said = contradicted.get(row.id)
    if said is not None:
        yield _row_verdict(row, "witness", f"the PSA says {said[0]}", f"projected {said[1]}")


def _row_verdict(row: Row, name: str, value: str, limit: str) -> Verdict:
    return Verdict("row", name, value, limit, "this row", f"--allow {row.id}:{name} --reason TEXT")


def _detail(verdict: Verdict) -> str:
    if verdict.name in ("to_zero", "past_periods"):
        return verdict.value
    if verdict.name == "witness":
        return f"{verdict.value}, {verdict.limit}"
    return f"{verdict.value}, limit {verdict.limit}"


def _lifted(verdict: Verdict, allowances: Sequence[Allowance], row: str = "") -> Verdict:
    for allowance in allowances:
        if allowance.lifts(verdict.scope, verdict.name, row):
            return replace(verdict, lifted=allowance.reason)
    return verdict


def guard_run(
    invoices: Sequence[PlannedInvoice],
    limits: GuardLimits,
    recent: Sequence[RecentWrite],
    allowances: Sequence[Allowance],
) -> list[Verdict]:
    """Client and run guards over what would be written, the writes of the last 24 hours included.

    Measured are the rows that would really be written: a switched-off difference stops nobody.
    Each PSA is measured by itself: a large one must not make room for a small one.
    """
    found: list[Verdict] = []
    by_client: dict[tuple[str, str], list[PlannedInvoice]] = {}
    by_psa: dict[str, list[PlannedInvoice]] = {}
    for invoice in invoices:
        by_client.setdefault((invoice.psa, invoice.client_id), []).append(invoice)
        by_psa.setdefault(invoice.psa, []).append(invoice)
    for (psa, client_id), members in sorted(by_client.items()):
        own = [write for write in recent if (write.psa, write.client_id) == (psa, client_id)]
        found += _client(client_id, members, limits, own)
    for psa, members in sorted(by_psa.items()):
        where = f"--apply to {psa}" if len(by_psa) > 1 else "--apply"
        found += _run(members, limits, [write for write in recent if write.psa == psa], where)
    return [_lifted(verdict, allowances) for verdict in found]


def _client(
    client_id: str,
    members: Sequence[PlannedInvoice],
    limits: GuardLimits,
    recent: Sequence[RecentWrite],
) -> Iterable[Verdict]:
    moved, changed = _moved(members, recent)
    if not any(row.would_write for invoice in members for row in invoice.rows):
        return
    stops = f"--apply, for client {client_id}"
    percent = limits.client_percent_of_invoice
    if percent is not None and changed >= CLIENT_FROM_ROWS:
        for value in _shares(members, recent, percent).values():
            limit_said = f"{percent:f} %"
            yield _verdict("client", "percent_of_invoice", value, limit_said, stops, client_id)
    for currency, amount in sorted(moved.items()):
        limit = limits.client_money.get(currency)
        if limit is not None and amount > limit:
            value, shown = f"{amount:f} {currency}", f"{limit:f} {currency}"
            yield _verdict("client", "money", value, shown, stops, client_id)


def _run(
    invoices: Sequence[PlannedInvoice],
    limits: GuardLimits,
    recent: Sequence[RecentWrite],
    stops: str,
) -> Iterable[Verdict]:
    moved, changed = _moved(invoices, recent)
    if not any(row.would_write for invoice in invoices for row in invoice.rows):
        return
    everything = sum(len(invoice.rows) + invoice.quiet_rows for invoice in invoices)
    allowed = _allowed_rows(limits, everything)
    if allowed is not None and changed > allowed:
        value = f"{changed} rows" + (
            f", {len(recent)} of them in the last 24 hours" if recent else ""
        )
        yield _verdict("run", "rows", value, f"{allowed:f}", stops, "")
    percent = limits.run_percent_of_invoices
    if percent is not None and changed >= INVOICES_FROM_ROWS:
        for currency, value in _shares(invoices, recent, percent).items():
            limit_said = f"{percent:f} %"
            yield _verdict("run", "percent_of_invoices", value, limit_said, stops, currency)
    for currency, amount in sorted(moved.items()):
        limit = limits.run_money.get(currency)
        if limit is not None and amount > limit:
            value, shown = f"{amount:f} {currency}", f"{limit:f} {currency}"
            yield _verdict("run", "money", value, shown, stops, currency)


def _shares(
    invoices: Sequence[PlannedInvoice], recent: Sequence[RecentWrite], percent: Decimal
) -> dict[str, str]:
    """Currency -> what moves more than `percent` of the invoices, in words.

    Invoices of now and those after the horizon are measured apart: a yearly one that is a long way
    off must not make room for this month's.
    """
    found: dict[str, str] = {}
    for horizon in ("now", "later"):
        part = [invoice for invoice in invoices if invoice.horizon == horizon]
        if not any(row.would_write for invoice in part for row in invoice.rows):
            continue  # what was written before is no part of an invoice that stays as it is
        moved, _ = _moved(part, recent)
        for currency, amount in sorted(moved.items()):
            before = _before(part, currency)
            if _exceeds(amount, before, percent):
                since = ", writes of the last 24 hours included" if recent else ""
                found.setdefault(currency, _of(amount, before) + since)
    return found


def _allowed_rows(limits: GuardLimits, everything: int) -> Decimal | None:
    """Of the fixed number and the percentage of all rows the larger one counts."""
    allowed = [Decimal(limits.run_rows)] if limits.run_rows is not None else []
    if limits.run_percent_of_rows is not None:
        share = EXACT.divide(
            EXACT.multiply(limits.run_percent_of_rows, Decimal(everything)), Decimal(100)
        )
        allowed.append(share)
    return max(allowed, default=None)


def _moved(
    invoices: Sequence[PlannedInvoice], recent: Sequence[RecentWrite]
) -> tuple[dict[str, Decimal], int]:
    """(absolute differences per currency, how many rows)."""
    moved: dict[str, Decimal] = {}
    changed = len(recent)
    for write in recent:
        _add(moved, write.currency, write.difference)
    for invoice in invoices:
        for row in invoice.rows:
            if row.would_write:
                changed += 1
                _add(moved, row.currency, row.difference)
    return moved, changed


def _add(moved: dict[str, Decimal], currency: str, difference: Decimal) -> None:
    moved[currency] = EXACT.add(moved.get(currency, ZERO), EXACT.abs(difference))


def _before(invoices: Sequence[PlannedInvoice], currency: str) -> Decimal:
    before = ZERO
    for invoice in invoices:
        if invoice.currency == currency:
            before = EXACT.add(before, invoice.before)
    return before


def _exceeds(amount: Decimal, before: Decimal, percent: Decimal) -> bool:
    if before <= 0:
        return amount > 0
    return EXACT.multiply(amount, Decimal(100)) > EXACT.multiply(percent, before)


def _of(amount: Decimal, before: Decimal) -> str:
    return f"{_percent(amount, before)} %" if before > 0 else f"{amount:f} of nothing"


def _percent(part: Decimal, whole: Decimal) -> str:
    share = EXACT.divide(EXACT.multiply(part, Decimal(100)), whole)
    return f"{share.quantize(Decimal('0.1'), context=EXACT):f}"


def _verdict(scope: str, name: str, value: str, limit: str, stops: str, subject: str) -> Verdict:
    lift = f"--allow {scope}.{name} --reason TEXT"
    return Verdict(scope, name, value, limit, stops, lift, subject=subject)
