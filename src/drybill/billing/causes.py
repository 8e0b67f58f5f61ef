"""Causes: one fixable reason behind many rows, ranked by money, with what would fix it.

Every row that is not in step belongs to exactly one cause. Money of rows is a price (the
difference, or what stands unchecked); money of unmapped usage is vendor cost or a price estimate,
and the two are never added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.fixes import Group, say
from drybill.billing.invoice import Cause, CauseMoney
from drybill.billing.money import EXACT
from drybill.billing.quantity import ZERO
from drybill.billing.row import Bucket, Reason, Row, UnmappedUsage

_OF_SOURCE = ("SOURCE_INCOMPLETE", "SOURCE_SHRUNK", "SOURCE_NOT_ASKED", "SOURCE_UNREACHABLE")
_OF_VENDOR = ("ABSENT_ONCE", "USAGE_PERIOD_MISMATCH")
_OF_CUSTOMER = ("CUSTOMER_NOT_LISTED", "CUSTOMER_DENIED")
_OF_CLIENT = ("CLIENT_NOT_MAPPED", "NO_CUSTOMER_ID")
_OF_AGREEMENT = ("AGREEMENT_NOT_FOUND", "AGREEMENT_AMBIGUOUS", "CYCLE_MISMATCH")
_GUARDS_OF_AGREEMENT = ("past_periods", "currency", "witness")
_OF_LINE = (
    "AMBIGUOUS_LINES",
    "FLEXIBLE_NEGATIVE",
    "WRONG_AGREEMENT",
    "LINE_STARTS_LATER",
    "BILLED_UNPROJECTED",
    "PRODUCT_LOOKS_ALIKE",
)


class _Collected(Struct):
    group: Group
    money: dict[tuple[str, str], Decimal] = new_field(default_factory=dict)

    def add(self, amount: Decimal | None, currency: str, kind: str) -> None:
        if amount is not None and currency:
            key = (currency, kind)
            self.money[key] = EXACT.add(self.money.get(key, ZERO), EXACT.abs(amount))


def causes(rows: Iterable[Row], unmapped: Sequence[UnmappedUsage]) -> list[Cause]:
    """All causes, most money first (the largest amount in any one currency), then most rows."""
    found: dict[tuple[str, ...], _Collected] = {}
    for row in rows:
        key = _key_of_row(row)
        if key is not None:
            collected = found.setdefault(key, _Collected(Group(key[0])))
            collected.group.rows.append(row)
            collected.add(_money_of(row), row.currency, "price")
    for use in unmapped:
        key = _key_of_use(use)
        collected = found.setdefault(key, _Collected(Group(key[0])))
        collected.group.uses.append(use)
        if use.price_estimate is not None:
            collected.add(use.price_estimate, use.currency, "price")
        else:
            collected.add(use.cost, use.cost_currency, "cost")
    told = [_cause(collected) for collected in found.values()]
    told.sort(key=lambda c: (EXACT.minus(_most(c)), -c.rows, c.cause))
    return told


def _most(cause: Cause) -> Decimal:
    return max((money.amount for money in cause.money), default=ZERO)


def _cause(collected: _Collected) -> Cause:
    sentence, fix = say(collected.group)
    ids = [row.id for row in collected.group.rows] + [use.row for use in collected.group.uses]
    return Cause(
        cause=sentence,
        rows=len(ids),
        money=tuple(
            CauseMoney(currency, amount, "cost" if kind == "cost" else "price")
            for (currency, kind), amount in sorted(collected.money.items())
        ),
        fix=fix,
        row_ids=tuple(sorted(ids)),
    )


def _money_of(row: Row) -> Decimal | None:
    if row.bucket is Bucket.BLOCKED:
        return row.wanted.difference if row.wanted else None
    return row.difference if row.bucket.differs else row.amount_before


def _key_of_row(row: Row) -> tuple[str, ...] | None:
    """What a row has in common with others that the same fix would clear; code first."""
    if row.bucket in (Bucket.UNCHANGED, Bucket.FIXED, Bucket.IGNORED):
        return None
    name = row.product_key or row.product
    if row.bucket.differs:
        if row.held_by == "NOT_SELECTED":
            return None  # nothing to fix
        if row.held_by == "SWITCH_OFF":
            return row.held_by, row.change or ""
        return (row.held_by,) if row.held_by else ("WRITABLE",)
    if row.guards:
        guard = row.guards[0].name
        return (f"guard {guard}", row.agreement_id if guard in _GUARDS_OF_AGREEMENT else name)
    reason = row.reasons[0] if row.reasons else Reason(row.bucket.value.upper())
    code, about = reason.code, reason.about
    if code in _OF_SOURCE:
        return code, reason.detail
    if code == "ABSENT_ONCE" and (misspelt := _named("SKU_IN_NO_ROW", row)):
        return (misspelt.code, misspelt.detail)
    if code in _OF_VENDOR:
        return (code, *about[:1]) if about else (code, name)
    if code in _OF_CUSTOMER:
        return (code, *about[:2])
    if code in _OF_AGREEMENT:
        return (code, row.client_id, *about)
    if code in _OF_CLIENT:
        return code, row.client_id
    if code in _OF_LINE:
        return code, row.agreement_id, name
    return (code, name, row.currency) if code == "PRICE_UNKNOWN" else (code, name)


def _named(code: str, row: Row) -> Reason | None:
    return next((reason for reason in row.reasons if reason.code == code), None)


def _key_of_use(use: UnmappedUsage) -> tuple[str, ...]:
    if use.reason == "SKU_NOT_MAPPED":
        return use.reason, use.vendor, use.sku, use.term
    if use.reason == "CUSTOMER_NOT_MAPPED":
        return use.reason, use.vendor, use.customer_id
    if use.reason in _OF_AGREEMENT:
        return (use.reason, use.client_id or "", *use.about)
    return use.reason, use.vendor, use.sku
