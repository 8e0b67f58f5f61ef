"""Reads one TOML file and says where and why it is not TOML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

from drybill import whole
from drybill.errors import InputError, Place, Problem
from drybill.mapping.positions import Path, Positions

Table = dict[str, Any]


@dataclass
class Source:
    """One TOML file. `name` is what messages show, `relative` what the digest knows it by."""

    name: str
    relative: str
    data: bytes
    table: Table
    offsets: dict[str, int] = field(default_factory=dict)  # list -> merged index of its first item

    @cached_property
    def positions(self) -> Positions:
        return Positions(self.data.removeprefix(b"\xef\xbb\xbf"))

    def own(self, path: Path) -> Path | None:
        """The merged path as this file has it; None for an item of another file's list."""
        if len(path) < 2 or not isinstance(path[1], int) or not isinstance(path[0], str):
            return path
        items = self.table.get(path[0])
        index = path[1] - self.offsets.get(path[0], 0)
        if not isinstance(items, list) or not 0 <= index < len(items):
            return None
        return (path[0], index, *path[2:])

    def depth(self, path: Path) -> int:
        """How many steps of the path this file has."""
        here: Any = self.table
        for depth, step in enumerate(path):
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return depth
        return len(path)


def read_bytes(path: FilePath, what: str) -> bytes:
    """The whole file.

    Raises:
        InputError: it is missing, a folder, or may not be read.
    """
    try:
        return whole.read(path)
    except FileNotFoundError:
        summary, fix = "there is no such file", f"{what} must exist"
    except IsADirectoryError:
        summary, fix = "this is a folder", f"name the file of {what}"
    except PermissionError:
        summary, fix = "the file may not be read", "allow your user to read it"
    except (OSError, ValueError) as error:
        summary, fix = f"the file cannot be read: {whole.reason(error)}", ""
    raise InputError([Problem("file-unreadable", Place(str(path)), summary, fix)])


def decode(data: bytes, name: str) -> str:
    """UTF-8 text without a byte order mark.

    Raises:
        InputError: naming line and column of the first byte that is not UTF-8.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        place = Place(name, line, column)
        fix = "save the file as UTF-8"
        raise InputError([Problem("not-utf-8", place, "this is not UTF-8 text", fix)]) from None


def read_toml(path: FilePath, relative: str, what: str) -> Source:
    """One TOML file.

    Raises:
        InputError: unreadable, not UTF-8 or not TOML, with the place of the mistake.
    """
    import tomli

    data = read_bytes(path, what)
    text = decode(data, str(path))
    try:
        # Fractions are refused later, where their place is known; until then they stay exact.
        table = tomli.loads(text, parse_float=_fraction)
    except tomli.TOMLDecodeError as error:
        raise InputError([_syntax(error, text, str(path))]) from None
    except RecursionError:
        summary = "lists or tables are nested far too deeply"
        raise InputError([Problem("toml-syntax", Place(str(path)), summary)]) from None
    except ValueError:
        summary = "a whole number has thousands of digits"
        digits = re.search(r"[0-9][0-9_]{4000}", text)
        line = text.count("\n", 0, digits.start()) + 1 if digits else 0
        raise InputError([Problem("toml-syntax", Place(str(path), line), summary)]) from None
    return Source(str(path), relative, data, table)


def _fraction(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


_SYNTAX = (
    (
        "Expected '=' after a key",
        "an `=` and a value are missing after this key",
        "write key = value",
    ),
    (
        "Invalid value",
        "this is not a TOML value",
        'put text in quotes: "text"; true and false are lower case; a list ends with ]',
    ),
    ("Unterminated string", "this text has no closing quote", ""),
    ("Expected \"'", "this text has no closing quote", ""),
    ("Illegal character '\\n'", "this text does not end on its own line", "add the closing quote"),
    ("Illegal character", "a control character may not stand here", "delete it"),
    (
        "Expected newline or end of document",
        "something follows that does not belong to this value",
        'one key per line; put text, percentages and dates such as "50 %" in quotes',
    ),
    ("Expected ']", "the `]` of this table's name is missing", ""),
    ("Unclosed inline table", "the `}` of this table is missing", ""),
    ("Unclosed array", "the `]` of this list is missing", ""),
    ("Unescaped", "a backslash in double quotes starts an escape", "write \\\\ or single quotes"),
    ("Invalid initial character for a key", "a name is missing here", ""),
    (
        "Invalid statement",
        "no key starts with this character",
        'put unusual names in quotes: "name"',
    ),
)


def _syntax(error: Any, text: str, name: str) -> Problem:
    message, line, column = str(error.msg), int(error.lineno), int(error.colno)
    if message.startswith("Duplicate"):
        summary = "a key of this table is set twice"
        return Problem("set-twice", Place(name, line, column), summary, "keep one of the two")
    if message.startswith(("Cannot overwrite", "Cannot declare")):
        return _twice(text.replace("\r\n", "\n").split("\n"), line, name)
    if message.startswith(("Unterminated string", "Expected \"'")):
        line, column = _last_quote(text.replace("\r\n", "\n"), message)
    elif message.startswith("Unescaped"):
        column = max(column - 2, 1)  # tomli points behind the escape
    for start, summary, fix in _SYNTAX:
        if message.startswith(start):
            return Problem("toml-syntax", Place(name, line, column), summary, fix)
    return Problem("toml-syntax", Place(name, line, column), message[:1].lower() + message[1:])


def _last_quote(text: str, message: str) -> tuple[int, int]:
    """Where a text begins that never ends: at the last quote of its kind in the file."""
    single = message.startswith("Expected")
    quote = ("'''" if "'''" in message else "'") if single else '"'
    if not single and text.rfind('"') < text.rfind("\n"):
        quote = '"""'
    before = text[: max(text.rfind(quote), 0)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _twice(lines: list[str], line: int, name: str) -> Problem:
    """A key or table that was set before; tomli only knows where the second one ends."""
    text = lines[line - 1]
    column = len(text) - len(text.lstrip()) + 1
    head = _head(text)
    if not head:
        summary = "the key of this value is set twice"
        return Problem("set-twice", Place(name, line, column), summary, "keep one of the two")
    first = 0
    for number in range(line - 1, 0, -1):
        before = lines[number - 1]
        if _head(before) == head:
            first = number
        elif before.lstrip().startswith("[") and not head.startswith("["):
            break
    where = f", first on line {first}" if first else ""
    summary = f"`{head}` is set twice{where}"
    return Problem("set-twice", Place(name, line, column), summary, "keep one of the two")


def _head(line: str) -> str:
    """What a line sets: `[products.EDR]`, or a key; nothing where a longer value goes on."""
    table = re.fullmatch(r"(\[{1,2}[^\[\]]+\]{1,2})\s*(#.*)?", line.strip())
    if table:
        return table[1]
    return line.split("=", maxsplit=1)[0].strip() if "=" in line else ""
