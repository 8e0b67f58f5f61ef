"""Looks: ids that a person would take for one another, though no program does."""

from __future__ import annotations

import unicodedata


def looks(id: str) -> str:
    """What is left of an id for a person's eye: no case, no width, nothing that cannot be seen."""
    folded = unicodedata.normalize("NFKC", id).casefold()
    return "".join(c for c in folded if not c.isspace() and unicodedata.category(c)[0] != "C")
