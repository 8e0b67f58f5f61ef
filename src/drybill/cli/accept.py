"""`drybill accept`: a difference that is known and shall count as clean while it stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drybill.cli import complete


def accept(
    row: Annotated[
        str, typer.Argument(help="The row id (or its beginning).", autocompletion=complete.rows)
    ],
    reason: Annotated[str, typer.Option(help="Why this difference is right.")],
    last_day: Annotated[str, typer.Option(help="The last day on which it counts as clean.")],
    mapping: Annotated[
        Path | None,
        typer.Option(help="The mapping; by default DRYBILL_MAPPING, else ./mapping.toml."),
    ] = None,
) -> None:
    """Accept a difference until a day: it counts as clean while both numbers stay as they are."""
    from datetime import UTC, datetime

    from drybill.cli import words
    from drybill.cli.mapping import chosen
    from drybill.cli.screen import open_journal, put
    from drybill.flow.accepting import accept_row

    path = chosen(mapping)
    day = words.day(last_day, "--last-day")
    if day is None or not reason.strip():
        raise typer.BadParameter("--reason and --last-day must say something")
    journal, _ = open_journal(must_write=True)
    with journal:
        accepted = accept_row(journal, path, row, reason.strip(), day, datetime.now(UTC))
    put(
        f"accepted {accepted.row} until {day.isoformat()}: PSA {accepted.psa}, vendor "
        f"{accepted.vendor}\nwritten to {accepted.file}; nothing was written to a PSA\n"
    )
