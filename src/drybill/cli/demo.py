"""`drybill demo`: a small month-end on bundled files, to look at in a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    folder: Annotated[
        Path, typer.Argument(help="Where to lay the files; must not exist yet.")
    ] = Path("drybill-demo"),
) -> None:
    """Lay three small clients into a folder, to try drybill on. Needs no keys."""
    from drybill.cli.screen import put
    from drybill.demo import AS_OF, lay_out
    from drybill.report.words import clean

    lay_out(folder)
    folder_said, mapping = clean(str(folder)), clean(str(folder / "mapping.toml"))
    put(
        f"{folder_said} holds a mapping, a PSA and two vendors, all as files. Now try:\n"
        f"  drybill diff {mapping} --as-of {AS_OF}\n"
        f"  drybill check {mapping} --as-of {AS_OF}\n"
        f"  drybill explain SEATS_ADDED\n"
    )
