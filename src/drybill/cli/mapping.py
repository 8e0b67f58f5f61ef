"""The MAPPING argument: which file, without ever searching upwards for one."""

from __future__ import annotations

import os
from pathlib import Path

from drybill.errors import InputError, Place, Problem

DEFAULT = "mapping.toml"


def chosen(argument: Path | None) -> Path:
    """The argument, else DRYBILL_MAPPING, else ./mapping.toml. Raises InputError."""
    path = argument or Path(os.environ.get("DRYBILL_MAPPING") or DEFAULT)
    try:
        there = path.exists()
        str(path.resolve()).encode()
    except UnicodeEncodeError:
        name = str(path.resolve()).encode("utf-8", "replace").decode()
        summary, fix = "the path of the mapping is not UTF-8 text", "rename the folder or the file"
        raise InputError([Problem("path-not-text", Place(name), summary, fix)]) from None
    except (OSError, RuntimeError):  # too long, not permitted, or links in a circle
        there = False
    if not there:
        fix = "name a mapping: drybill diff MAPPING, or begin with drybill demo"
        raise InputError([Problem("no-mapping", Place(str(path)), "there is no such file", fix)])
    return path
