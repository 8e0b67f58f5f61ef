"""The bundled data of `drybill demo`: the same files as in examples/quickstart."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from drybill.errors import InputError, Place, Problem

AS_OF = "2026-11-25"  # the day that the files speak of


def lay_out(folder: Path) -> None:
    """Copies the files into a new folder. Raises InputError if it exists or cannot be made."""
    try:
        folder.mkdir(parents=True)
        for file in sorted(
            resources.files("drybill.demo").joinpath("quickstart").iterdir(), key=str
        ):
            (folder / file.name).write_bytes(file.read_bytes())
    except FileExistsError:
        fix = "name another: drybill demo FOLDER"
        raise InputError(
            [Problem("folder-exists", Place(str(folder)), "this is there already", fix)]
        ) from None
    except OSError as error:
        summary = f"cannot be made: {error.strerror}"
        raise InputError([Problem("folder-unwritable", Place(str(folder)), summary)]) from None
