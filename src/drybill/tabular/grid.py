"""A file as a grid of texts: opens CSV, TSV, XLSX, JSON and JSONL, each also gzipped."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath

from msgspec import Struct
from msgspec import field as new_field

from drybill import whole
from drybill.errors import InputError, Place, Problem
from drybill.tabular.problems import Problems, nearest

BATCH = 20_000  # rows held at a time: memory stays flat, the cost per batch disappears
_INFLATED, _RATIO = 256 * 2**20, 200  # a table of that size, or packed that well, is none
KINDS = (".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".ndjson")


class Dialect(Struct, frozen=True):
    """How a file differs from the plain one. Rows count from 1, as an editor shows them."""

    encoding: str = "utf-8"
    delimiter: str = ""  # empty: comma, or tab in .tsv
    header_row: int = 1
    skip_rows: int = 0  # rows after the header that are not data
    sheet: str = ""  # empty: the first


class Fault(Struct, frozen=True):
    """A cell that has no text: an error value, a nested value. Only wrong if the cell is used."""

    row: int  # index in its batch
    column: int
    summary: str


class Batch(Struct):
    """Some rows in file order, with the line (in a sheet: the row) on which each begins."""

    lines: list[int]
    rows: list[list[str]]
    faults: list[Fault] = new_field(default_factory=list)


class Grid(Struct):
    """A header and batches of rows, read once. A cell without anything is the empty text."""

    file: str  # as the mapping names it
    header: list[str]
    header_line: int
    batches: Iterator[Batch]  # may raise InputError where the file breaks off
    labels: dict[str, str] = new_field(default_factory=dict)  # header name -> the name in the file

    def label(self, name: str) -> str:
        return self.labels.get(name, name)


def kind_of(path: PurePath) -> str:
    """The ending that says how a file is read: ".csv" for usage.csv and for usage.csv.gz."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def open_grid(path: Path, shown: str, dialect: Dialect | None = None) -> Grid:
    """Opens a table. `shown` is the file's name in messages.

    Raises InputError for a file that is not there, not readable, or not a table with a header;
    so may its batches.
    """
    kind, dialect = kind_of(path), dialect or Dialect()
    if kind not in KINDS:
        fix = f"use a file that ends in {', '.join(KINDS)}, each also with .gz"
        raise _error("file-kind", shown, f"`{kind or path.name}` is not a kind of table", fix)
    data = _bytes(path, shown)
    if kind == ".xlsx":
        from drybill.tabular.sheet import open_sheet

        grid = open_sheet(data, shown, dialect)
    elif kind in (".csv", ".tsv"):
        from drybill.tabular.delimited import open_delimited

        grid = open_delimited(data, shown, dialect, dialect.delimiter or ",\t"[kind == ".tsv"])
    else:
        from drybill.tabular.objects import open_objects

        grid = open_objects(data, shown, lines=kind != ".json")
    _check_header(grid)
    return grid


def _bytes(path: Path, shown: str) -> bytes:
    try:
        data = whole.read(path)
        return _inflated(data, shown) if path.suffix.lower() == ".gz" else data
    except FileNotFoundError:
        raise _error("file-missing", shown, "this file does not exist", _neighbour(path)) from None
    except IsADirectoryError:
        raise _error("file-unreadable", shown, "this is a folder, not a file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise _error("file-unreadable", shown, "this is not a whole gzip file") from None
    except MemoryError:
        raise _error("file-unreadable", shown, "this file is too large for the memory") from None
    except (OSError, ValueError) as error:
        summary = f"this file cannot be read: {whole.reason(error)}"
        raise _error("file-unreadable", shown, summary) from None


def _inflated(data: bytes, shown: str) -> bytes:
    limit = max(_INFLATED, _RATIO * len(data))
    with gzip.open(io.BytesIO(data)) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        summary = f"this gzip file unpacks to more than {limit // 2**20} MB"
        fix = "unpack it first, if it is what you expect"
        raise _error("file-unreadable", shown, summary, fix)
    return content


def _neighbour(path: Path) -> str:
    try:
        names = [each.name for each in path.parent.iterdir()]
    except OSError:
        return f"the folder `{path.parent}` is not there either"
    tables = [name for name in names if kind_of(PurePath(name)) in KINDS]
    return nearest(path.name, tables) if tables else "paths are relative to the mapping file"


def _check_header(grid: Grid) -> None:
    names = [name for name in grid.header if name]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(names) < 2000 else []
    where = Place(grid.file, grid.header_line)
    if len(names) != len(set(names)):
        named = ", ".join(f"`{name}`" for name in twice) or "a name"
        fix = "give every column its own name"
        raise InputError(
            [Problem("column-twice", where, f"{named} stands twice in the header", fix)]
        )
    if not names:
        fix = "the first row must hold the names of the columns"
        raise InputError([Problem("header-missing", where, "there is no header row", fix)])


def even(grid: Grid, batch: Batch, problems: Problems) -> None:
    """Reports rows with too many or too few cells and takes them out of the batch."""
    width = len(grid.header)
    wrong = [index for index, row in enumerate(batch.rows) if len(row) != width]
    for index in wrong:
        count = len(batch.rows[index])
        problems.add(
            "row-ragged",
            Place(grid.file, batch.lines[index]),
            f"this row has {count} cells, the header has {width}",
            "quote cells that hold the delimiter, and write one cell per column",
        )
    for index in reversed(wrong):
        del batch.rows[index], batch.lines[index]


def _error(code: str, shown: str, summary: str, fix: str = "") -> InputError:
    return InputError([Problem(code, Place(shown), summary, fix)])
