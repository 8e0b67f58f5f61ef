"""Words of the command line that become values, or one clear message."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal

import typer

from drybill.billing.row import Bucket
from drybill.plan.guards import ROW_GUARDS, RUN_GUARDS, SOURCE_GUARDS, Allowance

_YEARS = (1900, 9900)  # room enough on both sides for horizons and periods


def said(text: str) -> str:
    """A word as it stands in a message: short, and without control characters."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return f"{clean[:60]}..." if len(clean) > 60 else clean


def day(text: str | None, option: str) -> date | None:
    """An ISO date. Raises typer.BadParameter."""
    if text is None:
        return None
    try:
        return _iso(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option}: `{said(text)}` is not a date such as 2026-12-01"
        ) from None


def billing_day(text: str | None, option: str) -> date | None:
    """An ISO date that a period can begin on. Raises typer.BadParameter."""
    found = day(text, option)
    if found is not None and not _YEARS[0] <= found.year <= _YEARS[1]:
        raise typer.BadParameter(f"{option}: `{text}` is no day that anything is billed on")
    return found


def _iso(text: str) -> date:
    """YYYY-MM-DD alone: Python takes 20261201 and 2026-W49-2 too. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _moment(text: str) -> datetime:
    """A time of such a day. Raises ValueError."""
    _iso(text[:10])
    return datetime.fromisoformat(text)


def as_of(text: str | None, now: datetime) -> date | datetime:
    """A day (the whole of it), or a moment with its zone; without one, now."""
    if text is None:
        return now
    is_day = len(text) == len("2026-12-01")
    try:
        moment = datetime.combine(_iso(text[:10]), time()) if is_day else _moment(text)
    except ValueError:
        moment = None
    if moment is None or (moment.tzinfo is None and not is_day):
        hint = "a date (2026-12-01) or a time with its zone (2026-12-01T09:00:00Z)"
        raise typer.BadParameter(f"--as-of: `{said(text)}` is not {hint}")
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise typer.BadParameter(f"--as-of: `{said(text)}` is no day that anything is billed on")
    return moment.date() if is_day else moment.astimezone(UTC)


def amount(text: str | None, option: str) -> Decimal | None:
    """An amount of 0 or more in plain notation. Raises typer.BadParameter."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,12})?", text):
        raise typer.BadParameter(f"{option}: `{said(text)}` is not an amount such as 25.00")
    return Decimal(text)


def allowances(texts: list[str], reason: str | None) -> tuple[Allowance, ...]:
    """`[ROW:]GUARD` of --allow, all lifted for one --reason. Raises typer.BadParameter."""
    if texts and not (reason or "").strip():
        raise typer.BadParameter("--allow needs --reason TEXT: it is journalled")
    if reason and not texts:
        raise typer.BadParameter("--reason goes with --allow")
    names = ROW_GUARDS | {f"row.{name}" for name in ROW_GUARDS} | RUN_GUARDS | SOURCE_GUARDS
    found = []
    for text in texts:
        row, _, guard = text.rpartition(":")
        if guard not in names:
            from difflib import get_close_matches

            near = get_close_matches(guard, sorted(names), 1)
            hint = f"; a similar one is `{near[0]}`" if near else ""
            known = ", ".join(sorted((ROW_GUARDS - {"past_periods"}) | RUN_GUARDS | SOURCE_GUARDS))
            raise typer.BadParameter(f"--allow: no guard is called `{said(guard)}`{hint} ({known})")
        if guard.removeprefix("row.") == "past_periods":
            raise typer.BadParameter("--allow: past_periods is lifted with --period DATE")
        found.append(Allowance(guard, (reason or "").strip(), row.strip().lower()))
    return tuple(found)


def only_run_guards(lifts: tuple[Allowance, ...]) -> None:
    """What a finished plan still lets be lifted. Raises typer.BadParameter."""
    fixed = [lift.guard for lift in lifts if lift.guard not in RUN_GUARDS]
    if fixed:
        says = f"--allow {', '.join(fixed)}: the rows of a plan are fixed; use it without --plan"
        raise typer.BadParameter(says)


def bucket(name: str) -> str:
    """The name of a bucket. Raises typer.BadParameter."""
    names = [bucket.value for bucket in Bucket]
    if name not in names:
        raise typer.BadParameter(f"--bucket: `{said(name)}` is none of {', '.join(names)}")
    return name
