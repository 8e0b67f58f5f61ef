"""A row: one PSA line, or one use of a product without a line, with all that led to its number."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from drybill.billing.change import ChangeField, Observed, WriteStep
from drybill.billing.money import EXACT, round_money
from drybill.billing.quantity import Quantity


class Bucket(StrEnum):
    """Where every use of a vendor unit and every PSA line in scope ends: exactly one."""

    UNCHANGED = "unchanged"
    CHANGE = "change"
    CREATE = "create"
    END = "end"
    FIXED = "fixed"  # no mapped product
    ORPHAN = "orphan"  # mapped product, but its client is at none of its vendors
    IGNORED = "ignored"  # a rule says so: covered, accepted, excluded
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    UNMAPPED = "unmapped"

    @property
    def differs(self) -> bool:
        return self in _DIFFERS


_DIFFERS = frozenset({Bucket.CHANGE, Bucket.CREATE, Bucket.END})
QUIET = (Bucket.UNCHANGED, Bucket.FIXED)


class Reason(Struct, frozen=True):
    """A reason code (see `reasons`), with what is particular about this row.

    `about` holds the names that a fix needs: (vendor, customer, code), or (role, candidates...).
    """

    code: str
    detail: str = ""
    about: tuple[str, ...] = ()


class Piece(Struct, frozen=True):
    """One segment's part of a line's amount: a piece of the arithmetic that a person can redo.

    amount = round(max(quantity - included, 0) x unit_price x used_days / period_days)
    """

    line_id: str
    quantity: Quantity
    included: Decimal
    unit_price: Decimal | None
    billing: str
    first_day: date
    until: date  # exclusive
    used_days: int
    period_days: int
    amount: Decimal | None  # agreement's currency; None: the PSA gave no quantity or no price


class LeakPiece(Struct, frozen=True):
    """What one stretch of an invoiced period missed, as a person can redo it.

    amount = round(missing x unit_price x used_days / period_days), in the agreement's currency
    """

    first_day: date
    until: date  # exclusive
    missing: Decimal  # billed units; negative: surplus ones
    unit_price: Decimal
    used_days: int
    period_days: int
    amount: Decimal


class Counted(Struct, frozen=True):
    """One vendor's answer that a number was counted from."""

    vendor: str
    customer_id: str
    sku: str
    quantity: Quantity
    measure: str = ""
    as_of: str = ""
    subscription_id: str = ""


class Step(Struct, frozen=True):
    """One step of the computation of a quantity: the number after it, what was done, and where.

    `path` is the mapping entry that says so (`products."EDR".quantity[0]`), empty for sums.
    """

    value: Quantity
    says: str
    path: str = ""


class Verdict(Struct, frozen=True):
    """What a guard says: a value against its limit. `stops` is what it stops."""

    scope: str  # row | client | run | source
    name: str  # units, percent, money, to_zero, commitment, ...
    value: str
    limit: str
    stops: str  # "this row", "--apply", "--apply for client 250"
    lift: str  # what a person would type
    lifted: str = ""  # the reason given, where it was lifted by name
    subject: str = ""  # client id, currency or vendor that it speaks of


class Wanted(Struct, frozen=True):
    """What a blocked row would have become."""

    quantity: Quantity
    difference: Decimal | None


class Row(Struct, kw_only=True):
    """One (agreement, PSA product, slot), compared.

    Amounts are in the agreement's currency, for the whole projected period. A row that is not
    changed keeps `amount_after = amount_before`; None is an amount that the PSA leaves unknown.
    """

    id: str
    psa: str
    client_id: str  # the agreement's company
    client: str
    agreement_id: str
    product: str  # the PSA's id
    product_key: str = ""  # the mapping's; empty: not mapped
    slot: str = ""
    line_id: str | None = None  # several segments joined by +; None: there is no line
    description: str = ""
    currency: str
    bucket: Bucket
    reasons: tuple[Reason, ...] = ()
    usage: tuple[Counted, ...] = ()
    steps: tuple[Step, ...] = ()
    counted: Quantity = None  # the vendor's number after all rules
    quantity_before: Quantity = None
    quantity_after: Quantity = None
    unit_price: Decimal | None = None
    unit_cost: Decimal | None = None
    pieces_before: tuple[Piece, ...] = ()
    pieces_after: tuple[Piece, ...] = ()
    amount_before: Decimal | None = None
    amount_after: Decimal | None = None
    leak: Decimal | None = None  # the sum of its pieces
    leak_unknown: bool = False  # lines keep anybody from saying what was billed then
    leak_pieces: tuple[LeakPiece, ...] = ()  # by day; only stretches that were billed wrong
    wanted: Wanted | None = None
    accepted_difference: Decimal | None = None  # what an accepted row would have moved
    effective: date | None = None  # first day of the changed state
    committed_until: date | None = None  # first day on which the vendor lets the quantity go down
    final: bool = True  # False: metered usage that may still grow
    change: ChangeField | None = None  # the switch that this difference needs
    dated: bool = False  # the mapping asks for an end and a new line, from that day
    ends: date | None = None  # where an end is taken back: first day off that the line had before
    would_write: bool = False
    held_by: str = ""  # why a difference would not be written: switch, trust, finality, selection
    guards: tuple[Verdict, ...] = ()
    observed: Observed | None = None
    steps_to_write: tuple[WriteStep, ...] = ()

    @property
    def quiet(self) -> bool:
        """It stays as it is, and the periods before it were billed right: worth no line."""
        return self.bucket in QUIET and not self.leak and not self.leak_unknown

    @property
    def difference(self) -> Decimal:
        """amount after - amount before; 0 where an amount is unknown (it is outside every sum)."""
        if self.amount_before is None or self.amount_after is None:
            return round_money(Decimal(0), self.currency)
        return EXACT.subtract(self.amount_after, self.amount_before)


class IgnoredUsage(Struct, frozen=True):
    """Usage without a line that a rule ignores."""

    row: str
    vendor: str
    customer_id: str
    sku: str
    quantity: Quantity
    cost: Decimal | None
    cost_currency: str
    reason: str
    client_id: str = ""
    detail: str = ""


class UnmappedUsage(Struct, frozen=True):
    """Usage that the mapping leads nowhere. Cost is the vendor's; the estimate is a price."""

    row: str
    vendor: str
    customer_id: str
    customer_name: str
    client_id: str | None
    sku: str
    product_name: str
    term: str
    quantity: Quantity
    cost: Decimal | None
    cost_currency: str
    price_estimate: Decimal | None
    currency: str
    reason: str
    detail: str = ""
    about: tuple[str, ...] = ()  # see Reason


_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(first + second for first in _BASE32 for second in _BASE32)


def row_id(*keys: str) -> str:
    """The first 12 characters of a lower-case base32 hash (RFC 4648) of the keys.

    For a line: PSA name, agreement id, product id, slot. For usage without a line: vendor name,
    customer id, SKU, term. Two characters at a time: the library's encoder is ten times slower,
    and every line of a run has an id.
    """
    joined = "\x1f".join(keys)
    if joined.count("\x1f") >= len(keys) or "\x1e" in joined:  # an id may hold our separator
        joined = "\x1f".join(key.replace("\x1e", "\x1e0").replace("\x1f", "\x1e1") for key in keys)
    digest = hashlib.sha256(joined.encode("utf-8", "surrogatepass")).digest()
    bits = int.from_bytes(digest[:8], "big") >> 4
    return (
        _PAIRS[bits >> 50]
        + _PAIRS[bits >> 40 & 1023]
        + _PAIRS[bits >> 30 & 1023]
        + _PAIRS[bits >> 20 & 1023]
        + _PAIRS[bits >> 10 & 1023]
        + _PAIRS[bits & 1023]
    )
