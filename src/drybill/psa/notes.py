"""What of a PSA's documents could not be read as a bill: each reason once, with the ids."""

from __future__ import annotations

from msgspec import Struct
from msgspec import field as new_field

_LISTED = 8


class Notes(Struct):
    unread: dict[str, list[str]] = new_field(default_factory=dict)  # reason -> ids

    @property
    def notices(self) -> list[str]:
        told = []
        for reason, ids in sorted(self.unread.items()):
            listed = ", ".join(ids[:_LISTED]) + (", ..." if len(ids) > _LISTED else "")
            told.append(f"{reason}: {listed}")
        return told

    def note(self, reason: str, id: object) -> None:
        self.unread.setdefault(reason, []).append(str(id))
