"""Where words go: data to stdout, talk and problems to stderr, in any terminal or pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

import typer

from drybill.errors import InputError, Place, Problem

if TYPE_CHECKING:
    from drybill.journal import Journal

PIPED_WIDTH = 120


def width() -> int:
    """The terminal's columns; off a terminal COLUMNS, else 120."""
    if sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    columns = os.environ.get("COLUMNS", "")
    known = columns.isdecimal() and len(columns) < 5 and int(columns) > 0
    return int(columns) if known else PIPED_WIDTH


def on_terminal() -> bool:
    """Whether a person can be asked: in and out are both a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def put(data: str | bytes, output: Path | None = None) -> None:
    """Writes data to stdout, or whole or not at all to a file, in UTF-8 whatever the platform."""
    content = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if output is not None:
        from drybill import whole

        try:
            whole.write(output, content)
        except (OSError, ValueError) as error:
            summary = f"cannot be written: {whole.reason(error)}"
            problem = Problem("output-unwritable", Place(str(output)), summary)
            raise InputError([problem]) from None
        return
    try:
        if isinstance(data, bytes):
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
        else:
            _forgiving(sys.stdout)
            sys.stdout.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail again when Python closes the stream.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGone from None
    except OSError as error:
        from drybill import whole

        summary = f"the output cannot be written: {whole.reason(error)}"
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise InputError([Problem("output-unwritable", None, summary)]) from None


class ReaderGone(typer.Exit):
    """Whoever read our output has gone (`| head`): not an error, and nobody is left to tell."""


def talk(text: str, end: str = "\n") -> None:
    """Never raises: a run that is writing must not stop because nobody listens."""
    with suppress(OSError):
        _forgiving(sys.stderr)
        sys.stderr.write(text + end)
        sys.stderr.flush()


def open_journal(*, must_write: bool) -> tuple[Journal, list[str]]:
    """The journal, or for a dry run one in memory with a notice that nothing will be remembered.

    Raises:
        JournalUnavailable: when something is to be written and the journal cannot be.
    """
    from drybill.journal import Journal, JournalUnavailable

    try:
        return Journal.open(write=True), []
    except JournalUnavailable as error:
        if must_write:
            raise
        return Journal.transient(), [f"nothing is remembered: {error.problems[0].summary}"]


def complain(problems: Sequence[Problem]) -> None:
    """Problems with their place, the line they stand in, and what would be right."""
    from drybill.report.problems import render_problems

    talk(render_problems(problems, _lines_of(problems)).rstrip("\n"))


def confess(error: Exception) -> None:
    """An error of ours: what and where, without the values that happened to be around."""
    last = extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno} in {last.name}"
    talk(f"drybill has a defect: {type(error).__name__} at {place}. Nothing more was done.")
    talk("Please report it with this line and the command that you gave.")


def _lines_of(problems: Sequence[Problem]) -> dict[str, list[str]]:
    """The text of the files that problems stand in, where they can be read."""
    lines: dict[str, list[str]] = {}
    for name in {problem.where.file for problem in problems if problem.where}:
        try:
            path = Path(name)
            if path.is_file() and path.stat().st_size < 2_000_000:
                text = path.read_text("utf-8", "replace")
                if "\0" not in text:  # a workbook or an archive has no lines for a person
                    lines[name] = text.splitlines()
        except (OSError, ValueError):
            continue
    return lines


def _forgiving(stream: object) -> None:
    """A character that a pipe's encoding lacks must not end the run."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
