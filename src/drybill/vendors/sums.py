"""Whether an export adds up: its own total row, and each row's own arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any, Literal, cast

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.money import EXACT
from drybill.billing.quantity import plain
from drybill.errors import Place
from drybill.tabular import Batch, Grid, Problems, values

Rounding = Literal["none", "unit", "steps"]
_CENT = Decimal("0.01")


class Footer(Struct):
    """The total row of a file, and what stands above it. One per file: it counts."""

    column: str
    text: str
    total_of: str = ""
    found: int = 0
    stated: str = ""
    _sum: Decimal = Decimal(0)
    _known: dict[str, Decimal] = new_field(default_factory=dict)

    def take(self, rows: list[list[str]], index: dict[str, int]) -> list[bool]:
        """Which rows are data; of a total row the number is noted."""
        at, wanted = index[self.column], self.text.casefold()
        data = []
        for row in rows:
            is_total = len(row) > at and row[at].strip().casefold() == wanted
            data.append(not is_total)
            if is_total:
                self.found += 1
                if self.total_of and len(row) > index[self.total_of]:
                    self.stated = row[index[self.total_of]].strip()
        return data

    def add(
        self,
        grid: Grid,
        batch: Batch,
        index: dict[str, int],
        number: values.Reader,
        problems: Problems,
    ) -> None:
        if not self.total_of:
            return
        at = index[self.total_of]
        for line, row in zip(batch.lines, batch.rows, strict=True):
            cell = row[at].strip()
            if cell and cell not in self._known:
                try:
                    self._known[cell] = cast(Decimal, number(cell))
                except values.Unreadable as error:
                    where = Place(grid.file, line)
                    summary = f"column `{self.total_of}`: {error.summary}"
                    problems.add(error.code, where, summary, error.fix)
                    continue
            if cell:
                self._sum = EXACT.add(self._sum, self._known[cell])

    def mismatch(self, file: str, number: values.Reader) -> str:
        """Why the file is not whole, as a sentence; empty where it is."""
        if self.found != 1:
            what = "no" if not self.found else str(self.found)
            return f"{file}: there is {what} total row `{self.text}`, the file may be cut off"
        if not self.total_of:
            return ""
        try:
            stated = cast(Decimal, number(self.stated))
        except values.Unreadable:
            cell = values.shown(self.stated)
            return f"{file}: the total row says {cell} for `{self.total_of}`, not a number"
        if stated == self._sum:
            return ""
        return (
            f"{file}: `{self.total_of}` adds up to {plain(self._sum):f}, "
            f"the file's own total is {plain(stated):f}"
        )


class RowCheck(Struct, frozen=True):
    """A row's own arithmetic: unit x rate x quantity equals an amount, within a tolerance.

    `rounding` names the ways a vendor may have rounded; one that fits is enough. "unit" cuts the
    unit price times rate to cents before the quantity, "steps" cuts unit price times quantity to
    cents, then the amount after the rate; "none" does not round.
    """

    unit: str
    quantity: str
    equals: str
    rate: str = ""
    rounding: tuple[Rounding, ...] = ("none",)
    tolerance: Decimal = Decimal(0)

    @property
    def columns(self) -> dict[str, str]:
        names = {"unit": self.unit, "quantity": self.quantity, "equals": self.equals}
        return names | ({"rate": self.rate} if self.rate else {})

    def failing(self, cells: Sequence[Sequence[Any]], lines: Sequence[int]) -> list[int]:
        """The lines that do not add up; `cells` are the check's own columns in their order."""
        wrong = []
        for line, (unit, quantity, equals, *rates) in zip(
            lines, zip(*cells, strict=True), strict=True
        ):
            known = unit is not None and quantity is not None and equals is not None
            if known and not self._fits(unit, quantity, equals, rates[0] if rates else None):
                wrong.append(line)
        return wrong

    def _fits(
        self, unit: Decimal, quantity: Decimal, equals: Decimal, rate: Decimal | None
    ) -> bool:
        for way in self.rounding:
            if way == "steps":
                cost = _cut(EXACT.multiply(unit, quantity))
                amount = _cut(EXACT.multiply(cost, rate)) if rate is not None else cost
            else:
                price = EXACT.multiply(unit, rate) if rate is not None else unit
                amount = EXACT.multiply(_cut(price) if way == "unit" else price, quantity)
            if abs(EXACT.subtract(amount, equals)) <= self.tolerance:
                return True
        return False


def _cut(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, rounding=ROUND_DOWN, context=EXACT)
