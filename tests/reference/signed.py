"""What the clients signed: agreements and lines as text, periods, amounts and leaks, slowly."""

from __future__ import annotations

import calendar
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

Files = Mapping[str, str]
Json = dict[str, Any]
MINOR_UNITS = {"JPY": 0, "KWD": 3}
MONTHS = {"monthly": 1, "quarterly": 3, "semi_annual": 6, "annual": 12}


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def day(cell: str | None) -> date | None:
    return date.fromisoformat(cell) if cell else None


def number(cell: str | None) -> Fraction | None:
    return Fraction(cell) if cell else None


def rounded(amount: Fraction, currency: str) -> Fraction:
    """To the currency's minor units, a half away from zero."""
    scale = 10 ** MINOR_UNITS.get(currency, 2)
    units = abs(amount) * scale + Fraction(1, 2)
    whole = units.numerator // units.denominator
    return Fraction(whole if amount >= 0 else -whole, scale)


def plus(start: date, months: int, anchor: int) -> date:
    index = start.year * 12 + start.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(anchor, calendar.monthrange(year, month)[1]))


def total(values: Iterator[Fraction | None] | list[Fraction | None]) -> Fraction:
    return sum((value for value in values if value is not None), Fraction(0))


@dataclass
class Line:
    id: str
    product: str
    description: str
    quantity: Fraction | None
    included: Fraction
    price: Fraction | None
    billing: str
    first: date
    until: date  # the agreement's end included
    cancelled: date

    def billed(self, quantity: Fraction) -> Fraction:
        return max(quantity - self.included, Fraction(0))


@dataclass
class Agreement:
    id: str
    company: str
    currency: str
    type: str
    status: str
    cycle: str
    arrears: bool
    first: date | None
    last: date | None
    next: date
    prorate: bool
    fixed_30: bool
    base: Fraction
    parent: str
    bill_to: str
    lines: list[Line] = field(default_factory=list)
    others: list[Agreement] = field(default_factory=list)  # of the same company

    def begin(self, n: int) -> date:
        """First day of the n-th period from the one to be invoiced (0)."""
        if self.cycle == "weekly":
            return self.next + timedelta(days=7 * n)
        if n == 0:
            return self.next
        return plus(self.next, n * MONTHS[self.cycle], (self.first or self.next).day)

    def invoice_date(self, n: int) -> date:
        return self.begin(n + 1) if self.arrears else self.begin(n)

    @property
    def projected(self) -> bool:
        if self.status != "active" or self.cycle == "one_time":
            return False
        if self.first and self.first >= self.begin(1):
            return False
        return not (self.last and self.last < self.next)

    def days(self, start: date, end: date) -> int:
        if not self.fixed_30:
            return (end - start).days
        return (
            (end.year - start.year) * 360
            + (end.month - start.month) * 30
            + min(end.day, 30)
            - min(start.day, 30)
        )

    def share(self, first: date, until: date, n: int) -> Fraction:
        """Which part of the n-th period [first, until) bills: 0 to 1."""
        start, end = self.begin(n), self.begin(n + 1)
        first, until = max(first, start), min(until, end)
        if first >= until:
            return Fraction(0)
        if not self.prorate or (first, until) == (start, end):
            return Fraction(1)
        return Fraction(self.days(first, until), self.days(start, end))


def read_agreements(files: Files) -> dict[str, Agreement]:
    agreements = {}
    for row in rows_of(files["agreements.csv"]):
        get = row.get
        agreements[row["agreement_id"]] = Agreement(
            id=row["agreement_id"],
            company=row["company_id"],
            currency=row["currency"],
            type=get("type") or "",
            status=get("status") or "active",
            cycle=get("cycle") or "monthly",
            arrears=get("timing") == "arrears",
            first=day(get("start_date")),
            last=day(get("end_date")),
            next=date.fromisoformat(row["next_period_start"]),
            prorate=get("prorate") == "true",
            fixed_30=get("day_basis") == "fixed_30",
            base=number(get("base_amount")) or Fraction(0),
            parent=get("parent_agreement_id") or "",
            bill_to=get("bill_to") or "",
        )
    for row in rows_of(files["lines.csv"]):
        get = row.get
        agreement = agreements[row["agreement_id"]]
        after = agreement.last + timedelta(days=1) if agreement.last else date.max
        agreement.lines.append(
            Line(
                id=row["line_id"],
                product=row["product"],
                description=get("description") or "",
                quantity=number(row["quantity"]),
                included=number(get("included")) or Fraction(0),
                price=number(row["unit_price"]),
                billing=get("billing") or "billable",
                first=max(day(get("effective_date")) or date.min, agreement.first or date.min),
                until=min(day(get("cancelled_date")) or date.max, after),
                cancelled=day(get("cancelled_date")) or date.max,
            )
        )
    for agreement in agreements.values():
        agreement.others = [
            other
            for other in agreements.values()
            if other is not agreement and other.company == agreement.company
        ]
    return agreements


Slot = list[Line]
Billed = tuple[Line, date, date]


def slots_of(agreement: Agreement, product: str, n: int = 0) -> list[Slot]:
    """The product's lines of the n-th period; touching ones are segments of one slot."""
    start, end = agreement.begin(n), agreement.begin(n + 1)
    active = [line for line in agreement.lines if line.product == product]
    active = [x for x in active if max(x.first, start) < min(x.until, end)]
    slots: list[Slot] = []
    for line in sorted(active, key=lambda line: (line.first, line.id)):
        for slot in slots:
            if slot[-1].until == line.first:
                slot.append(line)
                break
        else:
            slots.append([line])
    return slots


def missing_in_psa(agreement: Agreement, slot: Slot) -> bool:
    return slot[-1].quantity is None or amount_of(agreement, slot, slot[-1].quantity) is None


def sum_of(slots: list[Slot]) -> Fraction:
    return sum((slot[-1].quantity or Fraction(0) for slot in slots), Fraction(0))


def amount_of(
    agreement: Agreement, slot: Slot, quantity: Fraction | None, n: int = 0
) -> Fraction | None:
    """What the slot bills in the n-th period, if its last segment had this quantity."""
    parts = slot if agreement.prorate else slot[-1:]
    total = Fraction(0)
    for line in parts:
        units = line.quantity if quantity is None or line is not slot[-1] else quantity
        if line.billing != "billable":
            continue
        if units is None or line.price is None:
            return None
        part = line.billed(units) * line.price * agreement.share(line.first, line.until, n)
        total += rounded(part, agreement.currency)
    return total


def leak_of(
    agreement: Agreement,
    product: str,
    slot: Slot,
    wanted: Fraction,
    since: date | None,
    price: Fraction,
) -> Fraction | None:
    """Missing units x price of each invoiced period since `since`; None: nobody knows."""
    if since is None:
        return None
    if slot and slot[-1].billing != "billable":
        return Fraction(0)
    total, n = Fraction(0), -1
    since = max(since, agreement.first or since)
    while agreement.begin(n + 1) > since:
        start, end = max(since, agreement.begin(n)), agreement.begin(n + 1)
        for first, until, units in pieces(agreement, product, slot, start, end, wanted):
            if units is None:
                return None
            share = agreement.share(first, until, n)
            total += rounded(units * price * share, agreement.currency)
        n -= 1
    return total


def pieces(
    agreement: Agreement, product: str, slot: Slot, start: date, end: date, wanted: Fraction
) -> Iterator[tuple[date, date, Fraction | None]]:
    """Stretches of an invoiced period with the units missing there; None: nobody knows."""
    target = slot[-1].billed(wanted) if slot else wanted
    for other in slots_of(agreement, product):
        if not slot or other[-1] is not slot[-1]:
            target += other[-1].billed(other[-1].quantity or Fraction(0))
    own, foreign = billed_before(agreement, product)
    if not agreement.prorate:
        start = max(agreement.first or date.min, start_of_period(agreement, end))
    own = [x for x in own if x.first < end and x.until > start]
    foreign = [x for x in foreign if x[1] < end and x[2] > start]
    if not agreement.prorate:
        last = [x for x in own if not any(y.first == x.until for y in own)]
        yield start, end, None if foreign else missing_units(target, last)
        return
    if foreign:
        yield start, end, None
        return
    cuts = sorted({start, end} | {d for x in own for d in (x.first, x.until) if start < d < end})
    for first, until in pairwise(cuts):
        yield first, until, missing_units(target, [x for x in own if x.first <= first < x.until])


def start_of_period(agreement: Agreement, end: date) -> date:
    n = 0
    while agreement.begin(n) >= end:
        n -= 1
    return agreement.begin(n)


def missing_units(target: Fraction, lines: list[Line]) -> Fraction | None:
    for line in lines:
        if line.quantity is None:
            return None
        target -= line.billed(line.quantity)
    return target


def billed_before(agreement: Agreement, product: str) -> tuple[list[Line], list[Billed]]:
    """All lines that the agreement ever had of the product, and those of the company elsewhere,
    each with the days that it billed: anybody's units."""
    own = [line for line in agreement.lines if line.product == product and line.first < line.until]
    gone = [
        (line, *billed_days(other, line))
        for other in agreement.others
        for line in other.lines
        if line.product == product and line.quantity != 0 and line.first < line.until
    ]
    return own, gone


def billed_days(agreement: Agreement, line: Line) -> tuple[date, date]:
    """Without proration a line of one day bills a whole period; one-time ones have no periods."""
    ends = agreement.last + timedelta(days=1) if agreement.last else date.max
    if agreement.prorate:
        return line.first, line.until
    if agreement.cycle == "one_time":
        return line.first, ends
    first, until = line.first, line.until
    if first > (agreement.first or date.min):
        first = max(whole(agreement, first)[0], agreement.first or date.min)
    if until < ends:
        until = min(whole(agreement, until - timedelta(days=1))[1], ends)
    return first, until


def whole(agreement: Agreement, inside: date) -> tuple[date, date]:
    n = 0
    while agreement.begin(n) > inside:
        n -= 1
    while agreement.begin(n + 1) <= inside:
        n += 1
    return agreement.begin(n), agreement.begin(n + 1)
