"""JSON arrays of objects, and JSON lines, as grids; numbers keep the text they were written in."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from drybill.errors import InputError, Place, Problem
from drybill.tabular.delimited import decode
from drybill.tabular.grid import BATCH, Batch, Fault, Grid

_MAGNITUDE = 40  # 1e999999999 must not become a text of a billion digits


def open_objects(data: bytes, shown: str, lines: bool) -> Grid:
    """Opens an array of objects, or one object per line where `lines`. Raises InputError."""
    import msgspec

    decoder = msgspec.json.Decoder(float_hook=Decimal)
    records: list[tuple[int, dict[str, Any]]] = []
    problems: list[Problem] = []
    for line, raw in _lines(data) if lines else _elements(data, shown):
        try:
            record = decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeError, ArithmeticError, RecursionError):
            record = None
        if isinstance(record, dict) and (twice := _twice(raw, record)):
            summary = f"this object has the key `{twice}` twice"
            problems.append(
                Problem("key-twice", Place(shown, line), summary, "write every key once")
            )
        elif isinstance(record, dict):
            records.append((line, record))
        else:
            fix = 'write objects such as {"sku": "A", "quantity": 5}'
            problems.append(
                Problem(
                    "row-unreadable",
                    Place(shown, line),
                    "this is no JSON object that can be read",
                    fix,
                )
            )
    if problems:
        raise InputError(problems)
    header = list(dict.fromkeys(name for _, record in records for name in record))
    return Grid(shown, header, 1, _batches(records, header))


def _twice(raw: bytes, record: dict[str, Any]) -> str:
    """A key that stands twice in an object; a reader would take the last without a word."""
    import json

    if all(raw.count(f'"{key}"'.encode()) < 2 for key in record) and b"\\" not in raw:
        return ""

    def first_twice(pairs: list[tuple[str, Any]]) -> str:
        keys = [key for key, _ in pairs]
        return next((key for key in keys if keys.count(key) > 1), "")

    try:
        found = json.loads(raw, object_pairs_hook=first_twice)
    except (ValueError, RecursionError):  # an integer of thousands of digits: refused as a cell
        return ""
    return found if isinstance(found, str) else ""


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line


def _elements(data: bytes, shown: str) -> Iterator[tuple[int, bytes]]:
    import msgspec

    text = decode(data, shown, "utf-8").encode()
    try:
        elements = msgspec.json.Decoder(list[msgspec.Raw]).decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        why = str(error).lower()
        fix = "the file must be one array of objects: [{...}, {...}]; for one per line use .jsonl"
        raise InputError([Problem("not-json", Place(shown), why, fix)]) from None
    line, at = 1, 0
    for element in elements:
        raw = bytes(element)
        found = text.find(raw, at)  # between two elements there are only commas and spaces
        line += text.count(b"\n", at, found)
        yield line, raw
        line += raw.count(b"\n")
        at = found + len(raw)


def _batches(records: list[tuple[int, dict[str, Any]]], header: list[str]) -> Iterator[Batch]:
    for start in range(0, len(records), BATCH):
        batch = Batch([], [])
        for row, (line, record) in enumerate(records[start : start + BATCH]):
            cells = []
            for column, name in enumerate(header):
                value = record.get(name)
                if type(value) is str:
                    if "\0" in value:
                        batch.faults.append(Fault(row, column, "there is a NUL character in it"))
                    cells.append(value)
                elif isinstance(value, (dict, list)):
                    batch.faults.append(Fault(row, column, "this is a nested value, not a cell"))
                    cells.append("")
                else:
                    cells.append(_text(value))
            batch.lines.append(line)
            batch.rows.append(cells)
        yield batch


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}" if abs(value.adjusted()) <= _MAGNITUDE else str(value)
    try:
        return str(value)
    except ValueError:  # an integer of more than 4,300 digits
        return "a number of thousands of digits"
