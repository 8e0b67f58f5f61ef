"""How one number came about: its own trace, from the vendor's answer to the write."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from drybill.billing.money import EXACT
from drybill.billing.quantity import UNKNOWN, ZERO
from drybill.billing.reasons import REASONS
from drybill.billing.row import Bucket, Counted, IgnoredUsage, LeakPiece, Piece, Row, UnmappedUsage
from drybill.plan.plan import Plan, PlannedInvoice
from drybill.report import words
from drybill.report.entries import name_of, usage_money
from drybill.report.layout import Sheet
from drybill.report.marks import LOUD, MARKS, STRONG, mark_style
from drybill.report.words import clean

_LABEL = 9  # columns before the text; numbers longer than that push it to the right


class Explained(Protocol):
    """One row or use of a plan, with the invoice that it stands on (None for usage)."""

    @property
    def subject(self) -> Row | UnmappedUsage | IgnoredUsage: ...
    @property
    def invoice(self) -> PlannedInvoice | None: ...
    @property
    def plan(self) -> Plan: ...
    @property
    def digest(self) -> str: ...
    @property
    def places(self) -> Mapping[str, str]: ...  # mapping entry -> where it is written


def render_explain(found: Explained, width: int) -> Sheet:
    """How the number of one line, or of one use without a line, came about."""
    sheet = Sheet(width)
    subject = found.subject
    of = f"plan {words.short(found.digest)} of {words.day(found.plan.today)}"
    if isinstance(subject, Row):
        _line(sheet, subject, found.invoice, of, found.places)
    else:
        _use(sheet, subject, of)
    return sheet


def render_code(code: str, width: int) -> str:
    """What a reason code means, and what can be done. Raises KeyError for no reason code."""
    meaning = REASONS[code]
    sheet = Sheet(width)
    sheet.add((code, STRONG))
    sheet.prose(meaning.says, "  ")
    if meaning.fix:
        sheet.prose(meaning.fix, "  help: ", "  ")
    return sheet.plain


def _line(
    sheet: Sheet, row: Row, invoice: PlannedInvoice | None, of: str, places: Mapping[str, str]
) -> None:
    heading = [clean(row.client or row.client_id), name_of(row)]
    heading.append(f"agreement {clean(row.agreement_id)}")
    heading.append(f"line {clean(row.line_id)}" if row.line_id else "no line yet")
    sheet.prose(", ".join(heading), style=STRONG)
    sheet.prose(f"row {row.id}, product {clean(row.product)}, {of}", "  ")
    mark = MARKS[row.bucket]
    sheet.prose(f"{mark} {row.bucket.value}", "  ", style=mark_style(mark))
    _reasons(sheet, [(reason.code, reason.detail) for reason in row.reasons])
    for counted in row.usage:
        _tell(sheet, "usage", _usage(counted))
    for step in row.steps:
        where = places.get(step.path, step.path)
        says = clean(step.says) + (f"   {clean(where)}" if where else "")
        _tell(sheet, words.quantity(step.value), says)
    if row.counted is not UNKNOWN or row.usage:
        _tell(sheet, words.quantity(row.counted), "is what the agreement should bill")
    _amounts(sheet, row, invoice)
    _guards(sheet, row)
    _write(sheet, row)


def _use(sheet: Sheet, usage: UnmappedUsage | IgnoredUsage, of: str) -> None:
    """Usage that no line bills: what the vendor said, what it costs, and why there is no line."""
    customer = f"customer {clean(usage.customer_id)}"
    product = clean(usage.sku)
    bucket = Bucket.IGNORED
    if isinstance(usage, UnmappedUsage):
        bucket = Bucket.UNMAPPED
        if usage.customer_name:
            customer = f"{clean(usage.customer_name)} ({customer})"
        product = " ".join(clean(t) for t in (usage.product_name, usage.sku, usage.term) if t)
    mark = "*" if bucket is Bucket.UNMAPPED else "="
    sheet.prose(f"{clean(usage.vendor)}, {customer}, {product}", style=STRONG)
    sheet.prose(f"row {usage.row}, {of}", "  ")
    sheet.prose(f"{mark} {bucket.value}, no line bills it", "  ", style=mark_style(mark))
    _reasons(sheet, [(usage.reason, usage.detail)])
    _tell(sheet, words.quantity(usage.quantity), f"{clean(usage.vendor)} {clean(usage.sku)}")
    _tell(sheet, "money", ", ".join(usage_money(usage)))
    if usage.client_id:
        _tell(sheet, "client", clean(usage.client_id))
    _tell(sheet, "write", "nothing: there is no line")


def _tell(sheet: Sheet, label: str, says: str, style: str = "") -> None:
    sheet.prose(says, f"  {label:<{_LABEL}} ", " " * (_LABEL + 3), style=style)


def _reasons(sheet: Sheet, reasons: list[tuple[str, str]]) -> None:
    for code, detail in reasons:
        meaning = REASONS.get(code)
        says = code + (f" ({clean(detail)})" if detail else "")
        _tell(sheet, "because", f"{says}: {meaning.says}" if meaning else says)
        if meaning and meaning.fix:
            _tell(sheet, "", meaning.fix)


def _usage(counted: Counted) -> str:
    parts = [f"{clean(counted.vendor)}: {words.quantity(counted.quantity)}"]
    parts.append(f"customer {clean(counted.customer_id)}")
    parts.append(clean(counted.sku))
    if counted.subscription_id:
        parts.append(f"subscription {clean(counted.subscription_id)}")
    if counted.measure:
        parts.append(clean(counted.measure))
    parts.append(f"as of {words.moment(counted.as_of)}" if counted.as_of else "states no time")
    return ", ".join(parts)


def _amounts(sheet: Sheet, row: Row, invoice: PlannedInvoice | None) -> None:
    for label, pieces, amount in (
        ("now", row.pieces_before, row.amount_before),
        ("then", row.pieces_after, row.amount_after),
    ):
        for piece in pieces:
            _tell(sheet, label, _piece(piece, row.currency))
        if not pieces:
            known = words.money(amount, row.currency)
            _tell(sheet, label, "not on the invoice" if not amount else f"{known} {row.currency}")
        elif len(pieces) > 1:
            _tell(sheet, "", f"sum {words.money(amount, row.currency)}")
    if invoice is not None:
        period = words.days(invoice.period_start, invoice.period_end)
        _tell(sheet, "invoice", f"{words.day(invoice.invoice_date)} for {period}")
    if row.amount_before is None or row.amount_after is None:
        _tell(sheet, "change", "unknown, and outside every sum", LOUD)
    else:
        _tell(sheet, "change", _change(row, row.amount_before, row.amount_after))
    if row.wanted is not None:
        wanted = words.quantity(row.wanted.quantity)
        difference = words.signed(row.wanted.difference, row.currency)
        _tell(sheet, "held", f"wants {wanted}, which would be {difference} {row.currency}")
    if row.accepted_difference is not None:
        difference = words.signed(row.accepted_difference, row.currency)
        _tell(sheet, "accepted", f"would be {difference} {row.currency}")
    if row.leak is not None:
        for part in row.leak_pieces:
            _tell(sheet, "leak", _leak_piece(part, row.currency))
        leak = f"{words.signed(row.leak, row.currency)} {row.currency}"
        _tell(sheet, "leak", f"{leak} in periods already invoiced; not part of the change")


def _change(row: Row, before: Decimal, after: Decimal) -> str:
    says = f"{words.money(after, row.currency)} - {words.money(before, row.currency)} = "
    says += f"{words.signed(row.difference, row.currency)} {row.currency}"
    if not row.difference:
        return says
    return f"{says}, {'under' if row.difference > 0 else 'over'}-billed"


def _leak_piece(piece: LeakPiece, currency: str) -> str:
    """`1-30 Nov 2026: 2 missing x 22.00 x 11/30 = +16.13`, the days where they matter."""
    period = words.days(piece.first_day, piece.until)
    units = words.quantity(abs(piece.missing))
    what = "missing" if piece.missing > 0 else "too many"
    share = _share(piece.used_days, piece.period_days)
    amount = words.signed(piece.amount, currency)
    price = words.money(piece.unit_price, currency)
    return f"{period}: {units} {what} x {price}{share} = {amount} {currency}"


def _share(used: int, whole: int) -> str:
    return "" if used == whole else f" x {used}/{whole}"


def _piece(piece: Piece, currency: str) -> str:
    """`28 x 22.00 = 616.00   31 of 31 days`, with included units, days and rounding where used."""
    days = f"{piece.used_days} of {words.count(piece.period_days, 'day')}"
    days += f", {words.days(piece.first_day, piece.until)}"
    if piece.billing != "billable":
        return f"{words.quantity(piece.quantity)}, {piece.billing}: 0   {days}"
    amount = words.money(piece.amount, currency)
    price = "?" if piece.unit_price is None else words.money(piece.unit_price, currency)
    units = words.quantity(piece.quantity)
    if piece.included:
        units = f"max({units} - {words.quantity(piece.included)} included, 0)"
    share = _share(piece.used_days, piece.period_days)
    rounded = ", rounded" if _is_rounded(piece) else ""
    return f"{units} x {price}{share} = {amount}{rounded}   {days}"


def _is_rounded(piece: Piece) -> bool:
    if piece.quantity is UNKNOWN or piece.unit_price is None or piece.amount is None:
        return False
    units = max(EXACT.subtract(piece.quantity, piece.included), ZERO)
    exact = EXACT.multiply(EXACT.multiply(units, piece.unit_price), Decimal(piece.used_days))
    return exact != EXACT.multiply(piece.amount, Decimal(piece.period_days))


def _guards(sheet: Sheet, row: Row) -> None:
    for guard in row.guards:
        says = f"{guard.name}: {clean(guard.value)}, limit {clean(guard.limit)}: "
        if guard.lifted:
            _tell(sheet, "guard", f"{says}lifted, {clean(guard.lifted)}")
            continue
        _tell(sheet, "guard", f"{says}stops {clean(guard.stops)}", LOUD)
        sheet.verbatim(f"lift: {clean(guard.lift)}", " " * (_LABEL + 3))
    if not row.guards and row.bucket.differs:
        _tell(sheet, "guard", "no guard of this row stops it")


def _write(sheet: Sheet, row: Row) -> None:
    if row.would_write:
        for step in row.steps_to_write:
            _tell(sheet, "write", clean(step.says))
        day = f", from {words.day(row.effective)}" if row.effective else ""
        _tell(sheet, "", f"nothing else{day}; only with --apply")
        return
    meaning = REASONS.get(row.held_by)
    if meaning:
        _tell(sheet, "write", f"nothing: {row.held_by}. {meaning.says} {meaning.fix}".rstrip())
    else:
        why = f"the row is {row.bucket.value}" if not row.bucket.differs else clean(row.held_by)
        _tell(sheet, "write", f"nothing{': ' + why if why else ''}")
