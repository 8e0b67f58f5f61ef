"""Rows in columns: measured first, then wide, two lines per row, or stacked. Money stays whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from drybill.report.entries import Entry
from drybill.report.layout import Sheet, cells, pad, wrap
from drybill.report.marks import mark_style

NAME_MIN = 18  # narrower, and names are hard to read: the next simpler layout is taken
_HEADING = Entry("", "line", ("quantity", ""), "unit", ("now", "if applied"), "difference")
_DETAIL = "    "


class Columns(Struct, frozen=True):
    """Widths in cells of everything but the name."""

    quantity: tuple[int, int]
    price: int
    amount: tuple[int, int]
    change: int
    facts: tuple[int, int, int]  # id, date, reason: columns of the wide layout only

    @classmethod
    def measured(cls, entries: Iterable[Entry]) -> Columns:
        every = [_HEADING, *entries]
        quantity = _pair([entry.quantity for entry in every])
        amount = _pair([entry.amount for entry in every])
        return cls(
            quantity,
            max(len(entry.price) for entry in every),
            amount,
            max(len(entry.change) for entry in every),
            (
                max(len(entry.id) for entry in every),
                max(len(entry.date) for entry in every),
                max(len(entry.reason) for entry in every),
            ),
        )

    @property
    def numbers(self) -> int:
        return _width(self.quantity) + self.price + _width(self.amount) + self.change + 8

    @property
    def wide(self) -> int:
        return self.numbers + sum(width + 2 for width in self.facts if width)


def _pair(pairs: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Widths of (before, after). A number alone stands right-aligned across both."""
    before = max((len(one) for one, other in pairs if other), default=0)
    after = max((len(other) for _, other in pairs), default=0)
    alone = max((len(one) for one, other in pairs if not other), default=0)
    if not after:
        return 0, alone
    return max(before, alone - after - 4), after


def _width(pair: tuple[int, int]) -> int:
    return pair[0] + 4 + pair[1] if pair[0] else pair[1]


def _joined(pair: tuple[str, str], widths: tuple[int, int]) -> str:
    one, other = pair
    if not other:
        return one.rjust(_width(widths))
    return f"{one:>{widths[0]}} -> {other:>{widths[1]}}"


class Ledger:
    """Writes entries to a sheet in one layout, chosen for all entries of a report together."""

    def __init__(self, sheet: Sheet, entries: Sequence[Entry]) -> None:
        self.sheet = sheet
        self.columns = Columns.measured(entries)
        longest = max((cells(entry.name) for entry in entries), default=NAME_MIN)
        room = sheet.width - 2
        self.wide = room - self.columns.wide >= NAME_MIN
        self.stacked = room - self.columns.numbers < NAME_MIN
        taken = self.columns.wide if self.wide else self.columns.numbers
        self.name = min(room - taken, max(longest, NAME_MIN))

    def heading(self) -> None:
        if not self.stacked:
            self._row(_HEADING)

    def write(self, entry: Entry) -> None:
        if self.stacked:
            self._stack(entry)
            return
        self._row(entry)
        told = self.wide or entry.quiet  # in the columns, or not worth a line
        facts = "" if told else "  ".join(filter(None, (entry.id, entry.reason)))
        more = "; ".join(entry.more)
        if entry.date and not self.wide:
            more = f"from {entry.date}" + (f"; {more}" if more else "")
        self._details(facts, more)

    def _row(self, entry: Entry) -> None:
        columns = self.columns
        first, *rest = wrap(entry.name, self.name)
        parts: list[str | tuple[str, str]] = [
            (f"{entry.mark:<2}", mark_style(entry.mark)),
            pad(first, self.name),
            "  " + _joined(entry.quantity, columns.quantity),
            "  " + entry.price.rjust(columns.price),
            "  " + _joined(entry.amount, columns.amount),
            "  ",
            (entry.change.rjust(columns.change), entry.change_style or mark_style(entry.mark)),
        ]
        if self.wide:
            facts = (entry.id, entry.date, entry.reason)
            parts += [
                f"  {fact:<{width}}"
                for fact, width in zip(facts, columns.facts, strict=True)
                if width
            ]
        self.sheet.add(*parts)
        for line in rest:
            self.sheet.add("  " + line)

    def _details(self, facts: str, more: str) -> None:
        if facts and more:
            self.sheet.prose(f"{facts}  {more}", _DETAIL, _DETAIL + "  ")
        elif facts or more:
            self.sheet.prose(facts or more, _DETAIL, _DETAIL + "  ")

    def _stack(self, entry: Entry) -> None:
        self.sheet.prose(entry.name, f"{entry.mark:<2}", "  ", style=mark_style(entry.mark))
        for label, pair in (
            ("quantity", entry.quantity),
            ("unit", (entry.price, "")),
            ("amount", entry.amount),
            ("difference", (entry.change, "")),
        ):
            one, other = pair
            if one or other:
                parts = [f"{one} ->", other] if other else [one]
                self.sheet.flow(parts, " ", f"{_DETAIL}{label:<11}", " " * 15)
        if entry.quiet:
            self._details("", "; ".join(entry.more))
        else:
            dated = f"from {entry.date}" if entry.date else ""
            more = "; ".join(filter(None, (dated, *entry.more)))
            self._details("  ".join(filter(None, (entry.id, entry.reason))), more)
