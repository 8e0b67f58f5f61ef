"""One row as a person reads it: the same words in every layout, table, invoice and ticket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.quantity import ZERO
from drybill.billing.row import QUIET, Bucket, IgnoredUsage, Row, UnmappedUsage
from drybill.plan.plan import PlannedInvoice
from drybill.report import words
from drybill.report.marks import MARKS, sign_style
from drybill.report.words import clean


class Entry(Struct, frozen=True):
    """Cells of one row. A pair whose second text is empty is shown as one number."""

    mark: str
    name: str
    quantity: tuple[str, str] = ("", "")
    price: str = ""
    amount: tuple[str, str] = ("", "")
    change: str = ""
    change_style: str = ""
    id: str = ""
    date: str = ""
    reason: str = ""
    more: tuple[str, ...] = new_field(default=())  # what the reason code alone does not say
    quiet: bool = False


def entry_of(row: Row, invoice: PlannedInvoice, ids: Mapping[str, str]) -> Entry:
    """A line of an invoice. A held row keeps its amount, so that the column adds up."""
    before = words.money(row.amount_before, row.currency)
    after = words.money(row.amount_after, row.currency)
    if row.bucket is Bucket.CREATE and row.amount_before is None:
        before = "-"
    change, style = _change(row)
    return Entry(
        mark=MARKS[row.bucket],
        name=name_of(row),
        quantity=_quantities(row),
        price="?" if row.unit_price is None else words.money(row.unit_price, row.currency),
        amount=(before, "") if row.bucket in QUIET else (before, after),
        change=change if row.bucket is not Bucket.UNCHANGED else "",
        change_style=style,
        id=ids[row.id],
        date=words.day(row.effective) if row.effective and row.bucket.differs else "",
        reason=row.reasons[0].code if row.reasons else "",
        more=tuple(_parts(row) if row.quiet else [*_parts(row), *_more(row, invoice)]),
        quiet=row.quiet,
    )


def _parts(row: Row) -> list[str]:
    """Pieces that bill some days of the period only: `10 for 15-31 Dec 2026 (17 of 31 days)`."""
    return [
        f"{words.quantity(piece.quantity)} for {words.days(piece.first_day, piece.until)} "
        f"({piece.used_days} of {words.count(piece.period_days, 'day')})"
        for piece in row.pieces_after
        if piece.used_days != piece.period_days
    ]


def name_of(row: Row) -> str:
    name = clean(row.description or row.product_key or row.product).strip()
    return f"{name} ({clean(row.slot)})" if row.slot else name


def _quantities(row: Row) -> tuple[str, str]:
    before = words.quantity(row.quantity_before)
    match row.bucket:
        case Bucket.CHANGE:
            return before, words.quantity(row.quantity_after)
        case Bucket.CREATE:
            return "none", words.quantity(row.quantity_after)
        case Bucket.END:
            return before, "end"
        case Bucket.BLOCKED:
            return ("none" if row.line_id is None else before), "held"
        case Bucket.UNKNOWN | Bucket.ORPHAN:
            return before, "?"
        case _:
            return before, ""


def _change(row: Row) -> tuple[str, str]:
    match row.bucket:
        case Bucket.BLOCKED:
            return "held", ""
        case Bucket.UNKNOWN | Bucket.ORPHAN:
            return "?", ""
        case Bucket.IGNORED:
            return ("accepted" if row.accepted_difference is not None else "ignored"), ""
        case Bucket.FIXED:
            return "fixed", ""
    if row.amount_before is None or row.amount_after is None:
        return "?", ""
    return words.signed(row.difference, row.currency), sign_style(row.difference)


def _more(row: Row, invoice: PlannedInvoice) -> list[str]:
    more = [clean(row.reasons[0].detail)] if row.reasons and row.reasons[0].detail else []
    codes = {reason.code for reason in row.reasons}
    for reason in row.reasons[1:]:
        if reason.code == "ABSENT_ONCE" and "LOWER_BOUND" in codes:
            continue  # `explain` names what is lacking
        more.append(f"{reason.code} {clean(reason.detail)}".rstrip())
    if row.wanted is not None:
        more.append(f"wants {words.quantity(row.wanted.quantity)}: {_difference(row)}")
    if row.bucket is Bucket.UNKNOWN:
        more.append(f"stays {words.quantity(row.quantity_before)}, NOT checked")
    if row.accepted_difference is not None:
        accepted = words.signed(row.accepted_difference, row.currency)
        more.append(f"would be {accepted} {row.currency}")
    if row.held_by:
        more.append(f"not written: {row.held_by}")
    if row.leak:
        leak = words.signed(row.leak, row.currency)
        more.append(f"leak {leak} {row.currency} in periods already invoiced")
    more += [f"guard {g.name} lifted: {clean(g.lifted)}" for g in row.guards if g.lifted]
    if row.client_id != invoice.client_id:
        more.append(f"for {clean(row.client or row.client_id)}")
    if row.agreement_id != invoice.agreement_id:
        more.append(f"agreement {clean(row.agreement_id)}")
    return more


def _difference(row: Row) -> str:
    wanted = row.wanted.difference if row.wanted else None
    return (
        "difference unknown"
        if wanted is None
        else (f"{words.signed(wanted, row.currency)} {row.currency}")
    )


def weight(row: Row) -> Decimal:
    """Money at stake, without its sign: what moves, was held, leaked, or stands unchecked."""
    if row.bucket.differs:
        return abs(row.difference)
    if row.wanted is not None:
        return abs(row.wanted.difference or ZERO)
    if row.accepted_difference is not None:
        return abs(row.accepted_difference)
    if row.bucket in QUIET:
        return abs(row.leak or ZERO)
    return abs(row.amount_before or ZERO)


def most_money(rows: list[Row], limit: int) -> set[str]:
    """Ids of the rows with most money. Currencies take turns: their amounts do not compare."""
    by_currency: dict[str, list[Row]] = {}
    for row in rows:
        by_currency.setdefault(row.currency, []).append(row)
    ranked: list[tuple[int, str, str]] = []
    for currency, members in by_currency.items():
        members.sort(key=lambda row: (-weight(row), row.id))
        ranked += [(rank, currency, row.id) for rank, row in enumerate(members)]
    return {row for _, _, row in sorted(ranked)[:limit]}


def worth_showing(rows: list[Row], limit: int, applying: bool) -> set[str]:
    """The rows with most money, and of those that would be written: all when they are about to
    be, else as many again."""
    writable = [row for row in rows if row.would_write]
    if applying:
        return most_money(rows, limit) | {row.id for row in writable}
    return most_money(rows, limit) | most_money(writable, limit)


def dearest(usage: Sequence[UnmappedUsage], limit: int) -> Sequence[UnmappedUsage]:
    """The ones with most money, currencies and kinds of money taking turns."""
    ranks: dict[tuple[str, str], int] = {}
    ranked = []
    for use in sorted(usage, key=lambda use: (-(use.price_estimate or use.cost or ZERO), use.row)):
        kind = ("price", use.currency) if use.price_estimate else ("cost", use.cost_currency)
        ranks[kind] = ranks.get(kind, 0) + 1
        ranked.append((ranks[kind], kind, use.row))
    chosen = {row for _, _, row in sorted(ranked)[:limit]}
    return [use for use in usage if use.row in chosen]


def usage_name(usage: UnmappedUsage | IgnoredUsage) -> str:
    """`pax8, Wonderland Ltd, M365 Business Premium annual`, ids where there are no names."""
    if isinstance(usage, IgnoredUsage):
        parts = [usage.vendor, f"customer {usage.customer_id}", usage.sku]
    else:
        customer = usage.customer_name or f"customer {usage.customer_id}"
        parts = [usage.vendor, customer, " ".join((usage.product_name or usage.sku, usage.term))]
    return ", ".join(clean(part).strip() for part in parts)


def usage_money(usage: UnmappedUsage | IgnoredUsage) -> list[str]:
    """The vendor's cost and the price estimate, each called what it is."""
    known = []
    if usage.cost is not None:
        currency = usage.cost_currency
        known.append(f"cost {words.money(usage.cost, currency)} {currency}".rstrip())
    if isinstance(usage, UnmappedUsage) and usage.price_estimate is not None:
        estimate = words.money(usage.price_estimate, usage.currency)
        known.append(f"price estimate {estimate} {usage.currency}".rstrip())
    return known or ["cost and price unknown"]


def usage_more(usage: UnmappedUsage | IgnoredUsage) -> str:
    """Reason, its detail, and what a name hides: the SKU and the client."""
    more = [usage.reason]
    if usage.detail:
        more.append(clean(usage.detail))
    if isinstance(usage, UnmappedUsage):
        if usage.product_name:
            more.append(f"sku {clean(usage.sku)}")
        if usage.customer_name:
            more.append(f"customer {clean(usage.customer_id)}")
    if usage.client_id:
        more.append(f"client {clean(usage.client_id)}")
    return ", ".join(more)
