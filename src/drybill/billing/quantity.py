"""A quantity is a number or UNKNOWN; zero is a number.

UNKNOWN is None, so that it has no arithmetic: strict typing refuses `quantity + 1` until the
unknown case was handled, and at run time it raises instead of counting as zero.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final

from drybill.billing.money import EXACT

Quantity = Decimal | None
UNKNOWN: Final = None

ZERO: Final = Decimal(0)
_EXACT: Final = Context(prec=80)  # no result depends on the process's own context


def plain(number: Decimal) -> Decimal:
    """The same value without trailing zeros and without an exponent: 10.0 -> 10, 1E+2 -> 100."""
    if number == 0:
        return ZERO
    number = number.normalize(EXACT)
    exponent = number.as_tuple().exponent
    whole = isinstance(exponent, int) and exponent > 0
    return number.quantize(Decimal(1), context=EXACT) if whole else number


def text(quantity: Quantity) -> str | None:
    """Plain decimal notation for machine output; None for UNKNOWN."""
    return None if quantity is UNKNOWN else f"{quantity:f}"
