"""Tryton's records, as far as they are read. What is not JSON's own comes as a tagged object."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct


class Number(Struct, frozen=True, tag_field="__class__", tag="Decimal"):
    decimal: Decimal


class Day(Struct, frozen=True, tag_field="__class__", tag="date"):
    year: int
    month: int
    day: int

    @property
    def date(self) -> date:
        """Raises ValueError for a day that no calendar has."""
        return date(self.year, self.month, self.day)


class Moment(Struct, frozen=True, tag_field="__class__", tag="datetime"):
    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    microsecond: int

    @property
    def text(self) -> str:
        day = f"{self.year:04}-{self.month:02}-{self.day:02}"
        return f"{day}T{self.hour:02}:{self.minute:02}:{self.second:02}.{self.microsecond:06}"


class Span(Struct, frozen=True, tag_field="__class__", tag="timedelta"):
    seconds: Decimal


def decimal(value: Decimal) -> dict[str, object]:
    """How a price is sent. Quantities are JSON's numbers."""
    return {"__class__": "Decimal", "decimal": f"{value:f}"}


def day(value: date) -> dict[str, object]:
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}


class Party(Struct, frozen=True):
    id: int
    name: str | None = None


class Currency(Struct, frozen=True):
    code: str | None = None
    rounding: Number | None = None


class Rule(Struct, frozen=True):
    """One rule of a recurrence (RFC 5545). Lists of numbers are text with commas."""

    freq: str
    interval: int
    exclusive: bool | int | None = None  # SQLite keeps a boolean as a number
    bymonthday: str | None = None
    bymonth: str | None = None
    byweekday: str | None = None
    byyearday: str | None = None
    byweekno: str | None = None
    bysetpos: str | None = None


class Recurrence(Struct, frozen=True):
    id: int
    rules: tuple[Rule, ...] = ()


class Subscription(Struct, frozen=True):
    id: int
    state: str
    party: Party
    currency: Currency
    start_date: Day
    invoice_recurrence: Recurrence
    number: str | None = None
    description: str | None = None
    invoice_party: Party | None = None
    end_date: Day | None = None
    invoice_start_date: Day | None = None
    next_invoice_date: Day | None = None


class Unit(Struct, frozen=True):
    id: int
    digits: int


class Product(Struct, frozen=True):
    code: str | None = None
    name: str | None = None
    sale_uom: Unit | None = None


class Service(Struct, frozen=True):
    id: int
    product: Product
    consumption_recurrence: Recurrence | None = None
    consumption_delay: Span | None = None


class Line(Struct, frozen=True):
    id: int
    subscription: int
    service: Service
    unit: Unit
    start_date: Day
    quantity: Decimal | None = None
    unit_price: Number | None = None
    description: str | None = None
    end_date: Day | None = None
    consumption_recurrence: Recurrence | None = None
    consumption_delay: Span | None = None
    next_consumption_date: Day | None = None
    consumed_until: Day | None = None
    write_date: Moment | None = None
    create_date: Moment | None = None


class Consumption(Struct, frozen=True):
    """What a line comes to on a day. Once it is made, only it says what will be invoiced."""

    id: int
    line: int
    quantity: Decimal


class Written(Struct, frozen=True):
    """The record that an answer to a write holds, as far as it was asked for."""

    id: int
    state: str | None = None
    quantity: Decimal | None = None
    unit_price: Number | None = None
    start_date: Day | None = None
    end_date: Day | None = None


_RULES = ("freq", "interval", "exclusive", "bymonthday", "bymonth", "byweekday", "byyearday",
          "byweekno", "bysetpos")  # fmt: skip


def _recurrence(path: str) -> tuple[str, ...]:
    return (f"{path}.id", *(f"{path}.rules.{name}" for name in _RULES))


SUBSCRIPTION_FIELDS = (
    "state", "number", "description", "party.name", "invoice_party.name", "currency.code",
    "currency.rounding", "start_date", "end_date", "invoice_start_date", "next_invoice_date",
    *_recurrence("invoice_recurrence"),
)  # fmt: skip
LINE_FIELDS = (
    "subscription", "service.product.code", "service.product.name", "unit.digits", "quantity",
    "unit_price", "description", "start_date", "end_date", "consumption_delay",
    "next_consumption_date", "consumed_until", "write_date", "create_date",
    *_recurrence("consumption_recurrence"),
)  # fmt: skip
SERVICE_FIELDS = (
    "product.code", "product.name", "product.sale_uom.digits", "consumption_delay",
    *_recurrence("consumption_recurrence"),
)  # fmt: skip
CONSUMPTION_FIELDS = ("line", "quantity")
WRITTEN_FIELDS = ("quantity", "unit_price", "start_date", "end_date")
