"""What a case of bad input is, and short ways to write one down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from project import AS_OF, Project

DIFF = ("diff", "mapping.toml", "--as-of", AS_OF)
CHECK = ("check", "mapping.toml", "--as-of", AS_OF)
REFUSED = frozenset({2, 3})
HARMLESS = frozenset({0})


@dataclass(frozen=True, slots=True)
class Case:
    """One bad input. `says` are pieces of stderr: the place, and what is wrong there."""

    kind: str
    name: str
    spoil: Callable[[Project], object]
    says: tuple[str, ...] = ()
    codes: frozenset[int] = REFUSED
    arguments: tuple[str, ...] = DIFF
    first: tuple[str, ...] = ()  # a command that runs, unspoiled, before
    writes: bool = False  # a command that may leave a file behind on purpose


def unspoiled(project: Project) -> None:
    """The bad input is on the command line alone."""


def cell(
    kind: str, table: str, line: int, column: str, value: str, *says: str, harmless: bool = False
) -> Case:
    """One cell of a table; a refusal names the file, the line and the column."""
    place = () if harmless else (f"{table}:{line}:", f"column `{column}`")
    return Case(
        kind,
        f"{table} {column} {value[:20]!a} of {len(value)}",
        lambda project: project.cell(table, line, column, value),
        (*place, *says),
        HARMLESS if harmless else REFUSED,
    )


def content(
    kind: str, name: str, file: str, data: str | bytes, *says: str, harmless: bool = False
) -> Case:
    """A whole file."""
    return Case(
        kind,
        f"{file} {name}",
        lambda project: project.write(file, data),
        says or ((file,) if not harmless else ()),
        HARMLESS if harmless else REFUSED,
    )


def usage(
    kind: str, name: str, file: str, data: str | bytes, *says: str, harmless: bool = False
) -> Case:
    """A usage file of another kind than CSV, in place of usage.csv."""

    def spoil(project: Project) -> None:
        project.replace("mapping.toml", 'usage = "usage.csv"', f'usage = "{file}"')
        project.write(file, data)

    says = says or ((file,) if not harmless else ())
    return Case(kind, f"{file} {name}", spoil, says, HARMLESS if harmless else REFUSED)


def swap(
    kind: str, name: str, file: str, old: str, new: str, *says: str, harmless: bool = False
) -> Case:
    """One piece of a file in place of another."""
    return Case(
        kind,
        f"{file} {name}",
        lambda project: project.replace(file, old, new),
        says or ((file,) if not harmless else ()),
        HARMLESS if harmless else REFUSED,
    )


def top(kind: str, name: str, text: str, *says: str, harmless: bool = False) -> Case:
    """A piece at the top of the mapping, before its first table."""
    return Case(
        kind,
        f"mapping top {name}",
        lambda project: project.write(
            "mapping.toml", text.encode() + project.bytes_of("mapping.toml")
        ),
        says or (("mapping.toml:1",) if not harmless else ()),
        HARMLESS if harmless else REFUSED,
    )


def tail(kind: str, name: str, text: str, *says: str, harmless: bool = False) -> Case:
    """A piece at the end of the mapping."""
    return Case(
        kind,
        f"mapping tail {name}",
        lambda project: project.add("mapping.toml", text),
        says or (("mapping.toml:",) if not harmless else ()),
        HARMLESS if harmless else REFUSED,
    )


def words(kind: str, *arguments: str, says: str = "", codes: frozenset[int] = REFUSED) -> Case:
    """Bad words on the command line of a valid project."""
    name = " ".join(f"{word[:24]!a}" for word in arguments)
    return Case(kind, name, unspoiled, (says,) if says else (), codes, arguments)


def diff(kind: str, *options: str, says: str = "", codes: frozenset[int] = REFUSED) -> Case:
    """Bad options of `drybill diff`."""
    return words(kind, "diff", "mapping.toml", *options, says=says, codes=codes)
