"""Money: exact decimals with a currency, rounded to the currency's minor units.

Rows and invoices carry bare Decimals beside one `currency` field; whatever adds amounts of
several rows does it per currency. Currencies are never added to one another.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct

# One context for every amount, so that no result depends on the process's own context. The
# precision is far above any amount times quantity; only `quantize` may round.
EXACT: Final = Context(prec=80)


class RoundingMode(StrEnum):
    """How a half is rounded. Python's own default, half to even, is never used silently."""

    HALF_UP = "half_up"  # away from zero
    HALF_EVEN = "half_even"
    DOWN = "down"  # toward zero

    @property
    def decimal(self) -> str:
        return _DECIMAL[self]


_DECIMAL = {
    RoundingMode.HALF_UP: ROUND_HALF_UP,
    RoundingMode.HALF_EVEN: ROUND_HALF_EVEN,
    RoundingMode.DOWN: ROUND_DOWN,
}


class RoundingPoint(StrEnum):
    """Where a PSA rounds: the line after the quantity, or the unit price before it."""

    LINE = "line"
    UNIT_PRICE = "unit_price"


class Rounding(Struct, frozen=True):
    """A PSA's rounding. `assumed` until an issued invoice proved it."""

    mode: RoundingMode = RoundingMode.HALF_UP
    point: RoundingPoint = RoundingPoint.LINE
    assumed: bool = False


class UnknownCurrency(ValueError):
    """Not a currency of ISO 4217 that has minor units."""


@lru_cache(maxsize=256)
def minor_units(currency: str) -> int:
    """Digits after the point: USD 2, JPY 0, KWD 3 (ISO 4217).

    Raises:
        UnknownCurrency: for a code that ISO 4217 does not list, or one without minor units (XAU).
    """
    from iso4217 import Currency

    try:
        exponent = Currency(currency).exponent
    except ValueError:
        raise UnknownCurrency(f"`{currency}` is not an ISO 4217 currency code") from None
    if exponent is None:
        raise UnknownCurrency(f"`{currency}` has no minor units, nothing can be billed in it")
    return int(exponent)


def is_currency(code: str) -> bool:
    try:
        minor_units(code)
    except UnknownCurrency:
        return False
    return True


@lru_cache(maxsize=256)
def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency: 0.01 USD, 1 JPY, 0.001 KWD."""
    return Decimal(1).scaleb(-minor_units(currency))


def round_money(
    amount: Decimal, currency: str, mode: RoundingMode = RoundingMode.HALF_UP
) -> Decimal:
    """`amount` with exactly the currency's digits, so that 550 USD prints as 550.00."""
    return amount.quantize(minor_unit(currency), rounding=mode.decimal, context=EXACT)


def rounded_share(
    amount: Decimal, part: int, whole: int, currency: str, mode: RoundingMode = RoundingMode.HALF_UP
) -> Decimal:
    """`amount * part / whole`, rounded once to the currency's minor units.

    The quotient is cut at 80 digits before it is rounded. That cannot move a half: a quotient of
    terms this short is either exactly a half or further from one than 10**-70.
    """
    product = EXACT.multiply(amount, Decimal(part))
    return round_money(EXACT.divide(product, Decimal(whole)), currency, mode)


class Money(Struct, frozen=True, order=True):
    """An amount with its currency; refuses to meet another currency."""

    amount: Decimal
    currency: str

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added")
        return Money(EXACT.add(self.amount, other.amount), self.currency)

    def __str__(self) -> str:
        return f"{self.amount:,f} {self.currency}"
