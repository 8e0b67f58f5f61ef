"""How numbers, dates and foreign text are written for people. ASCII, and independent of locale."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from drybill.billing.money import EXACT, UnknownCurrency, minor_units
from drybill.billing.quantity import UNKNOWN, Quantity
from drybill.billing.row import Row

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REPLACED = "\N{REPLACEMENT CHARACTER}"
# Control, format (ESC, right-to-left override), surrogate and line-breaking characters: data must
# neither steer a terminal nor disorder a line.
_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def clean(data: str) -> str:
    """Foreign text made harmless for one line of a terminal; everything printable stays."""
    if data.isprintable():
        return data
    return "".join(_clean_character(character) for character in data)


def _clean_character(character: str) -> str:
    if character in "\t\n\r":
        return " "
    return _REPLACED if unicodedata.category(character) in _UNSAFE else character


def quantity(value: Quantity) -> str:
    """`1,250`, `2.5`; `?` for UNKNOWN. No trailing zeros, never an exponent."""
    return "?" if value is UNKNOWN else _trimmed(f"{_positive_zero(value):,f}")


def plain_quantity(value: Quantity) -> str | None:
    """The same for machines: no thousands separators, None for UNKNOWN."""
    if value is UNKNOWN:
        return None
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def money(amount: Decimal | None, currency: str) -> str:
    """`1,360.00` with at least the currency's digits and never rounded; `?` where unknown."""
    return "?" if amount is None else _padded(f"{_positive_zero(amount):,f}", currency)


def signed(amount: Decimal | None, currency: str) -> str:
    """A difference: `+66.00`, `-288.00`, `0.00`; `?` where unknown."""
    text = money(amount, currency)
    return f"+{text}" if amount is not None and amount > 0 else text


def plain_money(amount: Decimal | None) -> str | None:
    """For machines: the digits as they come, no separators, None where unknown."""
    return None if amount is None else f"{amount:f}"


def moves(rows: Iterable[Row]) -> str:
    """What rows move: `+66.00 and -44.00 USD, +12 JPY`; up and down are never netted."""
    return _both_ways((row.currency, row.difference) for row in rows)


def leaks(rows: Iterable[Row]) -> str:
    """The same of what their invoices before were wrong by; empty: they were not."""
    return _both_ways((row.currency, row.leak) for row in rows if row.leak)


def _both_ways(amounts: Iterable[tuple[str, Decimal]]) -> str:
    sums: dict[str, list[Decimal]] = {}
    for currency, amount in amounts:
        both = sums.setdefault(currency, [Decimal(0), Decimal(0)])
        down = amount < 0
        both[down] = EXACT.add(both[down], amount)
    told = []
    for currency, both in sorted(sums.items()):
        shown = [signed(amount, currency) for amount in both if amount]
        told.append(f"{' and '.join(shown) or 'no money'} {currency}")
    return ", ".join(told)


def day(value: date) -> str:
    """`1 May 2026`."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def days(start: date, end: date) -> str:
    """A half-open period by its first and last day: `1-31 May 2026`."""
    last = last_day(start, end)
    if last == start:
        return day(start)
    if (start.year, start.month) == (last.year, last.month):
        return f"{start.day}-{day(last)}"
    if start.year == last.year:
        return f"{start.day} {_MONTHS[start.month - 1]} - {day(last)}"
    return f"{day(start)} - {day(last)}"


def last_day(start: date, end: date) -> date:
    """The last day of the half-open period [start, end)."""
    return max(start, end - timedelta(days=1)) if end > start else start


def moment(text: str) -> str:
    """An ISO date or time as `30 Apr 2026 16:42Z`; anything else as it is."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return clean(text)
    if len(text) <= 10:
        return day(value.date())
    offset = value.utcoffset()
    if not offset and value.time() == time():
        return day(value.date())  # a source that states a day only
    zone = "" if offset is None else "Z" if not offset else value.strftime("%z")
    return f"{day(value.date())} {value:%H:%M}{zone}"


def count(number: int, one: str, many: str = "") -> str:
    """`1 line`, `1,000 lines`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short(digest: str) -> str:
    """The first 8 characters of a digest, without the name of its algorithm."""
    return digest.rpartition(":")[2][:8]


def _positive_zero(value: Decimal) -> Decimal:
    return value.copy_abs() if value.is_zero() else value


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _padded(text: str, currency: str) -> str:
    try:
        digits = minor_units(currency)
    except UnknownCurrency:
        return text
    given = len(text.partition(".")[2])
    if given >= digits:
        return text
    return f"{text}{'' if given else '.'}{'0' * (digits - given)}"
