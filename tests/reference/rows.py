"""One row per product and slot: what stands there, what should, and what keeps it from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from .counted import (
    Count,
    Unclear,
    World,
    count_of,
    customer_ids,
    exceptions_of,
    used,
)
from .signed import (
    Agreement,
    Json,
    Slot,
    amount_of,
    leak_of,
    missing_in_psa,
    number,
    rounded,
    slots_of,
    sum_of,
)


def find_agreement(world: World, client: Json, product: str) -> Agreement:
    role = (
        world.mapping["products"][product].get("agreement")
        or world.mapping["defaults"]["agreement"]
    )
    override = client.get("agreement", {})
    wanted = override if isinstance(override, str | int) else None
    tried = set()
    while role not in tried:
        tried.add(role)
        if isinstance(override, dict) and role in override:
            wanted = override[role]
        if wanted is not None:
            named = world.agreements.get(str(wanted))
            if named is None or not named.projected or named.company != str(client["id"]):
                raise Unclear("unmapped", "AGREEMENT_NOT_FOUND")
            return named
        rule = world.mapping["agreements"][role]
        found = [
            agreement
            for agreement in world.agreements.values()
            if agreement.company == str(client["id"])
            and agreement.projected
            and agreement.type in rule.get("type", [agreement.type])
            and agreement.cycle == rule.get("cycle", agreement.cycle)
        ]
        if len(found) > 1:
            raise Unclear("unmapped", "AGREEMENT_AMBIGUOUS")
        if found:
            return found[0]
        role = rule.get("fallback", role)
    raise Unclear("unmapped", "AGREEMENT_NOT_FOUND")


@dataclass
class Row:
    agreement: Agreement
    line_id: str | None
    product: str
    bucket: str
    code: str
    quantity: Fraction | None
    after: Fraction | None
    price: Fraction | None
    amount_before: Fraction | None
    amount_after: Fraction | None
    wanted: Json | None = None
    leak: Fraction | None = None
    accepted: Fraction | None = None
    would_write: bool = False

    @property
    def difference(self) -> Fraction:
        if self.amount_before is None or self.amount_after is None:
            return Fraction(0)
        return self.amount_after - self.amount_before


def still(agreement: Agreement, slot: Slot, bucket: str, code: str) -> Row:
    """A row whose quantity stays what it is."""
    last, amount = slot[-1], amount_of(agreement, slot, slot[-1].quantity)
    names = "+".join(line.id for line in slot)
    return Row(
        agreement,
        names,
        last.product,
        bucket,
        code,
        last.quantity,
        last.quantity,
        last.price,
        amount,
        amount,
    )


def accepted(world: World, row: Row) -> tuple[Fraction, Fraction] | None:
    """The numbers of both sides for which a person accepted the row, until the last day."""
    for entry in world.mapping.get("accepted", []):
        if world.rows.get(entry["row"]) == (row.agreement.id, row.product):
            seen = entry["seen"]
            if world.today <= entry["last_day"]:
                return Fraction(seen["psa"]), Fraction(seen["vendor"])
    return None


def guarded(world: World, product: str, row: Row, after: Fraction, money: Fraction) -> bool:
    """Whether a row guard (units, percent, to zero, money) stops this change."""
    limits = {"units": 25, "percent": 50, **world.mapping.get("guards", {}).get("row", {})}
    limits.update(world.mapping["products"][product].get("guards", {}))
    before = row.quantity or Fraction(0)
    change = abs(after - before)
    allowed = limits.get("money", {}).get(row.agreement.currency)
    return (
        change > Fraction(limits["units"])
        or (change >= 5 and before > 0 and change * 100 / before > Fraction(limits["percent"]))
        or (after == 0 and change > 0 and not world.mapping.get("guards", {}).get("to_zero", False))
        or (allowed is not None and abs(money) > Fraction(allowed))
    )


def unbilled(world: World, agreement: Agreement) -> list[date]:
    """First days of the periods whose invoices are due and not issued."""
    starts: list[date] = []
    while agreement.invoice_date(len(starts)) < world.today and agreement.begin(len(starts)) <= (
        agreement.last or date.max
    ):
        starts.append(agreement.begin(len(starts)))
    return starts


def compare(
    world: World, client: Json, product: str, row: Row, slot: Slot, count: Count, wanted: Fraction
) -> Row:
    """The slot's row once it is known that it should carry `wanted` units."""
    agreement, table = row.agreement, world.mapping["products"][product]
    if row.quantity is None:
        row.bucket, row.code = "unknown", "PSA_QUANTITY_UNKNOWN"
        return row
    if row.amount_before is None:
        row.bucket, row.code = "unknown", "PSA_PRICE_UNKNOWN"
        return row
    if wanted == row.quantity:
        row.bucket, row.code = ("unchanged", "") if slot else ("nothing", "")
        return row
    if wanted < row.quantity and count.lower_bound:
        row.bucket, row.code = "unknown", count.why
        return row
    ends = wanted == 0 and table.get("at_zero") == "end"
    bucket = "end" if ends else "change" if slot else "create"
    price = row.price
    if ends:
        after = amount_of(agreement, slot[:-1], None)
    elif slot:
        after = amount_of(agreement, slot, wanted)
    elif price is None:
        after = None
    else:
        until = agreement.last + timedelta(days=1) if agreement.last else date.max
        share = agreement.share(agreement.first or date.min, until, 0)
        after = rounded(wanted * price * share, agreement.currency)
    difference = None if after is None else after - (row.amount_before or 0)
    start = max(slot[-1].first, agreement.begin(0)) if slot else agreement.begin(0)
    if accepted(world, row) == (row.quantity, count.value):
        row.bucket, row.code, row.accepted = "ignored", "ACCEPTED", difference
        # accepted is the quantity from now on; money of periods gone by stays owed
        if price is not None:
            row.leak = leak_of(agreement, row.product, slot, wanted, count.since, price)
        return row
    blocked = ""
    later = [
        (x, a)
        for a in world.agreements.values()
        if a.company == str(client["id"]) and a.projected
        for x in a.lines
        if x.product == row.product and x.cancelled > x.first
    ]
    if not slot and any(x.first >= a.begin(1) for x, a in later):
        blocked = "LINE_STARTS_LATER"
    elif billed_unprojected(agreement, row.product):
        blocked = "BILLED_UNPROJECTED"
    elif price is None and not slot:
        blocked = "PRICE_UNKNOWN"
    elif len(unbilled(world, agreement)) > 1:
        blocked = "PAST_PERIODS_UNBILLED"
    elif slot and slot[-1].included and any("subtract" in r for r in table.get("quantity", [])):
        blocked = "INCLUDED_TWICE"
    elif wanted < row.quantity and count.committed and count.committed > start:
        blocked = "COMMITMENT"
    elif guarded(world, product, row, wanted, difference or Fraction(0)):
        blocked = "GUARD"
    if blocked:
        row.bucket, row.code = "blocked", blocked
        row.wanted = {"quantity": wanted, "difference": difference}
    else:
        row.bucket, row.after, row.amount_after = bucket, wanted, after
    if price is not None:
        row.leak = leak_of(agreement, row.product, slot, wanted, count.since, price)
    switch = "increase" if wanted > row.quantity else "decrease"
    switch = switch if bucket == "change" else bucket
    writes = world.mapping.get("writes", {})
    row.would_write = (
        not blocked
        and switch in writes.get("fields", [])
        and (
            writes.get("all_clients", False)
            or str(client["id"]) in [str(i) for i in writes.get("clients", [])]
        )
        and count.final
    )
    return row


def rows_of_product(world: World, client: Json, product: str) -> list[Row]:
    """Every row of one product of one client, on its agreement and, wrongly, on others."""
    code, zero = world.code(product), Fraction(0)
    elsewhere = [
        (agreement, slot)
        for agreement in sorted(world.agreements.values(), key=lambda a: a.id)
        if agreement.company == str(client["id"]) and agreement.projected
        for slot in slots_of(agreement, code)
    ]
    if any(e.get("ignore") for e in exceptions_of(world, client, product)):
        return [still(a, slot, "ignored", "EXCLUDED") for a, slot in elsewhere]
    try:
        agreement = find_agreement(world, client, product)
    except Unclear as reason:
        return [still(a, slot, "blocked", reason.code) for a, slot in elsewhere]
    slots = slots_of(agreement, code)
    elsewhere = [(a, slot) for a, slot in elsewhere if a is not agreement]
    try:
        count = count_of(world, client, product, agreement)
    except Unclear as reason:
        rows = [still(agreement, slot, reason.bucket, reason.code) for slot in slots]
        if any(missing_in_psa(agreement, slot) for slot in slots):
            for row in rows:
                row.bucket, row.code = "unknown", "PSA_UNKNOWN"
        rows += [still(a, slot, "blocked", "WRONG_AGREEMENT") for a, slot in elsewhere]
        if not rows and used(world, client, product, blocked=reason.bucket == "blocked"):
            price = number(
                world.mapping["products"][product].get("price", {}).get(agreement.currency)
            )
            rows = [
                Row(
                    agreement, None, code, reason.bucket, reason.code, zero, zero, price, zero, zero
                )
            ]
        return rows
    if elsewhere:
        at_zero = world.mapping["products"][product].get("at_zero", "keep")
        return rows_of_wrong(agreement, slots, elsewhere, count, at_zero)
    if not slots:
        price = number(world.mapping["products"][product].get("price", {}).get(agreement.currency))
        row = Row(agreement, None, code, "create", "", zero, zero, price, zero, zero)
        row = compare(world, client, product, row, [], count, count.value)
        return [] if row.bucket == "nothing" else [row]
    return rows_of_lines(world, client, product, agreement, slots, count)


def rows_of_wrong(
    agreement: Agreement,
    slots: list[Slot],
    elsewhere: list[tuple[Agreement, Slot]],
    count: Count,
    at_zero: str,
) -> list[Row]:
    """Lines that stand on another agreement too: a person must say which is right."""
    rows = [still(agreement, slot, "blocked", "WRONG_AGREEMENT") for slot in slots]
    own = sum_of(slots)
    for row in rows:
        if any(missing_in_psa(agreement, slot) for slot in slots):
            row.bucket, row.code = "unknown", "PSA_UNKNOWN"
        elif count.value < own and count.lower_bound:
            row.bucket, row.code = "unknown", count.why
        elif count.value == own:
            row.bucket, row.code = "unchanged", ""
    if rows and rows[-1].bucket == "unchanged" and rows[-1].price is not None:
        last = rows[-1]
        assert last.quantity is not None
        last.leak = leak_of(
            agreement,
            last.product,
            slots[-1],
            last.quantity,
            count.since,
            last.price or Fraction(0),
        )
    others = [still(a, slot, "blocked", "WRONG_AGREEMENT") for a, slot in elsewhere]
    every = [*slots, *(slot for _, slot in elsewhere)]
    if all(slot[-1].quantity is not None for slot in every[:-1]):
        want(others[-1], elsewhere[-1], count.value - sum_of(every[:-1]), count, at_zero)
    return rows + others


def want(
    row: Row, held: tuple[Agreement, Slot], wanted: Fraction, count: Count, at_zero: str
) -> None:
    """The last of several held slots says what it would have become."""
    agreement, slot = held
    wanted = max(wanted, Fraction(0))
    if wanted == row.quantity:
        if slot[-1].price is not None:
            row.leak = leak_of(agreement, row.product, slot, wanted, count.since, slot[-1].price)
        return
    if row.quantity is not None and wanted < row.quantity and count.lower_bound:
        return
    if wanted == 0 and at_zero == "end":
        after = amount_of(agreement, slot[:-1], None)
    else:
        after = amount_of(agreement, slot, wanted)
    known = after is not None and row.amount_before is not None
    row.wanted = {
        "quantity": wanted,
        "difference": (after or 0) - (row.amount_before or 0) if known else None,
    }
    if slot[-1].price is not None:
        row.leak = leak_of(agreement, row.product, slot, wanted, count.since, slot[-1].price)


def rows_of_lines(
    world: World, client: Json, product: str, agreement: Agreement, slots: list[Slot], count: Count
) -> list[Row]:
    """Lines are compared by their sum; the one that is named flexible takes the difference."""
    rows = [still(agreement, slot, "unchanged", "") for slot in slots]
    billed = sum_of(slots)
    if any(missing_in_psa(agreement, slot) for slot in slots):
        for row in rows:
            row.bucket, row.code = "unknown", "PSA_UNKNOWN"
        return rows
    if count.value < billed and count.lower_bound:
        for row in rows:
            row.bucket, row.code = "unknown", count.why
        return rows
    if count.value == billed:
        last, slot = rows[-1], slots[-1]
        if slot[-1].price is not None and last.quantity is not None:
            last.leak = leak_of(
                agreement, last.product, slot, last.quantity, count.since, slot[-1].price
            )
        return rows
    flexible = {
        str(entry["line"])
        for entry in world.mapping.get("lines", [])
        if entry.get("flexible", True)
        and str(entry["client"]) == str(client["id"])
        and entry["product"] == product
    }
    named = [slot for slot in slots if any(line.id in flexible for line in slot)]
    if len(slots) == 1:
        named = slots
    apart = billed_unprojected(agreement, slots[0][0].product)
    if len(named) == 1 and not (apart and len(slots) > 1):
        at = slots.index(named[0])
        wanted = (rows[at].quantity or Fraction(0)) + count.value - billed
        if wanted >= 0:
            compare(world, client, product, rows[at], slots[at], count, wanted)
            return rows
    for row in rows:
        row.bucket, row.code = "blocked", "BILLED_UNPROJECTED" if apart else "AMBIGUOUS_LINES"
    rest = (rows[-1].quantity or Fraction(0)) + count.value - billed
    at_zero = world.mapping["products"][product].get("at_zero", "keep")
    want(rows[-1], (agreement, slots[-1]), rest, count, at_zero)
    return rows


def billed_unprojected(agreement: Agreement, product: str) -> bool:
    """Whether a one-time agreement of the company bills the product, too."""
    start = max(agreement.begin(0), agreement.first or date.min)
    return any(
        line.product == product and line.cancelled > start
        for other in agreement.others
        if other.status == "active" and other.cycle == "one_time"
        if other.last is None or other.last >= start
        for line in other.lines
    )


def strays(world: World, agreement: Agreement, code: str) -> tuple[str, str]:
    """Bucket and reason of a line that no usage was compared with."""
    product = world.product_of(code)
    client = world.clients.get(agreement.company)
    if product is None:
        return "fixed", "NO_MAPPED_PRODUCT"
    if client is None:
        return "orphan", "CLIENT_NOT_MAPPED"
    if product in world.covered(client):
        return "ignored", "COVERED"
    if not any(customer_ids(client, vendor) for vendor in world.vendors(product)):
        return "orphan", "NO_CUSTOMER_ID"
    return "blocked", "WRONG_AGREEMENT"


def all_rows(world: World) -> list[Row]:
    rows = []
    for client in world.clients.values():
        for product in world.mapping["products"]:
            if product in world.covered(client):
                continue
            if any(customer_ids(client, vendor) for vendor in world.vendors(product)):
                rows += rows_of_product(world, client, product)
    seen = {(row.agreement.id, name) for row in rows for name in (row.line_id or "").split("+")}
    for agreement in world.agreements.values():
        if not agreement.projected:
            continue
        for code in sorted({line.product for line in agreement.lines}):
            for slot in slots_of(agreement, code):
                if (agreement.id, slot[0].id) not in seen:
                    rows.append(still(agreement, slot, *strays(world, agreement, code)))
    return rows
