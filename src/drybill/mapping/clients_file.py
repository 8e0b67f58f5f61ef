"""Reads `clients_file`: one client per row, one column per vendor.

Plain code, not pydantic per row: a file of 100,000 clients is read in well under a second.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Literal

from drybill.billing.policy import Client
from drybill.errors import InputError, Place, Problem
from drybill.mapping.findings import nearest, one_of
from drybill.mapping.positions import Path
from drybill.mapping.toml import decode, read_bytes

if TYPE_CHECKING:
    from _csv import Reader


@dataclass
class ClientsFile:
    """What the file held. `data` is its content, for the digest."""

    name: str  # as messages show it
    relative: str  # as the mapping names it
    data: bytes = b""
    unreadable: tuple[str, str] | None = None  # what is wrong, and what would be right
    clients: list[Client] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """The names that a row may refer to, each with the place that defines it."""

    psas: Mapping[str, Path]
    vendors: Mapping[str, Path]
    roles: Mapping[str, Path]
    profiles: Mapping[str, Path]
    suggest: Callable[[str, Mapping[str, Path]], str]  # the nearest name and its place
    by_role: Callable[[dict[str, str]], dict[str, str]]  # spreads an agreement that names no role


def read_clients(folder: FilePath, relative: str, known: Known) -> ClientsFile:
    """All clients of the file; mistakes are in `problems`, each with file, line and column name."""
    path = folder / relative
    file = ClientsFile(str(path), relative)
    try:
        file.data = read_bytes(path, "the clients file")
    except InputError as error:
        problem = error.problems[0]
        file.unreadable = (f"`{relative}`: {problem.summary}", problem.fix)
        return file
    try:
        text = decode(file.data, file.name)
    except InputError as error:
        file.problems += error.problems
        return file
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        where = Place(file.name, line, 1)
        file.problems.append(Problem("csv-syntax", where, "this is not CSV: it holds a NUL byte"))
        return file
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        columns = _columns(header, file, known)
        if columns is not None:
            _rows(reader, columns, file, known)
    except csv.Error as error:
        where = Place(file.name, max(reader.line_num, 1), 1)
        file.problems.append(Problem("csv-syntax", where, f"this is not CSV: {error}"))
    return file


@dataclass
class _Columns:
    """Where in a row each thing stands; -1 for a column that the file does not have."""

    width: int
    id: int
    name: int = -1
    psa: int = -1
    profile: int = -1
    agreements: list[tuple[int, str]] = field(default_factory=list)  # (index, role); "" is all
    vendors: list[tuple[int, str]] = field(default_factory=list)


def _columns(header: list[str], file: ClientsFile, known: Known) -> _Columns | None:
    def wrong(
        code: str,
        index: int,
        summary: str,
        fix: str = "",
        level: Literal["error", "warning"] = "error",
    ) -> None:
        column = sum(len(cell) + 1 for cell in header[:index]) + 1
        place = Place(file.name, 1, column)
        file.problems.append(Problem(code, place, summary, fix, level))

    if "id" not in header:
        separated = len(header) == 1 and (";" in header[0] or "\t" in header[0])
        fix = "separate columns by commas" if separated else "the first line names the columns"
        wrong("missing-column", 0, "column `id` is missing", fix)
        return None
    columns = _Columns(len(header), header.index("id"))
    unknown: list[str] = []
    for index, name in enumerate(header):
        if name in header[:index]:
            wrong("set-twice", index, f"column `{name}` is there twice")
        elif name in ("name", "psa", "profile"):
            setattr(columns, name, index)
        elif name == "agreement":
            columns.agreements.append((index, ""))
        elif name.startswith("agreement."):
            role = name.removeprefix("agreement.")
            columns.agreements.append((index, role))
            if role not in known.roles:
                fix = known.suggest(role, known.roles)
                wrong("unknown-role", index, f"column `{name}`: there is no role `{role}`", fix)
        elif name in known.vendors:
            columns.vendors.append((index, name))
        elif name != "id":
            unknown.append(name)
    if unknown:
        near = [(name, nearest(name, known.vendors)) for name in unknown]
        meant = [f"`{name}` may be vendor `{vendor}`" for name, vendor in near if vendor]
        says = "columns that nothing reads: " + ", ".join(f"`{name}`" for name in unknown)
        wrong("unknown-column", header.index(unknown[0]), says, "; ".join(meant), "warning")
    return columns


def _rows(
    reader: Reader,
    columns: _Columns,
    file: ClientsFile,
    known: Known,
) -> None:
    only_psa = next(iter(known.psas)) if len(known.psas) == 1 else ""
    width, at_id, at_name = columns.width, columns.id, columns.name
    at_psa, at_profile = columns.psa, columns.profile
    agreements, vendors = columns.agreements, columns.vendors
    append = file.clients.append

    def wrong(code: str, column: str, summary: str, fix: str = "") -> None:
        place = Place(file.name, line, 1)
        file.problems.append(Problem(code, place, f"column `{column}`: {summary}", fix))

    line = reader.line_num + 1
    for row in reader:
        if len(row) != width:
            if row:
                place = Place(file.name, line, 1)
                says = f"this row has {len(row)} cells, the header has {width}"
                file.problems.append(Problem("csv-width", place, says))
            line = reader.line_num + 1
            continue
        identity = row[at_id].strip()
        if not identity:
            if not any(row):  # spreadsheets write rows of nothing
                line = reader.line_num + 1
                continue
            wrong("missing-id", "id", "is empty", "every client needs the PSA's company id")
        psa = row[at_psa].strip() if at_psa >= 0 else ""
        if not psa:
            psa = only_psa
            if not psa and known.psas:
                wrong("psa-missing", "psa", "is empty", f"say which: {one_of(known.psas)}")
        elif psa not in known.psas:
            wrong("unknown-psa", "psa", f"there is no psa `{psa}`", known.suggest(psa, known.psas))
        profile = (row[at_profile].strip() if at_profile >= 0 else "") or None
        if profile is not None and profile not in known.profiles:
            says = f"there is no profile `{profile}`"
            wrong("unknown-profile", "profile", says, known.suggest(profile, known.profiles))
        chosen: dict[str, str] = {}
        for index, role in agreements:
            cell = row[index].strip()
            if cell:
                chosen[role] = cell
        if "" in chosen:
            chosen = known.by_role(chosen)
        customers: dict[str, tuple[str, ...]] = {}
        for index, vendor in vendors:
            cell = row[index].strip()
            if cell:
                if ";" in cell:
                    parts = [part.strip() for part in cell.split(";")]
                    customers[vendor] = tuple([part for part in parts if part])
                else:
                    customers[vendor] = (cell,)
        name = row[at_name].strip() if at_name >= 0 else ""
        path = f"{file.relative}:{line}"
        append(Client(psa, identity, name, profile, chosen, customers, path))
        line = reader.line_num + 1
