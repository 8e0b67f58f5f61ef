"""What became of each line of an --apply, after it was read back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from drybill.billing.quantity import UNKNOWN, Quantity
from drybill.report import words
from drybill.report.words import clean

_VERDICTS = ("verified", "partial", "differs", "unknown", "refused", "rejected", "skipped")
_ID = 8


class Outcome(Protocol):
    """One line that should have been written. Quantities are the PSA's, None where not known."""

    @property
    def row(self) -> str: ...
    @property
    def label(self) -> str: ...  # what a person recognises: client and line
    @property
    def before(self) -> Quantity: ...
    @property
    def planned(self) -> Quantity: ...
    @property
    def found(self) -> Quantity: ...  # read back, or read before a line that was refused
    @property
    def verdict(self) -> str: ...
    @property
    def detail(self) -> str: ...


def render_outcome(outcome: Outcome) -> str:
    """`w7kq3m2a     25 -> 28     verified  read back 28  Wonderland, M365`, as soon as known."""
    before, planned = words.quantity(outcome.before), words.quantity(outcome.planned)
    move = f"{before:>7} -> {planned:<7}"
    facts = "; ".join(filter(None, (_found(outcome), clean(outcome.detail))))
    told = "  ".join(filter(None, (facts, clean(outcome.label))))
    return f"  {outcome.row[:_ID]}  {move}  {outcome.verdict:<8}  {told}".rstrip()


def _found(outcome: Outcome) -> str:
    if outcome.found is UNKNOWN:
        return ""
    found = words.quantity(outcome.found)
    return f"found {found}" if outcome.verdict == "refused" else f"read back {found}"


def render_end(run: str, outcomes: Sequence[Outcome], mapping: str, leak: str = "") -> str:
    """The numbers, and what to do about an outcome that is not the planned one.

    `leak` says what the lines that were written leaked before; `mapping` is how a shell names it.
    """
    diff = f"drybill diff {mapping}"
    numbers = Counter(outcome.verdict for outcome in outcomes)
    counted = ", ".join(f"{numbers[v]:,} {v}" for v in _VERDICTS if numbers[v]) or "nothing to do"
    says = f"run {run}: {counted}."
    resume = f"drybill runs resume {run} --apply"
    if numbers["partial"]:
        return f"{says} What was left open is finished by:\n  {resume}"
    if numbers["unknown"] or numbers["differs"]:
        return (
            f"{says} Look at the PSA before you go on; resume reads it again first:\n"
            f"  drybill runs show {run}     {resume}     {diff}"
        )
    if not numbers["verified"]:
        return f"{says} Nothing was written.\n  drybill runs show {run}     {diff}"
    busy = any(outcome.detail.startswith("PSA_BUSY") for outcome in outcomes)
    if busy or numbers["skipped"]:
        return f"{says}\n  drybill runs show {run}     {resume}     {diff}"
    if leak:
        says += (
            f"\nPeriods already invoiced stay as they were billed: {leak} (leak) is yours to bill"
            " or credit by hand, and a PSA that keeps no history cannot show it any more."
        )
    return f"{says}\n  drybill runs show {run}     {diff}"
