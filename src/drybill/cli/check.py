"""`drybill check`: is the mapping right, and how much does it cover? Offline unless --online."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drybill.cli import complete


def check(
    mapping: Annotated[
        Path | None,
        typer.Argument(
            help="The mapping; by default DRYBILL_MAPPING, else ./mapping.toml.",
            autocompletion=complete.mappings,
            show_default=False,
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="The day to judge expiry by; by default today.")
    ] = None,
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
    online: Annotated[
        bool, typer.Option("--online", help="Ask live PSAs and vendors, too; with reads only.")
    ] = False,
) -> None:
    """Check the mapping and show what it covers. Writes nothing.

    Servers are asked with --online only: then also what the keys of each PSA may read.
    """
    from datetime import UTC, datetime

    from drybill.cli import words
    from drybill.cli.mapping import chosen
    from drybill.cli.progress import shown
    from drybill.cli.screen import complain, put, width
    from drybill.errors import Exit, Problem
    from drybill.flow.compute import clock_for
    from drybill.flow.fetch import fetch, probe
    from drybill.mapping.coverage import coverage
    from drybill.mapping.lint import lint
    from drybill.mapping.load import load
    from drybill.mapping.unmatched import unmatched
    from drybill.report.check import render_check, render_check_json

    if format not in ("table", "json"):
        raise typer.BadParameter(f"--format: `{format}` is neither table nor json")
    path = chosen(mapping)
    loaded = load(path)
    today = clock_for(loaded, words.as_of(as_of, datetime.now(UTC))).today
    warnings = [*loaded.problems, *lint(loaded, today)]
    probes = probe(loaded) if online else {}
    with shown():
        fetched = fetch(loaded, offline=not online)
    records = [r for usage in fetched.usages.values() for r in usage.records]
    segments = {name: reading.segments for name, reading in fetched.readings.items()}
    receipts = {name: usage.receipt for name, usage in fetched.usages.items()}
    warnings += unmatched(loaded, fetched.agreements, segments, records, receipts)
    warnings += [
        Problem("source-notice", loaded.place(f"vendors.{name}"), says, level="warning")
        for name, receipt in receipts.items()
        for says in receipt.problems
    ]
    every = [segment for part in segments.values() for segment in part]
    found = coverage(loaded, fetched.agreements, every, records)
    if format == "json":
        put(render_check_json(warnings, found))
        return
    if warnings:
        complain(warnings)
    asked = {*fetched.readings, *fetched.usages}
    silent = sorted({*loaded.psas, *loaded.vendors} - asked)
    put(render_check(str(path), len(warnings), found, width(), probes, silent))
    if fetched.unreachable:
        raise typer.Exit(int(Exit.UNREACHABLE))
