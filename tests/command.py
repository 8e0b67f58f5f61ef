"""The program as a person meets it: words in, exit code and texts out, all in this process."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import typer

from drybill.cli import main
from drybill.journal import Journal
from world import write

AS_OF = ("--as-of", "2026-11-25")
_APP = typer.main.get_command(main.app)  # made once: that takes longer than a small run


@dataclass(frozen=True)
class Said:
    code: int
    raw: bytes  # what stdout received
    err: str
    encoding: str

    @property
    def out(self) -> str:
        return self.raw.decode(self.encoding, "replace")


class _Stream(io.TextIOWrapper):
    """Text over bytes, like a real stdout; a terminal where the test says so."""

    def __init__(
        self, encoding: str, content: bytes = b"", terminal: bool = False, gone: bool = False
    ) -> None:
        super().__init__(io.BytesIO(content), encoding=encoding, write_through=True)
        self.terminal = terminal
        self.gone = gone

    def write(self, text: str) -> int:
        if self.gone:
            raise BrokenPipeError
        return super().write(text)

    def isatty(self) -> bool:
        return self.terminal

    def received(self) -> bytes:
        self.flush()
        held = self.buffer
        assert isinstance(held, io.BytesIO)
        return held.getvalue()


def drybill(*words: str, typed: str | None = None, encoding: str = "utf-8", gone: str = "") -> Said:
    """Runs the program. With `typed` it sits at a terminal, where that is what is typed.

    `gone` names streams whose reader has gone: "out", "err", or both.
    """
    terminal = typed is not None
    out, err = (_Stream(encoding, terminal=terminal, gone=name in gone) for name in ("out", "err"))
    stdin = _Stream("utf-8", (typed or "").encode(), terminal)
    code: object = "it did not exit"
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        mock.patch.object(sys, "argv", ["drybill", *words]),
        mock.patch.object(sys, "stdin", stdin),
        mock.patch.object(main, "app", _APP),
    ):
        try:
            main.run()
        except SystemExit as leaving:
            code = leaving.code
    assert isinstance(code, int), code
    said = Said(code, out.received(), err.received().decode(encoding), encoding)
    assert "Traceback" not in said.out + said.err
    return said


def undone(run: str, *words: str) -> Said:
    """`undo RUN` as a script does it: shown first, then the same with --apply."""
    drybill("undo", run, *words)
    return drybill("undo", run, "--apply", *words)


def last_run() -> str:
    with Journal.open(write=False) as journal:
        return journal.runs(1)[0].id


def last_writing_run() -> str:
    """The last run that intended to write."""
    with Journal.open(write=False) as journal:
        for run in journal.runs(9):
            if any(entry.kind == "intent" for entry in journal.run_entries(run.id)):
                return run.id
    raise AssertionError("no run wrote")


class Desk:
    """A folder with a mapping and its files, and the commands that somebody gives there."""

    def __init__(self, folder: Path, toml: str, **files: str) -> None:
        self.folder = folder
        self.mapping = str(write(folder, toml, **files))

    @property
    def lines(self) -> str:
        return (self.folder / "lines.csv").read_text("utf-8")

    @lines.setter
    def lines(self, text: str) -> None:
        (self.folder / "lines.csv").write_text(text, "utf-8")

    def diff(self, *words: str) -> dict[str, Any]:
        """The machine output of a dry run."""
        said = drybill("diff", self.mapping, *AS_OF, "--format", "json", *words)
        assert said.out, said.err
        found: dict[str, Any] = json.loads(said.out)
        return found

    def rows(self, *words: str) -> dict[str, dict[str, Any]]:
        """The rows of a dry run, by the PSA's line id, or the product of a line to create."""
        invoices = self.diff("--all", *words)["invoices"]
        return {row["line_id"] or row["product"]: row for i in invoices for row in i["lines"]}

    def plan(self, *words: str) -> str:
        """The digest of a new plan."""
        digest: str = self.diff(*words)["run"]["plan_digest"]
        return digest

    def apply(self, plan: str, *words: str) -> Said:
        return drybill("diff", "--plan", plan, "--apply", *words)
