"""Lines of a screen: wrapped between words by terminal cells, with numbers never split or cut.

rich's own Table crops a column that does not fit, money included, and its folding splits numbers.
So widths are measured first, and every line is a `Text` that is printed without wrapping.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec import field as new_field

if TYPE_CHECKING:  # a pipe needs no rich, and rich takes a tenth of a small run to import
    from rich.console import Console, ConsoleOptions, RenderResult

# A number stays with its currency or percent sign; only other long words may be folded.
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_WORD = re.compile(r"( *)([^\s\w]*[-+]?\d[\d,]*(?:\.\d+)? (?:[A-Z]{3}|%)(?!\w)\S*|\S+)")


def cells(text: str) -> int:
    """Columns that a terminal needs: 2 for most CJK characters and emoji."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells, unless a single number is wider. Never empty."""
    if cells(text) <= width:
        return [text]
    lines = [""]
    for gap, word in _words(text, width):
        joined = f"{lines[-1]}{gap}{word}" if lines[-1] else word
        if cells(joined) <= width:
            lines[-1] = joined
            continue
        parts = list(_folded(word, max(width, 1)))
        if lines == [""]:
            lines = parts
        else:
            lines += parts
    return lines


def _words(text: str, width: int) -> Iterator[tuple[str, str]]:
    """(gap before it, word); an amount is one word with its currency where that fits a line."""
    for gap, word in _WORD.findall(text):
        number, space, unit = word.partition(" ")
        if space and cells(word) > width:
            yield gap, number
            yield space, unit
        else:
            yield gap, word


def _folded(word: str, width: int) -> Iterator[str]:
    """A word in pieces that fit, broken between characters but never inside a number."""
    line = ""
    start = 0
    while start < len(word):
        number = _NUMBER.match(word, start)
        piece = number.group() if number else word[start]
        if line and cells(line) + cells(piece) > width:
            yield line
            line = ""
        line += piece
        start += len(piece)
    if line:
        yield line


def pad(text: str, width: int) -> str:
    """Text filled with spaces to `width` cells, on the right."""
    return text + " " * (width - cells(text))


class Sheet(Struct):
    """A screen under construction, and a rich renderable. `width` is in cells."""

    width: int
    lines: list[tuple[tuple[str, str], ...]] = new_field(default_factory=list)  # (text, style)

    def add(self, *parts: str | tuple[str, str]) -> None:
        """One line as it is, from texts or (text, style)."""
        line = [(part, "") if isinstance(part, str) else part for part in parts]
        while line and not line[-1][0].rstrip():
            line.pop()
        if line:
            line[-1] = (line[-1][0].rstrip(), line[-1][1])
        self.lines.append(tuple(line))

    def blank(self) -> None:
        """An empty line between sections; never two, never at the top."""
        if self.lines and self.lines[-1]:
            self.lines.append(())

    def prose(self, text: str, first: str = "", rest: str | None = None, style: str = "") -> None:
        """Text wrapped to the width, after `first` on its first line and `rest` on the others."""
        rest = " " * cells(first) if rest is None else rest
        room = self.width - max(cells(first), cells(rest))
        for position, line in enumerate(wrap(text, room)):
            self.add(((rest if position else first) + line, style))

    def verbatim(self, text: str, indent: str) -> None:
        """Lines to be pasted somewhere: never wrapped, whatever the width."""
        for line in text.split("\n"):
            self.add(indent + line)

    def flow(self, parts: Iterable[str], gap: str, first: str, rest: str) -> None:
        """Unbreakable parts one after another, a new line before one that does not fit."""
        line = first
        filled = False
        for part in parts:
            if filled and cells(line) + cells(gap) + cells(part) > self.width:
                self.add(line)
                line, filled = rest, False
            line += gap + part if filled else part
            filled = True
        self.add(line)

    def grid(self, rows: Sequence[Sequence[str]], indent: str = "  ", gap: str = "  ") -> None:
        """Short rows in left-aligned columns; one after another where they are too wide."""
        widths = [max(cells(row[i]) for row in rows) for i in range(len(rows[0]))]
        if cells(indent) + sum(widths) + cells(gap) * (len(widths) - 1) <= self.width:
            for row in rows:
                self.add(indent + gap.join(pad(c, w) for c, w in zip(row, widths, strict=True)))
            return
        for row in rows:
            self.prose(gap.join(cell for cell in row if cell), indent, indent + "  ")

    @property
    def plain(self) -> str:
        """The screen without styles, with a newline at the end of each line."""
        return "".join("".join(text for text, _ in line) + "\n" for line in self.lines)

    def text(self, to_terminal: bool = False) -> str:
        """The screen as it goes to stdout, styled where that is a terminal that shows colours."""
        if not to_terminal or not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
            return self.plain
        from drybill.report.console import open_console

        console = open_console(sys.stdout)
        with console.capture() as captured:
            console.print(self, soft_wrap=True)
        return captured.get()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        for line in self.lines:
            yield Text.assemble(*line, no_wrap=True, overflow="ignore")
