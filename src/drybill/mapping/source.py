"""Merges the mapping and its included files, remembering who wrote what."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from drybill.errors import InputError, Place, Problem
from drybill.mapping.findings import in_file_order
from drybill.mapping.positions import Path, parse_path
from drybill.mapping.toml import Source, Table, read_toml

# `[[name]]` lists of the top level; an included file adds to them, it sets anything else once.
LISTS = ("lines", "clients", "exceptions", "accepted")


@dataclass
class Sources:
    """The main mapping and its includes as one table."""

    files: list[Source]
    merged: Table
    problems: list[Problem]
    clients_file: str = ""  # as the mapping names it
    clients_data: bytes | None = None

    @property
    def names(self) -> list[str]:
        """All files as messages show them, in the order in which their problems are shown."""
        return [source.name for source in self.files] + [self.clients_name]

    @property
    def clients_name(self) -> str:
        return str(FilePath(self.files[0].name).parent / self.clients_file)

    def written(self, text: str) -> Place:
        """Where a `path` of the policy is written: `products."EDR".quantity[1]`.

        A client from the clients file has its file and line as path, "clients.csv:12".
        """
        row = re.fullmatch(r"(.*):(\d+)", text, re.DOTALL)
        if row and row[1] == self.clients_file:
            return Place(self.clients_name, int(row[2]), 1)
        path = parse_path(text)
        return self.place(path, key=not path or not isinstance(path[-1], int))

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the merged path is written; else what surrounds it."""
        best, best_path, best_depth = self.files[0], path, -1
        for source in self.files:
            own = source.own(path)
            if own is None:
                continue
            depth = source.depth(own)
            if depth > best_depth:
                best, best_path, best_depth = source, own, depth
        return Place(best.name, *best.positions.find(best_path, key=key))


def read_sources(path: FilePath) -> Sources:
    """The mapping and everything it includes.

    An item of a top-level list is added to the others; every other key may be set by one file
    only. An included file includes nothing itself, so that one look tells what is read.

    Raises:
        InputError: a file cannot be read, or a key is set by two files.
    """
    main = read_toml(path, path.name, "the mapping")
    problems: list[Problem] = []
    files = [main]
    for index, pattern in enumerate(_patterns(main)):
        place = Place(main.name, *main.positions.find(("include", index)))
        for relative in _matches(path, pattern, place, problems):
            if all(relative != known.relative for known in files):
                try:
                    files.append(read_toml(path.parent / relative, relative, "an included file"))
                except InputError as error:
                    problems += error.problems
    sources = Sources(files, {}, problems)
    for source in files:
        if source is not main and "include" in source.table:
            problems.append(_nested(source))
        for key in LISTS:
            before = sources.merged.get(key)
            source.offsets[key] = len(before) if isinstance(before, list) else 0
        _merge(sources, source, sources.merged, source.table, ())
    if any(problem.level == "error" for problem in problems):
        errors = [problem for problem in problems if problem.level == "error"]
        raise InputError(in_file_order(errors, sources.names))
    return sources


def _patterns(main: Source) -> list[str]:
    """`include`, as far as it is a list of texts; what else it may be is refused with the rest."""
    wanted = main.table.get("include", [])
    texts = wanted if isinstance(wanted, list) else []
    return [text for text in texts if isinstance(text, str)]


def _matches(path: FilePath, pattern: str, place: Place, problems: list[Problem]) -> list[str]:
    if not pattern.strip() or "\0" in pattern:
        problems.append(Problem("include", place, "an empty name includes nothing"))
        return []
    if not re.search(r"[*?\[]", pattern):
        if _exists(path.parent / pattern):
            return [FilePath(pattern).as_posix()]
        summary = f"there is no file `{pattern}` beside the mapping"
        problems.append(Problem("include-missing", place, summary, "create it or drop the name"))
        return []
    try:
        # unlike Path.glob it takes absolute patterns too
        found = glob.glob(pattern, root_dir=path.parent, recursive=True)  # noqa: PTH207
    except (OSError, ValueError, re.error):
        found = []
    names = sorted(
        FilePath(name).as_posix()
        for name in found
        if (path.parent / name).is_file() and FilePath(name) != FilePath(path.name)
    )
    if not names:
        summary = f"no file matches `{pattern}`"
        problems.append(Problem("include-empty", place, summary, level="warning"))
    return names


def _exists(path: FilePath) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than names can be, a folder that may not be read
        return False


def _nested(source: Source) -> Problem:
    place = Place(source.name, *source.positions.find(("include",), key=True))
    fix = "list every file in the main mapping's `include`"
    return Problem("include-nested", place, "an included file cannot include others", fix)


def _merge(sources: Sources, source: Source, into: Table, table: Table, path: Path) -> None:
    for key, value in table.items():
        here = (*path, key)
        if key not in into:
            into[key] = _copied(value)
        elif isinstance(into[key], dict) and isinstance(value, dict):
            _merge(sources, source, into[key], value, here)
        elif not path and key in LISTS and isinstance(into[key], list) and isinstance(value, list):
            into[key] += value
        elif here != ("include",):
            first = next(file for file in sources.files if file.depth(here) == len(here))
            before = Place(first.name, *first.positions.find(here, key=True))
            place = Place(source.name, *source.positions.find(here, key=True))
            summary = f"`{key}` is set twice, first in {before}"
            fix = "keep one of the two"
            sources.problems.append(Problem("set-twice", place, summary, fix))


def _copied(value: Any) -> Any:
    """Tables and lists that merging may add to are the merged table's own."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, list) else value
