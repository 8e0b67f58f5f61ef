"""When Tryton consumes a line and invoices a subscription: its recurrence rules, as dates.

Tryton hands them to `dateutil`, and so does this: a month without a 31st is left out there, too.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from dateutil import rrule
from msgspec import Struct
from msgspec.structs import replace

from drybill.billing.agreement import Cycle
from drybill.billing.period import shift
from drybill_tryton import wire

_FREQUENCIES = {
    "weekly": rrule.WEEKLY,
    "monthly": rrule.MONTHLY,
    "yearly": rrule.YEARLY,
}
_CYCLES = {
    ("weekly", 1): Cycle.WEEKLY,
    ("monthly", 1): Cycle.MONTHLY,
    ("monthly", 3): Cycle.QUARTERLY,
    ("monthly", 6): Cycle.SEMI_ANNUAL,
    ("monthly", 12): Cycle.ANNUAL,
    ("yearly", 1): Cycle.ANNUAL,
}
_ONE_DAY = timedelta(days=1)


class Schedule(Struct, frozen=True):
    """The days of one rule, counted from the day on which something starts."""

    rule: wire.Rule
    start: date
    cycle: Cycle

    def on_or_after(self, day: date) -> date | None:
        return self._next(day, including=True)

    def after(self, day: date) -> date | None:
        return self._next(day, including=False)

    def _next(self, day: date, including: bool) -> date | None:
        rule = rrule.rrule(
            _FREQUENCIES[self.rule.freq],
            dtstart=datetime.combine(self.start, time()),
            interval=self.rule.interval,
            bymonthday=_numbers(self.rule.bymonthday),
            bymonth=_numbers(self.rule.bymonth),
        )
        found: datetime | None = rule.after(datetime.combine(day, time()), inc=including)
        return found.date() if found else None


def schedule_of(recurrence: wire.Recurrence | None, start: date) -> Schedule | None:
    """None: there is no recurrence, or one that drybill has no cycle for."""
    if recurrence is None or len(recurrence.rules) != 1:
        return None
    (rule,) = recurrence.rules
    cycle = _CYCLES.get((rule.freq, rule.interval))
    if cycle is None or rule.exclusive:
        return None
    if rule.byweekday or rule.byyearday or rule.byweekno or rule.bysetpos:
        return None
    try:
        monthdays, months = _numbers(rule.bymonthday), _numbers(rule.bymonth)
    except ValueError:
        return None
    if (monthdays and len(monthdays) > 1) or (months and len(months) > 1):
        return None  # several days of one cycle
    return Schedule(rule, start, cycle)


def _numbers(text: str | None) -> list[int] | None:
    return [int(each) for each in text.split(",")] if text else None


class Invoicing(Struct, frozen=True):
    """The invoices of one subscription, and the period of drybill that each of them bills."""

    schedule: Schedule
    arrears: bool

    def period_of(self, consumed: date, delay: timedelta) -> date | None:
        """First day of the period whose invoice holds what is consumed on a day."""
        invoiced = self.schedule.on_or_after(consumed + delay)
        return invoiced and self.period_start(invoiced)

    def period_start(self, invoiced: date) -> date:
        if not self.arrears:
            return invoiced
        return shift(invoiced, self.schedule.cycle, -1, invoiced.day)


class Consuming(Struct, frozen=True):
    """When one line is consumed: on the days of its schedule from its start, before its end."""

    schedule: Schedule
    delay: timedelta
    following: date | None  # the next consumption that is not made yet; None: there is none
    end: date | None  # no consumption on this day nor later

    def made_until(self, invoiced: date) -> int:
        """How many consumptions are still to be made for the invoice of a day."""
        count, at = 0, self.following
        while at is not None and at + self.delay <= invoiced:
            if self.end is None or at < self.end:
                count += 1
            at = self.schedule.after(at)
        return count

    def first(self, invoicing: Invoicing) -> date | None:
        """First day of the first period that is billed."""
        consumed = self.schedule.on_or_after(self.schedule.start)
        return consumed and invoicing.period_of(consumed, self.delay)

    def over(self, invoicing: Invoicing) -> date | None:
        """First day of the first period that is no longer billed; None: it goes on."""
        missed = self.end and self.schedule.on_or_after(self.end)
        return missed and invoicing.period_of(missed, self.delay)

    def last_before(self, period: date, invoicing: Invoicing) -> date | None:
        """The last end date with which nothing of the period that begins then is billed; of none
        before the line's own start, that day. None: no end date does exactly that."""
        lower = shift(period, invoicing.schedule.cycle, -2, period.day) - self.delay
        at = self.schedule.on_or_after(max(lower, self.schedule.start))
        while at is not None and (invoicing.period_of(at, self.delay) or period) < period:
            at = self.schedule.after(at)
        if at is None:
            return None
        last = max(at - _ONE_DAY, self.schedule.start)
        return last if replace(self, end=last).over(invoicing) == period else None


def delay_of(span: wire.Span | None) -> timedelta:
    return timedelta(seconds=int(span.seconds)) if span else timedelta()
