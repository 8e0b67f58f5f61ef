"""`drybill runs`: what happened. Reads the journal only."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="Show what earlier runs saw, planned and wrote.",
    rich_markup_mode=None,
    invoke_without_command=True,
)


@app.callback()
def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
) -> None:
    """Show what earlier runs saw, planned and wrote."""
    if context.invoked_subcommand is not None:
        return
    from drybill.cli.screen import put, width
    from drybill.journal import Journal
    from drybill.report.runs import render_runs

    with Journal.open(write=False) as journal:
        put(render_runs(journal.runs(limit), width()))


@app.command()
def show(run: Annotated[str, typer.Argument(help="The run's id, or its beginning.")]) -> None:
    """Show everything that the journal holds of one run."""
    from drybill.cli.screen import put, width
    from drybill.journal import Journal
    from drybill.report.runs import render_run

    with Journal.open(write=False) as journal:
        put(render_run(journal.run(run), journal.run_entries(run), width()))


@app.command()
def verify() -> None:
    """Check the journal's hash chain from its first entry to its last."""
    from drybill.cli.screen import complain, put
    from drybill.errors import Exit
    from drybill.journal import Journal

    with Journal.open(write=False) as journal:
        problems = journal.verify()
        place = journal.place
    if problems:
        complain(problems)
    if any(problem.level == "error" for problem in problems):
        raise typer.Exit(int(Exit.REFUSED))
    put(f"the chain of {place} is whole\n")
