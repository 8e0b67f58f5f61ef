"""What became of one planned line, and what a run's exit code makes of all of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from drybill.apply.standing import Standing
from drybill.billing.row import Row
from drybill.errors import Exit

# "partial": some of the steps of one change were taken, and the line was left between
Verdict = Literal["verified", "partial", "differs", "unknown", "refused", "rejected", "skipped"]


class Outcome(Struct, frozen=True):
    """What became of one planned line."""

    row: str
    label: str
    before: Decimal | None
    planned: Decimal | None
    found: Decimal | None
    verdict: Verdict
    detail: str = ""


def labelled(row: Row, verdict: Verdict, now: Standing | None, detail: str) -> Outcome:
    """An outcome in words that a person recognises."""
    label = f"{row.client or row.client_id}, {row.description or row.product}"
    found = now.quantity if now else None
    if verdict == "verified" and row.change in ("end", "reopen"):  # which leave the number as it is
        day = row.effective if row.change == "end" else row.ends
        found, detail = None, detail or (f"not billed from {day}" if day else "billed again")
    return Outcome(row.id, label, row.quantity_before, row.quantity_after, found, verdict, detail)


def exit_for(outcomes: list[Outcome]) -> Exit:
    """0 all verified; 6 an unknown outcome; 4 written in part; 3 nothing written, all refused."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if "unknown" in verdicts:
        return Exit.UNKNOWN_OUTCOME
    if verdicts <= {"verified"}:
        return Exit.DONE
    if verdicts <= {"refused", "rejected", "skipped"}:
        return Exit.REFUSED
    return Exit.APPLIED_IN_PART
