"""What happened, for people: the list of runs, and everything the journal holds of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from drybill.report import words
from drybill.report.layout import Sheet

if TYPE_CHECKING:
    from drybill.journal import Entry, Run


def render_runs(runs: Sequence[Run], width: int) -> str:
    """One line a run, newest first."""
    sheet = Sheet(width)
    if not runs:
        sheet.prose("The journal holds no runs yet.")
        return sheet.plain
    for run in runs:
        command = str(run.facts.get("command", "run"))
        ended = "still going, or killed" if run.exit_code is None else f"exit {run.exit_code}"
        started = words.moment(run.started.isoformat())
        parts = (run.id, started, command, ended, words.clean(run.mapping))
        sheet.flow(parts, "  ", "", "    ")
    return sheet.plain


def render_run(run: Run, entries: Sequence[Entry], width: int) -> str:
    """Every entry of a run, oldest first."""
    sheet = Sheet(width)
    sheet.prose(f"run {run.id}, mapping {words.clean(run.mapping)}")
    for entry in entries:
        moment = words.moment(entry.at.isoformat())
        sheet.prose(_said(entry), f"  {moment}  {entry.kind:<10} ", " " * 6)
    return sheet.plain


def _said(entry: Entry) -> str:
    if entry.body is None:
        return "(contents purged)"
    body = {key: value for key, value in entry.body.items() if value not in (None, "", [], {})}
    return words.clean(", ".join(f"{key} {_text(value)}" for key, value in body.items()))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
