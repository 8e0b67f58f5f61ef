"""Looks: ids that a person would take for one another, though no program does."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Letters, marks and symbols that show nothing (Unicode: Default_Ignorable_Code_Point, and a blank).
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    chr(code) for start, end in ((0x180B, 0x1810), (0xFE00, 0xFE10), (0xE0100, 0xE01F0))
    for code in range(start, end)
)  # fmt: skip
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"), "-")


@lru_cache(maxsize=65_536)
def looks(id: str) -> str:
    """What is left of an id for a person's eye: no case, no width, nothing that cannot be seen."""
    folded = unicodedata.normalize("NFKC", id).casefold().translate(_DASHES)
    return "".join(
        c
        for c in folded
        if not c.isspace() and c not in _BLANK and unicodedata.category(c)[0] != "C"
    )
