"""`drybill explain`: how one number came about, or what a reason code means."""

from __future__ import annotations

from typing import Annotated

import typer

from drybill.cli import complete


def explain(
    what: Annotated[
        str,
        typer.Argument(
            help="A row id (or its beginning), or a reason code.", autocompletion=complete.rows
        ),
    ],
    plan: Annotated[
        str | None, typer.Option(help="An earlier plan: its id or its run; by default the last.")
    ] = None,
) -> None:
    """Show how one number came about, offline from the last plan; or what a reason code means."""
    from drybill.billing.reasons import REASONS
    from drybill.cli.screen import put, width
    from drybill.report.explain import render_code, render_explain

    if what.upper() in REASONS:
        put(render_code(what.upper(), width()))
        return
    from drybill.flow.explain import find

    found = find(what, plan)
    put(render_explain(found, width()).text(to_terminal=True))
