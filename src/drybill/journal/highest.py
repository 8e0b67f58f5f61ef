"""The highest quantity of each row in the last days: what a slow fall is measured from.

A day's rows are kept as lines of text, "row quantity", and stored as what they have more and less
than a base that many days share: from one day to the next little changes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from drybill.journal.database import Database

_KEPT_DAYS: Final = 60


class Highest:
    """Per PSA, row and day the highest quantity; a day is one in UTC.

    By PSA and not by mapping: a copy of a mapping must not make a guard forget.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, psa: str, as_of: datetime, days: int = 35) -> dict[str, Decimal]:
        """The highest quantity per row from `days` days before the day of `as_of` on.

        Runs of other days, simulated or not, can only raise it: the days reach from the earlier
        to the later one of `as_of` and the clock.
        """
        day, today = _day(as_of), _day(self._database.clock())
        return _highest(self._lines(psa, min(day, today) - days, max(day, today)))

    def record(self, psa: str, as_of: datetime, quantities: Mapping[str, Decimal]) -> None:
        """Adds a run's quantities to its day, where the larger one of a row stays."""
        day = _day(as_of)
        with self._database.transaction():
            lines = {f"{row} {quantity:f}" for row, quantity in quantities.items()}
            earlier = self._lines(psa, day, day)
            if earlier and not earlier >= lines:
                merged = _highest(earlier | lines)
                lines = {f"{row} {quantity:f}" for row, quantity in merged.items()}
            if not earlier >= lines:
                self._store(psa, day, lines)
            # The clock bounds it too: a run with a far --as-of must not prune the present.
            self._prune(psa, min(day, _day(self._database.clock())) - _KEPT_DAYS)

    def _lines(self, psa: str, first: int, last: int) -> set[str]:
        """All lines of these days, both inclusive."""
        added: dict[int, set[str]] = {}
        missing: dict[int, set[str]] = {}
        for base, more, less in self._database.rows(
            "SELECT base, added, missing FROM highest_days WHERE psa = ? AND day BETWEEN ? AND ?",
            *(psa, first, last),
        ):
            gone = self._unpacked(less)
            missing[base] = missing[base] & gone if base in missing else gone
            added.setdefault(base, set()).update(self._unpacked(more))
        lines: set[str] = set()
        for base, gone in missing.items():
            lines |= (self._base(base) - gone) | added[base]
        return lines

    def _store(self, psa: str, day: int, lines: set[str]) -> None:
        size = len(lines)
        base, content = 0, set[str]()
        for (candidate,) in self._database.rows(
            "SELECT id FROM highest_bases WHERE psa = ? AND lines BETWEEN ? AND ?"
            " ORDER BY id DESC LIMIT 1",
            *(psa, size // 2, size * 2),
        ):
            base, content = candidate, self._base(candidate)
        if not base or len(lines ^ content) > size // 4:
            content = lines
            base = self._database.write(
                "INSERT INTO highest_bases (psa, lines, content) VALUES (?, ?, ?)",
                *(psa, size, _packed(lines)),
            )
        self._database.write(
            "INSERT OR REPLACE INTO highest_days VALUES (?, ?, ?, ?, ?)",
            *(psa, day, base, _packed(lines - content), _packed(content - lines)),
        )

    def _prune(self, psa: str, before: int) -> None:
        self._database.write("DELETE FROM highest_days WHERE psa = ? AND day < ?", psa, before)
        self._database.write(
            "DELETE FROM highest_bases WHERE psa = ?1 AND id NOT IN"
            " (SELECT base FROM highest_days WHERE psa = ?1)",
            psa,
        )

    def _base(self, base: int) -> set[str]:
        rows = self._database.rows("SELECT content FROM highest_bases WHERE id = ?", base)
        if not rows:
            raise self._database.damaged(f"base {base} of the highest quantities is missing")
        return self._unpacked(rows[0][0])

    def _unpacked(self, packed: bytes) -> set[str]:
        try:
            text = zlib.decompress(packed).decode() if packed else ""
        except (zlib.error, UnicodeDecodeError):
            raise self._database.damaged("the highest quantities cannot be read") from None
        lines = set(text.split("\n")) if text else set()
        if not all(map(_LINE.fullmatch, lines)):
            raise self._database.damaged("the highest quantities cannot be read")
        return lines


_LINE = re.compile(r"\S+ -?[0-9]+(\.[0-9]+)?")


def _packed(lines: set[str]) -> bytes:
    return zlib.compress("\n".join(sorted(lines)).encode(), 1) if lines else b""


def _highest(lines: set[str]) -> dict[str, Decimal]:
    highest: dict[str, Decimal] = {}
    for line in lines:
        row, _, text = line.partition(" ")
        quantity = Decimal(text)
        if row not in highest or quantity > highest[row]:
            highest[row] = quantity
    return highest


def _day(moment: datetime) -> int:
    return moment.astimezone(UTC).toordinal()
