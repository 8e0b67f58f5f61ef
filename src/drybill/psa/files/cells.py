"""Edits of a CSV text that change nothing but the cells they name, byte for byte."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping

KEY = "line_id"


class EditError(ValueError):
    """Why an edit cannot be made, as a sentence."""


Span = tuple[int, int]


class CsvText:
    """A CSV text with its quoting, line endings and byte order mark as they are; for one edit."""

    def __init__(self, text: str, delimiter: str) -> None:
        """Raises EditError for a text that is not CSV."""
        self.text = text
        self.delimiter = delimiter
        self._rows = self._scan()
        header = next(self._rows, None)
        if header is None:
            raise EditError("there is no header row")
        self._header_span, names = header
        self.header = [name.strip() for name in names]

    def set(self, key: str, values: Mapping[str, str]) -> str:
        """The text with new cells in the one row whose key is `key`. Raises EditError."""
        found = self._find(key)
        if len(found) != 1:
            why = "is not in the file" if not found else f"stands in the file {len(found)} times"
            raise EditError(f"`{key}` {why}")
        (start, end), cells = found[0]
        if len(cells) != len(self.header):
            raise EditError(f"the row of `{key}` has {len(cells)} cells, not {len(self.header)}")
        spans = self._cell_spans(start, end)
        edits = {spans[self._column(name)]: value for name, value in values.items()}
        text = self.text
        for span in sorted(edits, reverse=True):
            old = text[slice(*span)]
            text = text[: span[0]] + self._replaced(old, edits[span]) + text[span[1] :]
        return text

    def append(self, key: str, values: Mapping[str, str]) -> str:
        """The text with one more row at its end. Raises EditError where the key is there."""
        places = {self._column(name): value for name, value in values.items()}
        if self._find(key):
            raise EditError(f"`{key}` is in the file already")
        places[self._column(KEY)] = key
        start, end = self._header_span
        quoted = all(
            self.text[first] == '"' for first, last in self._cell_spans(start, end) if first < last
        )
        cells = [places.get(column, "") for column in range(len(self.header))]
        row = self.delimiter.join(self._encoded(cell, quoted) for cell in cells)
        newline = _ending(self.text[start:end]) or "\n"
        if _ending(self.text):
            return f"{self.text}{row}{newline}"
        return f"{self.text}{newline}{row}"

    def _scan(self) -> Iterator[tuple[Span, list[str]]]:
        """Every row with its span of the text, its line ending included."""
        # csv.reader itself says where rows end, so that an edit never sees other rows than a read.
        at = 1 if self.text.startswith("\ufeff") else 0
        consumed = at

        def lines() -> Iterator[str]:
            nonlocal consumed
            for line in io.StringIO(self.text[at:], newline=""):
                consumed += len(line)
                yield line

        start = at
        try:
            for row in csv.reader(lines(), delimiter=self.delimiter, strict=True):
                if row:
                    yield (start, consumed), row
                start = consumed
        except csv.Error as error:
            raise EditError(f"the file is not whole CSV: {error}") from None

    def _find(self, key: str) -> list[tuple[Span, list[str]]]:
        at = self._column(KEY)
        rows, self._rows = self._rows, iter(())
        return [row for row in rows if len(row[1]) > at and row[1][at].strip() == key]

    def _column(self, name: str) -> int:
        if name not in self.header:
            raise EditError(f"the file has no column `{name}`")
        return self.header.index(name)

    def _cell_spans(self, start: int, end: int) -> list[Span]:
        """Where each cell of a row stands, its quotes included."""
        delimiter = re.escape(self.delimiter)
        cell = re.compile(rf'"(?:[^"]|"")*"|[^{delimiter}\r\n]*')
        spans = []
        while found := cell.match(self.text, start, end):
            spans.append(found.span())
            start = found.end() + 1
            if start > end or self.text[found.end() : start] != self.delimiter:
                break
        return spans

    def _replaced(self, old: str, value: str) -> str:
        quoted = len(old) > 1 and old.startswith('"')
        inner = old[1:-1] if quoted else old
        left = inner[: len(inner) - len(inner.lstrip())] if inner.strip() else ""
        right = inner[len(inner.rstrip()) :] if inner.strip() else ""
        new = f"{left}{value}{right}"
        return self._encoded(new, quoted)

    def _encoded(self, cell: str, quoted: bool) -> str:
        special = (self.delimiter, '"', "\r", "\n")
        if quoted or any(char in cell for char in special):
            return '"' + cell.replace('"', '""') + '"'
        return cell


def _ending(text: str) -> str:
    return next((each for each in ("\r\n", "\n", "\r") if text.endswith(each)), "")
