"""A table says the same in every kind of file, and whatever is wrong names file, row, column."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drybill.errors import InputError, Problem
from drybill.tabular import Column, Dialect, Problems, open_grid, read_columns, values
from drybill.tabular.grid import KINDS

COLUMNS = (
    Column("id", values.text, "", required=True, filled=True),
    Column("n", values.number, required=True),
    Column("day", values.iso_date),
    Column("ok", values.boolean, False),
)


def read(path: Path, dialect: Dialect | None = None) -> tuple[list[tuple[object, ...]], list[str]]:
    problems, notices = Problems(), list[str]()
    rows: list[tuple[object, ...]] = []
    for cells in read_columns(open_grid(path, path.name, dialect), COLUMNS, problems, notices):
        rows += zip(cells.lines, *cells.columns, strict=True)
    problems.raise_any()
    return rows, notices


def refused(path: Path) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        read(path)
    return caught.value.problems


def workbook(path: Path, rows: list[list[object]], first: int = 0) -> None:
    book = xlsxwriter.Workbook(str(path))
    sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
    for at, row in enumerate(rows, first):
        for column, cell in enumerate(row):
            if isinstance(cell, date):
                sheet.write_datetime(at, column, datetime(cell.year, cell.month, cell.day), day)  # noqa: DTZ001
            elif isinstance(cell, tuple):
                sheet.write_formula(at, column, cell[0], None, cell[1])
            else:
                sheet.write(at, column, cell)
    book.close()


WANT = [
    ("a", Decimal("0.3"), date(2026, 12, 1), True),
    ("b", None, None, False),
    ("c", Decimal(-5), None, False),
]
CSV = "id,n,day,ok\na,0.3,2026-12-01,true\nb,,,\nc,-5,,false\n"
OBJECTS = [
    {"id": "a", "n": 0.3, "day": "2026-12-01", "ok": True},
    {"id": "b", "n": None},
    {"id": "c", "n": "-5", "ok": False},
]
TEXTS = {
    "t.csv": CSV.encode(),
    "bom.csv": b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode(),
    "t.tsv": CSV.replace(",", "\t").encode(),
    "t.json": json.dumps(OBJECTS, indent=1).encode(),
    "t.jsonl": b"\n".join(json.dumps(each).encode() for each in OBJECTS),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("packed", [False, True])
def test_all_kinds_say_the_same(tmp_path: Path, name: str, packed: bool) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(TEXTS[name], mtime=0) if packed else TEXTS[name])
    assert [row[1:] for row in read(path)[0]] == WANT


def test_a_sheet_says_the_same_and_counts_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    rows = [["id", "n", "day", "ok"], ["a", 0.1 + 0.2, date(2026, 12, 1), True], ["b"]]
    workbook(path, [*rows, [], ["c", ("=-5", -5), "", False]], first=2)
    found, _ = read(path, Dialect(header_row=3))
    assert [row[1:] for row in found] == WANT
    assert [row[0] for row in found] == [4, 5, 7]


def test_error_cells_of_a_sheet_are_no_blanks(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    workbook(
        path,
        [
            ["id", "n", "unused"],
            ["a", ("=1/0", "#DIV/0!")],
            ["b", 1e17],
            ["c", 1, ("=NA()", "#N/A")],
        ],
    )
    assert [(problem.where.line, problem.summary) for problem in refused(path)] == [  # type: ignore[union-attr]
        (2, "column `n`: `#DIV/0!` is an error of the sheet, not a value"),
        (3, "column `n`: this number has more digits than a sheet can keep; store it as text"),
    ]


def test_a_formula_that_was_never_calculated_is_no_blank(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    workbook(tmp_path / "calculated.xlsx", [["id", "n"], ["a", ("=1+6", 7)]])
    with zipfile.ZipFile(tmp_path / "calculated.xlsx") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"<v>7</v>", b""))
    (problem,) = refused(path)
    assert "never calculated" in problem.summary


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,n\n"a\nb",1\n\nc,2\n')
    assert [row[:3] for row in read(path)[0]] == [(2, "a\nb", Decimal(1)), (5, "c", Decimal(2))]


def test_json_numbers_are_exact_and_their_lines_known(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(
        '[{"id": "a", "n": 1234567890123.123456},\n {"id": "b",\n "n": 1e3},\n{"id":9}]'
    )
    path2 = [row[:3] for row in read(path)[0]]
    assert path2 == [
        (1, "a", Decimal("1234567890123.123456")),
        (2, "b", Decimal(1000)),
        (4, "9", None),
    ]


def test_unknown_columns_are_one_notice(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,n,x,y\na,1,?,?\nb,2,?,?\n")
    assert read(path)[1] == ["t.csv: ignored the unknown columns `x`, `y`"]


H = "id,n,day,ok\n"
MALFORMED = [
    (H + "a,1,,\nb,1_000,,\n", "not-a-number", 3),
    *[
        (H + f"a,{number},,\n", "not-a-number", 2)
        for number in ("NaN", "Infinity", "1e3", "٣", "$5")
    ],
    (H + 'a,"1,000",,\n', "not-a-number", 2),
    (H + "a," + "9" * 5000 + ",,\n", "not-a-number", 2),
    (H + "a,#DIV/0!,,\n", "not-a-number", 2),
    (H + "a,1,2026-02-30,\n", "not-a-date", 2),
    (H + "a,1,12/1/2026,\n", "not-a-date", 2),
    (H + "a,1,20261201,\n", "not-a-date", 2),
    (H + "a,1,,TRUE\n", "not-a-boolean", 2),
    (H + ",1,,\n", "cell-empty", 2),
    (H + "a,1,,\nb,1,\n", "row-ragged", 3),
    (H + "a,1,,\nb,1,,,\n", "row-ragged", 3),
    (H + 'a,1,,\n"b,1,,\nc,1,,\n', "row-unreadable", 3),
    (H + 'a,1,,\n"b"x,1,,\n', "row-unreadable", 3),
    (H + "a,1,,\nb\0,1,,\n", "not-text", 3),
    ("id,day\na,\n", "column-missing", 1),
    ("id,n,n\na,1,1\n", "column-twice", 1),
    ("", "header-missing", 1),
    ("\n\n", "header-missing", 1),
    ("{}", "column-missing", 1),
]


@pytest.mark.parametrize(("text", "code", "line"), MALFORMED)
def test_malformed_tables_name_the_row(tmp_path: Path, text: str, code: str, line: int) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    problem = refused(path)[0]
    assert (problem.code, str(problem.where)) == (code, f"t.csv:{line}")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("t.csv", H.encode() + b"a,1,,\n\xff,1,,\n", "not-text"),
        ("t.csv", H.encode("utf-16"), "not-text"),
        ("t.csv.gz", b"no gzip", "file-unreadable"),
        ("t.csv.gz", gzip.compress(CSV.encode(), mtime=0)[:-12], "file-unreadable"),
        ("t.xlsx", b"PK\3\4 no workbook", "not-a-sheet"),
        ("t.json", b'{"id": 1}', "not-json"),
        ("t.json", b'[{"id": "a", "n": NaN}]', "not-json"),
        ("t.json", b"[1]", "row-unreadable"),
        ("t.json", b'[{"id": "a", "n": [1]}]', "cell-unreadable"),
        ("t.json", b'[{"id": "a", "n": 1e999999999}]', "not-a-number"),
        ("t.json", b'[{"id": "a", "n": ' + b"9" * 5000 + b"}]", "row-unreadable"),
        ("t.json", b'[{"id": "a", "n": ' + b"9" * 40 + b"}]", "not-a-number"),
        ("t.json", b'[{"id": "a\\u0000", "n": 1}]', "cell-unreadable"),
        ("t.json", b"[" * 100_000, "not-json"),
        ("t.jsonl", b'{"id": "a", "n": 1}\n{"id": ', "row-unreadable"),
        ("t.pdf", b"%PDF", "file-kind"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, name: str, data: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert refused(tmp_path / name)[0].code == code


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "usage.csv").write_text(CSV)
    (tmp_path / "folder.csv").mkdir()
    (missing,) = refused(tmp_path / "usgae.csv")
    assert (missing.code, missing.fix) == ("file-missing", "did you mean `usage.csv`?")
    assert refused(tmp_path / "folder.csv")[0].code == "file-unreadable"
    assert refused(tmp_path / "nul\0.csv")[0].code == "file-unreadable"
    assert refused(tmp_path / ("x" * 300 + ".csv"))[0].code == "file-unreadable"


def test_all_problems_come_at_once_and_no_wall_of_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(H + ",x,y,z\n" * 1000)
    problems = refused(path)
    assert [problem.code for problem in problems[:4]] == [
        "cell-empty", "not-a-number", "not-a-date", "not-a-boolean"
    ]  # fmt: skip
    assert len(problems) == 51
    assert problems[-1].summary == "3,950 more problems are not shown"


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_garbage_is_refused_in_words(tmp_path: Path, kind: str, data: bytes) -> None:
    path = tmp_path / f"t{kind}"
    path.write_bytes(data)
    try:
        read(path)
    except InputError as error:
        assert error.problems
        assert all(str(problem.where).startswith("t.") for problem in error.problems)


def test_moments() -> None:
    assert values.moment("2026-12-01T06:30:00+02:00") == datetime(2026, 12, 1, 4, 30, tzinfo=UTC)
    assert values.moment("2026-12-01T06:30Z") == datetime(2026, 12, 1, 6, 30, tzinfo=UTC)
    assert values.moment("2026-12-01") == date(2026, 12, 1)
    for text in ("2026-12-01T06:30:00", "0001-01-01T00:00:00+14:00", "2026-13-01T00:00Z"):
        with pytest.raises(values.Unreadable):
            values.moment(text)


def test_numbers_of_other_countries() -> None:
    german = values.numbers(",", ".", parentheses=True)
    assert german("1.234.567,89") == Decimal("1234567.89")
    assert german("(5,5)") == Decimal("-5.5")
    for text in ("1.23,4", "12.34", "(-5)", "1,2,3", "()"):
        with pytest.raises(values.Unreadable):
            german(text)


def test_a_gzip_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    from drybill.tabular import grid

    file = tmp_path / "usage.csv.gz"
    file.write_bytes(gzip.compress(b"customer_id,sku,quantity\n" + b"c,seat,1\n" * 500_000))
    assert open_grid(file, "usage.csv.gz").header == ["customer_id", "sku", "quantity"]
    monkeypatch.setattr(grid, "_INFLATED", 1_000_000)
    with pytest.raises(InputError) as refused:
        open_grid(file, "usage.csv.gz")
    assert "unpacks to more than" in str(refused.value)
