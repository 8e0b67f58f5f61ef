# ruff: noqa: E501 - a table reads best with one case to a line
"""Every kind of bad input that people and programs hand to drybill, as a table."""

from __future__ import annotations

import gzip
import io
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from kinds import (
    DIFF,
    HARMLESS,
    REFUSED,
    Case,
    cell,
    content,
    diff,
    swap,
    tail,
    top,
    unspoiled,
    usage,
    words,
)  # fmt: skip
from project import AGREEMENTS, CANARY, CLIENTS, FILES, LINES, USAGE, Project

TABLES = ("agreements.csv", "lines.csv", "usage.csv", "clients.csv")
RECORD: dict[str, Any] = {"customer_id": "p1", "sku": "M365", "quantity": 12}
RTL = "\u202eevil\u2066"


def bytes_and_encodings() -> Iterator[Case]:
    for file in (*TABLES, "mapping.toml", "mapping.d/extra.toml"):
        text = FILES[file]
        yield content(
            "empty file",
            "",
            file,
            "",
            "" if file.startswith("mapping.d") else file.split(".")[0],
            harmless=file.startswith("mapping.d"),
        )
        yield content(
            "nul bytes", "in the middle", file, text.encode()[:40] + b"\0" + text.encode()[40:]
        )
        yield content("utf-16", "with its mark", file, text.encode("utf-16"))
        yield content("undecodable byte", "0xff in a line", file, text.encode() + b"x\xffy\n")
        yield content("lone surrogate", "as utf-8", file, text.encode() + b"\xed\xa0\x80\n")
        yield content("random bytes", "512", file, bytes(range(128, 256)) * 4)
        yield content("byte order mark", "", file, "\ufeff" + text, harmless=True)
        yield content("byte order mark", "two of them", file, "\ufeff\ufeff" + text)
    for file in TABLES:
        yield content("only blank lines", "", file, "\n \n\n")
        yield content(
            "windows line ends", "", file, FILES[file].replace("\n", "\r\n"), harmless=True
        )
        yield content("old mac line ends", "", file, FILES[file].replace("\n", "\r"), harmless=True)
    yield content("utf-32", "", "usage.csv", USAGE.encode("utf-32"))
    yield content(
        "latin-1",
        "",
        "lines.csv",
        LINES.replace("desk", "d\xe9sk").encode("latin-1"),
        "lines.csv:4",
    )


def tables() -> Iterator[Case]:
    for file in TABLES:
        header, *rows = FILES[file].splitlines()
        yield content("no header", "", file, "\n".join(rows) + "\n")
        yield content("column twice", "", file, f"{header},{header.split(',')[0]}\n", f"{file}:1")
        yield content(
            "required column missing",
            "",
            file,
            FILES[file].replace(header.split(",")[0], "nope", 1),
            f"{file}:1",
        )
        yield content("open quote", "", file, FILES[file] + 'x,"never closed\n', file)
        yield content("stray quote", "", file, FILES[file] + '"a"b,c\n', file)
        yield content("ragged row", "short", file, FILES[file] + "x\n", f"{file}:{len(rows) + 2}")
        yield content(
            "ragged row", "long", file, FILES[file] + "x," * 90 + "\n", f"{file}:{len(rows) + 2}"
        )
        yield content("semicolons", "", file, FILES[file].replace(",", ";"), f"{file}:1")
        yield content(
            "cell beyond the csv limit",
            "131,073",
            file,
            FILES[file].replace(rows[0], "z" * 131_073 + rows[0]),
            file,
        )
    yield content(
        "20,000 columns",
        "",
        "usage.csv",
        USAGE.replace("\n", "," + ",".join(f"c{i}" for i in range(20_000)) + "\n", 1),
        "usage.csv:2",
    )
    yield content(
        "header alone",
        "",
        "agreements.csv",
        AGREEMENTS.splitlines()[0] + "\n",
        "lines.csv:2",
        "there is no agreement",
    )
    yield content("header alone", "", "lines.csv", LINES.splitlines()[0] + "\n", harmless=True)
    yield content("header alone", "", "usage.csv", USAGE.splitlines()[0] + "\n", harmless=True)
    yield content(
        "header alone",
        "",
        "clients.csv",
        CLIENTS.splitlines()[0] + "\n",
        "extra.toml",
        "no client `C2`",
    )
    for file, line in (("agreements.csv", 3), ("lines.csv", 3)):
        row = FILES[file].splitlines()[line - 1]
        yield content(
            "id twice",
            "",
            file,
            FILES[file] + row + "\n",
            f"{file}:{len(FILES[file].splitlines()) + 1}",
            "already",
        )
    yield content("id twice", "", "clients.csv", CLIENTS + "C1,Again,\n", "clients.csv:4")
    for file, column in (
        ("agreements.csv", "agreement_id"),
        ("lines.csv", "line_id"),
        ("usage.csv", "sku"),
    ):
        yield cell("required cell empty", file, 2, column, "", "empty")
        yield cell("required cell empty", file, 2, column, "  \t ", "empty")
    yield cell("required cell empty", "clients.csv", 2, "id", "")
    for column, value in (("pax8", "p2"), ("pax8", "p1;p1"), ("pax8", ";;;"), ("name", RTL)):
        harmless = column == "name" or value in (";;;", "p1;p1")
        yield Case(
            "clients that overlap or are odd",
            f"{column} {value!a}",
            lambda p, c=column, v=value: p.cell("clients.csv", 2, c, v),
            () if harmless else ("clients.csv:2",),
            REFUSED | HARMLESS if harmless else REFUSED,
        )  # type: ignore[misc]
    yield content(
        "clients with unknown references",
        "",
        "clients.csv",
        "id,psa,profile,agreement.gold\nC1,none,none,A1\nC2,,,\n",
        "clients.csv:1",
        "clients.csv:2",
    )


NUMBERS = (
    "NaN", "nan", "sNaN", "Infinity", "-inf", "1e5", "1E+999999999", "1_000", "1,000.00", "0x10",
    "٣", "１２", "²", "½", "--5", "+", ".", "1.", "1..2", "1 2", "$5", "5 %", "12\x07", "true",
    "9" * 33, "9" * 10_000, "1." + "0" * 60, "-" * 200, "1\N{NO-BREAK SPACE}000", "=1+1", "None",
)  # fmt: skip
DATES = (
    "2026-02-30", "2026-13-01", "0000-01-01", "10000-01-01", "2026-1-1", "20261201", "01/12/2026",
    "2026-12-01T00:00:00Z", "２０２６-12-01", "2026-W10-1", "today", "-2026-12-01", "2026-12-01 x",
)  # fmt: skip


def cells() -> Iterator[Case]:
    for value in NUMBERS:
        yield cell("number in usage", "usage.csv", 2, "quantity", value, "is not a number")
    for value in NUMBERS[::3]:
        yield cell("number in lines", "lines.csv", 2, "unit_price", value, "is not a number")
    for value in NUMBERS[::7]:
        yield cell("number in agreements", "agreements.csv", 2, "base_amount", value)
    for table, line, column in (("usage.csv", 2, "quantity"), ("lines.csv", 2, "quantity")):
        yield cell("negative quantity", table, line, column, "-3").__class__(
            "negative quantity",
            table,
            lambda p, t=table, n=line, c=column: p.cell(t, n, c, "-3"),
            (f"{table}:{line}:", "negative"),
        )  # type: ignore[misc]
    yield cell("negative price", "lines.csv", 2, "unit_price", "-22.00", harmless=True)
    yield cell("largest quantity", "usage.csv", 2, "quantity", "9" * 32, harmless=True)
    yield cell("largest quantity", "lines.csv", 2, "quantity", "9" * 32, harmless=True)
    yield cell("finest quantity", "usage.csv", 2, "quantity", "0." + "0" * 29 + "1", harmless=True)
    yield cell("largest price", "lines.csv", 2, "unit_price", "9" * 32, harmless=True)
    yield cell("finest price", "lines.csv", 2, "unit_price", "1." + "3" * 30, harmless=True)
    for value in DATES:
        yield cell(
            "date in agreements", "agreements.csv", 2, "next_period_start", value, "is not a date"
        )
    for value in DATES[::3]:
        yield cell("date in usage", "usage.csv", 2, "since", value, "is not a date")
    for value in DATES[::4]:
        yield cell("date in lines", "lines.csv", 2, "effective_date", value, "is not a date")
    for value in (
        "2026-11-24T06:00:00",
        "2026-11-24T25:00:00Z",
        "2026-11-24T06:00:00+99:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1764000000",
        "now",
    ):
        yield cell("time in usage", "usage.csv", 2, "as_of", value)
    for value in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01", "9999-12-31"):
        yield cell("time at the edge", "usage.csv", 2, "as_of", value, harmless="T" not in value)
    for value in ("XAU", "xx", "usd", "US", "EURO", "$", "XXX", "U\u0405D"):
        yield cell("currency", "agreements.csv", 2, "currency", value)
    yield cell("currency", "usage.csv", 2, "currency", "XAU")
    for column, value in (
        ("cycle", "daily"),
        ("cycle", "MONTHLY"),
        ("prorate", "yes"),
        ("prorate", "True"),
    ):
        yield cell("closed vocabulary", "agreements.csv", 2, column, value)
    for name in (
        "line\nbreak",
        "tab\there",
        "\x1b[31mred\x1b[0m",
        "🦀🦀",
        RTL,
        "=cmd|' /C calc'!A0",
        "a" * 4000,
        "\u0000".join("ab")[:1] + "\x7f\x85\u2028",
    ):
        for table, line, column in (
            ("agreements.csv", 2, "company_name"),
            ("usage.csv", 6, "sku"),
            ("usage.csv", 6, "customer_id"),
            ("lines.csv", 4, "description"),
            ("lines.csv", 4, "line_id"),
        ):
            yield cell("odd text", table, line, column, name, harmless=True)


def dates_at_the_edge() -> Iterator[Case]:
    edges = {
        "first day of all, weekly": ("weekly", "0001-01-01", ""),
        "first day of all": ("monthly", "0001-01-01", ""),
        "last annual period": ("annual", "9999-12-01", ""),
        "last monthly period": ("monthly", "9999-12-01", ""),
        "last weekly period": ("weekly", "9999-12-30", ""),
        "last day of all": ("monthly", "9999-12-31", ""),
        "31st of the month": ("monthly", "2026-12-31", "2024-01-31"),
        "starts at the first day": ("monthly", "2026-12-01", "0001-01-01"),
        "starts on the last day": ("monthly", "2026-12-01", "9999-12-31"),
        "one-time": ("one_time", "9999-12-31", ""),
    }
    for name, (cycle, start, begun) in edges.items():

        def spoil(p: Project, cycle: str = cycle, start: str = start, begun: str = begun) -> None:
            p.cell("agreements.csv", 2, "cycle", cycle)
            p.cell("agreements.csv", 2, "next_period_start", start)
            p.cell("agreements.csv", 2, "start_date", begun)

        refused = start[:4] in ("0001", "9999")
        yield Case(
            "period at the edge",
            name,
            spoil,
            ("agreements.csv:2:", "`next_period_start`") if refused else (),
            REFUSED if refused else HARMLESS,
        )
    for since in ("0001-01-01", "9999-12-31", "1970-01-01"):
        yield cell(
            "since at the edge", "usage.csv", 2, "since", since, harmless=since == "1970-01-01"
        )

    def old_and_weekly(p: Project) -> None:
        p.cell("agreements.csv", 2, "cycle", "weekly")
        p.cell("agreements.csv", 2, "start_date", "0001-01-01")
        p.cell("usage.csv", 2, "since", "1900-01-01")

    yield Case("since at the edge", "a hundred years of weeks", old_and_weekly, (), HARMLESS)
    for table, line, one, other in (
        ("agreements.csv", 2, "start_date", "end_date"),
        ("lines.csv", 2, "effective_date", "cancelled_date"),
        ("usage.csv", 2, "period_start", "period_end"),
    ):

        def reverse(
            p: Project, table: str = table, line: int = line, one: str = one, other: str = other
        ) -> None:
            p.cell(table, line, one, "2026-05-01")
            p.cell(table, line, other, "2026-04-01")

        yield Case("dates reversed", table, reverse, (f"{table}:{line}:", "2026-04-01"))
    yield Case(
        "period half open",
        "",
        lambda p: p.cell("usage.csv", 2, "period_start", "2026-11-01"),
        ("usage.csv:2:", "`period_end` is missing"),
    )
    yield Case(
        "segment at the edge",
        "",
        lambda p: (
            p.cell("lines.csv", 3, "effective_date", "0001-01-01"),
            p.cell("lines.csv", 3, "cancelled_date", "9999-12-31"),
        ),
        (),
        HARMLESS,
    )
    yield Case(
        "agreement ends on the last day",
        "",
        lambda p: p.cell("agreements.csv", 2, "end_date", "9999-12-31"),
        (),
        HARMLESS,
    )


def families() -> Iterator[Case]:
    def parents(pairs: dict[str, str]) -> Callable[[Project], None]:
        def spoil(p: Project) -> None:
            for identity, parent in pairs.items():
                p.cell("agreements.csv", int(identity[1:]) + 1, "parent_agreement_id", parent)

        return spoil

    yield Case(
        "parent cycle", "itself", parents({"A1": "A1"}), ("agreements.csv:2:", "its own ancestor")
    )
    yield Case(
        "parent cycle",
        "two",
        parents({"A1": "A2", "A2": "A1"}),
        ("agreements.csv:3:", "its own ancestor"),
    )
    yield Case("parent missing", "", parents({"A1": "A99"}), (), HARMLESS)

    def chain(p: Project, bill_to: bool = False) -> None:
        tail = "Cloud,USD,monthly,2024-01-01,2026-12-01,1.00"
        rows = (
            f"X{n},C{n % 7 + 10},,{tail},X{n + 1},{'C5' if bill_to and n % 2 else ''},false,"
            for n in range(10_000)
        )
        p.add("agreements.csv", "\n".join(rows) + f"\nX10000,C9,,{tail},,,false,\n")

    yield Case("deep parent chain", "10,000", chain, (), HARMLESS)
    yield Case(
        "deep parent chain", "10,000 with other payers", lambda p: chain(p, True), (), HARMLESS
    )
    yield Case(
        "orphan line",
        "",
        lambda p: p.cell("lines.csv", 2, "agreement_id", "A77"),
        ("lines.csv:2:", "there is no agreement `A77`"),
    )
    mixed = LINES + "a,A1,M365,,1,22.00,,\nb,A1,M365,,1,22.00,,\na+b,A2,M365,,1,20.00,,\n"
    yield content("ids that imitate joined ids", "plus", "lines.csv", mixed, harmless=True)
    separated = (
        AGREEMENTS
        + "A3,C3,,Cloud,USD,monthly,,2026-12-01,,,,,\nA3\x1fP,C4,,Cloud,USD,monthly,,2026-12-01,,,,,\n"
    )

    def imitate(p: Project, mark: str) -> None:
        p.write("agreements.csv", separated.replace("\x1f", mark))
        p.add("lines.csv", f"M1,A3,P{mark}Q,,1,2.00,,\nM2,A3{mark}P,Q,,1,2.00,,\n")

    for mark in ("\x1f", "\t", "|", "/", ":", "\x1e", "\\"):
        yield Case(
            "ids that hold separators", f"{mark!a}", lambda p, m=mark: imitate(p, m), (), HARMLESS
        )  # type: ignore[misc]
    both = (
        '\n[[lines]]\nclient = "C1"\nproduct = "M365"\nline = "L1"\nname = "{}"\nflexible = true\n'
    )
    for name in ("2", "1", "x"):

        def slots(p: Project, name: str = name) -> None:
            p.add("lines.csv", "L8,A1,M365,,1,22.00,2026-01-01,\nL9,A1,M365,,1,22.00,,\n")
            p.add("mapping.toml", both.format(name))

        yield Case("slot names that imitate ranks", name, slots, (), HARMLESS)

    def same_name(p: Project) -> None:
        slots(p, "x")
        p.add("mapping.toml", both.format("x").replace('"L1"', '"L8"').replace("true", "false"))

    yield Case("slot named twice", "", same_name, ("mapping.toml:",))


def json_usage() -> Iterator[Case]:
    ok = json.dumps([RECORD])
    for name, text in {
        "a number": "5", "a text": '"x"', "null": "null", "true": "true", "an object": json.dumps(RECORD),
        "an object of arrays": '{"rows": []}', "cut": ok[:-3], "two documents": ok + ok, "a comma too many": ok[:-1] + ",]",
        "nan": ok.replace("12", "NaN"), "comments": "// x\n" + ok, "single quotes": ok.replace('"', "'"), "nothing": " ",
    }.items():  # fmt: skip
        yield usage("json of another shape", name, "usage.json", text)
    for name, text in {
        "an array of numbers": "[1, 2]", "an array of arrays": "[[1]]", "null inside": f"[{json.dumps(RECORD)},\nnull]",
    }.items():  # fmt: skip
        yield usage(
            "json of other elements", name, "usage.json", text, "usage.json:", "no JSON object"
        )
    yield usage(
        "json key twice",
        "",
        "usage.json",
        '[\n{"customer_id": "p1", "sku": "M365", "quantity": 1, "quantity": 100}]',
        "usage.json:2",
        "`quantity` twice",
    )
    yield usage(
        "json nested cell",
        "",
        "usage.json",
        json.dumps([{**RECORD, "quantity": {"n": 1}}]),
        "usage.json:1",
        "column `quantity`",
        "nested",
    )
    yield usage(
        "json nested cell",
        "unused",
        "usage.json",
        json.dumps([{**RECORD, "tags": [[["x"]]]}]),
        harmless=True,
    )
    for number in ("1e999999999", "1e-999999999", "9" * 10_000, "-5", "1.0e400", "1" + "0" * 40):
        yield usage(
            "json number",
            f"{number[:12]} of {len(number)}",
            "usage.json",
            f'[{{"customer_id": "p1", "sku": "M365", "quantity": {number}}}]',
            "usage.json:1",
        )
    for depth in (400, 100_000):
        nested = "[" * depth + "]" * depth
        yield usage("json deeply nested", str(depth), "usage.json", nested)
        yield usage(
            "json deeply nested",
            f"{depth} in a cell",
            "usage.json",
            f'[{{"customer_id": "p1", "sku": "M365", "quantity": {nested}}}]',
        )
        yield usage(
            "jsonl deeply nested",
            str(depth),
            "usage.jsonl",
            json.dumps(RECORD) + "\n" + nested + "\n",
            "usage.jsonl:2",
        )
    yield usage(
        "json surrogate",
        "lone",
        "usage.json",
        '[{"customer_id": "p1", "sku": "\\ud800", "quantity": 1}]',
    )
    yield usage(
        "json nul",
        "",
        "usage.json",
        '[{"customer_id": "p1", "sku": "a\\u0000b", "quantity": 1}]',
        "usage.json:1",
        "NUL",
    )
    yield usage(
        "jsonl broken line", "", "usage.jsonl", json.dumps(RECORD) + "\n{oops\n", "usage.jsonl:2"
    )
    yield usage(
        "jsonl undecodable",
        "",
        "usage.jsonl",
        json.dumps(RECORD).encode() + b'\n{"sku": "\xff"}\n',
        "usage.jsonl:2",
    )
    yield usage("json empty array", "", "usage.json", "[]", "usage.json")
    yield usage(
        "json false for a number",
        "",
        "usage.json",
        json.dumps([{**RECORD, "quantity": False}]),
        "usage.json:1",
        "not a number",
    )
    yield usage("json key empty", "", "usage.json", json.dumps([{**RECORD, "": 1}]), harmless=True)


def gz_and_zip() -> Iterator[Case]:
    packed = gzip.compress(USAGE.encode())
    for name, data in {
        "plain text": USAGE.encode(),
        "cut": packed[:-12],
        "one byte": packed[:1],
        "nothing": b"",
        "bad sum": packed[:-8] + b"\0" * 8,
        "a zip": b"PK\3\4" + packed,
        "trailing garbage": packed + b"garbage",
    }.items():
        yield usage("broken gz", name, "usage.csv.gz", data)
    yield usage("gz in gz", "", "usage.csv.gz", gzip.compress(packed))
    yield usage("small gz bomb", "20 MB", "usage.csv.gz", gzip.compress(b"\0" * 20_000_000))
    for kind in ("usage.txt", "usage.xls", "usage", "usage.pdf", "usage.csv.zip", ".csv"):
        yield usage("kind of file", kind, kind, USAGE)


def workbook(build: Callable[[Any, Any], object], sheets: int = 1) -> bytes:
    import xlsxwriter

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    for number in range(sheets):
        sheet = book.add_worksheet(f"S{number}")
        if not number:
            sheet.write_row(0, 0, ["customer_id", "sku", "quantity", "as_of", "since"])
            sheet.write_row(1, 0, ["p1", "M365", 12])
            build(book, sheet)
    book.close()
    return out.getvalue()


def with_part(data: bytes, part: str, edit: Callable[[bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, edit(old.read(name)) if name == part else old.read(name))
    return out.getvalue()


def sheets() -> Iterator[Case]:
    def case(kind: str, data: bytes, *says: str, name: str = "", harmless: bool = False) -> Case:
        return usage(
            kind,
            name,
            "usage.xlsx",
            data,
            *(says or ("" if harmless else "usage.xlsx",)),
            harmless=harmless,
        )

    plain = workbook(lambda book, sheet: None)
    sheet_part = "xl/worksheets/sheet1.xml"
    yield case("xlsx broken", b"", name="nothing")
    yield case("xlsx broken", USAGE.encode(), name="text")
    yield case("xlsx broken", plain[: len(plain) // 2], name="cut")
    yield case("xlsx broken", plain.replace(b"PK\1\2", b"PK\0\0"), name="no directory")
    yield case(
        "xlsx broken",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000,
        "without a password",
        name="with a password",
    )
    yield case(
        "xlsx broken",
        with_part(plain, "xl/workbook.xml", lambda xml: b"<workbook/>"),
        name="no sheet",
    )
    yield case(
        "xlsx broken",
        with_part(plain, sheet_part, lambda xml: xml[: len(xml) // 2]),
        name="half a sheet",
    )
    yield case("xlsx broken", with_part(plain, sheet_part, lambda xml: b"\xff\xfe<"), name="no xml")
    yield case(
        "xlsx broken",
        with_part(plain, "xl/_rels/workbook.xml.rels", lambda xml: b""),
        name="no relations",
    )
    yield case(
        "xlsx bomb",
        with_part(plain, sheet_part, lambda xml: xml + b"<!--" + b"x" * 5_000_000 + b"-->"),
        name="5 MB comment",
        harmless=True,
    )
    yield case(
        "xlsx entities",
        with_part(
            plain,
            sheet_part,
            lambda xml: xml.replace(
                b"<worksheet",
                b'<!DOCTYPE a [<!ENTITY b "'
                + b"c" * 99
                + b'"><!ENTITY d "'
                + b"&b;" * 99
                + b'">]><worksheet',
                1,
            ),
        ),
        name="doctype",
        harmless=True,
    )
    yield case(
        "xlsx far cell",
        workbook(lambda b, s: s.write(1_048_575, 16_383, "x")),
        "usage.xlsx",
        name="last of all",
    )
    yield case(
        "xlsx far cell",
        workbook(lambda b, s: s.write(2, 16_383, "x")),
        "usage.xlsx",
        name="last column",
    )
    yield case(
        "xlsx far cell",
        workbook(lambda b, s: s.write(1_048_575, 0, "x")),
        "usage.xlsx:1048576",
        name="last row",
    )
    yield case(
        "xlsx error cell",
        workbook(lambda b, s: s.write_formula(1, 2, "=1/0", None, "#DIV/0!")),
        "usage.xlsx:2",
        "column `quantity`",
    )
    yield case(
        "xlsx formula",
        workbook(lambda b, s: s.write_formula(1, 2, "=1+1", None, "")),
        "usage.xlsx:2",
        "column `quantity`",
    )
    yield case(
        "xlsx empty",
        with_part(
            plain,
            sheet_part,
            lambda xml: xml.split(b"<sheetData>")[0] + b"<sheetData/></worksheet>",
        ),
        name="sheet",
    )
    yield case(
        "xlsx merged",
        workbook(lambda b, s: s.merge_range(1, 3, 1, 4, "x")),
        "usage.xlsx:2",
        name="over two columns",
    )
    yield case(
        "xlsx date",
        workbook(lambda b, s: s.write(1, 2, 45_000, b.add_format({"num_format": "yyyy-mm-dd"}))),
        "usage.xlsx:2",
        "column `quantity`",
    )
    yield case(
        "xlsx date",
        workbook(lambda b, s: s.write(1, 4, -99, b.add_format({"num_format": "yyyy-mm-dd"}))),
        "usage.xlsx:2",
        name="before 1900",
    )
    yield case(
        "xlsx date",
        workbook(lambda b, s: s.write(1, 4, 10**9, b.add_format({"num_format": "yyyy-mm-dd"}))),
        "usage.xlsx:2",
        name="after 9999",
    )
    yield case(
        "xlsx number", workbook(lambda b, s: s.write(1, 2, 1e300)), "usage.xlsx:2", name="1e300"
    )
    yield case(
        "xlsx number", workbook(lambda b, s: s.write(1, 2, 1e-300)), "usage.xlsx:2", name="1e-300"
    )
    yield case(
        "xlsx number", workbook(lambda b, s: s.write(1, 2, True)), "usage.xlsx:2", name="true"
    )
    yield case(
        "xlsx number",
        with_part(plain, sheet_part, lambda xml: xml.replace(b"<v>12</v>", b"<v>NaN</v>")),
        name="NaN",
    )
    yield case(
        "xlsx number",
        with_part(plain, sheet_part, lambda xml: xml.replace(b"<v>12</v>", b"<v>inf</v>")),
        name="inf",
    )
    yield case(
        "xlsx number",
        with_part(plain, sheet_part, lambda xml: xml.replace(b'r="C2"', b'r="ZZZZZ99999999999"')),
        name="cell beyond the sheet",
    )
    yield case(
        "xlsx number",
        with_part(plain, sheet_part, lambda xml: xml.replace(b"<v>1</v>", b"<v>999999</v>")),
        name="shared string out of range",
    )

    def other_sheet(p: Project) -> None:
        p.replace("mapping.toml", 'usage = "usage.csv"', 'usage = "usage.xlsx"\nsheet = "July"')
        p.write("usage.xlsx", plain)

    yield Case("xlsx sheet missing", "", other_sheet, ("usage.xlsx", "no sheet `July`"))


def special_files() -> Iterator[Case]:
    def gone(name: str) -> Callable[[Project], None]:
        return lambda p: (p.root / name).unlink()

    def folder(name: str) -> Callable[[Project], None]:
        def spoil(p: Project) -> None:
            (p.root / name).unlink()
            (p.root / name).mkdir()

        return spoil

    def loop(name: str) -> Callable[[Project], None]:
        def spoil(p: Project) -> None:
            (p.root / name).unlink()
            (p.root / name).symlink_to((p.root / name).name)

        return spoil

    def forbidden(name: str) -> Callable[[Project], None]:
        return lambda p: (p.root / name).chmod(0)

    def pipe(name: str) -> Callable[[Project], None]:
        def spoil(p: Project) -> None:
            (p.root / name).unlink()
            (p.root / name).symlink_to("/dev/null")

        return spoil

    def waiting(name: str) -> Callable[[Project], None]:
        def spoil(p: Project) -> None:
            (p.root / name).unlink()
            os.mkfifo(p.root / name)

        return spoil

    for file in (*TABLES, "mapping.toml"):
        yield Case("pipe for a file", file, waiting(file), (file, "a device or a pipe"))
        yield Case("missing file", file, gone(file), (file,))
        yield Case("folder for a file", file, folder(file), (file, "folder"))
        yield Case("symlink loop", file, loop(file), ("`lines`" if file == "lines.csv" else file,))
        yield Case("device for a file", file, pipe(file), (file.split(".")[0],))
        if os.geteuid():
            yield Case("permission denied", file, forbidden(file), (file,))
    yield Case("include folder", "", lambda p: (p.root / "mapping.d/x.toml").mkdir(), (), HARMLESS)
    yield Case(
        "include link loop", "", lambda p: (p.root / "mapping.d/loop").symlink_to("."), (), HARMLESS
    )
    yield Case(
        "include link loop",
        "recursive",
        lambda p: (
            p.replace("mapping.toml", "mapping.d/*", "mapping.d/**/*"),
            (p.root / "mapping.d/loop").symlink_to("."),
        ),
        (),
        REFUSED | HARMLESS,
    )
    for value in ("mapping.toml", "./mapping.toml", "../project/mapping.toml"):
        yield Case(
            "include itself",
            value,
            lambda p, v=value: p.replace("mapping.toml", "mapping.d/*.toml", v),
            (),
            REFUSED | HARMLESS,
        )  # type: ignore[misc]
    for value in (
        "no.toml",
        "",
        " ",
        "mapping.d",
        "clients.csv",
        "\\u0000",
        "x" * 300,
        "[",
        "/nonexistent/x.toml",
    ):
        harmless = value == "["
        yield Case(
            "include wrong",
            f"{value[:20]!a} of {len(value)}",
            lambda p, v=value: p.replace("mapping.toml", "mapping.d/*.toml", v),
            ()
            if harmless
            else ("mapping.toml:3" if value not in ("clients.csv", "mapping.d") else value,),
            HARMLESS if harmless else REFUSED,
        )  # type: ignore[misc]
    yield Case(
        "include another include",
        "",
        lambda p: p.write(
            "mapping.d/extra.toml", 'include = ["x.toml"]\n' + FILES["mapping.d/extra.toml"]
        ),
        ("extra.toml:1",),
    )
    yield Case(
        "include sets twice",
        "",
        lambda p: p.add("mapping.d/extra.toml", '[defaults]\nagreement = "cloud"\n'),
        ("extra.toml:",),
    )
    for key, old in (
        ("clients_file", '"clients.csv"'),
        ("usage", '"usage.csv"'),
        ("lines", '"lines.csv"'),
    ):
        for value in (
            '""',
            '"."',
            '"/"',
            '"a\\u0000b.csv"',
            f'"{"x" * 300}.csv"',
            '"../../../../etc/hostname"',
            "5",
            "[]",
            '"/dev/null/x.csv"',
            "{}",
        ):
            yield Case(
                "path in the mapping",
                f"{key} {value[:20]} of {len(value)}",
                lambda p, k=key, o=old, v=value: p.replace(
                    "mapping.toml", f"{k} = {o}", f"{k} = {v}"
                ),
                ("mapping.toml" if value in ("5", "[]", "{}") else "",),
            )  # type: ignore[misc]


def mapping_shapes() -> Iterator[Case]:
    shapes = ("5", "[1]", '"x"', "[[1]]", "2026-01-01", "{ a = 1 }", "[{}]", "true", "1e5", "[]")
    for table in (
        "psa",
        "vendors",
        "agreements",
        "defaults",
        "products",
        "profiles",
        "guards",
        "writes",
        "lines",
        "clients",
        "exceptions",
        "accepted",
    ):
        for shape in shapes[:: 2 if table in ("psa", "products") else 4]:
            text = f'timezone = "UTC"\n{table} = {shape}\n' + (
                '[psa.main]\nkind = "files"\nagreements = "agreements.csv"\nlines = "lines.csv"\n'
                if table != "psa"
                else ""
            )
            harmless = table not in ("psa",)
            yield Case(
                "table of a wrong type",
                f"{table} = {shape}",
                lambda p, t=text: p.write("mapping.toml", t),
                () if harmless else ("mapping.toml:",),
                REFUSED | (HARMLESS if shape in ("[]",) else frozenset()),
            )  # type: ignore[misc]
    for name, text in {
        "unknown key": "colour = 1\n", "key twice": 'timezone = "UTC"\n', "no value": "x =\n", "open text": 'x = "y\n',
        "open list": "x = [1,\n", "open table": "[x\n", "control character": "x = '\x01'\n", "a lone quote": "'\n", "an equal sign": "= 1\n",
        "bad escape": 'x = "\\q"\n', "surrogate escape": 'x = "\\ud800"\n', "date": "x = 2026-02-30\n", "float": "x = 1.5\n", "nan": "x = nan\n",
        "inf": "x = -inf\n", "exponent": "x = 1e999999999\n", "4,301 digits": f"x = {'9' * 4301}\n", "10,000 digit float": f"x = {'9' * 10_000}.5\n",
        "a tab": "\tx = 1\n", "html": "<html>\n", "yaml": "a: b\n", "json": '{"a": 1}\n', "carriage return": "x = 1\ry = 2\n",
        "key of 100,000": "k" * 100_000 + " = 1\n", "text of 1,000,000": f'x = "{"y" * 1_000_000}"\n', "an empty key": '"" = 1\n',
        "odd key": '"a\\nb\\u202e" = 1\n',
    }.items():  # fmt: skip
        yield top("toml syntax or key", name, text, "mapping.toml:")
    for depth in (100, 2_000, 50_000):
        yield top(
            "toml deeply nested",
            f"lists {depth}",
            f"x = {'[' * depth}{']' * depth}\n",
            "mapping.toml",
        )
        yield top(
            "toml deeply nested",
            f"tables {depth}",
            f"x = {'{a=' * depth}1{'}' * depth}\n",
            "mapping.toml",
        )
    for depth in (100, 3_000):
        yield top("toml deeply dotted", f"key {depth}", f"x{'.a' * depth} = 1\n", "mapping.toml")
        yield tail(
            "toml deeply dotted", f"table {depth}", f"\n[vendors.pax8{'.a' * depth}]\nb = 1\n"
        )
        yield tail("toml deeply dotted", f"product {depth}", f"\n[products{'.a' * depth}]\nb = 1\n")
    for value in (
        '"Mars/Olympus"',
        '""',
        '"../../etc/passwd"',
        '"/etc/localtime"',
        '"America"',
        '"\\u0000"',
        '"UTC\\n"',
        f'"{"x" * 5000}"',
        "5",
        '"utc "',
        '"+05:00"',
        "[]",
    ):
        harmless = value == '"utc "'
        yield Case(
            "timezone",
            value[:24],
            lambda p, v=value: p.replace("mapping.toml", '"America/Chicago"', v),
            () if harmless else ("mapping.toml:1",),
            REFUSED | HARMLESS if harmless else REFUSED,
        )  # type: ignore[misc]
    for value in (
        "nan",
        "1.5",
        "-1",
        '"1e5"',
        '"NaN"',
        f'"{"9" * 19}"',
        f"{'9' * 30}",
        '"1_000"',
        '"٣"',
        "true",
        '""',
        '"1."',
        "[1]",
        '"Infinity"',
        '"0." + ""',
    ):
        yield swap(
            "number in the mapping",
            value[:20],
            "mapping.toml",
            "minimum = 1",
            f"minimum = {value}",
            "mapping.toml:23",
        )
    for value in ("4.50", '"-1"', '"1e5"', '"NaN"', '"4,50"', '"0.123456789"', "5", '""', "inf"):
        yield swap(
            "money in the mapping", value, "mapping.toml", '"4.50"', value, "mapping.toml:27"
        )
    for code in ("XAU", "xx", "usd", '"\\u0000"', '""', '"U D"'):
        yield swap(
            "currency in the mapping",
            code,
            "mapping.toml",
            "USD = ",
            f"{code} = ",
            "mapping.toml:27",
        )
    for old, new in (
        ('sku = "M365"', 'sku = ""'), ('sku = "M365"', 'skuu = "M365"'), ('sku = "M365"', 'sku = "M365", vendor_sku = "x"'),
        ('vendor = "pax8", sku = "M365"', 'vendor = "pax9", sku = "M365"'), ("minimum = 1", "minimum = 1, add = 2"), ("minimum = 1", "pack = 0"),
        ("minimum = 1", "minimum = 5 }, { maximum = 2"), ('kind = "files"', 'kind = "fils"'), ('kind = "files"', "kind = 5"),
        ('fields = ["increase", "create"]', 'fields = ["raise"]'), ('agreement = "cloud"', 'agreement = "clod"'),
        ('type = ["Cloud"]', 'cycle = "daily"'), ('type = ["Cloud"]', 'type = ["Cloud"], fallback = "cloud"'), ("all_clients = true", 'clients = ["C99"]'),
    ):  # fmt: skip
        odd = new == "minimum = 5 }, { maximum = 2"
        yield Case(
            "entry of the mapping",
            new[:40],
            lambda p, o=old, n=new: p.replace("mapping.toml", o, n),
            () if odd else ("mapping.toml",),
            REFUSED | HARMLESS if odd else REFUSED,
        )  # type: ignore[misc]
    for old, new in (
        ("last_day = 2027-03-31", "last_day = 2026-02-30"), ("last_day = 2027-03-31", 'last_day = "2027-03-31"'), ("last_day = 2027-03-31", "last_day = 2027-03-31T00:00:00Z"),
        ("last_day = 2027-03-31", ""), ("add = -1", "add = -1\nset = 5"), ("add = -1", ""), ("add = -1", "add = nan"), ('client = "C2"', 'client = "C7"'), ('product = "M365"', 'product = "M366"'), ('reason = "one NFR seat"', 'reason = " "'),
    ):  # fmt: skip
        yield swap("exception wrong", new[:30], "mapping.d/extra.toml", old, new, "extra.toml:")
    for day in ("0001-01-01", "9999-12-31"):
        yield swap(
            "exception at the edge", day, "mapping.d/extra.toml", "2027-03-31", day, harmless=True
        )
    for row in ('row = "short"', "row = 5", 'row = "UPPERCASE123"', ""):
        yield tail(
            "accepted wrong",
            row,
            f'\n[[accepted]]\n{row}\nseen = {{ psa = "1" }}\nreason = "x"\nlast_day = 2027-01-01\n',
        )
    for seen in ('{ psa = "NaN" }', "{ psa = 1.5 }", "5", '{ psb = "1" }'):
        yield tail(
            "accepted wrong",
            f"seen {seen}",
            f'\n[[accepted]]\nrow = "abcdefghijkl"\nseen = {seen}\nreason = "x"\nlast_day = 2027-01-01\n',
        )
    huge = ", ".join('{ multiply = "999999999999999999" }' for _ in range(12))

    def multiplied(p: Project) -> None:
        p.replace("mapping.toml", "{ minimum = 1 }", huge)
        p.cell("lines.csv", 2, "unit_price", "9" * 32)

    yield Case("product of huge numbers", "", multiplied, ("M365",))


def column_maps() -> Iterator[Case]:
    for name, setting in {
        "pattern twice": 'dates = ["%Y-%m-%Y"]', "pattern open": 'dates = ["%Y%"]', "no pattern": 'dates = ["x"]', "pattern number": "dates = 5",
        "encoding": 'encoding = "klingon"', "binary encoding": 'encoding = "base64"', "undefined": 'encoding = "undefined"', "escape encoding": 'encoding = "unicode_escape"', "idna": 'encoding = "idna"', "utf-16": 'encoding = "utf-16"',
        "delimiter": 'delimiter = "ab"', "delimiter quote": "delimiter = '\"'", "delimiter return": 'delimiter = "\\r"', "header row 0": "header_row = 0", "header row far": f"header_row = {10**30}", "skip": "skip_rows = -1",
        "columns": "columns = { sku = 5 }", "columns missing": 'columns = { sku = "X" }', "columns unknown": 'columns = { skew = "X", sku = "a", quantity = "b", customer_id = "c" }', "values": 'values = { trial = { y = "maybe" } }', "keep": "keep = [5]", "keep unknown": 'keep = [{ Nope = ["x"] }]', "footer": "footer = { text = 5 }",
        "check": 'check = { unit = "a", quantity = "b", equals = "c", tolerance = "x" }', "thousands": 'thousands = "1"', "decimal": 'decimal = ";"', "format": 'format = "nonesuch"', "format number": "format = 5", "period_end": 'period_end = "maybe"', "latest": "latest_per = [5]", "sheet": "sheet = 5", "unknown": "shape = 1", "measure": "measure = 5",
    }.items():  # fmt: skip

        def spoil(p: Project, setting: str = setting) -> None:
            p.replace("mapping.toml", 'usage = "usage.csv"', f'usage = "usage.csv"\n{setting}')

        harmless = name in ("escape encoding", "idna")  # this file happens to be text in them, too
        codes = REFUSED | HARMLESS if harmless else REFUSED
        yield Case("column map", name, spoil, (), codes)
    for name in ("unicode_escape", "raw_unicode_escape", "utf-7"):
        hidden = USAGE.replace("BACKUP", "+2AA-" if name == "utf-7" else "\\ud800").replace(
            "Nobody", "\\u202e"
        )

        def surrogates(p: Project, name: str = name, hidden: str = hidden) -> None:
            p.replace(
                "mapping.toml", 'usage = "usage.csv"', f'usage = "usage.csv"\nencoding = "{name}"'
            )
            p.write("usage.csv", hidden)

        yield Case("encoding that yields surrogates", name, surrogates, ("",))


def secrets() -> Iterator[Case]:
    keys = ("client_secret", "api_key", "password", "token", "private_key")
    for key in keys:
        yield swap(
            "secret in the mapping", key, "mapping.toml", "# client_secret", key, "mapping.toml:13"
        )
        yield swap(
            "secret with bad syntax",
            f"{key} open",
            "mapping.toml",
            f'# client_secret = "{CANARY}"',
            f'{key} = "{CANARY}',
            "mapping.toml:",
        )
        yield swap(
            "secret with bad syntax",
            f"{key} bare",
            "mapping.toml",
            f'# client_secret = "{CANARY}"',
            f"{key} = {CANARY}",
            "mapping.toml:13",
        )
    for text in (
        f'credentials = {{ id = "{CANARY}" }}',
        f'credentials = "{CANARY}"',
        f'credentials = ["{CANARY}"]',
        f'credentials = {{ id = "env:" , secret = "{CANARY}" }}',
        f'credentials = {{ a = {{ token = "{CANARY}" }} }}',
        f'url = "https://me:{CANARY}@example.com"',
        f'auth = {{ api_key = "{CANARY}" }}',
        f'headers = [{{ token = "{CANARY}" }}]',
    ):
        yield swap(
            "secret in the mapping",
            text[:24] + str(len(text)),
            "mapping.toml",
            f'# client_secret = "{CANARY}"',
            text,
            "mapping.toml:",
        )
        yield swap(
            "secret in the psa",
            text[:24] + str(len(text)),
            "mapping.toml",
            'lines = "lines.csv"',
            f'lines = "lines.csv"\n{text}',
            "mapping.toml:",
        )


def command_line() -> Iterator[Case]:
    for value in (
        "",
        "x",
        "2026-02-30",
        "2026-11-25T09:00:00",
        "9" * 10_000,
        "NaN",
        "2026-11-25\n",
        "２０２６-11-25",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-W01-1",
    ):
        yield diff("--as-of", "--as-of", value, says="--as-of")
    for value in (
        "0001-01-01",
        "9999-12-31",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-20",
    ):
        yield diff("--as-of at the edge", "--as-of", value, codes=REFUSED | HARMLESS)
        yield words(
            "--as-of at the edge",
            "check",
            "mapping.toml",
            "--as-of",
            value,
            codes=REFUSED | HARMLESS,
        )
    for value in ("", "x", "2026-02-30", "20261201", "1e5"):
        yield diff("--period", "--period", value, says="--period")
    for value in ("2026-12-02", "0001-01-01", "9999-12-31"):
        yield diff("--period not open", "--period", value, says="--period")
    for value in ("", "x", "-1", "1e3", "99999999999999999999", "3661", "NaN", "٣1x"):
        yield diff("--horizon", "--horizon", value, says="--horizon")
    yield diff("--horizon", "--horizon", "3660", "--as-of", "9999-12-01", codes=REFUSED | HARMLESS)
    for value in (
        "",
        "x",
        "NaN",
        "sNaN",
        "Infinity",
        "-1",
        "1e999999999",
        "1e999999",
        "9" * 10_000,
        "1_000",
        "٣x",
        "1e-999999999",
    ):
        yield diff("--min-money", "--min-money", value, says="--min-money")
    for value in (
        "",
        "x",
        ":",
        "row:",
        "::::",
        "uzvn:",
        "to_zero:",
        "past_periods",
        "a" * 10_000,
    ):
        yield diff("--allow", "--allow", value, "--reason", "because", says="--allow")
    yield diff("--allow without a reason", "--allow", "units", says="--reason")
    yield diff("--allow without a reason", "--reason", "because", says="--allow")
    yield diff("--allow without a reason", "--allow", "units", "--reason", "  ", says="--reason")
    for option in ("--client", "--vendor", "--product"):
        for value in ("", "nobody", "\udcff", "\0", "a" * 10_000, RTL):
            yield diff("filter that names nobody", option, value)
    for option in ("--only", "--skip"):
        for value in ("", "zzzz", "\udcff", "*", "a" * 10_000):
            yield diff("row that is none", option, value)
    for option in (
        "--as-of",
        "--period",
        "--min-money",
        "--allow",
        "--format",
        "--client",
        "--save",
        "--plan",
    ):
        for value in ("\udcff", "a\0b"):
            yield diff("words that are not text", option, value, says="not UTF-8 text")
    for value in ("", "none"):
        yield diff("--without", "--without", value)
        yield diff("--bucket", "--bucket", value, says="--bucket")
        yield diff("--format", "--format", value, says="--format")
    yield diff("reason not text", "--allow", "units", "--reason", "\udcff")
    for value in (
        "",
        "/",
        ".",
        "..",
        "nowhere/plan.json",
        "x" * 300,
        "a\0b",
        "mapping.toml/x",
        "/dev/full/x",
        "\udcff/x",
    ):
        yield diff("--save", "--save", value, says="")
        yield diff("--output", "--output", value, says="")
    for value in (
        "",
        "zz",
        "no.json",
        ".",
        "/",
        "x" * 300 + ".json",
        "x" * 5000,
        "\0",
        "\udcff",
        "usage.csv",
        "mapping.toml",
        "/dev/null",
        "*",
        "%",
    ):
        yield diff("--plan", "--plan", value)
    for value in (
        "nowhere.toml",
        "",
        ".",
        "/",
        "x" * 300,
        "x" * 5000,
        "\0",
        "\udcff",
        "usage.csv",
        "/dev/null",
        "mapping.toml/x",
    ):
        for command in ("diff", "check"):
            yield words("mapping argument", command, value)
    for arguments in (
        ("nonesuch",),
        ("diff", "--nonesuch"),
        ("diff", "a", "b"),
        ("diff", "mapping.toml", "--apply"),
        ("check", "mapping.toml", "--format", "xml"),
        ("diff", "mapping.toml", "--trust", "x"),
        ("accept",),
        ("explain",),
        ("diff", "mapping.toml", "--as-of"),
    ):
        yield words("usage of the commands", *arguments)
    for value in ("zzzz", "", "\udcff", "NOT_A_CODE", "a" * 10_000, "*"):
        yield words("explain", "explain", value)
        yield Case(
            "explain after a run",
            f"{value[:10]!a}",
            unspoiled,
            (),
            REFUSED,
            ("explain", value),
            first=DIFF,
        )
    yield words("explain", "explain", "x", "--plan", "nope")
    for row, reason, day in (
        ("zzzz", "why", "2027-01-01"),
        ("", "why", "2027-01-01"),
        ("uzvn", "", "2027-01-01"),
        ("uzvn", "why", "2026-02-30"),
        ("uzvn", "why", "0001-01-01"),
        ("uzvn", "why", ""),
        ("uzvn", "\udcff", "2099-01-01"),
        ("\udcff", "why", "2099-01-01"),
    ):
        yield Case(
            "accept",
            f"{row!a} {reason!a} {day}",
            unspoiled,
            (),
            REFUSED,
            ("accept", row, "--reason", reason, "--last-day", day),
            first=DIFF,
        )
    yield Case(
        "accept",
        "control characters in the reason",
        unspoiled,
        (),
        HARMLESS,
        ("accept", "uzvn", "--reason", 'a\n"""\x01\\', "--last-day", "9999-12-31"),
        first=DIFF,
        writes=True,
    )
    for run in ("nope", "", "\udcff", "%"):
        yield words("runs", "runs", "show", run)


def environment() -> Iterator[Case]:
    def with_environment(**values: str) -> Callable[[Project], None]:
        return lambda p: p.environment.update(values)

    for value in ("9" * 5000, "99999999999", "-1", "x", "0", "1", "٣", ""):
        yield Case(
            "COLUMNS",
            f"{value[:12]!a} of {len(value)}",
            with_environment(COLUMNS=value),
            (),
            HARMLESS,
        )
    for value in ("nowhere.toml", ".", "x" * 300, "\udcff"):
        yield Case(
            "DRYBILL_MAPPING",
            f"{value[:10]!a}",
            with_environment(DRYBILL_MAPPING=value),
            (),
            REFUSED,
            ("diff",),
        )
    for value in ("/dev/null", "/dev/null/x", "x" * 300, "mapping.toml"):
        yield Case("DRYBILL_STATE", value[:12], with_environment(DRYBILL_STATE=value), (), HARMLESS)
        yield Case(
            "DRYBILL_STATE",
            f"{value[:12]} explain",
            with_environment(DRYBILL_STATE=value),
            (),
            REFUSED,
            ("explain", "zzzz"),
        )

    def journal(data: bytes) -> Callable[[Project], object]:
        return lambda p: (p.state / "journal.db").write_bytes(data)

    def foreign(p: Project) -> None:
        with sqlite3.connect(p.state / "journal.db") as other:
            other.execute("create table entries (a)")
        other.close()

    def newer(p: Project) -> None:
        with sqlite3.connect(p.state / "journal.db") as own:
            own.execute("pragma user_version = 99")
        own.close()

    def cut(p: Project) -> None:
        checkpoint(p)
        path = p.state / "journal.db"
        path.write_bytes(path.read_bytes()[:5000])

    def checkpoint(p: Project) -> None:
        own = sqlite3.connect(p.state / "journal.db")
        own.execute("pragma wal_checkpoint(truncate)")
        own.close()

    def contents(p: Project, data: bytes) -> None:
        import zlib

        own = sqlite3.connect(p.state / "journal.db")
        own.execute("drop trigger contents_never_change")
        own.execute("update contents set content = ?", (data and zlib.compress(data),))
        own.commit()
        own.close()

    for name, data in (
        ("text", b"not a database at all, only text" * 40),
        ("zeros", b"\0" * 8192),
        ("header alone", b"SQLite format 3\0"),
        ("random", bytes(range(256)) * 20),
    ):
        for command in (DIFF, ("explain", "zzzz"), ("runs",)):
            harmless = name == "zeros"
            yield Case(
                "journal is garbage",
                f"{name}, {command[0]}",
                journal(data),
                () if harmless else ("journal.db",),
                REFUSED | HARMLESS if harmless else REFUSED,
                command,
            )
    yield Case(
        "journal is a folder", "", lambda p: (p.state / "journal.db").mkdir(), ("journal.db",)
    )
    yield Case(
        "journal is a link to itself",
        "",
        lambda p: (p.state / "journal.db").symlink_to("journal.db"),
        (),
        REFUSED | HARMLESS,
    )
    for command in (
        DIFF,
        ("explain", "uzvn"),
        ("runs",),
        ("runs", "verify"),
        ("accept", "uzvn", "--reason", "x", "--last-day", "2099-01-01"),
    ):
        yield Case(
            "journal of another program",
            " ".join(command[:2]),
            foreign,
            ("journal.db", "another program"),
            REFUSED,
            command,
        )
        yield Case(
            "journal of a newer drybill",
            " ".join(command[:2]),
            newer,
            ("journal.db", "schema 99"),
            REFUSED,
            command,
            first=DIFF,
        )
        yield Case(
            "journal cut",
            " ".join(command[:2]),
            cut,
            ("journal.db",),
            REFUSED,
            command,
            first=DIFF,
        )
    for name, data in (
        ("no plan", b"{}"),
        ("not json", b"hello"),
        ("not packed", b""),
        ("other version", b'{"version": "drybill.plan/99"}'),
    ):
        for command in (
            ("explain", "uzvn"),
            DIFF,
            ("runs", "verify"),
            ("accept", "uzvn", "--reason", "x", "--last-day", "2099-01-01"),
        ):
            codes = REFUSED | HARMLESS if command[0] == "diff" else REFUSED
            yield Case(
                "journal with a broken plan",
                f"{name}, {command[:2]}",
                lambda p, d=data: contents(p, d),
                (),
                codes,
                command,
                first=DIFF,
            )  # type: ignore[misc]


def plan_files() -> Iterator[Case]:
    save = (*DIFF, "--save", "plan.json")
    show = ("diff", "mapping.toml", "--plan", "plan.json")

    def edited(edit: Callable[[Any], Any], sign: bool = False) -> Callable[[Project], None]:
        def spoil(p: Project) -> None:
            document = edit(json.loads(p.bytes_of("plan.json")))
            if sign:
                from drybill.plan.content import PlanDamaged, decode, digest_of, encode

                with suppress(PlanDamaged):
                    document["digest"] = digest_of(
                        encode(decode(json.dumps(document["plan"]).encode()))
                    )
                p.environment["PLAN_DIGEST"] = document["digest"]
            p.write("plan.json", json.dumps(document))

        return spoil

    def raw(edit: Callable[[bytes], bytes]) -> Callable[[Project], None]:
        return lambda p: p.write("plan.json", edit(p.bytes_of("plan.json")))

    def case(kind: str, name: str, spoil: Callable[[Project], object], *says: str) -> Case:
        return Case(kind, name, spoil, ("plan.json", *says), REFUSED, show, first=save, writes=True)

    for name, edit in {
        "nothing": lambda b: b"", "one byte": lambda b: b[:1], "half": lambda b: b[: len(b) // 2], "all but three": lambda b: b[:-3], "utf-16": lambda b: b.decode().encode("utf-16"),
        "binary": lambda b: bytes(range(256)), "an array": lambda b: b"[]", "a number": lambda b: b"5", "null": lambda b: b"null", "twice": lambda b: b + b, "deep": lambda b: b'{"plan":' * 50_000, "deep lists": lambda b: b'{"plan":' + b"[" * 100_000,
        "spaces of 5 MB": lambda b: b" " * 5_000_000, "undecodable": lambda b: b.replace(b"Wonderland", b"W\xffnderland"), "lone surrogate": lambda b: b.replace(b"Wonderland", b"\\ud800"),
    }.items():  # fmt: skip
        yield case("plan file broken", name, raw(edit))

    def put(**changes: object) -> Callable[[Any], Any]:
        return lambda d: {**d, **changes}

    def put_plan(**changes: object) -> Callable[[Any], Any]:
        return lambda d: {**d, "plan": {**d["plan"], **changes}}

    for name, change in {
        "other schema": put(schema="drybill.plan-file/9"), "digest of another": put(digest="0" * 64), "digest a number": put(digest=5), "digest empty": put(digest=""), "created nonsense": put(created="yesterday"), "created year 0": put(created="0000-01-01T00:00:00Z"),
        "plan null": put(plan=None), "plan a text": put(plan="x"), "plan a list": put(plan=[]), "run a list": put(run=[]),
        "version": put_plan(version="drybill.plan/99"), "today": put_plan(today="2026-02-30"), "invoices": put_plan(invoices=5), "buckets": put_plan(buckets={}), "complete": put_plan(complete="yes"), "timezone": put_plan(timezone="Mars"),
    }.items():  # fmt: skip
        yield case("plan file of wrong types", name, edited(change))
    yield Case(
        "plan file with more fields",
        "",
        edited(put(extra=1)),
        (),
        HARMLESS,
        show,
        first=save,
        writes=True,
    )

    def line(name: str, value: object) -> Callable[[Any], Any]:
        def edit(document: Any) -> Any:
            for invoice in document["plan"]["invoices"]:
                for row in invoice["rows"]:
                    row[name] = value
            return document

        return edit

    for field in ("quantity_after", "amount_after", "amount_before", "unit_price"):
        for value in (
            "NaN",
            "sNaN",
            "Infinity",
            "1E+999999999",
            "1E-999999999",
            "9" * 10_000,
            5,
            None,
            "x",
            "٣",
            1e300,
        ):
            yield case(
                "plan file with odd numbers", f"{field} {value!a:.14}", edited(line(field, value))
            )
            if field != "amount_after":
                yield Case(
                    "plan file signed again",
                    f"{field} {value!a:.14}",
                    edited(line(field, value), sign=True),
                    ("plan.json",),
                    REFUSED | (HARMLESS if value in (None, 5, "٣") else frozenset()),
                    (*show, "--trust", "@PLAN_DIGEST"),
                    first=save,
                    writes=True,
                )
    for field, value in (
        ("bucket", "x"),
        ("first_day", "x"),
        ("id", 5),
        ("id", ""),
        ("psa", "nowhere"),
        ("currency", "XAU"),
        ("reasons", [{"code": "NO_SUCH", "detail": "x"}]),
        ("client", "\x1b[31m"),
    ):
        yield Case(
            "plan file signed again",
            f"{field} {value!a:.14}",
            edited(line(field, value), sign=True),
            (),
            REFUSED | HARMLESS,
            (*show, "--trust", "@PLAN_DIGEST"),
            first=save,
            writes=True,
        )
    yield Case(
        "plan file without a mapping",
        "",
        lambda p: (p.root / "mapping.toml").unlink(),
        ("mapping.toml",),
        REFUSED,
        ("diff", "--plan", "plan.json"),
        first=save,
        writes=True,
    )


GROUPS: tuple[Callable[[], Iterator[Case]], ...] = (
    bytes_and_encodings, tables, cells, dates_at_the_edge, families, json_usage, gz_and_zip, sheets,
    special_files, mapping_shapes, column_maps, secrets, command_line, environment, plan_files,
)  # fmt: skip
CASES = [case for group in GROUPS for case in group()]
