"""Billing periods: half-open ranges of days, cycles with an anchor day, and shares of a period.

Dates are dates of the mapping's time zone; no time of day enters here.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache

from msgspec import Struct

from drybill.billing.agreement import Agreement, Cycle, DayBasis, Timing

_MONTHS = {
    Cycle.MONTHLY: 1,
    Cycle.QUARTERLY: 3,
    Cycle.SEMI_ANNUAL: 6,
    Cycle.ANNUAL: 12,
}


class Period(Struct, frozen=True, order=True):
    """Days from `start` (included) until `end` (excluded)."""

    start: date
    end: date

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def overlap(self, start: date | None, end: date | None) -> Period | None:
        """The part inside [start, end); None stands for an open side. None: no day in common."""
        first = self.start if start is None else max(self.start, start)
        until = self.end if end is None else min(self.end, end)
        return Period(first, until) if first < until else None


@lru_cache(maxsize=4096)
def shift(start: date, cycle: Cycle, count: int, anchor_day: int) -> date:
    """The first day `count` cycles after (before, if negative) the period that starts on `start`.

    The day of the month is the anchor's, clipped to short months, and returns to the anchor
    afterwards: 31 Jan, 28 Feb, 31 Mar. Anchor rule: killbill's proration tests (day 30 falls on
    29 Feb in a leap year).

    Raises:
        OverflowError: beyond the years 1 to 9999.
    """
    if cycle is Cycle.WEEKLY:
        return start + timedelta(weeks=count)
    months = start.year * 12 + start.month - 1 + _MONTHS[cycle] * count
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(f"a billing period cannot reach the year {year}")
    return date(year, month + 1, min(anchor_day, monthrange(year, month + 1)[1]))


def anchor_day(agreement: Agreement) -> int:
    """The day of the month on which periods begin: the start date's, else the next period's."""
    return (agreement.start_date or agreement.next_period_start).day


def period_from(agreement: Agreement, start: date) -> Period:
    """The whole period that starts on `start`."""
    return Period(start, shift(start, agreement.cycle, 1, anchor_day(agreement)))


def period_before(agreement: Agreement, start: date) -> Period:
    """The whole period that ends where one starts on `start`."""
    return Period(shift(start, agreement.cycle, -1, anchor_day(agreement)), start)


def long_period(agreement: Agreement) -> int:
    """Days of the next period where it begins on another day than the anchor's; 0: on that one.

    It is projected until the anchor day after a whole cycle: longer than others, at one's price.
    """
    start = agreement.next_period_start
    if agreement.cycle in (Cycle.WEEKLY, Cycle.ONE_TIME) or start == shift(
        start, agreement.cycle, 0, anchor_day(agreement)
    ):
        return 0
    period = period_from(agreement, start)
    return (period.end - period.start).days


def period_around(agreement: Agreement, day: date) -> Period:
    """The whole period that a day lies in, counted from the next one to be invoiced."""
    period = period_from(agreement, agreement.next_period_start)
    while day < period.start:
        period = period_before(agreement, period.start)
    while day >= period.end:
        period = period_from(agreement, period.end)
    return period


def invoice_date(agreement: Agreement, period: Period) -> date:
    """In advance the first day of the period, in arrears the day after its last."""
    return period.start if agreement.timing is Timing.ADVANCE else period.end


@lru_cache(maxsize=4096)
def days_between(start: date, end: date, basis: DayBasis) -> int:
    """Days in [start, end). With `fixed_30` every month has 30 days and the 31st is the 30th's.

    Both are additive: splitting a range never changes the sum. Fixed 30 after killbill's
    TestInvoiceDateUtilsWithFixedProration: 23 May to 15 June is 22 days whatever the month.
    """
    if basis is DayBasis.ACTUAL:
        return (end - start).days
    return _thirty(end) - _thirty(start)


def _thirty(day: date) -> int:
    return day.year * 360 + day.month * 30 + min(day.day, 30)
