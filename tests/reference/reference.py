"""A second, slow and obvious calculator of `drybill.diff/1`, written from the formats alone.

It shares nothing with drybill: csv, tomllib and Fraction. It exists to disagree.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction

from .counted import (
    Unclear,
    World,
    count_of,
    customer_ids,
    exceptions_of,
    excludes_trial,
    is_quantity,
    is_seen,
    latest_of,
    of_entry,
    uses,
)
from .rows import (
    Row,
    all_rows,
    find_agreement,
    unbilled,
)
from .signed import (
    Agreement,
    Files,
    Json,
    number,
    read_agreements,
    rounded,
    rows_of,
    total,
)


def cost_of(records: list[dict[str, str]]) -> tuple[Fraction | None, str | None]:
    currencies = {r.get("currency") or "" for r in records}
    amounts = [
        number(r.get("amount"))
        if r.get("amount")
        else Fraction(r["unit_cost"]) * Fraction(r["quantity"])
        if r.get("unit_cost") and r["quantity"]
        else None
        for r in records
    ]
    if None in amounts or len(currencies) != 1 or currencies == {""}:
        return None, None
    currency = currencies.pop()
    return rounded(sum((a for a in amounts if a is not None), Fraction(0)), currency), currency


def usage_without_line(world: World, found: list[Row]) -> tuple[list[Json], list[Json]]:
    """(unmapped, ignored): what is used and stands on no line."""
    unmapped, ignored = [], []
    for vendor, everything in sorted(world.usage.items()):
        records = [r for r in everything if is_quantity(r)]
        for key in sorted({(r["customer_id"], r["sku"], r.get("term") or "") for r in records}):
            own = [r for r in records if (r["customer_id"], r["sku"], r.get("term") or "") == key]
            client = next(
                (c for c in world.clients.values() if key[0] in customer_ids(c, vendor)), None
            )
            products = [
                name
                for name, table in world.mapping["products"].items()
                if any(e["vendor"] == vendor and of_entry(e, own[0]) for e in table.get("from", []))
            ]
            unclear: list[Unclear] = []
            seen = latest_of([r for r in own if is_seen(world, r)], "once", unclear)
            newest = max((r.get("period_start") or "" for r in seen), default="")
            seen = [r for r in seen if (r.get("period_start") or "") == newest]
            quantities = [number(r["quantity"]) for r in seen]
            known = sum((q for q in quantities if q is not None), Fraction(0))
            lacking = None in quantities or not seen or unclear
            cost, currency = cost_of(seen) if seen and not unclear else (None, None)
            item = {
                "vendor": vendor,
                "customer_id": key[0],
                "client_id": str(client["id"]) if client else None,
                "sku": key[1],
                "quantity": None if lacking else known,
                "cost": cost,
                "cost_currency": currency,
            }
            reason = reason_of(world, client, products, found)
            if item["quantity"] == 0:
                continue
            if reason in ("COVERED", "EXCLUDED", "RULES_TO_ZERO"):
                ignored.append({**item, "reason": reason})
            elif reason:
                unmapped.append({**item, "reason": reason})
    return unmapped, ignored


def reason_of(world: World, client: Json | None, products: list[str], found: list[Row]) -> str:
    """Why usage stands on no line; empty where it has a row."""
    if not products:
        return "SKU_NOT_MAPPED"
    if client is None:
        return "CUSTOMER_NOT_MAPPED"
    product = products[0]
    code = world.code(product)
    own = [r for r in found if r.product == code and r.agreement.company == str(client["id"])]
    nowhere = ("AGREEMENT_NOT_FOUND", "AGREEMENT_AMBIGUOUS")
    if own and not any(row.code in nowhere for row in own):
        return ""
    if product in world.covered(client):
        return "COVERED"
    if any(e.get("ignore") for e in exceptions_of(world, client, product)):
        return "EXCLUDED"
    try:
        agreement = find_agreement(world, client, product)
        if count_of(world, client, product, agreement).value != 0:
            return ""
    except Unclear as unclear:
        return unclear.code if unclear.bucket == "unmapped" else ""
    if excludes_trial(world, product) and any(
        # a trial of unknown size is not a trial of nothing
        record.get("trial") == "true" and is_seen(world, record) and number(record["quantity"]) != 0
        for record in uses(world, client, product)
    ):
        return "EXCLUDED"
    if any(
        is_seen(world, record)
        and number(record["quantity"])
        and (record.get("trial") != "true" or not excludes_trial(world, product))
        for record in uses(world, client, product)
    ):
        return "RULES_TO_ZERO"
    return ""


def root_of(world: World, agreement: Agreement) -> Agreement:
    """A child that bills another company is the root of an invoice of its own."""
    while agreement.parent in world.agreements:
        parent = world.agreements[agreement.parent]
        if payer_of(world, agreement) != payer_of(world, parent):
            break
        agreement = parent
    return agreement


def payer_of(world: World, agreement: Agreement) -> str:
    if agreement.bill_to:
        return agreement.bill_to
    if agreement.parent in world.agreements:
        return payer_of(world, world.agreements[agreement.parent])
    return agreement.company


def calculate(files: Files, today: date, rows: Mapping[str, tuple[str, str]] | None = None) -> Json:
    """What `diff --all --format json` should say; `rows` tells row ids as (agreement, product)."""
    mapping = tomllib.loads(files["mapping.toml"])
    world = World(
        mapping=mapping,
        agreements=read_agreements(files),
        usage={
            name: rows_of(files[settings["usage"]])
            for name, settings in mapping.get("vendors", {}).items()
        },
        clients={str(client["id"]): client for client in mapping.get("clients", [])},
        today=today,
        rows=rows or {},
    )
    found = all_rows(world)
    groups: dict[tuple[str, str, str, date], list[Agreement]] = {}
    for agreement in sorted(world.agreements.values(), key=lambda a: a.id):
        if agreement.projected:
            key = (
                root_of(world, agreement).id,
                payer_of(world, agreement),
                agreement.currency,
                agreement.invoice_date(0),
            )
            groups.setdefault(key, []).append(agreement)
    invoices = [invoice(world, key, members, found) for key, members in sorted(groups.items())]
    unmapped, ignored = usage_without_line(world, found)
    buckets = ["unchanged", "change", "create", "end", "fixed", "orphan", "ignored"]
    buckets += ["blocked", "unknown"]
    return {
        "invoices": invoices,
        "unmapped": unmapped,
        "ignored": ignored,
        "totals": totals(invoices),
        "buckets": {
            **{name: sum(row.bucket == name for row in found) for name in buckets},
            "ignored": sum(row.bucket == "ignored" for row in found) + len(ignored),
            "unmapped": len(unmapped),
        },
    }


def invoice(
    world: World, key: tuple[str, str, str, date], members: list[Agreement], found: list[Row]
) -> Json:
    root, payer, currency, due = key
    head = next((a for a in members if a.id == root), members[0])
    own = [row for row in found if row.agreement in members]
    base = total([member.base for member in members])
    before = base + total([row.amount_before for row in own])
    after = base + total([row.amount_after for row in own])
    past = sorted({start for member in members for start in unbilled(world, member)})
    leaks = [row.leak for row in own if row.leak is not None]
    return {
        "client_id": payer,
        "agreement_id": root,
        "currency": currency,
        "period_start": head.begin(0),
        "period_end": head.begin(1),
        "invoice_date": due,
        "horizon": "later" if due > world.today + timedelta(days=31) else "now",
        "base_amount": base,
        "before": before,
        "after": after,
        "difference": after - before,
        "unknown_lines": sum(row.amount_before is None for row in own),
        "unbilled_periods": past if len(past) > 1 else [],
        "leak": total([*leaks]) if leaks else None,
        "lines": own,
    }


def totals(invoices: list[Json]) -> list[Json]:
    answer = []
    for currency, horizon in sorted({(i["currency"], i["horizon"]) for i in invoices}):
        own = [i for i in invoices if (i["currency"], i["horizon"]) == (currency, horizon)]
        rows: list[Row] = [row for i in own for row in i["lines"]]
        held = [row.wanted["difference"] or Fraction(0) for row in rows if row.wanted]
        answer.append(
            {
                "currency": currency,
                "horizon": horizon,
                **{
                    name: total([i[name] for i in own])
                    for name in ("before", "after", "difference")
                },
                "under_billed": total([row.difference for row in rows if row.difference > 0]),
                "over_billed": total([row.difference for row in rows if row.difference < 0]),
                "held_up": total([h for h in held if h > 0]),
                "held_down": total([h for h in held if h < 0]),
                "accepted": total([row.accepted for row in rows]),
                "leak_up": total([r.leak for r in rows if r.leak and r.leak > 0]),
                "leak_down": total([r.leak for r in rows if r.leak and r.leak < 0]),
                "not_checked": total([r.amount_before for r in rows if r.bucket == "unknown"]),
                "incomplete_invoices": sum(i["unknown_lines"] > 0 for i in own),
            }
        )
    return answer
