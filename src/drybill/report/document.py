"""The document of one run: the plan, and the facts of this execution around it."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.invoice import InvoiceKey
from drybill.billing.row import Row
from drybill.errors import Exit
from drybill.plan.plan import Plan
from drybill.report.words import short


class RunFacts(Struct, frozen=True, kw_only=True):
    """What is true of this execution only; none of it is part of the plan's digest."""

    id: str  # empty where the journal could not be written
    mapping: str  # the path as the user gave it
    as_of: str
    plan_digest: str
    foreign_plan: str = ""  # what --plan takes to mean a plan that the journal does not know
    wrote: bool = False

    @property
    def plan(self) -> str:
        """What --plan takes to mean this plan."""
        return self.foreign_plan or short(self.plan_digest)


class Hidden(Struct, frozen=True, kw_only=True):
    """What a filter keeps from view, said in one line."""

    rows: int
    filters: tuple[str, ...]
    money: tuple[tuple[str, Decimal], ...]  # (currency, sum of the absolute differences hidden)
    of: dict[InvoiceKey, tuple[Row, ...]] = new_field(default_factory=dict)
    # by shown invoice, as in Document.quiet


class Document(Struct, frozen=True, kw_only=True):
    run: RunFacts
    plan: Plan  # as far as it is shown
    exit_code: Exit
    whole: Plan | None = None  # before a filter narrowed it
    quiet: dict[InvoiceKey, list[Row]] = new_field(default_factory=dict)
    # quiet rows by invoice, with --all
    hidden: Hidden | None = None
    notices: tuple[str, ...] = ()  # "no journal: ...", "expired entries", ...
    show_all: bool = False
    applying: bool = False  # --apply: what is shown is about to be written
    asking: bool = True  # and somebody is asked first; False without a terminal
