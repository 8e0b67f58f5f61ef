"""An edit of a CSV text changes the bytes of its cell and nothing else, whatever the quoting."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drybill.psa.files.cells import CsvText, EditError

CELL = st.text(st.sampled_from("ab5 \",;\t\r\n'é€"), max_size=6)


def written(cell: str, delimiter: str, quoted: bool) -> str:
    if quoted or any(char in cell for char in f'{delimiter}"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


@dataclass
class Table:
    """A CSV text as some program might write it, in pieces, and what it says."""

    pieces: list[str]
    places: dict[tuple[int, int], int]  # (row, column) -> its piece
    rows: list[list[str]]
    delimiter: str

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    delimiter = draw(st.sampled_from(",\t"))
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    width = draw(st.integers(2, 4))
    rows = [["line_id", *(f"c{at}" for at in range(1, width))]]
    for at in range(draw(st.integers(1, 5))):
        rows.append([f"L{at}", *(draw(CELL) for _ in range(width - 1))])
    table = Table([draw(st.sampled_from(["", "\ufeff"]))], {}, rows, delimiter)
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            table.places[number, column] = len(table.pieces)
            table.pieces += [written(cell, delimiter, draw(st.booleans())), delimiter]
        last = number == len(rows) - 1
        table.pieces[-1] = "" if last and draw(st.booleans()) else newline
        if not last and draw(st.booleans()):
            table.pieces.append(newline)  # blank lines are no rows
    return table


def parsed(text: str, delimiter: str) -> list[list[str]]:
    file = io.StringIO(text.removeprefix("\ufeff"), newline="")
    return [row for row in csv.reader(file, delimiter=delimiter, strict=True) if row]


@settings(deadline=None)
@given(
    table=tables(), data=st.data(), value=st.sampled_from(["28", "0.5", "2026-12-01", "", "a,b"])
)
def test_set_changes_one_cell_and_no_other_byte(
    table: Table, data: st.DataObject, value: str
) -> None:
    row = data.draw(st.integers(1, len(table.rows) - 1))
    column = data.draw(st.integers(1, len(table.rows[0]) - 1))
    name, key = table.rows[0][column], table.rows[row][0]
    after = CsvText(table.text, table.delimiter).set(key, {name: value})

    old = table.rows[row][column]
    new = table.rows[row][column] = old.replace(old.strip(), value) if old.strip() else value
    assert parsed(after, table.delimiter) == table.rows
    piece = table.places[row, column]
    was_quoted = table.pieces[piece].startswith('"')
    table.pieces[piece] = written(new, table.delimiter, was_quoted)
    assert after == table.text


@settings(deadline=None)
@given(table=tables())
def test_append_adds_one_row_behind_all_others(table: Table) -> None:
    text, delimiter, rows = table.text, table.delimiter, table.rows
    after = CsvText(text, delimiter).append("new", {"c1": "5"})
    assert after.startswith(text)
    assert parsed(after, delimiter) == [*rows, ["new", "5", *[""] * (len(rows[0]) - 2)]]
    ends = ("\r", "\n")
    assert text.endswith(ends) == after.endswith(ends)


def test_the_files_own_style_stays() -> None:
    text = '"line_id","quantity","note"\r\n"L1"," 5 ","say ""hi"""\r\n'
    assert CsvText(text, ",").set("L1", {"quantity": "28"}) == text.replace(" 5 ", " 28 ")
    assert CsvText(text, ",").append("L2", {"quantity": "1"}) == text + '"L2","1",""\r\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("line_id,quantity\nL2,1\n", "not in the file"),
        ("line_id,quantity\nL1,1\nL1,2\n", "2 times"),
        ("line_id,amount\nL1,1\n", "no column `quantity`"),
        ("line_id,quantity,x\nL1,1\n", "2 cells, not 3"),
        ('line_id,quantity\nL1,1\n"L2,1\n', "not whole CSV"),
        ("", "no header"),
    ],
)
def test_an_edit_that_is_not_sure_is_refused(text: str, why: str) -> None:
    with pytest.raises(EditError, match=why):
        CsvText(text, ",").set("L1", {"quantity": "2"})


def test_a_row_is_never_doubled() -> None:
    with pytest.raises(EditError, match="already"):
        CsvText("line_id,quantity\n L1,1\n", ",").append("L1", {"quantity": "1"})
