"""The one tree of errors that a user can meet. Each leaf knows its exit code.

Problems are values, collected and shown together; an error is raised only to stop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal


class Exit(IntEnum):
    """Exit codes of the command line; when several apply, the worst wins (see `worst`)."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    REFUSED = 3
    APPLIED_IN_PART = 4
    UNREACHABLE = 5
    UNKNOWN_OUTCOME = 6
    LOCKED = 7
    DIFFERENCES = 10
    NEEDS_DECISION = 11
    INTERRUPTED = 130


_WORST_FIRST = (6, 4, 3, 5, 11, 10, 0)


def worst(codes: list[Exit]) -> Exit:
    """The exit code that wins among those of a run that went through; DONE for none."""
    return min(codes, key=_WORST_FIRST.index, default=Exit.DONE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file: line and column count from 1; 0 means "the whole"."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return (
            f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: stable kebab-case code, place, what is wrong, what is right."""

    code: str
    where: Place | None
    summary: str
    fix: str = ""
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        help_line = f"\n  help: {self.fix}" if self.fix else ""
        return f"{place}{self.level}[{self.code}]: {self.summary}{help_line}"


@dataclass
class DrybillError(Exception):
    """Something that stops the run, with every problem that led to it."""

    problems: list[Problem] = field(default_factory=list)
    exit_code: Exit = field(default=Exit.USAGE, kw_only=True)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class InputError(DrybillError):
    """Bad input of the user: the mapping, a file, a flag. Exit 2."""


class RefusedError(DrybillError):
    """drybill could go on but must not: guards, stale or foreign plans. Exit 3."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems, exit_code=Exit.REFUSED)


class UnreachableError(DrybillError):
    """A source that could not be asked at all. Exit 5."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems, exit_code=Exit.UNREACHABLE)


class LockedError(DrybillError):
    """Another run holds the lock. Exit 7."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems, exit_code=Exit.LOCKED)
