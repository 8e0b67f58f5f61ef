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
) -> None:
    """Check the mapping and show what it covers. Writes nothing."""
    from datetime import UTC, datetime

    from drybill.cli import words
    from drybill.cli.mapping import chosen
    from drybill.cli.screen import complain, put, width
    from drybill.flow.compute import clock_for
    from drybill.flow.fetch import fetch
    from drybill.mapping.coverage import coverage
    from drybill.mapping.lint import lint
    from drybill.mapping.load import load
    from drybill.report.check import render_check, render_check_json

    if format not in ("table", "json"):
        raise typer.BadParameter(f"--format: `{format}` is neither table nor json")
    path = chosen(mapping)
    loaded = load(path)
    today = clock_for(loaded, words.as_of(as_of, datetime.now(UTC))).today
    warnings = [*loaded.problems, *lint(loaded, today)]
    fetched = fetch(loaded)
    found = coverage(
        loaded,
        [a for reading in fetched.readings.values() for a in reading.agreements],
        [s for reading in fetched.readings.values() for s in reading.segments],
        [r for usage in fetched.usages.values() for r in usage.records],
    )
    if format == "json":
        put(render_check_json(warnings, found))
        return
    if warnings:
        complain(warnings)
    put(render_check(str(path), len(warnings), found, width()))
