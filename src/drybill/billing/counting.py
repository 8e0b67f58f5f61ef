"""Counting: from the rows of vendors to one number for one client, product and period.

What cannot be counted is unknown, with its reason; unknown has no arithmetic and is never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.money import EXACT
from drybill.billing.period import Period
from drybill.billing.policy import Duplicates, Product, UsageBasis, VendorKey
from drybill.billing.quantity import UNKNOWN, ZERO, Quantity
from drybill.billing.row import Counted, Reason
from drybill.billing.usage import Finality, QuantityKind, Receipt, UsageRecord

# A second complete answer counts only when it speaks of a time at least this much later.
CONFIRM_AFTER = timedelta(hours=20)


class Clock(Struct, frozen=True):
    """The moment a run speaks of. A run asked for a day means the whole of that day."""

    today: date  # in `zone`
    zone: ZoneInfo
    instant: datetime | None = None  # aware; None: the whole of `today`

    def is_future(self, as_of: datetime | date) -> bool:
        if isinstance(as_of, datetime):
            if self.instant is not None:
                return as_of > self.instant
            return as_of.astimezone(self.zone).date() > self.today
        return as_of > self.today


AbsenceKey = tuple[str, str, str]  # (vendor, customer id, code with its term)


class Sources(Struct):
    """What the vendors answered, and what earlier answers said about absent products."""

    receipts: Mapping[str, Receipt]
    clock: Clock
    absent_since: Mapping[AbsenceKey, datetime] = new_field(default_factory=dict)
    absent_now: dict[AbsenceKey, datetime] = new_field(
        default_factory=dict
    )  # filled while counting


class Part(Struct):
    """What one `from` entry or feed gives to a line.

    `floor`: some customer that was listed does not have the product, and that is not confirmed:
    the quantity is a lower bound. `absent`: none of them has it; then there is no quantity.
    """

    quantity: Quantity = UNKNOWN
    floor: bool = False
    absent: bool = False
    reasons: list[Reason] = new_field(default_factory=list)
    block: Reason | None = None
    usage: list[Counted] = new_field(default_factory=list)
    records: list[UsageRecord] = new_field(default_factory=list)
    excluded: Decimal = ZERO  # units that an exclude rule left out

    @property
    def known(self) -> bool:
        return self.quantity is not UNKNOWN


def count(
    product: Product,
    key: VendorKey,
    customers: Sequence[str],
    records: Mapping[str, Sequence[UsageRecord]],
    sources: Sources,
    period: Period,
) -> Part:
    """The units of one `from` entry for one client: the sum over the client's vendor customers.

    `records` are this entry's rows by customer id; `period` is the one that the product's usage
    basis names.
    """
    receipt = sources.receipts.get(key.vendor)
    part = Part()
    if receipt is None:
        part.reasons.append(Reason("SOURCE_NOT_ASKED", key.vendor))
        return part
    if not receipt.complete:
        part.reasons.append(Reason("SOURCE_INCOMPLETE", key.vendor))
        part.usage = [counted(r) for c in customers for r in sorted(records.get(c, ()), key=_order)]
        return part
    total: Decimal | None = None
    missing: list[str] = []
    unknown = False
    for customer in customers:
        if customer in receipt.denied:
            part.reasons.append(_about("CUSTOMER_DENIED", key, customer))
            unknown = True
            continue
        if customer not in receipt.customers:
            part.reasons.append(_about("CUSTOMER_NOT_LISTED", key, customer))
            unknown = True
            continue
        rows = records.get(customer, ())
        units, seen = _customer(product, key, rows, sources.clock, period, part)
        if not seen:
            missing.append(customer)
        elif units is UNKNOWN:
            unknown = True
        else:
            total = units if total is None else EXACT.add(total, units)
    _check_terms(key, part)
    for customer in missing:
        if _confirmed_absent(key, customer, receipt, sources):
            part.reasons.append(_about("ABSENT_CONFIRMED", key, customer))
            total = ZERO if total is None else total
        else:
            part.reasons.append(_about("ABSENT_ONCE", key, customer))
            part.floor = True
    if unknown or part.block:
        return part
    part.absent = total is None
    part.quantity = total
    return part


def _customer(
    product: Product,
    key: VendorKey,
    rows: Sequence[UsageRecord],
    clock: Clock,
    period: Period,
    part: Part,
) -> tuple[Quantity, bool]:
    """(units, was the product there at all) for one vendor customer."""
    if not rows:
        return UNKNOWN, False
    counting = [r for r in rows if r.line_type.counts and (key.kind is None or r.kind == key.kind)]
    if not counting:  # it is there, only not measured like this
        part.reasons.append(Reason("QUANTITY_UNKNOWN", f"{key.vendor} {key.code}: no {key.kind}"))
        return UNKNOWN, True
    if key.kind is not None and any(r.kind is None and r.line_type.counts for r in rows):
        part.reasons.append(Reason("KIND_AMBIGUOUS", f"{key.kind}, no kind"))
        part.floor = True
    present = [r for r in counting if r.as_of is None or not clock.is_future(r.as_of)]
    if len(present) < len(counting):
        part.reasons.append(Reason("FUTURE_USAGE", _newest(counting)))
        today = {_stream(r) for r in present}
        # what a later row speaks of alone is there today, too, in a number that nobody said
        part.floor = part.floor or any(_stream(r) not in today for r in counting)
    if not present:
        return UNKNOWN, True
    trials = [r for r in present if r.trial] if _excludes_trial(product) else []
    if trials:
        _exclude(trials, part)
        present = [r for r in present if not r.trial]
        if not present:
            running, _, _ = _for_period(trials, product.usage, period, clock.today)
            return UNKNOWN if running is None else ZERO, True
    if len({r.kind for r in present}) > 1:
        kinds = sorted("no kind" if r.kind is None else r.kind.value for r in present)
        part.block = Reason("KIND_AMBIGUOUS", ", ".join(dict.fromkeys(kinds)))
        return UNKNOWN, True
    latest, superseded, twins = latest_rows(present)
    if superseded:
        part.reasons.append(
            Reason("SUPERSEDED", f"{superseded} older {'row' if superseded == 1 else 'rows'}")
        )
    for group in twins:
        chosen = _resolve(group, product.duplicates)
        if chosen is None:
            part.block = Reason("DUPLICATE_USAGE", _say_twins(group))
            return UNKNOWN, True
        latest.extend(chosen)
    matching, mismatch, partial = _for_period(latest, product.usage, period, clock.today)
    part.floor = part.floor or partial
    if mismatch:
        part.reasons.append(Reason("USAGE_PERIOD_MISMATCH", mismatch))
    if matching is None:
        return UNKNOWN, True
    units: Decimal | None = ZERO
    for record in sorted(matching, key=_order):
        part.usage.append(counted(record))
        part.records.append(record)
        if record.quantity is UNKNOWN:
            part.reasons.append(Reason("QUANTITY_UNKNOWN", f"{key.vendor} {record.sku}"))
            units = UNKNOWN
        elif units is not UNKNOWN:
            units = EXACT.add(units, record.quantity)
    return units, True


def _exclude(trials: Sequence[UsageRecord], part: Part) -> None:
    """Notes the units that an exclude rule leaves out, before anything else looks at the rows."""
    latest, _, twins = latest_rows(trials)
    for record in (*latest, *(group[0] for group in twins)):
        if record.quantity is not UNKNOWN:
            part.excluded = EXACT.add(part.excluded, record.quantity)
    part.reasons.append(Reason("EXCLUDED", f"trial: {part.excluded:f} units"))


def latest_rows(
    rows: Sequence[UsageRecord],
) -> tuple[list[UsageRecord], int, list[list[UsageRecord]]]:
    """(rows that stand alone or are the latest, how many older ones, groups that say it twice).

    Rows with the same customer, SKU, term, subscription, kind and period speak of the same thing:
    the latest as-of counts; the same or no as-of cannot be ordered.
    """
    if len(rows) == 1:
        return list(rows), 0, []
    groups: dict[tuple[object, ...], list[UsageRecord]] = {}
    for r in rows:
        same = (
            r.customer_id, r.sku, r.term, r.subscription_id, r.kind, r.period_start, r.period_end,
        )  # fmt: skip
        groups.setdefault(same, []).append(r)
    latest: list[UsageRecord] = []
    twins: list[list[UsageRecord]] = []
    superseded = 0
    for group in groups.values():
        if len(group) == 1:
            latest.extend(group)
            continue
        if any(r.as_of is None for r in group):
            twins.append(sorted(group, key=_order))
            continue
        newest = max(_instant(r.as_of) for r in group)
        top = [r for r in group if _instant(r.as_of) == newest]
        superseded += len(group) - len(top)
        if len(top) == 1:
            latest.extend(top)
        else:
            twins.append(sorted(top, key=_order))
    twins.sort(key=lambda group: _order(group[0]))
    return latest, superseded, twins


def _resolve(group: list[UsageRecord], how: Duplicates) -> list[UsageRecord] | None:
    """Which of the rows that say the same thing twice count; None: nobody can tell."""
    if how is Duplicates.SUM:
        return group
    if how is Duplicates.BLOCK:
        return None
    if how is Duplicates.LATEST:
        dated = [r for r in group if r.as_of is not None]
        if dated:
            newest = max(_instant(r.as_of) for r in dated)
            group = [r for r in dated if _instant(r.as_of) == newest]
    return group[:1] if len({r.quantity for r in group}) == 1 else None


def _say_twins(group: list[UsageRecord]) -> str:
    said = ", ".join("unknown" if r.quantity is UNKNOWN else f"{r.quantity:f}" for r in group[:5])
    return f"{len(group)} rows of {group[0].customer_id} {group[0].sku} say {said}"


def _for_period(
    rows: list[UsageRecord], basis: UsageBasis, period: Period, today: date
) -> tuple[list[UsageRecord] | None, str, bool]:
    """(the rows that belong to the period, what did not, whether units of it are missing).

    None: no row or not the whole period. Units are missing where a subscription is only in rows
    that cover a part of the period: what is counted is then a lower bound.
    """
    if basis is UsageBasis.NOW:
        observed = [r for r in rows if r.period_start is None]
        if len(observed) == len(rows):
            return rows, "", False
        seen = {_stream(r) for r in observed}
        running = observed + [
            r for r in rows if r.period_start and today in _period(r) and _stream(r) not in seen
        ]
        return running or None, _say_periods(r for r in rows if r not in running), False
    exact = [r for r in rows if r.period_start == period.start and r.period_end == period.end]
    if len(exact) == len(rows):
        return rows, "", False
    tiles: list[UsageRecord] = []
    taken = {_stream(r) for r in exact}
    complete = True
    streams: dict[tuple[object, ...], list[UsageRecord]] = {}
    for r in rows:
        inside = (
            r.period_start is not None
            and period.start <= r.period_start
            and (r.period_end is not None and r.period_end <= period.end)
        )
        if inside and r.kind is QuantityKind.METERED_TOTAL and _stream(r) not in taken:
            streams.setdefault(_stream(r), []).append(r)
    for stream in streams.values():
        stream.sort(key=_order)
        edge = period.start
        for r in stream:
            complete = complete and r.period_start == edge
            edge = r.period_end or edge
        complete = complete and edge == period.end
        tiles.extend(stream)
    if tiles and not complete:
        return None, f"the rows do not cover {_say(period)}", False
    matching = exact + tiles
    others = [r for r in rows if r not in matching]
    counted_streams = {_stream(r) for r in matching}
    partial = any(
        r.period_start is not None
        and period.overlap(r.period_start, r.period_end) is not None
        and _stream(r) not in counted_streams
        for r in others
    )
    return matching or None, _say_periods(others), partial


def _stream(r: UsageRecord) -> tuple[object, ...]:
    return (r.customer_id, r.sku, r.term, r.subscription_id, r.kind)


def _period(record: UsageRecord) -> Period:
    start = record.period_start or date.min
    return Period(start, record.period_end or start)


def _say(period: Period) -> str:
    """A period for people: its first and its last day."""
    return f"{period.start.isoformat()} to {(period.end - timedelta(days=1)).isoformat()}"


def _say_periods(rows: Iterable[UsageRecord]) -> str:
    periods = sorted(
        {"an observation" if r.period_start is None else _say(_period(r)) for r in rows}
    )
    return ", ".join(periods[:3])


def _check_terms(key: VendorKey, part: Part) -> None:
    """Without a term in the mapping, monthly and annual seats never sum into one line."""
    if key.term is None and len(part.records) > 1:
        terms = {r.term for r in part.records}
        if len(terms) > 1:
            names = ", ".join(sorted(t or "no term" for t in terms))
            part.block = part.block or Reason("TERM_AMBIGUOUS", names)


def code_of(key: VendorKey) -> str:
    """The vendor's product code of a `from` entry, with the term where the mapping names one."""
    return f"{key.code}\x1f{key.term}" if key.term else key.code


def _about(code: str, key: VendorKey, customer: str) -> Reason:
    """What a vendor does not say of one customer and product."""
    detail = f"{key.vendor} customer {customer}"
    if code.startswith("ABSENT"):
        detail += f" has no {key.code}" + (f" ({key.term})" if key.term else "")
    return Reason(code, detail, (key.vendor, customer, key.code))


def _confirmed_absent(key: VendorKey, customer: str, receipt: Receipt, sources: Sources) -> bool:
    """A SKU is really gone when two complete answers at least 20 hours apart lack it."""
    if receipt.as_of is None or sources.clock.is_future(receipt.as_of):
        return False
    absence = (key.vendor, customer, code_of(key))
    first = sources.absent_since.get(absence)
    sources.absent_now[absence] = min(first, receipt.as_of) if first else receipt.as_of
    return first is not None and receipt.as_of - first >= CONFIRM_AFTER


def _excludes_trial(product: Product) -> bool:
    return any(rule.name == "exclude" and rule.what == "trial" for rule in product.rules)


def counted(record: UsageRecord, measure: str = "") -> Counted:
    as_of = record.as_of.isoformat() if record.as_of is not None else ""
    return Counted(
        record.vendor,
        record.customer_id,
        record.sku,
        record.quantity,
        measure or (record.kind.value if record.kind else ""),
        as_of.replace("+00:00", "Z"),
        record.subscription_id,
    )


def is_final(record: UsageRecord) -> bool:
    """Metered usage may still grow until its vendor calls it final; seats are what they are."""
    return record.kind is None or not record.kind.metered or record.finality is Finality.FINAL


def _instant(as_of: datetime | date | None) -> datetime:
    """A moment to order by; a date counts as its midnight, UTC."""
    if isinstance(as_of, datetime):
        return as_of
    return datetime.combine(as_of or date.min, time(), UTC)


def _order(r: UsageRecord) -> tuple[str, ...]:
    """Content order, so that no result depends on the order of the rows in a file."""
    return (
        r.vendor,
        r.customer_id,
        r.sku,
        r.subscription_id,
        r.period_start.isoformat() if r.period_start else "",
        _instant(r.as_of).isoformat(),
        "" if r.quantity is UNKNOWN else f"{r.quantity:f}",
        *map(str, (r.term, r.kind, r.period_end, r.amount, r.unit_cost, r.currency)),
        *map(str, (r.commitment_end, r.since, r.finality, r.trial)),
    )


def _newest(rows: Sequence[UsageRecord]) -> str:
    newest = max(_instant(r.as_of) for r in rows)
    return f"as of {newest.date().isoformat()}"
