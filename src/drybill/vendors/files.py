"""Vendor numbers from files: the plain usage columns, or another export by a column map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, date, datetime, time
from itertools import repeat
from pathlib import Path

from msgspec import Struct
from msgspec import field as new_field
from msgspec.structs import replace

from drybill.billing.usage import LineType, Receipt, UsageRecord
from drybill.errors import InputError, Place
from drybill.tabular import Cells, Problems, no_collection, open_grid, read_columns
from drybill.vendors.column_map import ColumnMap
from drybill.vendors.columns import AT, COLUMNS
from drybill.vendors.latest import count_latest
from drybill.vendors.map_settings import FileSettings, read_settings
from drybill.vendors.port import Usage

_CREDITABLE = frozenset({LineType.RECURRING, LineType.USAGE, LineType.PRORATE})


_EVER = datetime.min.replace(tzinfo=UTC)
_Told = tuple[bool, datetime, str]  # is there a name, when it was said, the name


class _Seen(Struct):
    """What a reading gathers beside the records, for the receipt."""

    notices: list[str] = new_field(default_factory=list)
    not_whole: list[str] = new_field(default_factory=list)
    as_of: set[datetime | date] = new_field(default_factory=set)
    names: dict[str, _Told] = new_field(default_factory=dict)  # by customer id
    products: dict[str, _Told] = new_field(default_factory=dict)  # by SKU


class FilesVendor(Struct, frozen=True):
    """A vendor whose numbers stand in files."""

    name: str
    base: Path
    settings: FileSettings
    kind: str = "files"
    online: bool = False

    def session(self) -> AbstractAsyncContextManager[object]:
        """Files need no connection."""
        return nullcontext()

    async def read(self) -> Usage:
        """All rows of all files. Raises InputError with everything that is wrong in them."""
        problems, seen = Problems(), _Seen()
        records: list[UsageRecord] = []
        with no_collection():
            for shown in self.settings.usage:
                try:
                    records += self._read_file(shown, seen, problems)
                except InputError as error:
                    problems.extend(error.problems)
            problems.raise_any()
            if self.settings.map and self.settings.map.latest_per:
                records, says = count_latest(records, self.settings.map.latest_per)
                seen.notices += [says] if says else []
        return Usage(records, self._receipt(records, seen))

    def _read_file(self, shown: str, seen: _Seen, problems: Problems) -> list[UsageRecord]:
        by_map, columns = self.settings.map, COLUMNS
        if by_map:
            by_map = replace(by_map, footer=replace(by_map.footer) if by_map.footer else None)
            columns = by_map.readers()
        file = open_grid(self.base / shown, shown, by_map.dialect if by_map else None)
        grid = by_map.plain(file, problems) if by_map else file
        if grid is None:
            return []
        records: list[UsageRecord] = []
        failing: list[int] = []
        for cells in read_columns(grid, columns, problems, seen.notices):
            if by_map:
                failing += _by_map(by_map, cells)
            found = list(map(UsageRecord, repeat(self.name), *cells.columns))
            _check(found, cells, shown, problems)
            _gather(cells, seen)
            records += found
        if by_map and by_map.footer and (why := by_map.footer.mismatch(shown, by_map.number)):
            seen.not_whole.append(why)
        if failing:
            listed = ", ".join(map(str, failing[:8])) + (", ..." if len(failing) > 8 else "")
            seen.notices.append(
                f"{shown}: {len(failing)} of {len(records)} rows do not add up by the vendor's "
                f"own arithmetic (lines {listed})"
            )
        return records

    def _receipt(self, records: list[UsageRecord], seen: _Seen) -> Receipt:
        return Receipt(
            source=self.name,
            kind=self.kind,
            measure=self.settings.measure,
            complete=not seen.not_whole,
            records=len(records),
            customers=frozenset(seen.names),
            as_of=max(map(_moment, seen.as_of), default=None),
            names=_names(seen.names),
            product_names=_names(seen.products),
            problems=(*seen.not_whole, *seen.notices),
        )


def open_vendor(name: str, settings: Mapping[str, object], base: Path) -> FilesVendor:
    """The vendor of `[vendors.NAME]` with `kind = "files"`; reads no usage yet.

    `usage` is a path or a list of paths, relative to `base`; `column_map` lists the other keys.
    Raises InputError for settings that are wrong.
    """
    return FilesVendor(name, base, read_settings(name, settings))


def _by_map(by_map: ColumnMap, cells: Cells) -> list[int]:
    """Takes the check's columns off and turns negative rows into credits; lines that fail."""
    failing: list[int] = []
    if by_map.check:
        own = cells.columns[len(COLUMNS) :]
        del cells.columns[len(COLUMNS) :]
        failing = by_map.check.failing(own, cells.lines)
    if by_map.negatives_are_credits:
        types, quantities, amounts = (
            cells.columns[AT[name]] for name in ("line_type", "quantity", "amount")
        )
        cells.columns[AT["line_type"]] = [
            LineType.CREDIT
            if kind in _CREDITABLE and ((quantity or 0) < 0 or (amount or 0) < 0)
            else kind
            for kind, quantity, amount in zip(types, quantities, amounts, strict=True)
        ]
    return failing


def _moment(as_of: datetime | date) -> datetime:
    if isinstance(as_of, datetime):
        return as_of
    return datetime.combine(as_of, time(), UTC)


def _names(told: Mapping[str, _Told]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, name) for key, (_, _, name) in told.items()))


def _gather(cells: Cells, seen: _Seen) -> None:
    """Of several names for one id the one of the latest as-of counts, then the last by alphabet:
    never the one of the last row, whose place in the file means nothing."""
    moments: dict[datetime | date | None, datetime] = {
        as_of: _moment(as_of) for as_of in set(cells.columns[AT["as_of"]]) - {None}
    }
    seen.as_of.update(as_of for as_of in moments if as_of is not None)
    moments[None] = _EVER
    for ids, names, known in (
        ("customer_id", "customer_name", seen.names),
        ("sku", "product_name", seen.products),
    ):
        columns = (cells.columns[AT[name]] for name in (ids, "as_of", names))
        for key, as_of, name in dict.fromkeys(zip(*columns, strict=True)):
            told = (name != "", moments[as_of], name)
            if key not in known or told > known[key]:
                known[key] = told


def _check(records: Iterable[UsageRecord], cells: Cells, file: str, problems: Problems) -> None:
    """What columns say about one another."""
    for record, line in zip(records, cells.lines, strict=True):
        if line in cells.faulty:
            continue
        start, end = record.period_start, record.period_end
        if start is not end and (start is None or end is None):
            lacks = "period_start" if start is None else "period_end"
            fix = "give the first day, and the day after the last"
            problems.add("period-open", Place(file, line), f"`{lacks}` is missing", fix)
        elif start is not None and end is not None and end <= start:
            summary = f"the period ends on {end}, not after its start {start}"
            fix = "`period_end` is the day after the last"
            problems.add("period-reversed", Place(file, line), summary, fix)
        if not record.currency and (record.amount is not None or record.unit_cost is not None):
            summary = "there is an amount without a currency"
            fix = "fill the column `currency` with an ISO 4217 code such as USD"
            problems.add("currency-missing", Place(file, line), summary, fix)
        if record.quantity is not None and record.quantity < 0 and record.line_type.counts:
            summary = f"the quantity {record.quantity} of a {record.line_type} row is negative"
            fix = "a refund has the `line_type` credit"
            problems.add("quantity-negative", Place(file, line), summary, fix)
