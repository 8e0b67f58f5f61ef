"""Comma and tab separated files as grids, strictly: nothing is guessed, nothing is repaired."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from drybill.errors import InputError, Place, Problem
from drybill.tabular.grid import BATCH, Batch, Dialect, Grid

_SURROGATE = re.compile("[\ud800-\udfff]")


def open_delimited(data: bytes, shown: str, dialect: Dialect, delimiter: str) -> Grid:
    """Raises InputError for bytes that are not text; its batches do for quotes left open."""
    text = decode(data, shown, dialect.encoding)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records = _records(reader, shown)
    line, header = dialect.header_row, list[str]()
    for line, header in records:  # noqa: B007
        if line >= dialect.header_row:
            break
    else:
        line, header = dialect.header_row, []
    for _ in zip(range(dialect.skip_rows), records, strict=False):
        pass
    return Grid(shown, [name.strip() for name in header], line, _batches(records))


def decode(data: bytes, shown: str, encoding: str) -> str:
    """The text of a file without its byte order mark. Raises InputError with the bad line."""
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        where = Place(shown, data.count(b"\n", 0, start) + 1)
        fix = "save the file as UTF-8, or name its encoding in the column map"
        summary = f"this is not {encoding.upper()} text"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            summary += " but UTF-16"
        raise InputError([Problem("not-text", where, summary, fix)]) from None
    if not text.isascii() and (hidden := _SURROGATE.search(text)):  # utf-7 and escapes make them
        where = Place(shown, text.count("\n", 0, hidden.start()) + 1)
        fix = "name the encoding that the file really has"
        raise InputError([Problem("not-text", where, "there is half a character here", fix)])
    if (nul := text.find("\0")) >= 0:
        where = Place(shown, text.count("\n", 0, nul) + 1)
        fix = "export the table again: this looks like another kind of file"
        raise InputError([Problem("not-text", where, "there is a NUL byte in this line", fix)])
    return text


def _records(reader: Iterator[list[str]], shown: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which each begins; blank lines are none."""
    start = 1
    try:
        for row in reader:
            if row:
                yield start, row
            start = reader.line_num + 1  # type: ignore[attr-defined]
    except csv.Error as error:
        why = str(error)
        if "end of data" in why or "field larger" in why:
            why = "a quote that opens in this row is never closed"
        fix = 'write a quote inside a quoted cell twice: "5"" disk"'
        raise InputError([Problem("row-unreadable", Place(shown, start), why, fix)]) from None


def _batches(records: Iterator[tuple[int, list[str]]]) -> Iterator[Batch]:
    batch = Batch([], [])
    for line, row in records:
        batch.lines.append(line)
        batch.rows.append(row)
        if len(batch.lines) == BATCH:
            yield batch
            batch = Batch([], [])
    yield batch
