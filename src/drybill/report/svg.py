"""A screen as one self-contained SVG: system fonts, nothing fetched, same input same bytes."""

from __future__ import annotations

import io

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from drybill.report.document import Document
from drybill.report.layout import Sheet, cells
from drybill.report.table import render_table

# A white card of its own, readable on light and dark pages; every colour has a contrast of at
# least 4.5 on it.
_THEME = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [
        (31, 35, 40), (180, 0, 20), (17, 99, 41), (31, 35, 40),
        (9, 80, 170), (130, 40, 150), (31, 35, 40), (31, 35, 40),
    ],
)  # fmt: skip
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace"
_FORMAT = (
    """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: """
    + _FONTS
    + """;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<rect width="{width}" height="{height}" rx="8" fill="#ffffff" stroke="#d0d7de"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
)


def render_svg(document: Document, width: int = 110) -> str:
    """The table of a run, `width` cells wide, or wider where a number or a fix needs it."""
    return sheet_svg(render_table(document, width))


def sheet_svg(sheet: Sheet) -> str:
    """Any screen as SVG."""
    widest = max(map(cells, sheet.plain.splitlines()), default=0)
    console = Console(
        record=True,
        width=max(sheet.width, widest),
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
        no_color=False,
        _environ={},
    )
    console.print(sheet, soft_wrap=True)
    return console.export_svg(title="", theme=_THEME, code_format=_FORMAT, unique_id="drybill")
