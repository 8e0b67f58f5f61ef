"""XLSX sheets as grids. Numbers become the shortest decimal text, error cells become faults."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from drybill.errors import InputError, Place, Problem
from drybill.tabular.grid import BATCH, Batch, Dialect, Fault, Grid
from drybill.tabular.problems import nearest

_EXACT_BELOW = 10**15  # a sheet keeps 15 digits; longer ids and amounts are already rounded
# The reader lays out every cell up to the farthest one, and one stray cell may be 17 billion away:
# it would not raise for want of memory, it would end the process.
_MOST_CELLS = 30_000_000

# The reader gives error cells and formulas without a stored value as blanks, and a blank means
# something else: so both are looked up in the sheet's own XML.
_ERROR = re.compile(rb"""<(?:\w+:)?c\b([^>]*\bt=["']e["'][^>]*)>.*?</(?:\w+:)?c>""", re.DOTALL)
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]*)</")
_FORMULA = re.compile(
    rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)"
    rb"\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_COLUMNS = re.compile(rb"""\br=["']([A-Z]+)[0-9]+["']""")
_ROWS = re.compile(rb"""\br=["'][A-Z]*([0-9]+)["']""")
_REFERENCE = re.compile(rb"""\br=["']([A-Z]+)([0-9]+)["']""")
_RELATION = re.compile(r"<Relationship\b[^>]*>")
_SHEET = re.compile(r"<(?:\w+:)?sheet\b[^>]*>")


def open_sheet(data: bytes, shown: str, dialect: Dialect) -> Grid:
    """Opens one sheet. Raises InputError for what is no workbook, or has no such sheet."""
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = list(book.sheet_names)
        name = dialect.sheet or names[0]
        if name not in names:
            summary = f"there is no sheet `{name}`"
            raise InputError(
                [Problem("sheet-missing", Place(shown), summary, nearest(name, names))]
            )
        xml = _sheet_xml(data, names.index(name))
        _check_extent(xml, shown)
        table = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        faults = _faults(xml)
    except InputError:
        raise
    # The reader is native code: whatever it raises for a broken file says the same to a person.
    except (Exception, BaseException) as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        summary = "this is not an XLSX workbook that can be read"
        fix = "open it in a spreadsheet program and save it as .xlsx, without a password"
        raise InputError([Problem("not-a-sheet", Place(shown), summary, fix)]) from None
    start = dialect.header_row - 1
    header = [_text(cell).strip() for cell in table[start]] if start < len(table) else []
    while header and not header[-1]:
        header.pop()
    rows = _rows(table, start + 1 + dialect.skip_rows, len(header), faults)
    return Grid(shown, header, dialect.header_row, rows)


def _rows(
    table: list[list[Any]], start: int, width: int, faults: dict[tuple[int, int], str]
) -> Iterator[Batch]:
    by_row: dict[int, list[tuple[int, str]]] = {}
    for (line, column), summary in faults.items():
        by_row.setdefault(line, []).append((column, summary))
    batch = Batch([], [])
    for line, row in enumerate(table[start:], start + 1):
        cells = list(map(_text, row))
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if not any(cells) and line not in by_row:
            continue
        for column, summary in by_row.get(line, ()):
            batch.faults.append(Fault(len(batch.rows), column, summary))
        for column, cell in enumerate(row):
            if type(cell) is float and abs(cell) >= _EXACT_BELOW:
                summary = "this number has more digits than a sheet can keep; store it as text"
                batch.faults.append(Fault(len(batch.rows), column, summary))
        batch.lines.append(line)
        batch.rows.append(cells)
        if len(batch.lines) == BATCH:
            yield batch
            batch = Batch([], [])
    yield batch


def _text(cell: object) -> str:
    if type(cell) is str:
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return f"{Decimal(f'{cell:.15g}'):f}"
    if isinstance(cell, datetime):
        return (cell.date() if cell.time() == time() else cell).isoformat()
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _sheet_xml(data: bytes, position: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        tags = _SHEET.findall(parts.read("xl/workbook.xml").decode())
        wanted = _attribute(tags[position], "id")
        relations = _RELATION.findall(parts.read("xl/_rels/workbook.xml.rels").decode())
        target = next(
            _attribute(tag, "Target") for tag in relations if _attribute(tag, "Id") == wanted
        )
        name = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        return parts.read(name)


def _check_extent(xml: bytes, shown: str) -> None:
    """Raises InputError for a sheet that is mostly the emptiness before a far cell."""
    columns = max((_column(letters) for letters in set(_COLUMNS.findall(xml))), default=0)
    rows = max((int(digits[:9]) for digits in set(_ROWS.findall(xml))), default=0)
    if rows * columns > _MOST_CELLS:
        summary = f"its cells reach to row {rows:,} and column {columns:,}: too many to read"
        fix = "delete the empty rows and columns beyond the table, and save it again"
        raise InputError([Problem("sheet-too-large", Place(shown), summary, fix)])


def _faults(xml: bytes) -> dict[tuple[int, int], str]:
    """(row from 1, column from 0) -> what is wrong, for error cells and uncalculated formulas."""
    found: dict[tuple[int, int], str] = {}
    if b'"e"' in xml or b"'e'" in xml:
        for cell in _ERROR.finditer(xml):
            value = _VALUE.search(cell[0])
            what = value[1].decode(errors="replace") if value else "an error"
            _note(found, cell[1], f"`{what}` is an error of the sheet, not a value")
    if b"<f" in xml or b":f" in xml:
        for cell in _FORMULA.finditer(xml):
            _note(found, cell[1], "this formula was never calculated; open the file and save it")
    return found


def _note(found: dict[tuple[int, int], str], attributes: bytes, summary: str) -> None:
    if reference := _REFERENCE.search(attributes):
        found[int(reference[2]), _column(reference[1]) - 1] = summary


def _column(letters: bytes) -> int:
    """A is 1, AA is 27; beyond any sheet's last column it no longer grows."""
    column = 0
    for letter in letters[:6]:
        column = column * 26 + letter - 64
    return column


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf"""[\s:]{name}=["']([^"']*)["']""", tag)
    return found[1] if found else ""
