"""What a PSA adapter's suite lays out for the kit: a small PSA, and a hand on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from drybill.psa.port import PsaAdapter, PsaReader, Scope


class Bench(Protocol):
    """One company with one monthly agreement in USD, active for months, on which one line bills 12
    units of one product at 4.50. Made anew for every test.

    The hand is not the adapter's: it looks and changes behind its back.
    """

    adapter: PsaAdapter
    settings: Mapping[str, object]  # of `[psa.NAME]`, secrets by reference
    folder: Path  # the mapping's
    company: str
    agreement: str
    line: str
    product: str  # of the line
    other_product: str  # known to the PSA, on no line yet
    next_period: date  # first day that is not invoiced
    unknown_line: str  # another product's line without a quantity; "": this PSA can hold none

    def quantity(self, line: str) -> Decimal | None:
        """What the PSA holds now; None for no such line, or one without a number."""
        ...

    def edit(self, line: str, quantity: Decimal) -> None:
        """Somebody else changes a line."""
        ...

    def add_lines(self, number: int) -> None:
        """As many more lines, each of a product of its own."""
        ...

    def writes(self) -> int:
        """Calls so far that could have changed something, the hand's own left out."""
        ...

    def lose_answer(self) -> None:
        """The next write is done, and its answer never arrives."""
        ...

    def refuse_write(self) -> None:
        """The next write is refused: nothing is done."""
        ...

    def fail_reads(self) -> None:
        """From here on nothing can be read."""
        ...


def opened(bench: Bench) -> PsaReader:
    """A reader as a run would open it, for the bench's company and products."""
    scope = Scope(frozenset({bench.company}), frozenset({bench.product, bench.other_product}))
    return bench.adapter.open("kit", bench.settings, bench.folder, scope)
