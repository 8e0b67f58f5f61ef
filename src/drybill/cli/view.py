"""The view: in which form and how much of a run is shown, and where."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from drybill.cli.screen import ReaderGone, on_terminal, put, talk, width
from drybill.errors import InputError, Problem, RefusedError

if TYPE_CHECKING:
    from drybill.billing.invoice import InvoiceKey
    from drybill.billing.row import Row
    from drybill.errors import Exit
    from drybill.flow.selection import Selection
    from drybill.mapping.load import Mapping
    from drybill.plan.plan import Plan
    from drybill.report.document import Document


def _plain(path: Path) -> bool:
    return "\0" not in str(path)


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MD = "md"
    SVG = "svg"


def _texts(settings: object) -> Iterator[str]:
    """Every text in settings, however deep: a list of files is files, too."""
    if isinstance(settings, str):
        yield settings
    elif isinstance(settings, dict | list):
        for inner in settings.values() if isinstance(settings, dict) else settings:
            yield from _texts(inner)


def _is_one_of(path: Path, read: set[str]) -> bool:
    """By name or, a hard link having two, by what the name leads to."""
    if os.path.realpath(path) in read:
        return True
    with suppress(OSError):
        return any(path.samefile(other) for other in read if _exists(other))
    return False


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class View:
    format: Format
    output: Path | None
    invoices: bool
    all_rows: bool
    quiet: bool
    exit_code: bool
    save: Path | None

    def refuse_inputs(self, mapping: Mapping, *others: str, record: Path | None = None) -> None:
        """A report must not replace what it was made from: only --apply writes to a PSA.

        Raises:
            InputError: --output, --save or --record names a file that the mapping reads, the
                journal, or one of `others`.
        """
        from drybill.journal import journal_files

        texts = [*_texts([mapping.psas, mapping.vendors]), mapping.sources.clients_file]
        files = [mapping.folder / text for text in texts]
        names = [Path(name) for name in mapping.sources.names]
        # realpath, for it takes any text: what no file can be called is no file that is read
        kept = [mapping.path, *files, *names, *journal_files(), *map(Path, others)]
        read = {os.path.realpath(path) for path in kept if _plain(path)}
        problems = [
            Problem("output-is-input", None, f"{option} {path}: drybill reads this file")
            for option, path in (
                ("--output", self.output),
                ("--save", self.save),
                ("--record", record),
            )
            if path is not None and _plain(path) and _is_one_of(path, read)
        ]
        if problems:
            raise InputError(problems)

    def save_plan(self, content: bytes, digest: str, created: datetime, run: str) -> None:
        """Exports the plan where --save says, readable by its owner alone."""
        if self.save is None:
            return
        from drybill.apply.plan_source import save

        save(self.save, content, digest, created, run)
        talk(f"saved plan {digest} to {self.save}")

    def show(
        self,
        plan: Plan,
        *,
        run: str,
        digest: str,
        mapping: str,
        as_of: date | datetime,
        code: Exit,
        quiet_rows: dict[InvoiceKey, list[Row]],
        selection: Selection,
        notices: tuple[str, ...],
        applying: bool,
        foreign_plan: str = "",
    ) -> None:
        from drybill.flow.selection import narrow
        from drybill.report.document import Document, Hidden, RunFacts
        from drybill.report.opening import FILTERS

        hidden, whole = None, plan
        if selection:
            payers = {invoice.key: (invoice.client_id, invoice.client) for invoice in plan.invoices}
            quiet_rows = {
                key: [row for row in rows if selection.keeps(row, *payers[key])]
                for key, rows in quiet_rows.items()
            }
            shown = quiet_rows if self.all_rows or self.invoices else {}
            plan, left_out = narrow(plan, selection, shown)
            options = [(name, value) for name, value in plan.options if name in FILTERS]
            filters = tuple(f"--{name} {value}" for name, value in options)
            hidden = Hidden(
                rows=left_out.rows, filters=filters, money=left_out.money, of=left_out.of
            )
        document = Document(
            run=RunFacts(
                id=run,
                mapping=mapping,
                as_of=as_of.isoformat().replace("+00:00", "Z"),
                plan_digest=digest,
                foreign_plan=foreign_plan,
            ),
            plan=plan,
            whole=whole,
            exit_code=code,
            quiet=quiet_rows,
            hidden=hidden,
            notices=notices,
            show_all=self.all_rows,
            applying=applying,
            asking=on_terminal(),
        )
        try:
            put(self._render(document), self.output)
        except ReaderGone:
            if not applying:
                raise
            summary = "nothing was written: whoever was reading the table has gone"
            raise RefusedError([Problem("output-gone", None, summary)]) from None

    def _render(self, document: Document) -> str | bytes:
        if self.quiet:
            from drybill.report.quiet import render_quiet

            for notice in document.notices:  # a cron job that forgets must not do so silently
                talk(f"drybill: {notice}")
            return render_quiet(document)
        if self.format is Format.JSON:
            from drybill.report.json import render_json

            return render_json(document)
        if self.format is Format.CSV:
            from drybill.report.csv import render_csv

            return render_csv(document)
        if self.format is Format.MD:
            from drybill.report.markdown import render_markdown

            return render_markdown(document)
        if self.format is Format.SVG:
            from drybill.report.svg import render_svg

            return render_svg(document)
        from drybill.report.table import render_invoices, render_table

        render = render_invoices if self.invoices else render_table
        return render(document, width()).text(self.output is None)
