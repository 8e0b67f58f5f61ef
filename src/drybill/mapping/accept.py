"""Writes an acceptance into the included file that belongs to the machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

from drybill import whole
from drybill.billing.quantity import text
from drybill.errors import InputError, Place, Problem
from drybill.mapping.source import read_sources
from drybill.mapping.toml import read_toml

FILE = "mapping.d/accepted.toml"
_HEADER = "# Written by `drybill accept`. Values may be edited; comments are not kept.\n\n"


def add_acceptance(
    mapping_path: Path,
    row: str,
    seen: Mapping[str, Decimal | None],
    reason: str,
    last_day: date,
) -> Path:
    """Adds an `[[accepted]]` entry, or replaces the one of the same row. Returns the file.

    `seen` holds the quantities "psa" and "vendor"; an unknown one is left out. `last_day` is the
    last day on which the acceptance counts.

    Raises:
        InputError: row or reason are unusable, the mapping does not include the file, the row
            is accepted in a file that people write, or a file cannot be read or written.
    """
    _check(row, reason)
    main = read_toml(mapping_path, mapping_path.name, "the mapping")
    patterns = main.table.get("include", [])
    if not isinstance(patterns, list) or not any(_covers(str(one)) for one in patterns):
        summary = f"the mapping does not include `{FILE}`, so an acceptance would not be read"
        fix = 'add this line to its top: include = ["mapping.d/*.toml"]'
        raise InputError([Problem("not-included", Place(main.name), summary, fix)])
    target = mapping_path.parent / FILE
    if not target.exists():
        _write(target, {})
    sources = read_sources(mapping_path)
    accepted = sources.merged.get("accepted", [])
    for index, entry in enumerate(accepted if isinstance(accepted, list) else []):
        if isinstance(entry, dict) and entry.get("row") == row:
            where = sources.place(("accepted", index), key=True)
            if where.file != str(target):
                summary = f"row {row} is accepted here already"
                raise InputError([Problem("accepted-twice", where, summary, "change it there")])
    table = read_toml(target, FILE, "the file of acceptances").table
    entries = table.get("accepted", [])
    others = [one for one in entries if not isinstance(one, dict) or one.get("row") != row]
    observed = {name: text(seen.get(name)) for name in ("psa", "vendor")}
    entry = {
        "row": row,
        "seen": {name: number for name, number in observed.items() if number is not None},
        "reason": reason.strip(),
        "last_day": last_day,
    }
    _write(target, {**table, "accepted": [*others, entry]})
    return target


def _check(row: str, reason: str) -> None:
    problems = []
    if not re.fullmatch(r"[a-z0-9]{12}", row):
        problems.append(Problem("not-a-row", None, f"`{row}` is not a row's whole id"))
    if not reason.strip():
        problems.append(Problem("empty-text", None, "an acceptance needs a reason"))
    if problems:
        raise InputError(problems)


def _covers(pattern: str) -> bool:
    """Whether an `include` pattern would find the file, existing or not."""
    names, wanted = FILE.split("/"), Path(pattern).as_posix().split("/")
    if "**" in wanted:
        return wanted[0] in ("**", names[0]) and fnmatchcase(names[-1], wanted[-1])
    return len(wanted) == len(names) and all(map(fnmatchcase, names, wanted))


def _write(target: Path, table: Mapping[str, object]) -> None:
    """Whole or not at all."""
    import tomli_w

    content = _HEADER + tomli_w.dumps(table)
    try:
        target.parent.mkdir(exist_ok=True)
        whole.write(target, content.encode())
    except OSError as error:
        summary = f"the file cannot be written: {whole.reason(error)}"
        raise InputError([Problem("file-unwritable", Place(str(target)), summary)]) from None
