"""Collects the problems of one reading, so that a person sees all of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from drybill.errors import InputError, Place, Problem

_SHOWN = 50


class Problems:
    """At most 50 problems in words; the others are only counted, a million cost nothing."""

    def __init__(self) -> None:
        self._shown: list[Problem] = []
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._shown)

    def add(self, code: str, where: Place | None, summary: str, fix: str = "") -> None:
        if len(self._shown) < _SHOWN:
            self._shown.append(Problem(code, where, summary, fix))
        else:
            self._more += 1

    def extend(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.add(problem.code, problem.where, problem.summary, problem.fix)

    def raise_any(self) -> None:
        """Raises InputError with everything that was collected; nothing if that is nothing."""
        if not self._shown:
            return
        more = Problem("more-problems", None, f"{self._more:,} more problems are not shown")
        raise InputError([*self._shown, more] if self._more else list(self._shown))


def nearest(name: str, names: Iterable[str]) -> str:
    """ " , did you mean `x`?" as a clause for a fix, or the names there are (at most twelve)."""
    known = sorted(set(names))
    folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    if close:
        return f"did you mean `{folded[close[0]]}`?"
    if not known:
        return "there is none"
    listed = ", ".join(f"`{each}`" for each in known[:12])
    return f"it can be {listed}{', ...' if len(known) > 12 else ''}"
