"""Reads agreements and lines from tables and checks that they belong together."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import repeat
from pathlib import Path

from msgspec import Struct
from msgspec import field as new_field
from msgspec.structs import replace

from drybill.billing.agreement import (
    Agreement,
    Billing,
    Cycle,
    DayBasis,
    Segment,
    Status,
    Timing,
    in_circles,
)
from drybill.billing.money import minor_units
from drybill.billing.period import long_period
from drybill.errors import InputError, Place
from drybill.tabular import Column, Problems, no_collection, open_grid, read_columns, values

_CURRENCY = values.accepted(minor_units, "currency-unknown", "use an ISO 4217 code such as USD")

# Both in the order of the fields of Agreement and Segment, which are filled by position.
_AGREEMENT = (
    Column("agreement_id", values.text, "", required=True, filled=True),
    Column("company_id", values.text, "", required=True, filled=True),
    Column("currency", _CURRENCY, "", required=True, filled=True),
    Column("next_period_start", values.billing_date, required=True, filled=True),
    Column("agreement_name", values.text, ""),
    Column("company_name", values.text, ""),
    Column("type", values.text, ""),
    Column("status", values.choice(Status), Status.ACTIVE),
    Column("cycle", values.choice(Cycle), Cycle.MONTHLY),
    Column("timing", values.choice(Timing), Timing.ADVANCE),
    Column("start_date", values.iso_date),
    Column("end_date", values.iso_date),
    Column("prorate", values.boolean, False),
    Column("day_basis", values.choice(DayBasis), DayBasis.ACTUAL),
    Column("base_amount", values.number),
    Column("parent_agreement_id", values.text),
    Column("bill_to", values.text),
)
LINE = (
    Column("line_id", values.text, "", required=True, filled=True),
    Column("agreement_id", values.text, "", required=True, filled=True),
    Column("product", values.text, "", required=True, filled=True),
    Column("quantity", values.number, required=True),
    Column("unit_price", values.number, required=True),
    Column("description", values.text, ""),
    Column("included", values.number, Decimal(0)),
    Column("unit_cost", values.number),
    Column("billing", values.choice(Billing), Billing.BILLABLE),
    Column("effective_date", values.iso_date),
    Column("cancelled_date", values.iso_date),
    Column("updated_at", values.text, ""),
)


class Tables(Struct):
    """What both files say, checked row by row and against each other."""

    agreements: list[Agreement] = new_field(default_factory=list)
    segments: list[Segment] = new_field(default_factory=list)
    notices: list[str] = new_field(default_factory=list)
    line_columns: frozenset[str] = frozenset()  # what the lines file has


def read_tables(
    psa: str, agreements: tuple[Path, str], lines: tuple[Path, str], currency: str
) -> Tables:
    """Reads both files, each given as path and name in messages; `currency` fills empty cells.

    Raises InputError with everything that is wrong in either.
    """
    tables, problems = Tables(), Problems()
    with no_collection():
        places = _read_agreements(tables, psa, agreements, currency, problems)
        known = None if problems and not places else set(places)  # unread: all would be missing
        segment_lines = _read_segments(tables, lines, problems)
        _check_agreements(tables, places, agreements[1], problems)
        _check_segments(tables.segments, segment_lines, lines[1], known, problems)
    problems.raise_any()
    return tables


def _read_agreements(
    tables: Tables, psa: str, source: tuple[Path, str], currency: str, problems: Problems
) -> dict[str, int]:
    """Fills the agreements; gives the line on which each id stands first."""
    columns = [
        Column("currency", _CURRENCY, currency)
        if currency and column.name == "currency"
        else column
        for column in _AGREEMENT
    ]
    lines: dict[str, int] = {}
    try:
        grid = open_grid(*source)
    except InputError as error:
        problems.extend(error.problems)
        return lines
    for cells in read_columns(grid, columns, problems, tables.notices):
        before, after = cells.columns[:7], cells.columns[7:]
        found = map(Agreement, repeat(psa), *before, repeat(None), *after)
        for agreement, line in zip(found, cells.lines, strict=True):
            first = lines.setdefault(agreement.id, line)
            if first != line and agreement.id:
                summary = (
                    f"the agreement {values.shown(agreement.id)} stands on line {first} already"
                )
                problems.add("id-twice", Place(grid.file, line), summary, "one row per agreement")
            if line not in cells.faulty:
                tables.agreements.append(agreement)
    return lines


def _read_segments(tables: Tables, source: tuple[Path, str], problems: Problems) -> list[int]:
    """Fills the segments; gives the line of each."""
    lines: list[int] = []
    try:
        grid = open_grid(*source)
    except InputError as error:
        problems.extend(error.problems)
        return lines
    tables.line_columns = frozenset(grid.header)
    for cells in read_columns(grid, LINE, problems, tables.notices):
        made = list(map(Segment, *cells.columns))
        if cells.faulty:
            kept = [at for at, line in enumerate(cells.lines) if line not in cells.faulty]
            tables.segments += [made[at] for at in kept]
            lines += [cells.lines[at] for at in kept]
        else:
            tables.segments += made
            lines += cells.lines
    return lines


def _check_agreements(tables: Tables, lines: dict[str, int], file: str, problems: Problems) -> None:
    circles = in_circles({each.id: each.parent_id for each in tables.agreements})
    orphans, long = [], []
    for at, agreement in enumerate(tables.agreements):
        where = Place(file, lines[agreement.id])
        start, end = agreement.start_date, agreement.end_date
        if start and end and end < start:
            problems.add(
                "dates-reversed",
                where,
                f"the agreement ends on {end}, before it starts on {start}",
                "`end_date` is the last day, on or after `start_date`",
            )
        if days := long_period(agreement):
            long.append(f"{agreement.id} ({days} days)")
        if agreement.id in circles:
            problems.add(
                "parent-cycle",
                where,
                f"the agreement {values.shown(agreement.id)} is its own ancestor",
                "a parent agreement must not lead back to its child",
            )
        if agreement.parent_id is not None and agreement.parent_id not in lines:
            orphans.append(f"{agreement.id} (line {where.line})")
            tables.agreements[at] = replace(agreement, parent_id=None)
    if long:
        tables.notices.append(
            f"{file}: {len(long)} agreements do not begin their next period on the day of their"
            f" `start_date`, and it is billed as one period: {_listed(long)}"
        )
    if orphans:
        tables.notices.append(
            f"{file}: {len(orphans)} agreements name a parent that is not in the file "
            f"and are invoiced by themselves: {_listed(orphans)}"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _check_segments(
    segments: Iterable[Segment],
    lines: list[int],
    file: str,
    agreements: set[str] | None,
    problems: Problems,
) -> None:
    first: dict[str, int] = {}
    for segment, line in zip(segments, lines, strict=True):
        if first.setdefault(segment.line_id, line) != line:
            summary = (
                f"the line {values.shown(segment.line_id)} stands on line {first[segment.line_id]}"
            )
            fix = "every row needs a `line_id` of its own"
            problems.add("id-twice", Place(file, line), f"{summary} already", fix)
        if agreements is not None and segment.agreement_id not in agreements:
            summary = f"there is no agreement {values.shown(segment.agreement_id)}"
            fix = "`agreement_id` must be one of the agreements file"
            problems.add("agreement-missing", Place(file, line), summary, fix)
        quantity, included = segment.quantity, segment.included
        if quantity is not None and quantity < 0:
            fix = "a discount is a negative `unit_price`"
            problems.add(
                "quantity-negative", Place(file, line), f"the quantity {quantity} is negative", fix
            )
        if included < 0:
            summary, fix = f"the included units {included} are negative", "write 0 or more"
            problems.add("quantity-negative", Place(file, line), summary, fix)
        start, end = segment.effective, segment.cancelled
        if start is not None and end is not None and end < start:
            summary = f"the line is cancelled on {end}, before it begins on {start}"
            fix = "`cancelled_date` is the first day no longer billed"
            problems.add("dates-reversed", Place(file, line), summary, fix)
