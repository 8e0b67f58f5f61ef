"""Texts of cells as values: each reader takes a text that is not empty, and is strict."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum

from drybill.tabular.problems import nearest

Reader = Callable[[str], object]

_LONGEST = 32  # characters; more than any count or amount has
_BILLED = range(1900, 9901)  # years
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}[0-9:.,]*(Z|[+-][0-9:]+)?")


class Unreadable(ValueError):
    """Why a text is not such a value, and what would be one."""

    def __init__(self, code: str, summary: str, fix: str) -> None:
        super().__init__(summary)
        self.code, self.summary, self.fix = code, summary, fix


def shown(text: str) -> str:
    """A cell's text as it stands in a message: short, and without control characters."""
    clean = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:60]
    )
    return f"`{clean}{'...' if len(text) > 60 else ''}`"


def text(cell: str) -> str:
    return cell


def numbers(decimal: str = ".", thousands: str = "", parentheses: bool = False) -> Reader:
    """A reader of decimal numbers: exact, without exponents or NaN, of at most 32 characters."""
    group, point = re.escape(thousands), re.escape(decimal)
    whole = rf"(?:[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+)" if thousands else "[0-9]+"
    unsigned = rf"(?:{whole}(?:{point}[0-9]+)?|{point}[0-9]+)"
    matches = re.compile(rf"[+-]?{unsigned}").fullmatch
    in_parentheses = re.compile(rf"\(\s*({unsigned})\s*\)").fullmatch
    localised = bool(thousands) or decimal != "."

    def read(cell: str) -> Decimal:
        number = cell
        if parentheses and len(cell) <= 2 * _LONGEST and (negative := in_parentheses(cell)):
            number = f"-{negative[1]}"
        if len(number) <= 2 * _LONGEST and matches(number):
            if localised:
                if thousands:
                    number = number.replace(thousands, "")
                number = number.replace(decimal, ".")
            if len(number) <= _LONGEST:
                return Decimal(number)
        raise Unreadable(
            "not-a-number",
            f"{shown(cell)} is not a number",
            f"write it like 1{thousands}234{decimal}56, in at most {_LONGEST} characters"
            + comma(cell),
        )

    return read


def comma(cell: str) -> str:
    """A hint for numbers as half of the world writes them."""
    looks = re.search(r"[0-9],[0-9]+$", cell) is not None
    return '; for a vendor\'s file the mapping may say decimal = ","' if looks else ""


number = numbers()


def iso_date(cell: str) -> date:
    """Exactly YYYY-MM-DD."""
    if _ISO_DATE.fullmatch(cell):
        try:
            return date.fromisoformat(cell)
        except ValueError:
            pass
    raise Unreadable("not-a-date", f"{shown(cell)} is not a date", "write it like 2026-12-01")


def billing_date(cell: str) -> date:
    """YYYY-MM-DD of a year that periods can be counted forth and back from."""
    day = iso_date(cell)
    if day.year in _BILLED:
        return day
    raise _out_of_range(cell)


def _out_of_range(cell: str) -> Unreadable:
    summary = f"{shown(cell)} is no day that anything is billed on"
    return Unreadable("date-out-of-range", summary, "write a day of the years 1900 to 9900")


def dates(patterns: Sequence[str]) -> Reader:
    """A reader of dates by strptime patterns; "iso" takes the date of an ISO date or time."""

    def read(cell: str) -> date:
        for pattern in patterns:
            try:
                if pattern != "iso":
                    return datetime.strptime(cell, pattern).date()  # noqa: DTZ007
                if _ISO_DATE.fullmatch(cell) or _ISO_STAMP.fullmatch(cell):
                    return date.fromisoformat(cell[:10])
            except (ValueError, re.error):
                continue
        known = " or ".join(f"`{pattern}`" for pattern in patterns)
        fix = f"it must match {known}; name other patterns in `dates`"
        raise Unreadable("not-a-date", f"{shown(cell)} is not a date", fix)

    return read


def moments(day: Reader) -> Reader:
    """A reader of an ISO time with Z or offset, as aware UTC, or of what `day` reads, as a date."""

    def read(cell: str) -> object:
        stamp = _ISO_STAMP.fullmatch(cell)
        if stamp is None:
            return day(cell)
        if stamp[1] is None:
            summary = f"{shown(cell)} is a time without a zone"
            raise Unreadable("time-without-zone", summary, f"write it in UTC: {cell}Z")
        try:
            stamp_utc = datetime.fromisoformat(cell).astimezone(UTC)
        except (ValueError, OverflowError):
            fix = "write it like 2026-12-01T06:30:00Z"
            raise Unreadable("not-a-time", f"{shown(cell)} is not a time", fix) from None
        if stamp_utc.year not in _BILLED:  # the edges of the calendar have no other time zones
            raise _out_of_range(cell)
        return stamp_utc

    return read


moment = moments(iso_date)


def boolean(cell: str) -> bool:
    if cell not in ("true", "false"):
        summary = f"{shown(cell)} is neither `true` nor `false`"
        raise Unreadable("not-a-boolean", summary, "write `true` or `false`")
    return cell == "true"


def accepted(check: Callable[[str], object], code: str, fix: str) -> Reader:
    """A reader of texts that `check` takes without a ValueError, such as currency codes."""

    def read(cell: str) -> str:
        try:
            check(cell)
        except ValueError:
            raise Unreadable(code, f"{shown(cell)} is not a known value", fix) from None
        return cell

    return read


def choice(allowed: type[StrEnum]) -> Reader:
    """A reader of an enumeration's values, exactly as written."""
    known = {member.value: member for member in allowed}

    def read(cell: str) -> StrEnum:
        if cell in known:
            return known[cell]
        summary = f"{shown(cell)} is not a known value"
        raise Unreadable("value-unknown", summary, nearest(cell, known))

    return read


def translated(read: Reader, words: Mapping[str, str], strict: bool) -> Reader:
    """`read` after a translation without regard to case; `strict`: of known words only."""
    folded = {word.casefold(): meaning for word, meaning in words.items()}

    def translate(cell: str) -> object:
        meaning = folded.get(cell.casefold())
        if meaning is not None:
            return read(meaning)
        if not strict:
            return read(cell)
        try:
            return read(cell)
        except Unreadable as error:
            fix = f"say in `values` what it means; for the words it knows, {nearest(cell, words)}"
            raise Unreadable(error.code, error.summary, fix) from None

    return translate
