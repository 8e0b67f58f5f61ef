"""Values as APIs write them."""

from __future__ import annotations

import re
from datetime import date


def day(text: str | None) -> date | None:
    """The date of `2026-12-01T00:00:00Z`: the day that is written, whatever the Z says. None for
    no text, and for what is no such date."""
    found = re.match(r"(\d{4})-(\d{2})-(\d{2})", text or "")
    if found is None:
        return None
    try:
        return date(*map(int, found.groups()))
    except ValueError:
        return None
