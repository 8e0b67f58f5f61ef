"""The program `drybill`: its commands, and how errors leave it."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from drybill.cli import accept, check, demo, diff, explain, listings, runs, sandbox, undo
from drybill.errors import DrybillError, Exit, InputError, Problem

app = typer.Typer(
    name="drybill",
    help="Shows what your next invoices will say and what would change. Only --apply writes.",
    epilog=(
        "Start: drybill demo. Exit codes: 0 done; 1 internal error; 2 usage or mapping error; "
        "3 refused or an incomplete source; 4 applied in part; 5 a source could not be asked; "
        "6 an outcome is unknown; 7 locked by another run; with --exit-code also 10 differences, "
        "11 rows that need a decision; 130 interrupted."
    ),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from drybill import __version__

        typer.echo(f"drybill {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


app.command("diff")(diff.diff)
app.command("explain")(explain.explain)
app.command("check")(check.check)
app.command("accept")(accept.accept)
app.add_typer(runs.app, name="runs")
app.command("undo")(undo.undo)
app.command("demo")(demo.demo)
app.command("sandbox")(sandbox.sandbox)
app.command("schema")(listings.schema)
app.command("vendors")(listings.vendors)
app.command("psa")(listings.psa)


def _is_text(word: str) -> bool:
    """Words that the system could not decode hold surrogates, which no file or journal takes."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in word


def main() -> None:
    """The process: one run, and out.

    A run is short and makes no garbage worth collecting. With 100,000 lines the search for cycles
    takes as long as the comparison, and freeing every object at the end as long as reading them:
    so neither is done. Files, locks and the journal were closed where they were opened.
    """
    gc.disable()
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started us, as some schedulers do
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - until the end
            setattr(sys, name, stream)
    try:
        run()
        code: object = Exit.DONE
    except SystemExit as leaving:
        code = leaving.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else Exit.DONE if code is None else Exit.USAGE)


def run() -> None:
    """A user's error is a message and an exit code, never a traceback."""
    try:
        if not all(_is_text(word) for word in sys.argv[1:]):
            summary = "the command line holds bytes that are not UTF-8 text"
            raise InputError([Problem("words-not-text", None, summary)])
        app()
    except DrybillError as error:
        from drybill.cli.screen import complain

        complain(error.problems)
        sys.exit(error.exit_code)
    except SystemExit as leaving:
        if leaving.code == Exit.INTERRUPTED:  # typer turns Ctrl-C into this
            from drybill.cli.screen import talk

            talk("interrupted")
        raise
    except Exception as error:
        from drybill.cli.screen import confess

        confess(error)
        sys.exit(Exit.INTERNAL)
