"""The console that screens are printed on: widths, colours and encodings settled in one place."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Literal, TextIO

from rich.console import Console

from drybill.report.layout import Sheet

ColorChoice = Literal["auto", "always", "never"]
PIPE_WIDTH = 120  # a pipe has no width; 80 would waste what tickets and files can show


def open_console(
    stream: TextIO, color: ColorChoice = "auto", environ: Mapping[str, str] | None = None
) -> Console:
    """A console on `stream`: `--color`, then NO_COLOR, FORCE_COLOR, TERM=dumb, then the terminal.

    Characters that the stream's encoding lacks become `?`: a name must not end a run.
    """
    environ = dict(os.environ if environ is None else environ)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    if environ.get("FORCE_COLOR") == "0":  # rich takes any text for "yes"
        del environ["FORCE_COLOR"]
    console = Console(
        file=stream,
        force_terminal={"auto": None, "always": True, "never": False}[color],
        no_color={"auto": None, "always": False, "never": True}[color],
        highlight=False,
        markup=False,
        emoji=False,
        _environ=environ,
    )
    if not stream.isatty() and not environ.get("COLUMNS", "").isdigit():
        console.width = PIPE_WIDTH
    return console


def show(sheet: Sheet, console: Console) -> None:
    """Prints a screen without wrapping or cropping: its lines were measured already."""
    console.print(sheet, soft_wrap=True)
