"""Collects what is wrong with a mapping, each with its place and the nearest existing name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from drybill.errors import Place, Problem
from drybill.mapping.positions import Path, path_text

if TYPE_CHECKING:
    from drybill.mapping.source import Sources

# Beyond this many names a search for the nearest one would take seconds.
_MANY = 5_000


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The existing name that `name` was probably meant to be."""
    by_case: dict[str, str] = {}
    for known in names:
        by_case.setdefault(known.casefold(), known)
        if len(by_case) > _MANY:
            return None
    found = difflib.get_close_matches(name.casefold(), list(by_case), n=1)
    return by_case[found[0]] if found else None


def one_of(names: Iterable[str]) -> str:
    """Existing names for a `fix` line, at most eight of them."""
    listed = sorted(names)
    more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
    return ", ".join(f"`{name}`" for name in listed[:8]) + more


class Findings:
    """Problems as they are met; `sorted` puts them in the order of the files."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.problems: list[Problem] = []

    def place(self, path: Path, *, key: bool = False) -> Place:
        return self._sources.place(path, key=key)

    def written(self, text: str) -> Place:
        """The place of a `path` of the policy, a row of the clients file included."""
        return self._sources.written(text)

    def at(self, code: str, text: str, summary: str, fix: str = "") -> None:
        """An error at a `path` of the policy."""
        self.problems.append(Problem(code, self.written(text), summary, fix))

    def hint(self, code: str, text: str, summary: str, fix: str = "") -> None:
        """A warning at a `path` of the policy."""
        where = self.written(text)
        self.problems.append(Problem(code, where, summary, fix, level="warning"))

    def error(
        self, code: str, path: Path, summary: str, fix: str = "", *, key: bool = False
    ) -> None:
        self.problems.append(Problem(code, self.place(path, key=key), summary, fix))

    def warn(
        self, code: str, path: Path, summary: str, fix: str = "", *, key: bool = False
    ) -> None:
        where = self.place(path, key=key)
        self.problems.append(Problem(code, where, summary, fix, level="warning"))

    def unknown(
        self, what: str, name: str, path: Path, known: Mapping[str, Path], *, key: bool = False
    ) -> None:
        """`name` refers to a thing that is nowhere defined."""
        fix = self.suggest(name, known)
        self.error(f"unknown-{what}", path, f"there is no {what} `{name}`", fix, key=key)

    def suggest(self, name: str, known: Mapping[str, Path]) -> str:
        near = nearest(name, known)
        if near is not None:
            return f"did you mean `{near}` ({self.place(known[near], key=True)})?"
        return f"there is {one_of(known)}" if known else "the mapping defines none"

    def sorted(self) -> list[Problem]:
        return in_file_order(self.problems, self._sources.names)


def in_file_order(problems: Iterable[Problem], files: list[str]) -> list[Problem]:
    """Sorted by file, line and column, and safe to print whatever names the files hold."""
    order = {name: index for index, name in enumerate(files)}

    def position(problem: Problem) -> tuple[int, str, int, int]:
        where = problem.where or Place("")
        return order.get(where.file, len(order)), where.file, where.line, where.column

    return [
        replace(problem, summary=_printable(problem.summary), fix=_printable(problem.fix))
        for problem in sorted(problems, key=position)
    ]


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def entry(path: Path) -> str:
    """A path inside a sentence."""
    return f"`{path_text(path)}`"
