"""Column maps: how another program's export says what the plain usage columns say.

The keys stand in `[vendors.NAME]` beside `usage`; a ready-made map (`format`) is a TOML file of
the same keys in the folder `maps`, and keys beside `format` override it:

    columns     plain column = "Their Header", or a text with several: "{ProductId}:{SkuId}";
                "" takes one out of a ready-made map
    constants   plain column = "a text for every row"
    values      plain column = { "their word" = "our word" }, without regard to case
    dates       strptime patterns, tried in order; "iso" takes the date of an ISO date or time
    period_end  "exclusive" (default) or "inclusive": is the end the last day itself
    decimal, thousands, parentheses      "." or ","; a separator; does (5) mean -5
    encoding, delimiter, sheet           of the file; the first sheet where none is named
    header_row, skip_rows                the header's row number; rows after it that are no data
    keep, drop  [{ Header = ["text", ...] }]: rows for which all conditions of any table hold
    footer      { column = "Header", text = "Total", total_of = "Amount" }: the total row, whose
                number is checked against the column
    check       { unit, quantity, equals, rate, rounding, tolerance }: see `sums.RowCheck`
    negatives   "credit": negative rows are credits, whatever their type says
    latest_per  plain columns: of recurring rows alike in these only the latest period counts
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import cast

from msgspec import Struct
from msgspec import field as new_field
from msgspec.structs import replace

from drybill.errors import Place
from drybill.tabular import (
    Batch,
    Column,
    Dialect,
    Fault,
    Grid,
    Problems,
    even,
    nearest,
    separated_by,
    values,
)
from drybill.vendors.columns import CHOICES, COLUMNS
from drybill.vendors.sums import Footer, RowCheck

Conditions = tuple[tuple[str, frozenset[str]], ...]  # all of them hold for a row that matches
_PART = re.compile(r"\{([^{}]+)\}")


class ColumnMap(Struct, frozen=True):
    """A checked map. Without `columns` the file has the plain ones."""

    dialect: Dialect = new_field(default_factory=Dialect)
    columns: dict[str, str] = new_field(default_factory=dict)
    constants: dict[str, str] = new_field(default_factory=dict)
    words: dict[str, dict[str, str]] = new_field(default_factory=dict)  # the key `values`
    dates: tuple[str, ...] = ()
    inclusive_end: bool = False
    decimal: str = "."
    thousands: str = ""
    parentheses: bool = False
    keep: tuple[Conditions, ...] = ()
    drop: tuple[Conditions, ...] = ()
    footer: Footer | None = None
    check: RowCheck | None = None
    negatives_are_credits: bool = False
    latest_per: tuple[str, ...] = ()

    @property
    def number(self) -> values.Reader:
        return values.numbers(self.decimal, self.thousands, self.parentheses)

    def readers(self) -> tuple[Column, ...]:
        """The plain columns, reading cells as this file writes them; then those of the check."""
        number = self.number
        day = values.dates(self.dates) if self.dates else values.iso_date
        swapped: dict[object, values.Reader] = {
            values.number: number,
            values.iso_date: day,
            values.moment: values.moments(day),
        }
        readers = []
        for column in COLUMNS:
            read = swapped.get(column.read, column.read)
            if column.name == "period_end" and self.inclusive_end:
                read = _day_after(read)
            if words := self.words.get(column.name):
                read = values.translated(read, words, strict=column.name in CHOICES)
            readers.append(replace(column, read=read))
        names = self.check.columns if self.check else {}
        return (*readers, *(Column(f"check {part}", number) for part in names))

    def plain(self, grid: Grid, problems: Problems) -> Grid | None:
        """The file's grid under the plain names; None where columns of the file are missing."""
        sources = dict(self.columns) or {name: name for name in grid.header if name}
        if self.check:
            sources |= {f"check {part}": name for part, name in self.check.columns.items()}
        index = {name: at for at, name in enumerate(grid.header) if name}
        ready = True
        for name in dict.fromkeys([*self._bare_names(), *_headers(sources, index)]):
            if name not in index:
                ready = False
                where = Place(grid.file, grid.header_line)
                summary = f"the column `{name}` of the column map is not in the file"
                hint = separated_by(index) or nearest(name, index)
                problems.add("column-missing", where, summary, hint)
        if not ready:
            return None
        cells = {name: _cell(source, index) for name, source in sources.items()}
        origins = {
            name: {index[part] for part in _headers({name: source}, index)}
            for name, source in sources.items()
        }
        extra = {name: text for name, text in self.constants.items() if name not in cells}
        labels = {name: source for name, source in sources.items() if source != name}
        header = [*cells, *extra]

        def batches() -> Iterator[Batch]:
            for batch in grid.batches:
                self._select(grid, index, batch, problems)
                faults = [
                    Fault(fault.row, at, fault.summary)
                    for fault in batch.faults
                    for at, name in enumerate(cells)
                    if fault.column in origins[name]
                ]
                columns = [cell(batch.rows) for cell in cells.values()]
                columns += [[text] * len(batch.rows) for text in extra.values()]
                yield Batch(batch.lines, list(map(list, zip(*columns, strict=True))), faults)

        return Grid(grid.file, header, grid.header_line, batches(), labels)

    def _bare_names(self) -> Iterator[str]:
        for conditions in (*self.keep, *self.drop):
            yield from (name for name, _ in conditions)
        if self.footer:
            yield self.footer.column
            if self.footer.total_of:
                yield self.footer.total_of

    def _select(self, grid: Grid, index: dict[str, int], batch: Batch, problems: Problems) -> None:
        """Leaves the rows that are data and wanted; the footer sees every row of data."""
        if self.footer:
            _retain(batch, self.footer.take(batch.rows, index))
        even(grid, batch, problems)
        if self.footer:
            self.footer.add(grid, batch, index, self.number, problems)
        for rules, wanted in ((self.keep, True), (self.drop, False)):
            if rules:
                kept = [any(_holds(rule, row, index) for rule in rules) for row in batch.rows]
                _retain(batch, [each is wanted for each in kept])


def _holds(conditions: Conditions, row: list[str], index: dict[str, int]) -> bool:
    return all(row[index[name]].strip() in texts for name, texts in conditions)


def _retain(batch: Batch, kept: list[bool]) -> None:
    if all(kept):
        return
    rows = [at for at, keep in enumerate(kept) if keep]
    moved = {old: new for new, old in enumerate(rows)}
    batch.faults = [
        Fault(moved[fault.row], fault.column, fault.summary)
        for fault in batch.faults
        if fault.row in moved
    ]
    batch.lines = [batch.lines[at] for at in rows]
    batch.rows = [batch.rows[at] for at in rows]


def _headers(sources: dict[str, str], index: dict[str, int]) -> list[str]:
    """The headers that sources name; one with braces is a text that holds several."""
    return [
        name
        for source in sources.values()
        for name in ([source] if source in index else _PART.findall(source) or [source])
    ]


def _cell(source: str, index: dict[str, int]) -> Callable[[list[list[str]]], list[str]]:
    """What gives the texts of one plain column for some rows of the file."""
    if source in index or not _PART.search(source):
        at = index[source]
        return lambda rows: [row[at] for row in rows]
    parts = _PART.split(source)  # text, header, text, header, ..., text

    def joined(rows: list[list[str]]) -> list[str]:
        texts = []
        for row in rows:
            found = [
                row[index[part]].strip() if number % 2 else part
                for number, part in enumerate(parts)
            ]
            # A joined key of which a part is missing is no key.
            texts.append("".join(found) if all(found[1::2]) else "")
        return texts

    return joined


def _day_after(read: values.Reader) -> values.Reader:
    def after(cell: str) -> date:
        last = cast(date, read(cell))
        try:
            return last + timedelta(days=1)
        except OverflowError:
            summary = f"{values.shown(cell)} has no day after it"
            raise values.Unreadable("not-a-date", summary, "write it like 2026-12-31") from None

    return after
