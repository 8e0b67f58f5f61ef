"""A change to one line of a PSA, and the steps by which a PSA's adapter would make it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from drybill.billing.agreement import Ownership, Terms
from drybill.billing.quantity import Quantity

# "reopen" takes an end back: only an undo asks for it, and no switch names it
ChangeField = Literal["increase", "decrease", "create", "end", "reopen"]


class Change(Struct, frozen=True):
    """What shall become true of one line; `quantity` is the absolute target."""

    field: ChangeField
    agreement_id: str
    product: str  # the PSA's product id
    line_id: str  # empty for a line to be created
    quantity: Decimal
    effective: date  # first day on which the new state holds
    unit_price: Decimal | None = None  # of a new line: per unit and cycle, agreement's currency
    description: str = ""  # of a new line: what the client reads on the invoice
    row: str = ""  # the row's id, from which an adapter may derive the id of a new line
    dated: bool = False  # end the line and add another from that day, rather than change it
    observed: Observed | None = None  # the line as it is, of which a dated change makes another
    ends: date | None = None  # only for `reopen`: first day off that the line had before


class Observed(Struct, frozen=True):
    """What the plan saw of a line and what apply must find again.

    Of a line to create only its agreement is known.
    """

    quantity: Quantity
    unit_price: Decimal | None
    effective: date | None
    cancelled: date | None
    billing: str
    included: Decimal
    updated_at: str
    product: str  # the PSA's id; empty for a line to create
    agreement: Terms  # a line of somebody else, or on another invoice, is another line
    beside: tuple[str, ...] = ()  # ids of all lines that bill the product there, this one too
    line_id: str = ""  # the one that is written; empty for a line to create
    ownership: Ownership = Ownership.UNKNOWN


class WriteStep(Struct, frozen=True):
    """One call of an adapter. Values are field names of that PSA with their new texts.

    Where several steps make one change, each but the last says what it `leaves`: all that then
    differs from what the plan observed, as fields of `Observed` and `Terms` with their new texts
    ("made", "yes" for the new line). By that a stop half-way is recognised.
    """

    action: str  # the adapter's own verb: "set", "append", "patch", ...
    line_id: str
    values: tuple[tuple[str, str], ...]
    says: str  # what a person reads: "line L-12: quantity 28"
    agreement_id: str = ""  # where an adapter needs it to find the line
    leaves: tuple[tuple[str, str], ...] = ()
    creates: bool = False  # the PSA gives the new line's id: sent twice, it would be there twice
    # The way from here to what was observed, for where the next step is refused. What each of them
    # `leaves` still differs then; after the last nothing does.
    back: tuple[WriteStep, ...] = ()


class Refusal(Struct, frozen=True):
    """Why an adapter cannot make a change: a reason code and one sentence."""

    code: str
    detail: str
