"""Columns of a grid as lists of values, converted once per distinct text."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from msgspec import field as new_field

from drybill.errors import InputError, Place
from drybill.tabular.grid import Batch, Grid, even
from drybill.tabular.problems import Problems, nearest
from drybill.tabular.values import Reader, Unreadable, text


class Column(Struct, frozen=True):
    """A column that is wanted. `default` stands for an empty cell and for an absent column."""

    name: str
    read: Reader
    default: object = None
    required: bool = False  # the column must be there
    filled: bool = False  # and none of its cells may be empty


class Cells(Struct):
    """Values of one batch, column by column in the order that was asked for."""

    lines: list[int]
    columns: list[Sequence[Any]]
    faulty: set[int] = new_field(
        default_factory=set
    )  # lines with a problem: their values are no use


class _Memo(dict[str, Any]):
    """Text to value. Exports repeat themselves: a date is parsed once, not once per row."""

    def __init__(self, column: Column) -> None:
        super().__init__()
        self.column = column
        self.bad: dict[str, Unreadable] = {}

    def __missing__(self, cell: str) -> Any:
        column, stripped = self.column, cell.strip()
        value = column.default
        if stripped:
            try:
                value = column.read(stripped)
            except Unreadable as error:
                self.bad[cell] = error
        elif column.filled:
            self.bad[cell] = Unreadable("cell-empty", "this cell is empty", "it must have a value")
        self[cell] = value
        return value

    def values_of(self, texts: Sequence[str]) -> list[Any]:
        if (
            texts and texts[0] == texts[-1] and texts.count(texts[0]) == len(texts)
        ):  # a constant column costs nothing
            return [self[texts[0]]] * len(texts)
        column = self.column
        if column.read is text:
            # Ids are all different: to remember each would cost more than to strip it again.
            stripped = list(map(str.strip, texts))
            if all(stripped) or (column.default == "" and not column.filled):
                return stripped
        return list(map(self.__getitem__, texts))


@contextmanager
def no_collection() -> Iterator[None]:
    """Pauses the garbage collector, which would walk a million fresh rows again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def separated_by(header: Iterable[str]) -> str:
    """A hint, where a header of one name looks like several with another delimiter."""
    names = list(header)
    if len(names) == 1:
        for sign, written in ((";", ";"), ("\t", "\\t"), ("|", "|"), (",", ",")):
            if sign in names[0]:
                return f'the columns seem to be separated by "{written}": delimiter = "{written}"'
    return ""


def read_columns(
    grid: Grid, columns: Sequence[Column], problems: Problems, notices: list[str]
) -> Iterator[Cells]:
    """The wanted columns of every batch; all that is wrong goes to `problems`, never skipped.

    Columns of the file that nobody wants are ignored with one notice for all of them.
    """
    index = {name: at for at, name in enumerate(grid.header) if name}
    absent = [column.name for column in columns if column.required and column.name not in index]
    for name in absent:
        where = Place(grid.file, grid.header_line)
        fix = f"add it; {separated_by(index) or nearest(name, index)}"
        problems.add("column-missing", where, f"the column `{name}` is missing", fix)
    if absent:
        return
    wanted = {column.name for column in columns}
    if extra := [f"`{name}`" for name in index if name not in wanted]:
        listed = ", ".join(extra[:8]) + (f" and {len(extra) - 8} more" if len(extra) > 8 else "")
        notices.append(f"{grid.file}: ignored the unknown columns {listed}")

    memos = [_Memo(column) if column.name in index else None for column in columns]
    try:
        for batch in grid.batches:
            even(grid, batch, problems)
            yield _convert(grid, batch, columns, memos, problems)
    except InputError as error:
        problems.extend(error.problems)


def _convert(
    grid: Grid,
    batch: Batch,
    columns: Sequence[Column],
    memos: Sequence[_Memo | None],
    problems: Problems,
) -> Cells:
    cells = Cells(batch.lines, [])
    turned = list(zip(*batch.rows, strict=True)) or [()] * len(grid.header)
    failed: list[tuple[int, int, str, Unreadable]] = []
    for column, memo in zip(columns, memos, strict=True):
        if memo is None:
            cells.columns.append([column.default] * len(batch.rows))
            continue
        at = grid.header.index(column.name)
        texts = turned[at]
        cells.columns.append(memo.values_of(texts))
        faults = {fault.row: fault.summary for fault in batch.faults if fault.column == at}
        for row, summary in faults.items():
            failed.append((row, at, column.name, Unreadable("cell-unreadable", summary, "")))
        if memo.bad:
            failed += [
                (row, at, column.name, memo.bad[text])
                for row, text in enumerate(texts)
                if text in memo.bad and row not in faults
            ]
    for row, _, name, error in sorted(failed, key=lambda each: each[:2]):
        cells.faulty.add(batch.lines[row])
        where = Place(grid.file, batch.lines[row])
        summary = f"column `{grid.label(name)}`: {error.summary}"
        problems.add(error.code, where, summary, error.fix)
    return cells
