"""Invoices: the rows of one invoice group and date, and the totals over all of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from drybill.billing.money import EXACT
from drybill.billing.row import Row

Horizon = Literal["now", "later"]


InvoiceKey = tuple[str, str, str, str, date]  # psa, payer, root agreement, currency, invoice date


class WitnessLine(Struct, frozen=True):
    """What a PSA itself says of one line of its next invoice."""

    line_id: str  # empty where it names no line that was read
    description: str
    quantity: Decimal | None
    amount: Decimal | None  # agreement's currency; None: it gives none


class WitnessedLine(Struct, frozen=True):
    """A PSA's own word on a line, beside what was projected; None: no such line, or unknown."""

    said: WitnessLine
    quantity: Decimal | None
    amount: Decimal | None

    @property
    def agrees(self) -> bool:
        """In quantity and to the cent; where either side says nothing, nothing contradicts."""
        return (not self.said.line_id or self._same(self.said.quantity, self.quantity)) and (
            self._same(self.said.amount, self.amount)
        )

    @staticmethod
    def _same(said: Decimal | None, here: Decimal | None) -> bool:
        return said is None or here is None or said == here


class Invoice(Struct, kw_only=True):
    """What one payer receives on one date: all lines and base amounts of an invoice group.

    `before` and `after` are the projected part only, in `currency`. The period is half-open.
    """

    psa: str
    client_id: str  # the payer
    client: str
    agreement_id: str  # the root agreement
    agreement: str  # its name
    currency: str
    period_start: date
    period_end: date
    invoice_date: date
    horizon: Horizon
    base_amount: Decimal
    rows: list[Row]
    quiet_lines: int = 0  # lines that stay as they are and have no row
    quiet_amount: Decimal = Decimal(0)  # their sum
    not_projected: tuple[str, ...] = ()
    unbilled_periods: tuple[date, ...] = ()  # first days, where two or more past ones wait
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    unknown_lines: int = 0
    leak: Decimal | None = None
    witness: Decimal | None = None  # what the PSA itself says that `before` is
    witness_lines: tuple[WitnessedLine, ...] = ()  # and of its lines, where it tells them apart

    @property
    def key(self) -> InvoiceKey:
        return self.psa, self.client_id, self.agreement_id, self.currency, self.invoice_date

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


class Witness(Struct, frozen=True):
    """What a PSA itself says of the next invoice of an agreement."""

    agreement_id: str
    amount: Decimal | None  # agreement's currency; None: it gives none
    invoice_date: date | None
    unbilled_periods: int | None = None
    lines: tuple[WitnessLine, ...] = ()


class Totals(Struct, frozen=True):
    """Sums of one currency and horizon. Under- and over-billing are never netted."""

    currency: str
    horizon: Horizon
    before: Decimal
    after: Decimal
    difference: Decimal
    under_billed: Decimal  # sum of the positive differences
    over_billed: Decimal  # sum of the negative ones, a negative number
    held_up: Decimal  # what blocked rows wanted, more
    held_down: Decimal  # and less, a negative number
    held_unknown: int  # blocked rows of which nobody knows what they wanted, in money
    accepted_up: Decimal  # what accepted rows would have been, more
    accepted_down: Decimal  # and less, a negative number
    leak_up: Decimal
    leak_down: Decimal
    not_checked: Decimal  # `before` of unknown rows
    incomplete_invoices: int

    @property
    def accepted(self) -> Decimal:
        """Of both directions; for people they stand apart."""
        return EXACT.add(self.accepted_up, self.accepted_down)


class CauseMoney(Struct, frozen=True):
    currency: str
    amount: Decimal
    kind: Literal["price", "cost"]


class Cause(Struct, frozen=True):
    """One fixable reason behind many rows, with what would fix it: mapping lines or a command."""

    cause: str
    rows: int
    money: tuple[CauseMoney, ...]  # per period, never added over currencies
    fix: str
    row_ids: tuple[str, ...] = ()
